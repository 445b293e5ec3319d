package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// daemon is a private server's process, with a folder of its own.
type daemon struct {
	folder string

	mu      sync.Mutex
	process *process // nil: it does not run
}

// process is one run of the server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// launch starts the process, which writes to the log; mu is held. The signal
// ends it when this process does.
func (d *daemon) launch(cmd *exec.Cmd, death syscall.Signal) error {
	log, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = log, log
	d.process, err = startProcess(cmd, death)
	return err
}

// Log is the path of the server's log.
func (d *daemon) Log() string { return filepath.Join(d.folder, "log") }

// Tail gives the end of the server's log.
func (d *daemon) Tail() string {
	text, err := os.ReadFile(d.Log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// Freeze stops all processes of the server where they are, or lets them go on.
func (d *daemon) Freeze(freeze bool) error {
	signal := syscall.SIGCONT
	if freeze {
		signal = syscall.SIGSTOP
	}
	return signalAll(d.process, signal)
}

// Kill ends all processes of the server with SIGKILL at once; Start recovers.
func (d *daemon) Kill() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process == nil {
		return nil
	}
	err := killAll(d.process)
	<-d.process.ended
	d.process = nil
	return err
}
