package endpoints

import (
	"container/heap"
	"context"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// trail is what the store keeps beside the position of a customer that is
// behind.
type trail struct {
	// Last is the last of the customer's messages that the log was seen to
	// hold: up to there they are sent from the customer's place on.
	Last     casm.Position `json:"last,omitzero"`
	Since    casm.Time     `json:"since,omitzero"` // of the first failure in a row
	Attempts int           `json:"attempts,omitzero"`
	Error    string        `json:"error,omitzero"` // the last one
}

// behind is a customer whose messages failed.
type behind struct {
	trail
	customer uuid.UUID
	after    casm.Position // all its messages up to here are done
	parked   bool
	next     casm.Time // when to try again; in memory only
}

func (b *behind) stored() store.Behind {
	return store.Behind{Customer: b.customer, After: b.after, Parked: b.parked, Doc: encode(b.trail)}
}

func behindOf(s store.Behind) *behind {
	b := &behind{customer: s.Customer, after: s.After, parked: s.Parked}
	if json.Unmarshal(s.Doc, &b.trail) != nil {
		b.trail = trail{}
	}
	return b
}

// tooMany says that so many customers are behind that the endpoint stops.
const tooMany = "as many customers are behind as an endpoint keeps; it goes on when fewer are, so resume those that are parked once the receiver takes their messages"

// pauseOf is how long a customer waits after so many failures.
func (e *endpoint) pauseOf(attempts int) time.Duration {
	d := e.o.FirstPause
	for range min(attempts-1, 30) {
		d = min(2*d, maxPause)
	}
	return d
}

// retry sends what one that is behind waits for, from the journal.
func (e *endpoint) retry(ctx context.Context, b behind) (x landing) {
	x.after = b.after
	var entries []store.Entry
	var head store.Head
	x.lost = e.o.Log.View(ctx, func(r store.Reader) (err error) {
		if head, err = r.Head(ctx); err != nil {
			return err
		}
		entries, err = r.Feed(ctx, b.after, store.FeedFilter{Customer: b.customer}, flight)
		return err
	})
	if x.lost != nil {
		return x
	}
	for i := range entries {
		entry := &entries[i]
		if entry.Position.Compare(b.Last) > 0 {
			x.after = later(x.after, b.Last)
			return x
		}
		if e.wants(entry) {
			n, err := e.sender.Send(ctx, []stream.Message{relay.Message(*entry, head.Epoch, e.o.Source)})
			x.sent += n
			if err != nil {
				x.err = err
				return x
			}
		}
		x.after = entry.Position
	}
	if len(entries) < flight {
		x.after = later(x.after, b.Last)
	}
	return x
}

// fallBehind sets a customer aside whose message failed.
func (l *lanes) fallBehind(q *lane, err error) {
	b := &behind{customer: q.customer, after: q.items[0].before}
	b.Last = q.items[len(q.items)-1].message.Position
	l.behind[q.customer] = b
	delete(l.queues, q.customer)
	l.finish(q.items)
	l.failed(b, err)
}

// failed notes a failure of one that is behind.
func (l *lanes) failed(b *behind, err error) {
	now := l.now()
	b.Attempts++
	b.Error = clip(err.Error())
	if b.Since.IsZero() {
		b.Since = now
	}
	l.dirty[b.customer] = true
	if now.Sub(b.Since) >= l.o.Park {
		b.parked = true
		l.parked++
		l.log.Warn("a customer's messages are parked", "customer", b.customer, "after", b.after, "since", b.Since, "attempts", b.Attempts, "error", b.Error)
		return
	}
	b.next = now.Add(jitter(l.pauseOf(b.Attempts)))
	heap.Push(&l.due, b)
}

// settleBehind notes how far one that is behind has come.
func (l *lanes) settleBehind(x landing, nothing bool) {
	b := x.behind
	if x.after != b.after {
		b.after = x.after
		l.dirty[b.customer] = true
		if x.sent > 0 {
			b.Since, b.Attempts, b.Error = 0, 0, ""
		}
	}
	switch {
	case x.err != nil && !nothing:
		l.failed(b, x.err)
		return
	case b.after.Compare(b.Last) < 0 || nothing:
		b.next = l.now()
	case b.after.Compare(l.read) <= 0: // what comes now is read with all others
		delete(l.behind, b.customer)
		l.dirty[b.customer] = true
		return
	default:
		b.next = l.now().Add(l.o.Poll)
	}
	heap.Push(&l.due, b)
}

// dueHeap are the customers that are behind and wait, the next one first.
type dueHeap []*behind

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(*behind)) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
