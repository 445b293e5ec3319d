// Package sqlite is the embedded store: one SQLite database in WAL mode, with
// one connection that writes and a few that read.
//
// A commit is on the disk before Commit returns (synchronous=FULL). As there
// is one writer, a Commit never waits for rows and is never run again because
// of another one in the same process.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"casm"
	"casm/internal/ownfile"
	"casm/store"
)

// Options are the settings of a Store; the zero value is good.
type Options struct {
	// Now is the store's clock, time.Now by default.
	Now func() time.Time
	// Readers bounds the connections that read, opened as they are needed. By
	// default one for each CPU, at least 2 and at most 16.
	Readers int
}

// Store is the embedded store. It must be closed.
type Store struct {
	path string
	now  func() time.Time

	// A pool holds what is free: connections, and for each that is not open a
	// conn without a Conn, the right to open one.
	writer  chan conn // one
	readers chan conn
	backups chan conn // one, which is never kept open

	closing sync.Once
	closed  chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open opens the database at path, creates it when it does not exist, and
// brings its schema to this release's. That the file is not served by another
// process at the same time is the caller's affair.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Readers <= 0 {
		opts.Readers = min(max(runtime.NumCPU(), 2), 16)
	}
	if err := ownfile.Begin(path); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	w, err := connect(path, true)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := migrate(ctx, w); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: schema: %w", path, err), w.Close())
	}
	if err := w.countSums(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: sums: %w", path, err), w.Close())
	}
	s := &Store{
		path:    path,
		now:     opts.Now,
		writer:  make(chan conn, 1),
		backups: make(chan conn, 1),
		readers: make(chan conn, opts.Readers),
		closed:  make(chan struct{}),
	}
	s.writer <- w
	s.backups <- conn{}
	for range opts.Readers {
		s.readers <- conn{}
	}
	return s, nil
}

// Close waits for calls that are under way and closes the database. Closing
// again does nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		close(s.closed)
		<-s.backups
		for range cap(s.readers) {
			if c := <-s.readers; c.Conn != nil {
				err = errors.Join(err, c.Close())
			}
		}
		// The last connection to close copies the write-ahead log back into
		// the database, so it must be the one that may write.
		if w := <-s.writer; w.Conn != nil {
			err = errors.Join(err, w.Close())
		}
	})
	return err
}

// take gets a connection out of a pool; put gives it back.
func (s *Store) take(ctx context.Context, pool chan conn) (c conn, err error) {
	if err := ctx.Err(); err != nil {
		return conn{}, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if s.isClosed() {
		return conn{}, errClosed
	}
	select {
	case c = <-pool:
	case <-s.closed:
		return conn{}, errClosed
	case <-ctx.Done():
		return conn{}, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	if c.Conn == nil {
		if c, err = connect(s.path, pool == s.writer); err != nil {
			pool <- conn{}
			return conn{}, fmt.Errorf("%w: connect: %w", store.ErrUnavailable, err)
		}
	}
	return c, nil
}

// put gives a connection back. One whose transaction could not be ended is not
// used again.
func (s *Store) put(pool chan conn, c conn) {
	if !c.AutocommitEnabled() {
		c.Close() //nolint:errcheck // it is not used again
		c = conn{}
	}
	pool <- c
}

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// View implements store.Store. fn must not call View or Commit: there are few
// connections, and one that is held keeps the write-ahead log from shrinking.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) (err error) {
	c, err := s.take(ctx, s.readers)
	if err != nil {
		return err
	}
	defer func() { s.put(s.readers, c) }()
	release := c.until(ctx)
	// The snapshot is taken by the first query.
	if err := c.exec("BEGIN", nil); err != nil {
		release()
		return errors.Join(classify(fmt.Errorf("begin to read: %w", err)), c.rollback())
	}
	r := &reader{c: c, now: s.now}
	defer func() {
		r.over = true
		release()
		if e := c.rollback(); e != nil { // nothing was written, so this only ends the snapshot
			err = errors.Join(err, fmt.Errorf("end the snapshot: %w", e))
		}
	}()
	return fn(r)
}

// clock reads the store's clock.
func clock(now func() time.Time) casm.Time { return casm.TimeOf(now()) }
