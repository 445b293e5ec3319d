package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// maxSocketPath is how long the path of a socket can be on all systems.
const maxSocketPath = 100

// withSocket calls fn with a path of the data folder's socket that is short
// enough: if need be through a link that stands only meanwhile.
func withSocket(data string, fn func(path string) error) error {
	path := filepath.Join(data, socketFile)
	if len(path) <= maxSocketPath {
		return fn(path)
	}
	absolute, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "casm")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an empty folder may stay behind
	link := filepath.Join(dir, "data")
	if err := os.Symlink(absolute, link); err != nil {
		return err
	}
	return fn(filepath.Join(link, socketFile))
}

var umask sync.Mutex

// listenSocket opens the data folder's socket, which only this user can
// connect to. The folder's lock must be held: a socket that is there then is
// left from a process that was killed.
func listenSocket(data string) (net.Listener, error) {
	var l *net.UnixListener
	err := withSocket(data, func(path string) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		umask.Lock()
		defer umask.Unlock()
		old := syscall.Umask(0o177)
		defer syscall.Umask(old)
		var err error
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("socket of the data folder: %w", err)
	}
	l.SetUnlinkOnClose(false) // its path may be gone by then; removeSocket removes it
	return l, nil
}

// removeSocket removes the socket of a server that has stopped.
func removeSocket(data string) error {
	if err := os.Remove(filepath.Join(data, socketFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dialSocket connects to the server that works on the data folder.
func dialSocket(ctx context.Context, data string) (conn net.Conn, err error) {
	err = withSocket(data, func(path string) error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}
