// Package warehouse keeps, in an analytical database of its own, what business
// transactions tell: the present row and the history of each entity, the
// transactions, and metrics (contract 8). It knows the stream and the feed,
// not the store.
//
// A message takes effect exactly once: the position goes with the data, in one
// transaction. What the stream lacks is read from the feed; what cannot be
// processed is set aside, counted and shown; a log that was put back to an
// earlier time makes the warehouse anew, beside what stands.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"casm"
	"casm/stream"
	"casm/warehouse/sqldb"

	"github.com/prometheus/client_golang/prometheus"
)

// Feed is the log itself, page by page (contract 7).
type Feed interface {
	// Page gives the messages after a position, up to limit, and what the log
	// was then.
	Page(ctx context.Context, after casm.Position, limit int) (Page, error)
	// Sums gives counts and checksums of the journal up to a position.
	Sums(ctx context.Context, upTo casm.Position) (Sums, error)
}

// Page is a page of the feed.
type Page struct {
	Epoch    int64
	Head     int64 // the log's last transaction
	Messages []Message
}

// Sums are counts and checksums by kind, and the epoch of the log that they are of.
type Sums struct {
	Epoch int64
	Kinds map[casm.Kind]casm.Sum
}

// Options are what a Warehouse is made with.
type Options struct {
	// Place is where its database stands.
	Place sqldb.Place
	Feed  Feed
	// Subscribe opens the place of a subscriber with the name in the stream.
	// nil: the feed is followed instead, with a look every half second.
	Subscribe func(ctx context.Context, name string) (stream.Subscription, error)
	// Zone is the installation's time zone, of days; nil is UTC.
	Zone *time.Location
	// ReconcileAt is when, after midnight in Zone, the nightly reconciliation
	// runs; below zero: never. 0 is half past two.
	ReconcileAt time.Duration
	Logger      *slog.Logger
	Metrics     prometheus.Registerer // nil: none
	Now         func() time.Time      // nil: time.Now
}

// Warehouse is an open data warehouse.
type Warehouse struct {
	o      Options
	log    *slog.Logger
	layout *layout

	// applying is held by what moves the warehouse on, a batch at a time.
	applying sync.Mutex
	// rebuilding is held by the one rebuild that is under way.
	rebuilding sync.Mutex

	mu      sync.RWMutex // guards what follows; readers of the database hold it
	tables  *tables      // nil: the database could not be opened again, or Close was called
	closed  bool
	answers map[bool]answer // of Metrics, by whether tests are counted

	daySteps []dayStep // of the last batches, each after the one before; guarded by status.mu, as answers are

	status  tracker
	metrics *metrics
}

// ErrClosed: the warehouse is closed, or its database could not be opened.
var ErrClosed = errors.New("warehouse: not open")

// Open opens a warehouse; Run lets it follow. Close it after Run has ended.
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReconcileAt == 0 {
		o.ReconcileAt = 2*time.Hour + 30*time.Minute
	}
	w := &Warehouse{o: o, log: o.Logger, layout: newLayout(), answers: map[bool]answer{}}
	w.status.now = o.Now
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	w.metrics = newMetrics(w)
	return w, nil
}

// open opens the present database; w.mu is held, or w not yet in use.
func (w *Warehouse) open(ctx context.Context) error {
	db, err := w.o.Place.Open(ctx)
	if err != nil {
		return err
	}
	t, p, err := openTables(ctx, db, w.layout, w.o.Zone, w.o.Now)
	if err == nil {
		err = w.status.opened(ctx, t, p)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.tables = t
	clear(w.answers)
	w.status.mu.Lock()
	w.daySteps = nil
	w.status.mu.Unlock()
	return nil
}

// reopen opens the database that stands at the place now.
func (w *Warehouse) reopen(ctx context.Context) (err error) {
	w.applying.Lock()
	defer w.applying.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if w.tables != nil {
		err = w.tables.db.Close()
		w.tables = nil
	}
	return errors.Join(err, w.open(ctx))
}

// Close closes the database; readers end first.
func (w *Warehouse) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.metrics.close()
	if w.tables == nil {
		return nil
	}
	t := w.tables
	w.tables = nil
	return t.db.Close()
}

// view runs fn on one snapshot of the present database.
func (w *Warehouse) view(ctx context.Context, fn func(sqldb.Reader) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tables == nil {
		return ErrClosed
	}
	return w.tables.db.View(ctx, fn)
}

// present returns the tables of the present database. They stay open while
// applying is held.
func (w *Warehouse) present() (*tables, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tables == nil {
		return nil, ErrClosed
	}
	return w.tables, nil
}

// progress reads how far the warehouse is.
func (w *Warehouse) progress(ctx context.Context) (p progress, err error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tables == nil {
		return p, ErrClosed
	}
	return w.progressOf(ctx, w.tables)
}

func (w *Warehouse) progressOf(ctx context.Context, t *tables) (p progress, err error) {
	err = t.db.View(ctx, func(r sqldb.Reader) error {
		var found bool
		p, found, err = readProgress(ctx, r)
		if err == nil && !found {
			err = errors.New("the warehouse has no progress row")
		}
		return err
	})
	return p, err
}

// name is under which the warehouse subscribes.
func (p *progress) name() string { return fmt.Sprintf("casm-warehouse-%s", p.instance) }
