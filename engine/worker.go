package engine

import (
	"context"
	"time"

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
	out := <-j.done
	if out.err == nil {
		e.metrics.due.Add(float64(len(keys)))
	}
	return out.err
}

// wakeDue tells the worker that something was planned.
func (e *Engine) wakeDue() {
	select {
	case e.dueWake <- struct{}{}:
	default:
	}
}
