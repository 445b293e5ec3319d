package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"casm/store"

	"zombiezen.com/go/sqlite"
)

// backupPages is how many pages are copied between two looks at the context.
const backupPages = 1024

// Backup writes what is committed now to a new database file at path, while
// the store goes on. It is on the disk when Backup returns; after an error
// there is no file. The write-ahead log grows until the copy is done.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if s.isClosed() {
		return errClosed
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(path) //nolint:errcheck // the error that counts is returned
			err = fmt.Errorf("backup to %s: %w", path, err)
		}
	}()
	err = s.copyTo(ctx, path)
	// Only now: closing a file gives up the locks that SQLite has on it.
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// copyTo copies the database page by page. An open snapshot keeps the source
// as it is; without one, each commit would start the copy again.
func (s *Store) copyTo(ctx context.Context, path string) (err error) {
	src, err := connect(s.path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.rollback(), src.Close()) }()
	if err := src.script(`BEGIN; SELECT position FROM log_head`); err != nil {
		return err
	}
	dst, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	backup, err := sqlite.NewBackup(dst, "main", src.Conn, "main")
	if err != nil {
		return err
	}
	defer backup.Close() //nolint:errcheck // the error that counts is returned
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err := backup.Step(backupPages); err != nil || !more {
			return err
		}
	}
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Lease implements store.Store: one process has the folder, and so all leases.
func (s *Store) Lease(_ context.Context, _, holder string, _ time.Duration) (string, error) {
	return holder, nil
}

// RaiseEpoch implements store.Store.
func (s *Store) RaiseEpoch(ctx context.Context, over int64) (head store.Head, err error) {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return store.Head{}, err
	}
	defer s.put(s.writer, w)
	if err := w.exec(`UPDATE log_head SET epoch = max(epoch, ?) + 1`, func(a *args) { a.int(over) }); err != nil {
		return store.Head{}, classify(fmt.Errorf("raise the epoch: %w", err))
	}
	return (&reader{c: w, now: s.now}).Head(ctx)
}
