package relay

import (
	"context"
	"errors"
	"fmt"
	"math"

	"casm"
	"casm/store"
	"casm/stream"
)

// page is how many rows are read at once: with the largest documents, a page
// is what a batch may exceed its bound of bytes by, in memory.
const page = 64

// headerBytes is about what the headers of a message take.
const headerBytes = 700

// chunk is what one publish takes.
type chunk struct {
	messages []stream.Message
	first    casm.Time // when the first of them was written
	last     casm.Time
	head     store.Head // of the snapshot they were read from
	full     bool       // there may be more in that snapshot
}

// blockedError says why nothing may be published until a person decides.
type blockedError struct{ reason string }

func (e *blockedError) Error() string {
	return e.reason + "; nothing is published until this is settled: see `casm relay adopt`"
}

func blocked(err error) bool {
	var b *blockedError
	return errors.As(err, &b) || errors.Is(err, stream.ErrTailUnknown)
}

// read reads the batch after tail. With verify it makes sure first that the
// log holds what the stream has as its last message.
func (r *Relay) read(ctx context.Context, tail stream.Tail, verify bool) (*chunk, error) {
	most := r.target.MaxBatch()
	var c *chunk
	err := r.log.View(ctx, func(rd store.Reader) (err error) {
		c = &chunk{}
		if c.head, err = rd.Head(ctx); err != nil {
			return err
		}
		if err := agree(ctx, rd, c.head, tail, verify); err != nil {
			return err
		}
		after, size := tail.Position, 0
		for {
			n := min(page, most-len(c.messages))
			entries, err := rd.Feed(ctx, after, store.FeedFilter{}, n)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if c.messages == nil {
					c.first = e.Transaction.At
				}
				m := Message(e, c.head.Epoch, r.o.Source)
				c.messages = append(c.messages, m)
				c.last, after = e.Transaction.At, e.Position
				size += len(m.Body) + headerBytes
				if len(c.messages) == most || size >= r.o.MaxBytes {
					c.full = true
					return nil
				}
			}
			if len(entries) < n {
				return nil
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("relay: read the log after %s: %w", tail.Position, err)
	}
	return c, nil
}

// agree makes sure that the stream's end is in the log. A store that was put
// back to an earlier time has a higher epoch, or ends before the stream does,
// or, if nobody noticed, holds something else at that place.
func agree(ctx context.Context, rd store.Reader, head store.Head, tail stream.Tail, verify bool) error {
	at := tail.Position
	switch {
	case at == casm.Start && tail.Epoch == 0:
		return nil // an empty stream goes with any log
	case tail.Epoch != head.Epoch:
		return &blockedError{fmt.Sprintf("the stream ends at position %s of epoch %d, the store is in epoch %d: it was put back to an earlier time",
			at, tail.Epoch, head.Epoch)}
	case at.Transaction > head.Position:
		return &blockedError{fmt.Sprintf("the stream ends at position %s, the store at transaction %d: the store lost what was published",
			at, head.Position)}
	case !verify || tail.ID == "":
		return nil
	}
	held, err := holds(ctx, rd, tail)
	if err != nil {
		return err
	}
	if !held {
		return &blockedError{fmt.Sprintf("the stream ends at position %s with the message %s, the store holds another one there: it lost what was published",
			at, tail.ID)}
	}
	return nil
}

// holds reports whether the log holds a message of the stream at its place.
func holds(ctx context.Context, rd store.Reader, m stream.Tail) (bool, error) {
	before := casm.Position{Transaction: m.Position.Transaction, Ordinal: m.Position.Ordinal - 1}
	if m.Position.Ordinal == 0 {
		before = casm.Position{Transaction: m.Position.Transaction - 1, Ordinal: math.MaxInt32}
	}
	entries, err := rd.Feed(ctx, before, store.FeedFilter{}, 1)
	return len(entries) > 0 && entries[0].Position == m.Position && ID(entries[0]) == m.ID, err
}
