package warehouse

import (
	"context"
	"errors"
	"fmt"

	"casm"
	"casm/warehouse/sqldb"
)

// take lets a batch take effect in the present database and returns how far
// the warehouse is then.
func (w *Warehouse) take(ctx context.Context, at progress, batch []*change, from source) (progress, error) {
	w.applying.Lock()
	defer w.applying.Unlock()
	t, err := w.present()
	if err != nil {
		return at, err
	}
	return w.takeInto(ctx, t, at, batch, from, true)
}

// takeInto is take of any database; in one that is built from the beginning
// nothing can be missing that the feed has.
func (w *Warehouse) takeInto(ctx context.Context, t *tables, at progress, batch []*change, from source, present bool) (progress, error) {
	lacking := map[entityKey]bool{}
	if !present {
		lacking = nil
	}
	for {
		p, err := w.takeHalves(ctx, t, at, batch, from, present, lacking)
		gap, ok := errors.AsType[*gapError](err)
		if !ok {
			return p, err
		}
		w.metrics.gaps.Inc()
		w.log.Warn("a version is missing; what was passed is read again from the feed", "reason", gap)
		if err := w.readAgain(ctx, t, p, gap.at); err != nil {
			return p, err
		}
		if at, err = w.progressOf(ctx, t); err != nil {
			return at, err
		}
		if from == fromTheStream { // it may lack what would come next, too
			return at, fmt.Errorf("%w: %w", errGap, gap)
		}
		lacking[gap.key] = true // if it is missing still
	}
}

// takeHalves is one attempt. A batch that the database refuses is halved until
// the message at fault stands alone and is set aside.
func (w *Warehouse) takeHalves(ctx context.Context, t *tables, at progress, batch []*change, from source, present bool, lacking map[entityKey]bool) (progress, error) {
	done, err := t.apply(ctx, at, batch, from, lacking, false)
	if refused(ctx, err) {
		done, err = t.apply(ctx, at, batch, from, lacking, true)
	}
	switch {
	case err == nil:
		if present {
			w.noteDays(dayStep{at.messages, done.messages, done.days})
			w.status.applied(done)
			w.metrics.applied(done)
		}
		if done.dead > 0 {
			w.log.Error("messages could not be processed and were set aside", "count", done.dead, "up to", done.position)
		}
		return done.progress, nil
	case !refused(ctx, err):
		return at, err
	case len(batch) == 1 && batch[0].err != nil:
		return at, fmt.Errorf("set aside %s: %w", batch[0].place(), err)
	case len(batch) == 1:
		batch[0].err = err
		return w.takeHalves(ctx, t, at, batch, from, present, lacking)
	}
	half := len(batch) / 2
	if at, err = w.takeHalves(ctx, t, at, batch[:half], from, present, lacking); err != nil {
		return at, err
	}
	return w.takeHalves(ctx, t, at, batch[half:], from, present, lacking)
}

// refused reports whether an error is the database's refusal of what was written.
func refused(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	_, gap := errors.AsType[*gapError](err)
	return !gap && !errors.Is(err, sqldb.ErrUnavailable) && !errors.Is(err, errGap) && !errors.Is(err, errEpoch) && !errors.Is(err, errMoved)
}

// readAgain reads from the feed what was passed behind a transaction, and lets
// take effect what is missing. Where versions are missing from before it, it
// begins earlier.
func (w *Warehouse) readAgain(ctx context.Context, t *tables, at progress, behind int64) error {
	lacking := map[entityKey]bool{}
	for {
		err := w.readFeed(ctx, casm.Position{Transaction: max(behind-1, 0), Ordinal: lastOrdinal}, func(pg page) error {
			if pg.Epoch != at.epoch {
				return fmt.Errorf("%w: the feed's is %d, the warehouse's %d", errEpoch, pg.Epoch, at.epoch)
			}
			if len(pg.changes) == 0 || pg.changes[0].Position.Compare(at.position) > 0 {
				return errEnough
			}
			var err error
			at, err = w.takeHalves(ctx, t, at, pg.changes, again, true, lacking)
			return err
		})
		gap, ok := errors.AsType[*gapError](err)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case !ok:
			return err
		}
		if lacking[gap.key] = gap.at >= behind || behind == 0; !lacking[gap.key] {
			behind = gap.at
		}
	}
}

