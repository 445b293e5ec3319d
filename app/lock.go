package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// The files of a data folder.
const (
	lockFile   = "casm.lock"
	socketFile = "casm.sock"
	storeFile  = "casm.db"
	streamDir  = "stream"
)

// ErrInUse is the error of a data folder that another process works on.
var ErrInUse = errors.New("the data folder is in use")

// lockPatience is how long a server waits for the folder while it is in use by
// something that is no running server: a command that is about to end, or a
// server that is stopping.
const lockPatience = 5 * time.Second

// lockForServer is lock with patience.
func lockForServer(ctx context.Context, data string) (*flock.Flock, error) {
	for deadline := time.Now().Add(lockPatience); ; {
		l, err := lock(data)
		if !errors.Is(err, ErrInUse) || time.Now().After(deadline) {
			return l, err
		}
		if _, running := ServerStatus(ctx, data); running == nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lock takes the data folder for this process, making it if need be. The lock
// is the operating system's, which frees it however the process ends; the file
// stays and holds the process's id, for people.
func lock(data string) (*flock.Flock, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	path := filepath.Join(data, lockFile)
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !ok {
		by := "another process"
		if text, err := os.ReadFile(path); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				by = "process " + strconv.Itoa(pid)
			}
		}
		return nil, fmt.Errorf("%w by %s: %s; stop it, or name another folder with --data", ErrInUse, by, data)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), l.Unlock())
	}
	return l, nil
}
