package endpoints

import (
	"context"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"
)

// The bounds of a batch.
const (
	batchMessages = 500
	batchPage     = 64
	batchBytes    = 4 << 20
)

// inOrder sends everything in the order of the log. While it fails nothing goes
// by: who gets all in order cannot be sent around what fails.
func (e *endpoint) inOrder(ctx context.Context) error {
	var batch []stream.Message
	var oldest casm.Time
	done, stored, saved := e.read, e.read, e.state
	if err := e.save(ctx, store.ProgressChange{Progress: store.Progress{After: done}}); err != nil { // it tells who works
		return err
	}
	savedAt := time.Now()
	var readAt time.Time
	pause := time.Duration(0)
	var until time.Time
	more := true
	for ctx.Err() == nil {
		var wake <-chan struct{}
		if e.o.Wake != nil {
			wake = e.o.Wake() // before the look, so that no commit falls between
		}
		if len(batch) == 0 {
			var err error
			readAt = time.Now()
			if batch, oldest, more, err = e.batch(ctx); err != nil {
				return err
			}
			if len(batch) == 0 {
				done = e.read
			}
		}
		if len(batch) > 0 && !time.Now().Before(until) {
			n, err := e.sender.Send(ctx, batch)
			e.metrics.sent(e.config.Code, n)
			if n > 0 {
				done, batch = batch[n-1].Position, batch[n:]
			}
			switch {
			case err == nil:
				done, pause = e.read, 0
				e.well()
			case ctx.Err() == nil:
				e.metrics.failed(e.config.Code)
				pause = min(max(2*pause, e.o.FirstPause), maxDownPause)
				until = time.Now().Add(jitter(pause))
				e.trouble(ctx, err)
			}
		}
		e.metrics.lag(e, done, oldest, len(batch) > 0)
		if time.Since(savedAt) >= saveEvery && (done != stored || e.state != saved) || e.state.State != saved.State {
			if err := e.save(ctx, store.ProgressChange{Progress: store.Progress{After: done}}); err != nil {
				return err
			}
			savedAt, stored, saved = time.Now(), done, e.state
		}
		switch {
		case len(batch) > 0:
			relay.Wait(ctx, min(time.Until(until), saveEvery), nil)
		case !more:
			relay.Wait(ctx, e.o.Poll, wake)
			relay.Wait(ctx, time.Until(readAt.Add(gather)), nil)
		}
	}
	if done != stored {
		return e.save(ctx, store.ProgressChange{Progress: store.Progress{After: done}})
	}
	return nil
}

// batch reads what is sent next, and when the first of it was written.
func (e *endpoint) batch(ctx context.Context) (batch []stream.Message, oldest casm.Time, more bool, err error) {
	for size := 0; len(batch) < batchMessages && size < batchBytes; {
		var entries []store.Entry
		if entries, more, err = e.page(ctx, batchPage); err != nil {
			return nil, 0, false, err
		}
		for i := range entries {
			if e.wants(&entries[i]) {
				if len(batch) == 0 {
					oldest = entries[i].Transaction.At
				}
				m := relay.Message(entries[i], e.head.Epoch, e.o.Source)
				batch, size = append(batch, m), size+len(m.Body)
			}
		}
		if !more {
			break
		}
	}
	return batch, oldest, more, nil
}
