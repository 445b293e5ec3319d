package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"casm"
	"casm/store"
	"casm/stream"
)

// Run publishes until ctx ends. It returns nil: what goes wrong is in Status,
// and is tried again.
func (r *Relay) Run(ctx context.Context) error {
	var t troubles
	var last time.Time // of the last publish
	var governed time.Time
	defer r.giveUp(ctx)
	for ctx.Err() == nil {
		if time.Since(governed) >= leaseTurn {
			governed = time.Now()
			if err := r.govern(ctx); err != nil {
				Wait(ctx, t.pause(ctx, r, err), nil)
				continue
			}
		}
		if resumed := r.paused(); resumed != nil {
			r.survey(ctx)
			Wait(ctx, min(r.o.MaxPause, leaseTurn), resumed)
			continue
		}
		// The channel comes before the look, so that no commit falls between.
		var wake <-chan struct{}
		if r.o.Wake != nil {
			wake = r.o.Wake()
		}
		begun := time.Now()
		out, err := r.step(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil //nolint:nilerr // the end of ctx is no error
		case err != nil:
			Wait(ctx, t.pause(ctx, r, err), nil)
			continue
		case out.standby:
			t.over(r)
			r.stand()
			Wait(ctx, leaseTurn, nil)
			continue
		case out.published > 0:
			last = begun
		}
		t.over(r)
		if !out.more {
			Wait(ctx, r.o.Poll, wake)
			Wait(ctx, time.Until(last.Add(r.o.Gather)), nil)
		}
	}
	return nil
}

