package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"casm/app"
)

// ownServer is a server process on a temporary folder.
type ownServer struct {
	url   *url.URL
	data  string
	cmd   *exec.Cmd
	ended chan error
	log   *tail
}

// startOwn starts a server and waits until it is ready. A batchLimit of 0 is
// the default, a database of "" the embedded store. Its warehouse is off unless
// it is measured, too.
func startOwn(ctx context.Context, batchLimit int, database string, warehouse bool) (_ *ownServer, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &ownServer{ended: make(chan error, 1), log: &tail{}}
	if s.data, err = os.MkdirTemp("", "casm-load"); err != nil {
		return nil, err
	}
	args := []string{"serve", "--dev", "--demo", "--data", s.data, "--listen", "127.0.0.1:0", "--nats-listen", app.Off, "--log-level", "warn"}
	if !warehouse {
		args = append(args, "--warehouse", app.Off)
	}
	if batchLimit != 0 {
		args = append(args, "--batch-limit", strconv.Itoa(batchLimit))
	}
	s.cmd = exec.Command(self, args...)
	s.cmd.Stderr = s.log
	// Settings that are meant for another server are not meant for this one.
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CASM_") })
	if database != "" {
		s.cmd.Env = append(s.cmd.Env, "CASM_DATABASE="+database) // it may hold a password, which others could read among arguments
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the generator, which stops it
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.data))
	}
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *ownServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		status, err := app.ServerStatus(ctx, s.data)
		if err == nil {
			s.url, err = url.Parse(status.URL)
			return err
		}
		select {
		case end := <-s.ended:
			s.ended <- end
			return fmt.Errorf("the server to measure did not start: %w\n%s", errors.Join(end), s.log)
		case <-ctx.Done():
			return fmt.Errorf("the server to measure did not start: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop stops the server and removes its folder.
func (s *ownServer) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // one that has ended already is awaited all the same
	kill := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	err := <-s.ended
	if err != nil {
		err = fmt.Errorf("the server that was measured: %w\n%s", err, s.log)
	}
	return errors.Join(err, os.RemoveAll(s.data))
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if over := t.b.Len() - tailSize; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
