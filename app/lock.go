package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
