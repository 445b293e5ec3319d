// Package ownfile makes files that are their owner's alone.
package ownfile

import (
	"errors"
	"io/fs"
	"os"
)

// Begin makes the file if there is none yet, for its owner alone: SQLite would
// let everybody on the machine read its database. Its log and index get the
// rights of the file. One that is there is not opened, as closing it would end
// the locks that this process holds on it.
func Begin(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}
