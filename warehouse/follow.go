package warehouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"casm"
	"casm/stream"
	"casm/warehouse/sqldb"
)

const (
	batchSize = 4000        // messages in one transaction at the most
	fetchWait = time.Second // for a message of the stream
	// gather is how long messages gather while fewer come than a batch holds:
	// a transaction costs less by the message the more it holds.
	gather      = 100 * time.Millisecond
	feedPoll    = time.Second / 2 // between looks at the feed, without a stream
	checkEvery  = 30 * time.Second
	streamGrace = time.Minute     // how long a message may be in the feed and not on the stream
	standbyFor  = 2 * time.Second // between attempts to lead
	pauseMost   = 15 * time.Second
)

// Run follows the stream until ctx ends. What goes wrong is tried again, with
// growing pauses; Status and the log tell.
func (w *Warehouse) Run(ctx context.Context) error {
	nightly := make(chan struct{})
	go func() { defer close(nightly); w.reconcileNightly(ctx) }()
	defer func() { <-nightly }()
	pause := time.Duration(0)
	for ctx.Err() == nil {
		begun, before := time.Now(), w.Status().Position
		err := w.lead(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(begun) > time.Minute || w.Status().Position != before {
			pause = 0 // it went well in between
		}
		pause = min(max(2*pause, 100*time.Millisecond), pauseMost)
		w.failed(err)
		sleep(ctx, pause/2+rand.N(pause/2+1))
	}
	w.status.set(StateStopped, nil)
	return nil
}

func (w *Warehouse) failed(err error) {
	if err == nil {
		return
	}
	w.metrics.errors.Inc()
	if w.status.set(StateFailing, err) {
		w.log.Warn("the warehouse does not follow; it is tried again", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// lead follows as the only process that does.
func (w *Warehouse) lead(ctx context.Context) (err error) {
	for stoodBy := false; ; stoodBy = true {
		release, ok, err := w.o.Place.Lead(ctx)
		if err != nil {
			return err
		}
		if ok {
			if stoodBy { // the other process may have put a new database there
				err = w.reopen(ctx)
			}
			if err == nil {
				err = w.follow(ctx)
			}
			return errors.Join(err, release())
		}
		w.status.set(StateStandby, nil)
		sleep(ctx, standbyFor)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is no error
		}
	}
}

// follow brings the warehouse up to date and keeps it so.
func (w *Warehouse) follow(ctx context.Context) error {
	p, err := w.progress(ctx)
	if err != nil {
		return err
	}
	if reason := w.outdated(p); reason != "" {
		w.log.Info("the warehouse is built anew", "reason", reason)
		if err := w.Rebuild(ctx, nil); err != nil {
			return err
		}
	}
	if w.o.Subscribe == nil {
		return w.followFeed(ctx)
	}
	sub, err := w.o.Subscribe(ctx, p.name())
	if err != nil {
		return errors.Join(err, w.catchUp(ctx)) // the feed may be there
	}
	err = w.followStream(ctx, sub)
	return errors.Join(err, sub.Close())
}

// outdated says why a warehouse that stands is of no use; "" for none.
func (w *Warehouse) outdated(p progress) string {
	switch {
	case p.messages == 0:
		return ""
	case p.format != format:
		return "another release wrote it"
	case p.zone != w.o.Zone.String():
		return fmt.Sprintf("its days are of the time zone %s, the installation's is %s", p.zone, w.o.Zone)
	}
	return ""
}

// followFeed looks at the feed again and again.
func (w *Warehouse) followFeed(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.catchUp(ctx); err != nil {
			return err
		}
		w.status.set(StateFollowing, nil)
		sleep(ctx, feedPoll)
	}
	return nil
}

// followStream consumes the stream, and goes to the feed for what it lacks.
func (w *Warehouse) followStream(ctx context.Context, sub stream.Subscription) error {
	for ctx.Err() == nil {
		at, err := w.join(ctx, sub)
		if err == nil {
			w.status.set(StateFollowing, nil)
			err = w.consume(ctx, sub, at)
		}
		if ctx.Err() != nil {
			break
		}
		if err := w.mend(ctx, err); err != nil {
			return err
		}
	}
	return nil //nolint:nilerr // the end of ctx is no error
}

// mend does what it takes to go on after an error; it gives back one that
// there is nothing to be done about but waiting.
func (w *Warehouse) mend(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errGap):
		w.metrics.gaps.Inc()
		w.log.Warn("the stream lacks messages; they are read from the feed", "reason", err)
		if err := w.catchUp(ctx); err != nil {
			return err
		}
		return w.forgetSequence(ctx)
	case errors.Is(err, errEpoch):
		w.log.Warn("the warehouse is built anew", "reason", err)
		return w.Rebuild(ctx, nil)
	case errors.Is(err, errMoved):
		w.log.Info("the warehouse was replaced or moved on; following from there")
		return nil
	case err == nil || errors.Is(err, sqldb.ErrUnavailable):
		return err
	}
	return errors.Join(err, w.catchUp(ctx)) // the stream failed; the feed may be there
}

