// Package postgres is the store at scale: one PostgreSQL database, 15 or
// newer, that any number of processes share.
//
// A commit takes two round trips. The first begins a transaction of isolation
// READ COMMITTED, locks the customers to which what was named belongs (advisory
// locks, in sorted order), and then loads it: nobody else changes anything of
// these customers until the commit ends. The second writes claims, entities,
// journal, uses, takes the next positions from log_head as the last lock of
// all, and commits; so position order is commit order, without gaps, and the
// log is held up only while a commit flushes. An entity is written only over
// the version that was loaded, and a claim only if it is held by whom it
// should be: what lost a race nevertheless is rolled back and decided again.
//
// Nothing is kept in the process: what one commits, all see.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"casm/store"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are the settings of a Store; the zero value is good.
type Options struct {
	// Now is the store's clock; by default the database's own.
	Now func() time.Time
	// Committers bounds the commits under way at once, each on a connection of
	// its own; by default 2. Others wait in the order they came.
	Committers int
	// Readers bounds the connections that read, opened as they are needed; by
	// default 10.
	Readers int
	// Timeout bounds what a commit waits for others and for the database, by
	// default 30 s. A process that hangs in the middle of a commit loses its
	// locks after half of it.
	Timeout time.Duration
	// Logger gets what goes wrong beside calls; none by default.
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Committers <= 0 {
		o.Committers = 2
	}
	if o.Readers <= 0 {
		o.Readers = 10
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Store is the store on PostgreSQL. It must be closed.
type Store struct {
	options Options
	writers *pgxpool.Pool
	readers *pgxpool.Pool

	closing sync.Once
	stop    context.CancelFunc // of what runs beside calls
	stopped sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens the database at a URL (postgres://user:password@host:port/name,
// or anything else that libpq takes; several hosts for a fail-over), whose
// schema Migrate has made. Its errors do not hold the password.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	return openStore(ctx, url, opts, true)
}

func openStore(ctx context.Context, url string, opts Options, check bool) (*Store, error) {
	opts.setDefaults()
	s := &Store{options: opts}
	// A reader may hold its snapshot for longer than a commit holds locks, but
	// not for ever: what it could still see cannot be cleaned up.
	writers, err := poolConfig(url, opts.Committers, opts.Timeout/2, opts.Timeout)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	readers, err := poolConfig(url, opts.Readers, 10*opts.Timeout, opts.Timeout)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if s.writers, err = pgxpool.NewWithConfig(ctx, writers); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if s.readers, err = pgxpool.NewWithConfig(ctx, readers); err != nil {
		s.writers.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if check {
		err = s.checkSchema(ctx)
	}
	if err != nil {
		s.writers.Close()
		s.readers.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.stopped.Go(func() { s.keepPartitions(background) })
	s.stopped.Go(func() { s.keepSums(background) })
	return s, nil
}

// Close ends the store and its connections. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.stopped.Wait()
		s.writers.Close()
		s.readers.Close()
	})
	return nil
}

// View implements store.Store. fn must not call View or Commit: there are few
// connections.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return err
	}
	r := &reader{c: c, now: s.options.Now, begin: beginRead}
	defer func() {
		r.over = true
		// The end of a snapshot changes nothing: nobody waits for it. Close
		// does, as the pool waits for its connections.
		go c.end()
	}()
	return fn(r)
}

var errTooOften = errors.New("it was decided too often")