// errEnough ends the reading of the feed.
var errEnough = errors.New("enough was read")

// lastOrdinal is behind all messages of a transaction.
const lastOrdinal = 1 << 40

// feedPage is how many messages are read from the feed at once.
const feedPage = 2000

// page is a page of the feed that was read.
type page struct {
	Page
	changes []*change
	err     error
}

// catchUp reads the feed to its end into the present database.
func (w *Warehouse) catchUp(ctx context.Context) error {
	p, err := w.progress(ctx)
	if err != nil {
		return err
	}
	at := p
	err = w.readFeed(ctx, p.position, func(pg page) error {
		if len(pg.changes) > 1 {
			w.status.set(StateCatchingUp, nil)
		}
		if len(pg.changes) > 0 {
			w.status.holds(delivered{changes: pg.changes})
		}
		w.applying.Lock()
		defer w.applying.Unlock()
		t, err := w.present()
		if err != nil {
			return err
		}
		at, err = w.takePage(ctx, t, at, pg, true)
		w.status.pending(uint64(max(0, pg.Head-at.position.Transaction)))
		return err
	})
	if errors.Is(err, errEpoch) {
		w.log.Warn("the warehouse is built anew", "reason", err)
		return w.Rebuild(ctx, nil)
	}
	if errors.Is(err, errMoved) {
		return nil // by a rebuild, which has read the feed to its end
	}
	return err
}

// takePage lets a page of the feed take effect.
func (w *Warehouse) takePage(ctx context.Context, t *tables, at progress, pg page, present bool) (progress, error) {
	if at.epoch == 0 && at.messages == 0 && pg.Epoch != 0 {
		// A new warehouse takes the log as it finds it.
		err := t.db.Update(ctx, func(tx sqldb.Tx) error {
			now, _, err := readProgress(ctx, tx)
			if err != nil || now != at {
				return errors.Join(err, errMoved)
			}
			at.epoch = pg.Epoch
			return at.write(ctx, tx)
		})
		if err != nil {
			return at, err
		}
	}
	if pg.Epoch != at.epoch {
		return at, fmt.Errorf("%w: the feed's is %d, the warehouse's %d", errEpoch, pg.Epoch, at.epoch)
	}
	if len(pg.changes) == 0 {
		return at, nil
	}
	return w.takeInto(ctx, t, at, pg.changes, fromTheFeed, present)
}

// readFeed gives the feed's pages after a position to take, up to one that is
// empty. The next page is read while one is taken.
func (w *Warehouse) readFeed(ctx context.Context, after casm.Position, take func(page) error) error {
	ctx, cancel := context.WithCancel(ctx)
	pages, ended := make(chan page, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(pages)
		for {
			pg := w.readPage(ctx, after)
			select {
			case pages <- pg:
			case <-ctx.Done():
				return
			}
			if pg.err != nil || len(pg.changes) == 0 {
				return
			}
			after = pg.changes[len(pg.changes)-1].Position
		}
	}()
	defer func() { cancel(); <-ended }()
	for pg := range pages {
		if pg.err != nil {
			return pg.err
		}
		if err := take(pg); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *Warehouse) readPage(ctx context.Context, after casm.Position) page {
	got, err := w.o.Feed.Page(ctx, after, feedPage)
	if err != nil {
		return page{err: fmt.Errorf("feed after %v: %w", after, err)}
	}
	pg := page{Page: got, changes: make([]*change, len(got.Messages))}
	for i, m := range got.Messages {
		m.Epoch = got.Epoch
		pg.changes[i] = w.layout.read(m)
	}
	return pg
}

// CatchUp reads the feed to its end, without Run.
func (w *Warehouse) CatchUp(ctx context.Context) error {
	err := w.catchUp(ctx)
	if err == nil {
		w.status.set(StateStopped, nil)
	}
	return err
}
