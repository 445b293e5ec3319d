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
// The copy is synced as often: all at once at the end, commits would wait until
// the disk has taken all of it (0.8 s for 300 MB, instead of 0.1 s).
const backupPages = 1024

// Backup writes what is committed now to a new database file at path, while
// the store goes on. It is on the disk when Backup returns; after an error
// there is no file. The write-ahead log grows until the copy is done. progress
// gets bytes. A second one at the same time waits for the first.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	c, err := s.take(ctx, s.backups)
	if err != nil {
		return err
	}
	err = backup(ctx, c, path, progress)
	err = errors.Join(err, c.Close())
	s.backups <- conn{}
	return err
}

// BackupFile is Store.Backup of the database at from, which need not be of
// this release's schema, and on which no process works.
func BackupFile(ctx context.Context, from, path string, progress func(done, total int64)) error {
	c, err := connect(from, false)
	if err != nil {
		return fmt.Errorf("backup of %s: %w", from, err)
	}
	err = backup(ctx, c, path, progress)
	return errors.Join(err, c.Close())
}

func backup(ctx context.Context, src conn, path string, progress func(done, total int64)) (err error) {
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
	err = src.copyTo(ctx, path, file.Sync, progress)
	// Only now: closing a file gives up the locks that SQLite has on it.
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// copyTo copies the database page by page. An open snapshot keeps the source
// as it is; without one, each commit would start the copy again.
func (c conn) copyTo(ctx context.Context, path string, sync func() error, progress func(done, total int64)) (err error) {
	size, err := c.pragma("page_size")
	if err != nil {
		return err
	}
	if err := c.script(`BEGIN; SELECT position FROM log_head`); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, c.rollback())
		if err == nil {
			// What gathered in the log meanwhile is copied back here, while
			// commits go on: the next one of them would do it alone.
			err = c.script(`PRAGMA wal_checkpoint(PASSIVE)`)
		}
	}()
	dst, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	backup, err := sqlite.NewBackup(dst, "main", c.Conn, "main")
	if err != nil {
		return err
	}
	defer backup.Close() //nolint:errcheck // the error that counts is returned
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := backup.Step(backupPages)
		if err != nil {
			return err
		}
		total := int64(backup.PageCount())
		progress((total-int64(backup.Remaining()))*size, total*size)
		if !more {
			return nil
		}
		if err := sync(); err != nil {
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
	err = w.exec(`UPDATE log_head SET epoch = max(epoch, ?) + 1`, func(a *args) { a.int(over) })
	if err == nil {
		err = w.exec(`DELETE FROM session`, nil)
	}
	if err != nil {
		return store.Head{}, classify(fmt.Errorf("raise the epoch: %w", err))
	}
	return (&reader{c: w, now: s.now}).Head(ctx)
}
