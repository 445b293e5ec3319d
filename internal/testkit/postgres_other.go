//go:build !linux

package testkit

import (
	"os/exec"
	"syscall"
)

func startProcess(cmd *exec.Cmd, _ syscall.Signal) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return p, nil
}

// killAll ends a program; those that it started end by themselves when they
// miss it.
func killAll(p *process) error { return p.cmd.Process.Kill() }

// signalAll sends a signal to a program; what it started does not get it.
func signalAll(p *process, signal syscall.Signal) error { return p.cmd.Process.Signal(signal) }
