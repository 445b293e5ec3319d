package warehouse

import (
	"context"

	"casm/stream"
)

// Step is one step of following a stream: it joins when it has not, else it
// takes one batch. What goes wrong is mended; joined is what to give next time.
func (w *Warehouse) Step(ctx context.Context, sub stream.Subscription, joined bool) (bool, error) {
	var err error
	if !joined {
		if _, err = w.join(ctx, sub); err == nil {
			return true, nil
		}
		return false, w.mend(ctx, err)
	}
	p, err := w.progress(ctx)
	if err != nil {
		return false, err
	}
	got, err := sub.Fetch(ctx, batchSize, 0)
	if err == nil && len(got) > 0 {
		if p, err = w.take(ctx, p, w.layout.readAll(got).changes, fromTheStream); err == nil {
			err = sub.Ack(ctx, p.sequence)
		}
	}
	if err == nil {
		return true, nil
	}
	return false, w.mend(ctx, err)
}

// JoinAt makes Run go on behind a sequence of the stream.
func (w *Warehouse) JoinAt(ctx context.Context, sequence uint64) error {
	p, err := w.progress(ctx)
	if err == nil {
		_, err = w.setSequence(ctx, p, sequence)
	}
	return err
}

// KnowsDays reports whether the days that changed since a count of messages
// took effect are known.
func (w *Warehouse) KnowsDays(since int64) bool {
	_, ok := w.daysBetween(since, w.Status().Messages)
	return ok
}
