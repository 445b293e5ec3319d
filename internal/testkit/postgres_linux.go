package testkit

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startProcess starts a program that ends when this process does, however that
// comes about: a test that is killed leaves no server behind.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
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
