package engine

import (
	"context"
	"time"

	"casm"
	"casm/store"
)

// maxDuePause is how long the worker sleeps at most: another process may have
// planned something.
const maxDuePause = 500 * time.Millisecond

// dueLoop records changes that fall due, in order of their time. A job of the
// worker takes at most a quarter of a batch, and one is under way at a time, so
// that clients keep most of the committer.
func (e *Engine) dueLoop(ctx context.Context) {
	for ctx.Err() == nil {
		keys, next, err := e.dueKeys(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Error("due changes could not be read", "error", err)
			next = maxDuePause
		}
		if len(keys) > 0 {
			if err := e.recordDue(ctx, keys); err != nil && ctx.Err() == nil {
				e.log.Error("due changes could not be recorded", "count", len(keys), "error", err)
				next = maxDuePause
			} else {
				continue
			}
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

// dueKeys returns what is due now, or how long nothing will be.
func (e *Engine) dueKeys(ctx context.Context) (keys []store.Key, next time.Duration, err error) {
	limit := max(1, e.batchLimit/4)
	next = maxDuePause
	err = e.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{})
		if err != nil {
			return err
		}
		list, err := r.Due(ctx, l.Now.Add(maxDuePause), limit)
		for i := range list {
			if list[i].Due > l.Now {
				next = list[i].Due.Sub(l.Now)
				break
			}
			keys = append(keys, list[i].Key)
		}
		return err
	})
	return keys, next, err
}

func (e *Engine) recordDue(ctx context.Context, keys []store.Key) error {
	j := &job{due: keys, done: make(chan outcome, 1), queued: time.Now()}
	select {
	case e.dueQueue <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case out := <-j.done:
		if out.err == nil {
			e.metrics.due.Add(float64(len(keys)))
		}
		return out.err
	case <-ctx.Done(): // the committer may have ended before it saw the job
		return ctx.Err()
	}
}

// wakeDue tells the worker that something was planned.
func (e *Engine) wakeDue() {
	select {
	case e.dueWake <- struct{}{}:
	default:
	}
}

// How request ids are forgotten: in small steps, so that no client waits long.
const (
	forgetEvery = time.Minute
	forgetStep  = 500
)

// forgetLoop sets request ids free that are older than their retention.
func (e *Engine) forgetLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		n, err := e.forget(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Error("old request ids could not be forgotten", "error", err)
		}
		if n < forgetStep {
			timer.Reset(forgetEvery)
		} else {
			timer.Reset(10 * time.Millisecond)
		}
	}
}

func (e *Engine) forget(ctx context.Context) (n int, err error) {
	var now casm.Time
	err = e.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{})
		if err == nil {
			now = l.Now
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return e.store.Forget(ctx, now.Add(-e.requestRetention), forgetStep)
}
