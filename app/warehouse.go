package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"casm"
	"casm/engine"
	"casm/relay"
	"casm/store"
	"casm/stream"
	"casm/warehouse"
	"casm/warehouse/sqldb"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// warehouseFile is the embedded data warehouse in a data folder.
	warehouseFile = "warehouse.db"
	warehouseLock = "warehouse.lock"
	// warehouseRetry is how long to wait before a warehouse that could not be
	// opened is opened again.
	warehouseRetry = 5 * time.Second
)

// checkWarehouse checks the setting --warehouse.
func checkWarehouse(s string) error {
	if s == "" || s == Off {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Host == "" && u.Query().Get("host") == "" || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("--warehouse: must be \"off\" or an address such as postgres://casm@127.0.0.1/warehouse") // not told: it may hold a password
	}
	return nil
}

// warehousePlace is where a setting --warehouse puts the warehouse.
func warehousePlace(setting, data string, log *slog.Logger) (sqldb.Place, error) {
	if setting != "" {
		return sqldb.NewPostgres(setting, log)
	}
	return sqldb.SQLite{Path: filepath.Join(data, warehouseFile), Lock: func() (func() error, bool, error) {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, false, err
		}
		l := flock.New(filepath.Join(data, warehouseLock), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		ok, err := l.TryLock()
		return l.Unlock, ok, err
	}}, nil
}

// journal is the feed in the process that holds the store.
type journal struct{ engine *engine.Engine }

var _ warehouse.Feed = journal{}

// journalBytes is about how much a page of the feed may hold in memory.
const journalBytes = 8 << 20

// Page implements warehouse.Feed.
func (j journal) Page(ctx context.Context, after casm.Position, limit int) (p warehouse.Page, err error) {
	const chunk = 200
	bytes := 0
	err = j.engine.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		p.Epoch, p.Head = head.Epoch, head.Position
		for len(p.Messages) < limit && bytes < journalBytes {
			n := min(chunk, limit-len(p.Messages))
			entries, err := r.Feed(ctx, after, store.FeedFilter{}, n)
			if err != nil {
				return err
			}
			for _, e := range entries {
				m := journalMessage(e, head.Epoch)
				bytes += len(m.Body)
				p.Messages = append(p.Messages, m)
				after = e.Position
			}
			if len(entries) < n {
				return nil
			}
		}
		return nil
	})
	return p, err
}

func journalMessage(e store.Entry, epoch int64) warehouse.Message {
	t := &e.Transaction
	return warehouse.Message{
		Epoch: epoch, Position: e.Position, TransactionID: t.ID, RequestID: t.RequestID, Operation: t.Operation, Actor: t.Actor, Comment: t.Comment,
		Timestamp: t.At, RecordedAt: e.At, Code: e.Kind.MessageCode(), Event: e.Event, Body: relay.Body(e),
	}
}

// Sums implements warehouse.Feed.
func (j journal) Sums(ctx context.Context, upTo casm.Position) (s warehouse.Sums, err error) {
	err = j.engine.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		s.Epoch = head.Epoch
		s.Kinds, err = r.Checksum(ctx, upTo)
		return err
	})
	return s, err
}

// dwh is a server's data warehouse. One that cannot be opened does not keep
// the server from serving: it is tried again.
type dwh struct {
	o   warehouse.Options
	log *slog.Logger

	mu  sync.Mutex
	w   *warehouse.Warehouse // nil: not open
	err error                // why not
}

// startWarehouse starts the data warehouse, unless it is off.
func (a *App) startWarehouse(zone *time.Location, registry prometheus.Registerer) (*dwh, error) {
	s := a.settings
	if s.Warehouse == Off {
		return nil, nil
	}
	place, err := warehousePlace(s.Warehouse, s.Data.Data, a.log)
	if err != nil {
		return nil, err
	}
	d := &dwh{log: a.log, err: errors.New("it is being opened"), o: warehouse.Options{
		Place: place, Feed: journal{a.core.engine}, Subscribe: a.subscribe, Zone: zone, Logger: a.log.With("part", "warehouse"), Metrics: registry,
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	opened := make(chan struct{})
	go func() { done <- d.run(ctx, opened) }()
	a.later(func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return fmt.Errorf("data warehouse: %w", ctx.Err())
		}
	})
	select { // so that it answers as soon as the server does, if all is well
	case <-opened:
	case <-time.After(warehouseRetry):
	}
	return d, nil
}

// subscribe opens the warehouse's place in the stream.
func (a *App) subscribe(ctx context.Context, name string) (stream.Subscription, error) {
	if a.broker != nil {
		return a.broker.subscribe(ctx, name)
	}
	return a.streamAt().subscribe(ctx, name)
}

// run opens the warehouse and lets it follow until ctx ends. opened is closed
// when the first attempt to open it has ended.
func (d *dwh) run(ctx context.Context, opened chan struct{}) error {
	var once sync.Once
	defer once.Do(func() { close(opened) })
	for {
		w, err := warehouse.Open(ctx, d.o)
		d.set(w, err)
		once.Do(func() { close(opened) })
		if err == nil {
			err = w.Run(ctx)
			d.set(nil, errors.New("the server is stopping"))
			return errors.Join(err, w.Close())
		}
		if ctx.Err() != nil {
			return nil
		}
		d.log.Error("the data warehouse cannot be opened; it is tried again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(warehouseRetry):
		}
	}
}

func (d *dwh) set(w *warehouse.Warehouse, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.w, d.err = w, err
}

// get gives the warehouse, or says that there is none now.
func (d *dwh) get() (*warehouse.Warehouse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w == nil {
		return nil, casm.Violations{{Code: casm.Overloaded, Detail: "the data warehouse is not open now; nothing was done, repeat it after Retry-After"}}
	}
	return d.w, nil
}

// unavailable tells what is not the request's fault as such.
func unavailable(err error) error {
	if errors.Is(err, sqldb.ErrUnavailable) || errors.Is(err, warehouse.ErrClosed) {
		return casm.Violations{{Code: casm.Overloaded, Detail: "the data warehouse cannot be read now; nothing was done, repeat it after Retry-After"}}
	}
	return err
}

// MetricsJSON implements httpapi.Warehouse.
func (d *dwh) MetricsJSON(ctx context.Context, test bool) ([]byte, error) {
	w, err := d.get()
	if err != nil {
		return nil, err
	}
	b, err := w.MetricsJSON(ctx, test)
	return b, unavailable(err)
}

// ReconciliationJSON implements httpapi.Warehouse.
func (d *dwh) ReconciliationJSON(ctx context.Context) ([]byte, error) {
	w, err := d.get()
	if err != nil {
		return nil, err
	}
	b, err := w.ReconciliationJSON(ctx)
	return b, unavailable(err)
}