// Flush publishes all that is committed when it is called. It ends early when
// ctx does, or when the relay is paused or blocked, and leaves the work to the
// relay that has the lease. It may be called while Run runs, and after it ended.
func (r *Relay) Flush(ctx context.Context) error {
	var head store.Head
	err := r.log.View(ctx, func(rd store.Reader) (err error) {
		head, err = rd.Head(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("relay: flush: %w", err)
	}
	var t troubles
	for {
		if r.paused() != nil {
			return errPaused
		}
		if r.reached(head.Position) {
			return nil
		}
		out, err := r.step(ctx)
		switch {
		case err == nil && out.standby:
			return nil
		case err == nil:
			t.over(r)
		case blocked(err):
			return err
		default:
			Wait(ctx, t.pause(ctx, r, err), nil)
		}
		if ctx.Err() != nil && !r.reached(head.Position) {
			s := r.Status()
			return fmt.Errorf("relay: flush: %d transactions are not on the stream yet: %w", s.LagTransactions, errors.Join(ctx.Err(), err))
		}
	}
}

// Wait waits for a duration, ctx, or a channel, whichever is first.
func Wait(ctx context.Context, d time.Duration, c <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c:
	case <-ctx.Done():
	}
}

// outcome is what a step did.
type outcome struct {
	published int
	more      bool // there may be more to do at once
	standby   bool // it is another relay's
}

// step publishes one batch.
func (r *Relay) step(ctx context.Context) (outcome, error) {
	if err := r.take(ctx); err != nil {
		return outcome{}, err
	}
	defer r.give()
	leads, err := r.lead(ctx)
	if err != nil || !leads {
		r.known, r.ahead = false, nil
		return outcome{standby: err == nil}, err
	}
	out, err := r.publish(ctx)
	if err != nil {
		r.known, r.ahead = false, nil
	}
	return out, err
}

func (r *Relay) publish(ctx context.Context) (outcome, error) {
	verify := !r.known
	if !r.known {
		tail, err := r.target.Tail(ctx)
		if err != nil {
			return outcome{}, err
		}
		r.tail, r.known, r.ahead = tail, true, nil
	}
	c, stale := r.ahead, r.ahead != nil
	r.ahead = nil
	if c == nil {
		var err error
		if c, err = r.read(ctx, r.tail, verify); err != nil {
			return outcome{}, err
		}
	}
	if len(c.messages) == 0 {
		r.note(c, r.tail.Position)
		return outcome{}, nil
	}
	r.found(c, r.tail.Position)
	next := r.readAhead(ctx, c)
	begun := time.Now()
	tail, err := r.target.Publish(ctx, r.tail, c.messages)
	ahead := next()
	if err != nil {
		return outcome{}, err
	}
	r.metrics.published.Add(float64(len(c.messages)))
	r.metrics.batch.Observe(float64(len(c.messages)))
	r.metrics.seconds.Observe(time.Since(begun).Seconds())
	r.tail, r.ahead = tail, ahead
	r.note(c, tail.Position)
	// What was read ahead may be old by now: look again before resting.
	return outcome{published: len(c.messages), more: c.full || stale}, nil
}

// readAhead reads, at the same time as c is published, what follows it. The
// function it returns waits for that, and gives nil when there is nothing, or
// it failed: then it is read again in its turn, and the error shows there.
func (r *Relay) readAhead(ctx context.Context, c *chunk) func() *chunk {
	if !c.full {
		return func() *chunk { return nil }
	}
	last := c.messages[len(c.messages)-1]
	read := make(chan *chunk, 1)
	go func() {
		next, err := r.read(ctx, stream.Tail{Epoch: last.Epoch, Position: last.Position}, false)
		if err != nil || len(next.messages) == 0 {
			next = nil
		}
		read <- next
	}()
	return func() *chunk { return <-read }
}

// found notes that a batch waits to be published after a position.
func (r *Relay) found(c *chunk, after casm.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Head, r.status.Published = c.head, after
	r.done, r.oldest = c.messages[0].Position.Transaction-1, c.first
	r.locate()
}

// note notes that a batch, which may be empty, is published, up to a position.
func (r *Relay) note(c *chunk, upTo casm.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Head, r.status.Published = c.head, upTo
	r.locate()
	if c.full {
		r.done, r.oldest = upTo.Transaction-1, c.last
	} else {
		r.done, r.oldest = c.head.Position, 0
	}
}

// locate notes that the stream was found. The caller holds mu.
func (r *Relay) locate() {
	r.located = true
	if r.status.State == StateStarting {
		r.status.State = StateRunning
	}
}

// reached reports whether all transactions up to one are published.
func (r *Relay) reached(transaction int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.located && r.done >= transaction
}

// survey reads how far the store is while nothing is published, for the lag.
func (r *Relay) survey(ctx context.Context) {
	r.mu.Lock()
	after, located, oldest := r.status.Published, r.located, r.oldest
	r.mu.Unlock()
	var head store.Head
	err := r.log.View(ctx, func(rd store.Reader) (err error) {
		if head, err = rd.Head(ctx); err != nil || !located || !oldest.IsZero() {
			return err
		}
		entries, err := rd.Feed(ctx, after, store.FeedFilter{}, 1)
		if err == nil && len(entries) > 0 {
			oldest = entries[0].Transaction.At
		}
		return err
	})
	if err != nil {
		return // the store fails: that is what Status tells already
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Head = head
	if r.oldest.IsZero() {
		r.oldest = oldest
	}
}

// troubles counts what went wrong in a row.
type troubles struct {
	conflicts int
	pauses    time.Duration
	logged    string
	loggedAt  time.Time
}

// pause notes an error and says how long to wait before the next attempt.
func (t *troubles) pause(ctx context.Context, r *Relay, err error) time.Duration {
	if errors.Is(err, stream.ErrConflict) {
		r.metrics.conflicts.Inc()
		// Once or twice in a row another relay was quicker. More often they
		// are in step with each other, and chance must part them.
		if t.conflicts++; t.conflicts < 3 {
			return 0
		}
		return rand.N(20 * time.Millisecond)
	}
	if ctx.Err() != nil {
		return 0
	}
	r.metrics.errors.Inc()
	state := StateFailing
	if blocked(err) {
		state = StateBlocked
		t.pauses = min(r.o.MaxPause, leaseTurn) // within it the lease is kept
	} else {
		t.pauses = min(max(2*t.pauses, 50*time.Millisecond), r.o.MaxPause)
	}
	r.trouble(state, err)
	if text := err.Error(); text != t.logged || time.Since(t.loggedAt) > time.Minute {
		t.logged, t.loggedAt = text, time.Now()
		if state == StateBlocked {
			r.o.Logger.Error("publishing is blocked", "error", err)
		} else {
			r.o.Logger.Warn("publishing failed and is tried again", "error", err)
		}
	}
	r.survey(ctx)
	return t.pauses/2 + rand.N(t.pauses/2+1)
}

// over notes that all is well.
func (t *troubles) over(r *Relay) {
	t.conflicts = 0
	if t.pauses == 0 {
		return
	}
	*t = troubles{}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State != StatePaused && r.status.State != StateStandby {
		r.status.State, r.status.Error = StateRunning, ""
	}
	r.o.Logger.Info("publishing again")
}

func (r *Relay) trouble(state State, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastError, r.status.LastErrorAt = err.Error(), casm.TimeOf(r.o.Now())
	if r.status.State != StatePaused {
		r.status.State, r.status.Error = state, err.Error()
	}
}
