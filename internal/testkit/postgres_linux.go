package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// startProcess starts a program that gets a signal when this process ends,
// however that comes about: a test that is killed leaves no server behind.
func startProcess(cmd *exec.Cmd, end syscall.Signal) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = end
	started := make(chan error, 1)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		// The signal comes at the end of the thread that started the program,
		// so that thread is kept until the program has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended is in its log
		}
		close(p.ended)
	}()
	return p, <-started
}

// killAll ends a program and all that it started, at once.
func killAll(p *process) error { return signalAll(p, syscall.SIGKILL) }

// signalAll sends a signal to a program and all that it started.
func signalAll(p *process, signal syscall.Signal) error {
	pid := p.cmd.Process.Pid
	// Stopped, it starts no others meanwhile.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return errors.Join(err, syscall.Kill(pid, signal))
	}
	err = nil
	for _, child := range strings.Fields(string(children)) {
		n, e := strconv.Atoi(child)
		if e == nil {
			e = syscall.Kill(n, signal)
		}
		if e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, syscall.Kill(pid, signal))
}