// join makes the subscription go on behind what the warehouse has.
func (w *Warehouse) join(ctx context.Context, sub stream.Subscription) (progress, error) {
	p, err := w.progress(ctx)
	if err != nil {
		return p, err
	}
	if p.sequence > 0 {
		// What follows a message that the warehouse has is all it lacks.
		switch at, err := sub.At(ctx, p.sequence); {
		case err == nil && at.Epoch == p.epoch && at.Position.Compare(p.position) <= 0:
			return p, sub.Begin(ctx, p.sequence)
		case err != nil && !errors.Is(err, stream.ErrNoMessage) && !errors.Is(err, stream.ErrTailUnknown):
			return p, err
		}
	}
	tail, err := sub.Tail(ctx)
	if err != nil {
		return p, err
	}
	// The tail first: what was published by then is in the feed now.
	if err := w.catchUp(ctx); err != nil {
		return p, err
	}
	if p, err = w.progress(ctx); err != nil {
		return p, err
	}
	switch {
	case tail.Epoch > p.epoch && p.epoch > 0:
		return p, fmt.Errorf("%w: the stream's is %d, the warehouse's %d", errEpoch, tail.Epoch, p.epoch)
	case tail.Epoch == p.epoch && tail.Position.Compare(p.position) > 0:
		return p, fmt.Errorf("the stream is at %v, the feed only at %v", tail.Position, p.position)
	}
	if p, err = w.setSequence(ctx, p, tail.Sequence); err != nil {
		return p, err
	}
	return p, sub.Begin(ctx, tail.Sequence)
}

// forgetSequence notes that the stream's sequence says nothing any more.
func (w *Warehouse) forgetSequence(ctx context.Context) error {
	p, err := w.progress(ctx)
	if err == nil {
		_, err = w.setSequence(ctx, p, 0)
	}
	return err
}

func (w *Warehouse) setSequence(ctx context.Context, p progress, sequence uint64) (progress, error) {
	if p.sequence == sequence {
		return p, nil
	}
	w.applying.Lock()
	defer w.applying.Unlock()
	t, err := w.present()
	if err != nil {
		return p, err
	}
	at := p
	p.sequence = sequence
	return p, t.db.Update(ctx, func(tx sqldb.Tx) error {
		now, _, err := readProgress(ctx, tx)
		if err != nil {
			return err
		}
		if now != at {
			return errMoved
		}
		return p.write(ctx, tx)
	})
}

// delivered is what one fetch gave.
type delivered struct {
	changes []*change
	pending uint64
	err     error
}

// consume applies what comes until something is in the way. The next messages
// are fetched and read while a batch is applied.
func (w *Warehouse) consume(ctx context.Context, sub stream.Subscription, at progress) error {
	// The subscription is for one goroutine at a time: acknowledgements go to
	// the one that fetches.
	ctx, cancel := context.WithCancel(ctx)
	coming, acks, ended := make(chan delivered, 1), make(chan uint64, 1), make(chan struct{})
	go func() { defer close(ended); w.fetch(ctx, sub, coming, acks) }()
	defer func() { cancel(); <-ended }()

	checked := w.o.Now()
	for {
		var d delivered
		select {
		case d = <-coming:
		case <-ctx.Done():
			return ctx.Err()
		}
		if d.err != nil {
			return d.err
		}
		if len(d.changes) == 0 {
			w.status.idle()
		} else {
			w.status.holds(d)
			done, err := w.take(ctx, at, d.changes, fromTheStream)
			at = done
			if err != nil {
				return err
			}
			w.status.pending(d.pending)
			select {
			case <-acks: // the later one stands for it
			default:
			}
			acks <- at.sequence
		}
		if now := w.o.Now(); now.Sub(checked) >= checkEvery {
			checked = now
			if err := w.check(ctx, at, len(d.changes) == 0); err != nil {
				return err
			}
		}
	}
}

// readAll reads what a fetch gave.
func (l *layout) readAll(got []stream.Delivery) delivered {
	d := delivered{changes: make([]*change, len(got))}
	for i := range got {
		m, err := fromStream(&got[i])
		if err != nil {
			m.Position = casm.Start // it cannot be trusted
			d.changes[i] = &change{Message: m, err: err}
		} else {
			d.changes[i] = l.read(m)
		}
		d.pending = got[i].Pending
	}
	return d
}

// fetch reads ahead, and acknowledges.
func (w *Warehouse) fetch(ctx context.Context, sub stream.Subscription, coming chan<- delivered, acks <-chan uint64) {
	ack := func() error {
		select {
		case upTo := <-acks:
			return sub.Ack(ctx, upTo)
		default:
			return nil
		}
	}
	for ctx.Err() == nil {
		got, err := sub.Fetch(ctx, batchSize, fetchWait)
		if err == nil {
			err = ack()
		}
		d := w.layout.readAll(got)
		d.err = err
		select {
		case coming <- d:
		case <-ctx.Done():
		}
		if err != nil {
			break
		}
		if len(got) > 0 && len(got) < batchSize {
			sleep(ctx, gather)
		}
	}
	_ = ack() // else they come again, and are known then
}

// check looks from time to time whether the log is still the same, and whether
// the stream holds something back.
func (w *Warehouse) check(ctx context.Context, at progress, idle bool) error {
	page, err := w.o.Feed.Page(ctx, at.position, 1)
	if err != nil {
		w.log.Debug("the feed cannot be read", "error", err)
		return nil // the stream can
	}
	if page.Epoch != at.epoch && at.epoch != 0 {
		return fmt.Errorf("%w: the feed's is %d, the warehouse's %d", errEpoch, page.Epoch, at.epoch)
	}
	if idle && len(page.Messages) > 0 {
		if age := w.o.Now().Sub(page.Messages[0].Timestamp.Std()); age > streamGrace {
			return fmt.Errorf("%w: position %v is in the feed for %v", errGap, page.Messages[0].Position, age.Round(time.Second))
		}
	}
	return nil
}
