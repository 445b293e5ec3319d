package warehouse

import (
	"context"
	"errors"
	"fmt"

	"casm/warehouse/sqldb"
)

// ErrRebuilding: a rebuild is under way already.
var ErrRebuilding = errors.New("warehouse: a rebuild is under way already")

// RebuildProgress tells how far a rebuild is.
type RebuildProgress struct {
	Done  int64 // transactions of the log
	Total int64
	// Messages that took effect.
	Messages int64
}

// Rebuild reads the whole feed into a new database beside the present one,
// which goes on following meanwhile, and puts it in its place. report, unless
// nil, is called now and then.
func (w *Warehouse) Rebuild(ctx context.Context, report func(RebuildProgress)) (err error) {
	if !w.rebuilding.TryLock() {
		return ErrRebuilding
	}
	defer w.rebuilding.Unlock()
	if report == nil {
		report = func(RebuildProgress) {}
	}
	before := w.status.set2(StateRebuilding)
	defer func() { w.status.set(before, nil) }()
	w.metrics.rebuilds.Inc()
	next, err := w.o.Place.Next(ctx)
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	t, at, err := openTables(ctx, next, w.layout, w.o.Zone, w.o.Now)
	if err != nil {
		return errors.Join(fmt.Errorf("rebuild: %w", err), next.Close())
	}
	take := func(pg page) (err error) {
		at, err = w.takePage(ctx, t, at, pg, false)
		report(RebuildProgress{Done: at.position.Transaction, Total: max(pg.Head, at.position.Transaction), Messages: at.messages})
		return err
	}
	if err := w.readFeed(ctx, at.position, take); err != nil {
		return errors.Join(fmt.Errorf("rebuild: %w", err), next.Close())
	}
	// What came since is little: nothing else moves on meanwhile.
	w.applying.Lock()
	defer w.applying.Unlock()
	if err := w.readFeed(ctx, at.position, take); err != nil {
		return errors.Join(fmt.Errorf("rebuild: %w", err), next.Close())
	}
	if err := w.replace(ctx, t, at); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	w.log.Info("the warehouse was rebuilt", "messages", at.messages, "position", at.position.String())
	return nil
}

// replace puts a database that is whole in the place of the present one.
func (w *Warehouse) replace(ctx context.Context, next *tables, at progress) error {
	w.mu.Lock() // readers have ended
	defer w.mu.Unlock()
	if w.closed {
		return errors.Join(ErrClosed, next.db.Close())
	}
	if w.tables != nil {
		// It keeps its name among the subscribers of the stream.
		err := w.tables.db.View(ctx, func(r sqldb.Reader) error {
			p, found, err := readProgress(ctx, r)
			if found {
				at.instance = p.instance
			}
			return err
		})
		if err == nil {
			err = next.db.Update(ctx, func(tx sqldb.Tx) error { return at.write(ctx, tx) })
		}
		if err != nil {
			return errors.Join(err, next.db.Close())
		}
	}
	err := next.db.Close()
	if err != nil {
		return err
	}
	if w.tables != nil {
		err = w.tables.db.Close()
		w.tables = nil
	}
	if err == nil {
		err = w.o.Place.Switch(ctx)
	}
	// Whatever went wrong, what is there now is opened again.
	return errors.Join(err, w.open(context.WithoutCancel(ctx)))
}
