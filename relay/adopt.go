package relay

import (
	"context"
	"errors"
	"fmt"

	"casm"
	"casm/store"
	"casm/stream"
)

// ErrAgree is the error of an Adopt that is not needed.
var ErrAgree = errors.New("relay: the stream's end is in the store: there is nothing to adopt")

// Adoption says what Adopt did.
type Adoption struct {
	// Epoch is the new one; in it the stream goes on with what follows After.
	Epoch int64
	After casm.Position
	// Lost is how many messages at the stream's end stand for what the store
	// does not hold any more; 0 when After was given.
	Lost uint64
}

// Adopt is a person's word after the store was put back to an earlier time, or
// the stream lost its end: a new epoch begins, and the stream goes on in it
// behind what it has in common with the store. Where that cannot be found, as
// messages are gone, after must say it. Where stream and store agree it is
// refused with ErrAgree, unless force says that others, such as those who
// follow the feed, are to be told all the same.
func (r *Relay) Adopt(ctx context.Context, after *casm.Position, force bool) (Adoption, error) {
	if err := r.take(ctx); err != nil {
		return Adoption{}, err
	}
	defer r.give()
	r.known, r.ahead = false, nil
	tail, err := r.target.Tail(ctx)
	if err != nil && (after == nil || !errors.Is(err, stream.ErrTailUnknown)) {
		return Adoption{}, err
	}
	a, err := r.part(ctx, tail, after, force)
	if err != nil {
		return Adoption{}, err
	}
	head, err := r.log.RaiseEpoch(ctx, tail.Epoch)
	if err != nil {
		return Adoption{}, err
	}
	a.Epoch = head.Epoch
	// Should this fail, the relay stays blocked, and Adopt can be called again.
	if err := r.target.Adopt(ctx, stream.Tail{Epoch: a.Epoch, Position: a.After, Sequence: tail.Sequence}); err != nil {
		return Adoption{}, err
	}
	r.o.Logger.Warn("stream adopted", "epoch", a.Epoch, "after", a.After, "sequence", tail.Sequence, "lost", a.Lost)
	return a, nil
}

// part finds where stream and store part: behind the last message of the
// stream that the store holds, too, or where it is said.
func (r *Relay) part(ctx context.Context, tail stream.Tail, after *casm.Position, force bool) (a Adoption, err error) {
	err = r.log.View(ctx, func(rd store.Reader) error {
		head, err := rd.Head(ctx)
		if err != nil {
			return err
		}
		if after != nil {
			if a.After = *after; a.After.Transaction > head.Position {
				return fmt.Errorf("relay: the store ends at transaction %d, before position %s", head.Position, a.After)
			}
			return nil
		}
		err = agree(ctx, rd, head, tail, true)
		switch {
		case err == nil && !force:
			return ErrAgree
		case err == nil:
			a.After = tail.Position
			return nil
		case !blocked(err):
			return err
		}
		s := search{target: r.target, log: rd}
		last, err := s.last(ctx, tail.Sequence)
		a.After, a.Lost = last.Position, tail.Sequence-last.Sequence
		return err
	})
	return a, err
}

// search looks for the last message of a stream that a log holds. Within an
// epoch the log holds the messages up to some place, and none behind it.
type search struct {
	target stream.Target
	log    store.Reader
}

// errGone: the place that is looked for is among messages that are gone.
var errGone = errors.New("relay: the messages at which stream and store part are gone; say with --after behind which position to go on")

// last gives the last message up to a sequence that the log holds; the zero
// Tail when it holds none.
func (s *search) last(ctx context.Context, upTo uint64) (stream.Tail, error) {
	for upTo > 0 {
		end, err := s.target.At(ctx, upTo)
		if err != nil {
			return stream.Tail{}, errors.Join(errGone, err)
		}
		// The first message of its epoch, and behind the last that the log holds.
		begin, err := s.first(ctx, 1, upTo, func(at stream.Tail) (bool, error) { return at.Epoch >= end.Epoch, nil })
		if err != nil {
			return stream.Tail{}, err
		}
		behind, err := s.first(ctx, begin, upTo+1, func(at stream.Tail) (bool, error) {
			held, err := holds(ctx, s.log, at)
			return !held, err
		})
		if err != nil {
			return stream.Tail{}, err
		}
		if behind > begin {
			last, err := s.target.At(ctx, behind-1)
			if err != nil {
				err = errors.Join(errGone, err)
			}
			return last, err
		}
		upTo = begin - 1
	}
	return stream.Tail{}, nil
}

// first gives the first sequence from low on, up to high, at which is holds; it
// is taken to hold at high, and not where a message is gone, as the oldest go
// first.
func (s *search) first(ctx context.Context, low, high uint64, is func(stream.Tail) (bool, error)) (uint64, error) {
	for low < high {
		middle := low + (high-low)/2
		at, err := s.target.At(ctx, middle)
		if errors.Is(err, stream.ErrNoMessage) {
			low = middle + 1
			continue
		}
		if err != nil {
			return 0, err
		}
		yes, err := is(at)
		if err != nil {
			return 0, err
		}
		if yes {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, nil
}
