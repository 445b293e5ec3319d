package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"casm/stream"
)

// endEvery is how often a subscription that is behind asks where the stream ends.
const endEvery = time.Second

// pollMost bounds one wait for a message: brokers are asked side by side, and
// the answer of one waits for those of the others.
const pollMost = 100 * time.Millisecond

// lookEvery is how often it is looked whether the topic got more partitions.
const lookEvery = 5 * time.Second

// Subscription reads the stream in its order, that of the messages' numbers,
// from all partitions. Its place is kept by the subscriber alone: it is no
// consumer group, so brokers show no lag of it.
type Subscription struct {
	*reader
	cursors map[int32]*cursor // by partition; nil before Begin
	after   uint64            // the number of the message that was delivered last

	end   uint64 // the number of the stream's last message as last known
	asked time.Time

	looked time.Time // when the partitions were looked at
}

// cursor is how far a partition was read. What was read waits in it for its turn.
type cursor struct {
	next    int64
	waiting []message
}

var _ stream.Subscription = (*Subscription)(nil)

// Subscribe gives a subscription at the brokers of an address. They need not be
// up: until they are, calls fail.
func Subscribe(url string, o Options) (*Subscription, error) {
	o.setDefaults()
	r, _, err := newReader(url, &o)
	if err != nil {
		return nil, err
	}
	return &Subscription{reader: r}, nil
}

// Tail implements stream.Subscription.
func (s *Subscription) Tail(ctx context.Context) (stream.Tail, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return s.tail(ctx)
}

// At implements stream.Subscription.
func (s *Subscription) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return s.at(ctx, sequence)
}

// Begin implements stream.Subscription.
func (s *Subscription) Begin(ctx context.Context, after uint64) error {
	s.cursors = nil
	if after == math.MaxUint64 {
		return fmt.Errorf("stream %s: nothing can follow message %d", s.topic, after)
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	s.forget() // the topic may have been made anew
	at, _, err := s.locate(ctx, after+1)
	if err != nil {
		return err
	}
	cursors := map[int32]*cursor{}
	for p, offset := range at {
		cursors[p] = &cursor{next: offset}
	}
	s.cursors, s.after, s.end, s.asked, s.looked = cursors, after, after, time.Time{}, time.Now()
	return nil
}

// Fetch implements stream.Subscription.
func (s *Subscription) Fetch(ctx context.Context, most int, wait time.Duration) ([]stream.Delivery, error) {
	if s.cursors == nil {
		return nil, errors.New("stream: the subscription has not begun")
	}
	for until := time.Now().Add(wait); ; {
		if got := s.take(most); len(got) > 0 {
			return got, s.pending(ctx, got)
		}
		left := time.Until(until)
		if left <= 0 || ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := s.poll(ctx, min(left, pollMost)); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
	}
}

// take takes what follows the last message out of what was read.
func (s *Subscription) take(most int) (got []stream.Delivery) {
	for len(got) < most {
		var head *cursor
		for _, c := range s.cursors {
			for len(c.waiting) > 0 && c.waiting[0].tail.Sequence <= s.after {
				c.waiting = c.waiting[1:]
			}
			if len(c.waiting) > 0 && c.waiting[0].tail.Sequence == s.after+1 {
				head = c
				break
			}
		}
		if head == nil {
			break
		}
		for len(got) < most && len(head.waiting) > 0 && head.waiting[0].tail.Sequence == s.after+1 {
			got = append(got, deliver(head.waiting[0]))
			head.waiting = head.waiting[1:]
			s.after++
		}
	}
	return got
}

func deliver(m message) stream.Delivery {
	d := stream.Delivery{Sequence: m.tail.Sequence, Body: m.record.Value, Headers: make(map[string][]string, len(m.record.Headers))}
	for _, h := range m.record.Headers {
		d.Headers[h.Key] = append(d.Headers[h.Key], string(h.Value))
	}
	return d
}

// poll reads from the partitions of which nothing waits. Where the next message
// is in none of them, and none is about to be committed, it is gone: then the
// one that follows is next.
func (s *Subscription) poll(ctx context.Context, wait time.Duration) error {
	at := place{}
	gone := uint64(math.MaxUint64)
	for p, c := range s.cursors {
		if len(c.waiting) == 0 {
			at[p] = c.next
		} else {
			gone = min(gone, c.waiting[0].tail.Sequence-1)
		}
	}
	lacking := gone < math.MaxUint64
	if lacking {
		wait = min(wait, retryPause)
	}
	quiet := true
	if len(at) > 0 {
		ctx, cancel := context.WithTimeout(ctx, s.timeout+wait)
		defer cancel()
		pages, err := s.fetch(ctx, at, readBytes, wait)
		if err != nil {
			return err
		}
		for p, pg := range pages {
			c := s.cursors[p]
			c.waiting = append(c.waiting, pg.messages...)
			moved := pg.next > c.next
			c.next = pg.next
			quiet = quiet && !moved && pg.next >= pg.high
		}
		quiet = quiet && len(pages) == len(at)
	}
	lacking = lacking && quiet
	if lacking || time.Since(s.looked) > lookEvery {
		more, err := s.look(ctx)
		if err != nil {
			return err
		}
		lacking = lacking && !more
	}
	if lacking {
		s.log.Warn("messages of the stream are gone", "topic", s.topic, "after", s.after, "up to", gone)
		s.after = gone
	}
	return nil
}

// look takes in partitions that were added, and reports whether there is more
// than was read. Its word counts more than what a page said: a broker that has
// become a partition's leader may give less of it at first than was committed,
// but does not tell where it ends before it knows.
func (s *Subscription) look(ctx context.Context) (more bool, err error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	from, to, err := s.bounds(ctx)
	if err != nil {
		return false, err
	}
	for p, end := range to {
		c := s.cursors[p]
		if c == nil {
			c = &cursor{next: from[p]}
			s.cursors[p] = c
		}
		more = more || c.next < end
	}
	s.looked = time.Now()
	return more, nil
}

// pending notes how many messages were behind each.
func (s *Subscription) pending(ctx context.Context, got []stream.Delivery) error {
	last := got[len(got)-1].Sequence
	if time.Since(s.asked) > endEvery {
		ctx, cancel := s.bound(ctx)
		defer cancel()
		tail, err := s.last(ctx)
		if err != nil && !errors.Is(err, stream.ErrTailUnknown) {
			return err
		}
		if err == nil {
			s.end, s.asked = tail.Sequence, time.Now()
		}
	}
	s.end = max(s.end, last)
	for _, c := range s.cursors {
		if n := len(c.waiting); n > 0 {
			s.end = max(s.end, c.waiting[n-1].tail.Sequence)
		}
	}
	for i := range got {
		got[i].Pending = s.end - got[i].Sequence
	}
	return nil
}

// Ack implements stream.Subscription: there is nothing to be done, as Begin
// names the place.
func (s *Subscription) Ack(ctx context.Context, _ uint64) error { return ctx.Err() }

// Close implements stream.Subscription.
func (s *Subscription) Close() error {
	s.cl.Close()
	return nil
}
