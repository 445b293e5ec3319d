package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"casm"
	"casm/stream"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// settlePatience is how long a transaction may take from its commit, which is
// answered first, until all partitions show what it holds.
const settlePatience = 500 * time.Millisecond

// settled waits until nothing of the topic is about to be committed, and
// reports whether that is so: a transaction may also have been left open.
func (r *reader) settled(ctx context.Context) (bool, error) {
	for until := time.Now().Add(settlePatience); ; {
		committed, err := r.adm.ListCommittedOffsets(ctx, r.topic)
		if err == nil {
			err = committed.Error()
		}
		var all kadm.ListedOffsets
		if err == nil {
			all, err = r.adm.ListEndOffsets(ctx, r.topic)
		}
		if err == nil {
			err = all.Error()
		}
		if err != nil {
			return false, r.wrap(ctx, "where it ends", err)
		}
		open := false
		for p, end := range all[r.topic] {
			open = open || committed[r.topic][p].Offset < end.Offset
		}
		if !open || time.Now().After(until) {
			return !open, nil
		}
		pause(ctx, retryPause)
	}
}

// last gives the last message of the topic: batches are atomic over all
// partitions, so it is the one with the highest number of the last ones of the
// partitions. Where all are gone the number is above all that were there.
func (r *reader) last(ctx context.Context) (stream.Tail, error) {
	from, to, err := r.bounds(ctx)
	if err != nil {
		return stream.Tail{}, err
	}
	var last stream.Tail
	begun, ends := int64(0), int64(0)
	open := place{} // partitions in which none was found yet
	for p := range to {
		begun, ends = begun+from[p], ends+to[p]
		open[p] = to[p]
	}
	// A transaction's end is a record of its own, so the last message is the
	// last but one; and what was given up is left out.
	for back := int64(2); len(open) > 0; back *= 8 {
		if back > lookBack {
			return stream.Tail{Sequence: uint64(ends)}, fmt.Errorf("%w: the last %d records are not the relay's", stream.ErrTailUnknown, lookBack)
		}
		at := place{}
		for p := range open {
			at[p] = max(from[p], to[p]-back)
		}
		found := map[int32]stream.Tail{}
		err := r.scan(ctx, at, open, glanceBytes, func(p int32, pg page) bool {
			if n := len(pg.messages); n > 0 {
				found[p] = pg.messages[n-1].tail
			}
			return false
		})
		if err != nil {
			return stream.Tail{}, err
		}
		for p := range open {
			if t, ok := found[p]; ok && t.Sequence > last.Sequence {
				last = t
			}
			if _, ok := found[p]; ok || at[p] == from[p] {
				delete(open, p)
			}
		}
	}
	if last.Sequence == 0 && begun > 0 {
		return stream.Tail{Sequence: uint64(ends)}, fmt.Errorf("stream %s: %w", r.topic, errExpired)
	}
	return last, nil
}

// tail is last, or what Adopt said of it.
func (r *reader) tail(ctx context.Context) (stream.Tail, error) {
	r.mu.Lock()
	r.located = nil // the topic may be another one
	r.mu.Unlock()
	last, err := r.last(ctx)
	if err != nil && !errors.Is(err, stream.ErrTailUnknown) || last.Sequence == 0 {
		return last, err
	}
	if adopted, ok, e := r.adopted(ctx, last.Sequence); e != nil || ok {
		return adopted, e
	}
	return last, err
}

// narrow moves bounds to where the message with a number can be, as far as
// known.
func (r *reader) narrow(low, high place, sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for known, at := range r.located {
		for p := range low {
			if known <= sequence {
				low[p] = max(low[p], min(at[p], high[p]))
			} else {
				high[p] = max(low[p], min(at[p], high[p]))
			}
		}
	}
}

// note keeps the place of a message that is there.
func (r *reader) note(sequence uint64, at place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.located == nil || len(r.located) >= mostLocated {
		r.located = map[uint64]place{}
	}
	r.located[sequence] = at
}

// locate gives the place of the first messages from a number on. Within a
// partition numbers rise, so it is found by halving.
func (r *reader) locate(ctx context.Context, sequence uint64) (at, to place, err error) {
	low, to, err := r.bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	high := maps.Clone(to)
	r.narrow(low, high, sequence)
	for {
		middle := place{}
		for p := range to {
			if low[p] < high[p] {
				middle[p] = low[p] + (high[p]-low[p])/2
			}
		}
		if len(middle) == 0 {
			return low, to, nil
		}
		seen := map[int32]bool{} // where a message was seen behind the middle
		err := r.scan(ctx, middle, high, glanceBytes, func(p int32, pg page) bool {
			for _, m := range pg.messages {
				if m.offset >= high[p] {
					break
				}
				if m.tail.Sequence >= sequence {
					if seen[p] { // the one before it was too low
						low[p] = m.offset
						high[p] = m.offset
					} else {
						high[p] = middle[p]
					}
					seen[p] = true
					return true
				}
				low[p], seen[p] = m.offset+1, true
			}
			return seen[p]
		})
		if err != nil {
			return nil, nil, err
		}
		for p := range middle {
			if !seen[p] {
				high[p] = middle[p] // none is behind it
			}
		}
	}
}

// at reads the place of the message with a number.
func (r *reader) at(ctx context.Context, sequence uint64) (stream.Tail, error) {
	found := stream.Tail{Sequence: sequence}
	from, to, err := r.locate(ctx, sequence)
	if err != nil {
		return found, err
	}
	ok := false
	err = r.scan(ctx, from, to, glanceBytes, func(_ int32, pg page) bool {
		if len(pg.messages) > 0 && pg.messages[0].tail.Sequence == sequence {
			found, ok = pg.messages[0].tail, true
		}
		return len(pg.messages) > 0
	})
	switch {
	case err == nil && ok:
		r.note(sequence, from)
	case err == nil:
		err = fmt.Errorf("stream %s, message %d: %w", r.topic, sequence, stream.ErrNoMessage)
	}
	return found, err
}

// relayID is the relay's name at the brokers: of its transactions, and of the
// group under which Adopt keeps its word.
func relayID(topic string) string { return topic + ".relay" }

// adopted gives the tail that Adopt set, as long as the stream's last message
// is the same.
func (r *reader) adopted(ctx context.Context, last uint64) (stream.Tail, bool, error) {
	offsets, err := r.adm.FetchOffsets(ctx, relayID(r.topic))
	for kerr.IsRetriable(err) && ctx.Err() == nil { // the first one makes the brokers' own topic for it
		pause(ctx, retryPause)
		offsets, err = r.adm.FetchOffsets(ctx, relayID(r.topic))
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return stream.Tail{}, false, nil
	}
	if err != nil {
		return stream.Tail{}, false, r.wrap(ctx, "whether it was adopted (group "+relayID(r.topic)+")", err)
	}
	o, ok := offsets.Lookup(r.topic, 0)
	f := strings.Fields(o.Metadata)
	if !ok || len(f) != 3 {
		return stream.Tail{}, false, nil
	}
	sequence, err1 := strconv.ParseUint(f[0], 10, 64)
	epoch, err2 := strconv.ParseInt(f[1], 10, 64)
	position, err3 := casm.ParsePosition(f[2])
	is := err1 == nil && err2 == nil && err3 == nil && sequence == last // else it is of another end
	return stream.Tail{Epoch: epoch, Position: position, Sequence: sequence}, is, nil
}
