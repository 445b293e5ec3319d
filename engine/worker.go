package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// maxDuePause is how long the worker sleeps at most: another process may have
// planned something.
const maxDuePause = 500 * time.Millisecond

// maxDueLook is how many entities are read to find some that nobody holds.
const maxDueLook = 10_000

// dueLoop records changes that fall due, in order of their time, one job at a
// time. Of several processes one works.
func (e *Engine) dueLoop(ctx context.Context) {
	turn := store.NewTurn(e.store, "due", e.name)
	defer func() {
		if err := turn.GiveUp(ctx); err != nil {
			e.log.Debug("the lease of due changes could not be given up", "error", err)
		}
	}()
	held := map[uuid.UUID]bool{} // customers whose changes wait, as others hold them
	var heldAt time.Time
	for ctx.Err() == nil {
		if time.Since(heldAt) >= maxDuePause {
			clear(held)
		}
		keys, next, err := e.dueKeys(ctx, turn, held)
		if err != nil && ctx.Err() == nil {
			e.log.Error("due changes could not be read", "error", err)
			next = maxDuePause
		}
		if len(keys) > 0 {
			left, err := e.recordDue(ctx, keys)
			if err == nil {
				for _, customer := range left {
					held[customer], heldAt = true, time.Now()
				}
				continue
			}
			if ctx.Err() == nil {
				e.log.Error("due changes could not be recorded", "count", len(keys), "error", err)
			}
			next = maxDuePause
		}
		timer := time.NewTimer(min(max(next, time.Millisecond), maxDuePause))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-e.dueWake:
		}
		timer.Stop()
	}
}

// dueKeys returns what is due now of customers that are not held, with its
// customers, or how long nothing will be. It is nothing while another process
// works.
func (e *Engine) dueKeys(ctx context.Context, turn *store.Turn, held map[uuid.UUID]bool) (due []dueKey, next time.Duration, err error) {
	if _, mine, err := turn.Ask(ctx); err != nil || !mine {
		return nil, maxDuePause, err
	}
	most := e.dueLimit
	look := most
	if len(held) > 0 {
		look = max(most, maxDueLook)
	}
	next = maxDuePause
	err = e.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{})
		if err != nil {
			return err
		}
		list, err := r.Due(ctx, l.Now.Add(maxDuePause), look)
		for i := range list {
			if list[i].Due > l.Now {
				next = list[i].Due.Sub(l.Now)
				break
			}
			if !held[list[i].Customer] && len(due) < most {
				due = append(due, dueKey{list[i].Key, list[i].Customer})
			}
		}
		return err
	})
	return due, next, err
}

// dueKey is an entity of which something is due, and its customer.
type dueKey struct {
	store.Key
	customer uuid.UUID
}

// recordDue records what is due and returns the customers of what was left out,
// as others hold it.
func (e *Engine) recordDue(ctx context.Context, due []dueKey) (held []uuid.UUID, err error) {
	j := &job{due: make([]store.Key, len(due)), done: make(chan outcome, 1), queued: time.Now()}
	for i := range due {
		j.due[i] = due[i].Key
	}
	select {
	case e.dueQueue <- j:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case out := <-j.done:
		if out.err != nil {
			return nil, out.err
		}
		for _, d := range due {
			if !slices.Contains(j.due, d.Key) {
				held = append(held, d.customer)
			}
		}
		e.metrics.due.Add(float64(len(due) - len(held)))
		return held, nil
	case <-ctx.Done(): // the committer may have ended before it saw the job
		return nil, ctx.Err()
	}
}

// wakeDue tells the worker that something was planned.
func (e *Engine) wakeDue() {
	select {
	case e.dueWake <- struct{}{}:
	default:
	}
}

// How request ids and the audit are forgotten: in small steps, so that no client
// waits long.
const (
	forgetEvery = time.Minute
	forgetStep  = 500
)

// forgetLoop sets request ids free, and deletes records of the audit, that are
// older than their retention.
func (e *Engine) forgetLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		more, err := e.forget(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Error("what is old could not be forgotten", "error", err)
		}
		if more {
			timer.Reset(10 * time.Millisecond)
		} else {
			timer.Reset(forgetEvery)
		}
	}
}

// forget takes a step, and reports whether there is more to forget.
func (e *Engine) forget(ctx context.Context) (more bool, err error) {
	var now casm.Time
	err = e.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{})
		if err == nil {
			now = l.Now
		}
		return err
	})
	if err != nil {
		return false, err
	}
	requests, records := 0, 0
	if e.requestRetention > 0 {
		if requests, err = e.store.Forget(ctx, now.Add(-e.requestRetention), forgetStep); err != nil {
			return false, fmt.Errorf("request ids: %w", err)
		}
	}
	if e.auditRetention > 0 {
		if records, err = e.store.ForgetAudit(ctx, now.Add(-e.auditRetention), forgetStep); err != nil {
			return false, fmt.Errorf("audit: %w", err)
		}
	}
	return requests == forgetStep || records == forgetStep, nil
}
