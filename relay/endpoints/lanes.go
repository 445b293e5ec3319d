package endpoints

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"

	"github.com/google/uuid"
)

// The bounds of what is held in memory of an endpoint.
const (
	windowMessages = 1000
	windowBytes    = 8 << 20
	windowPage     = 64
	flight         = 8 // messages of one customer that are sent one after another
)

// lanes sends each customer's messages in order, and several customers' side by
// side. A customer whose message fails falls behind: what it has in the window
// is let go, and is read from the journal, by the customer, when it is tried
// again. So the cursor goes on, and what is kept is where each one is.
//
// All of it belongs to the goroutine that works; those that send get copies.
type lanes struct {
	*endpoint
	queues map[uuid.UUID]*lane
	ready  []*lane // that have messages and are not under way, the first one first
	window []*item // all that was read and is not done, in the log's order
	bytes  int
	more   bool // the log holds more than was read
	woken  bool // something was committed since it was read
	readAt time.Time

	behind map[uuid.UUID]*behind
	parked int
	due    dueHeap
	flying int
	landed chan landing
	turn   bool // whether one that is behind goes next

	crowded  bool      // as many are behind as may be
	failures int       // attempts in a row that failed, whoever's
	down     time.Time // until when nobody is sent to
	downFor  time.Duration

	// What is to be saved.
	dirty   map[uuid.UUID]bool // customers behind
	changed bool
	unsaved int // messages that were taken since
	saveAt  time.Time
	shown   state
}

// lane is a customer's messages in the window.
type lane struct {
	customer uuid.UUID
	items    []*item
}

type item struct {
	message stream.Message
	at      casm.Time
	before  casm.Position // of what the log holds before it
	done    bool
}

// landing is what came of an attempt.
type landing struct {
	lane   *lane   // of the window, or
	behind *behind // of one that is behind
	sent   int
	after  casm.Position // of one that is behind: what is done now
	err    error
	lost   error // the log could not be read
}

func newLanes(e *endpoint, stored []store.Behind) *lanes {
	l := &lanes{
		endpoint: e, queues: map[uuid.UUID]*lane{}, behind: map[uuid.UUID]*behind{}, dirty: map[uuid.UUID]bool{},
		landed: make(chan landing), more: true, shown: e.state,
	}
	l.shown.Holder = "" // so that it is told who works
	now := e.now()
	for _, s := range stored {
		b := behindOf(s)
		b.Last = later(b.Last, e.read)
		l.behind[b.customer] = b
		if b.parked {
			l.parked++
			continue
		}
		b.next = now
		if b.Attempts > 0 {
			b.next = now.Add(jitter(e.pauseOf(1))) // somebody else waited already
		}
		heap.Push(&l.due, b)
	}
	return l
}

func later(p, q casm.Position) casm.Position {
	if p.Compare(q) > 0 {
		return p
	}
	return q
}

func (l *lanes) work(ctx context.Context) error {
	flights, land := context.WithCancel(ctx)
	defer func() {
		land()
		for ; l.flying > 0; l.flying-- {
			l.settle(ctx, <-l.landed)
		}
	}()
	for ctx.Err() == nil {
		var wake <-chan struct{}
		if l.o.Wake != nil {
			wake = l.o.Wake() // before the look, so that no commit falls between
		}
		if err := l.fill(ctx); err != nil {
			return err
		}
		l.dispatch(flights)
		if err := l.tell(ctx, false); err != nil {
			return err
		}
		if err := l.rest(ctx, wake); err != nil {
			return err
		}
	}
	land()
	for ; l.flying > 0; l.flying-- {
		l.settle(ctx, <-l.landed)
	}
	return l.tell(ctx, true)
}

// rest waits until there is something to do.
func (l *lanes) rest(ctx context.Context, wake <-chan struct{}) error {
	pause := saveEvery
	now := time.Now()
	if l.full() {
		wake = nil
	} else {
		pause = min(pause, max(time.Until(l.readNext()), 0))
	}
	if l.woken {
		wake = nil
	}
	if now.Before(l.down) {
		pause = max(pause, min(time.Until(l.down), saveEvery))
	} else if l.flying < l.limit() && len(l.due) > 0 {
		pause = min(pause, max(l.due[0].next.Sub(l.now()), time.Millisecond))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case x := <-l.landed:
		l.flying--
		l.settle(ctx, x)
		if ctx.Err() == nil {
			return x.lost
		}
	case <-timer.C:
	case <-wake:
		l.woken = true
	case <-ctx.Done():
	}
	return nil
}

// readNext is when the log is to be read again. Under load that is now and then
// rather than with each commit: reading takes from what writes.
func (l *lanes) readNext() time.Time {
	switch {
	case l.more:
		return l.readAt
	case l.woken:
		return l.readAt.Add(gather)
	}
	return l.readAt.Add(l.o.Poll)
}

// full reports whether no more is read for now.
func (l *lanes) full() bool {
	return len(l.window) >= windowMessages || l.bytes >= windowBytes || len(l.behind) >= l.o.MaxBehind
}

// fill reads a page of the log.
func (l *lanes) fill(ctx context.Context) error {
	if l.full() || time.Now().Before(l.readNext()) {
		return nil
	}
	l.woken, l.readAt = false, time.Now()
	from := l.read
	entries, more, err := l.page(ctx, windowPage)
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is no error
		}
		return err
	}
	l.more = more
	l.changed = l.changed || l.read != from
	previous := from
	for i := range entries {
		x := &entries[i]
		from, previous = previous, x.Position
		if !l.wants(x) {
			continue
		}
		if b := l.behind[x.Customer]; b != nil {
			b.Last = later(b.Last, x.Position)
			continue
		}
		q := l.queues[x.Customer]
		if q == nil {
			q = &lane{customer: x.Customer}
			l.queues[x.Customer] = q
			l.ready = append(l.ready, q)
		}
		m := &item{message: relay.Message(*x, l.head.Epoch, l.o.Source), at: x.Transaction.At, before: from}
		q.items = append(q.items, m)
		l.window = append(l.window, m)
		l.bytes += len(m.message.Body)
	}
	return nil
}

// done is up to where everything is sent, or waits for one that is behind.
func (l *lanes) done() casm.Position {
	if len(l.window) > 0 {
		return l.window[0].before
	}
	return l.read
}

// finish marks items as done, and lets go of those at the window's begin.
func (l *lanes) finish(items []*item) {
	for _, m := range items {
		m.done = true
		l.bytes -= len(m.message.Body)
		m.message.Body, m.message.Headers = nil, nil
	}
	for len(l.window) > 0 && l.window[0].done {
		l.window[0] = nil
		l.window = l.window[1:]
	}
	l.changed = true
}

// limit is how many may be under way: while everything fails one, to find out
// whether that is over.
func (l *lanes) limit() int {
	if l.failures >= l.o.Workers {
		return 1
	}
	return l.o.Workers
}

// dispatch sends to customers, those of the window and those behind in turn.
func (l *lanes) dispatch(ctx context.Context) {
	for l.flying < l.limit() && !time.Now().Before(l.down) && ctx.Err() == nil {
		waits := len(l.due) > 0 && l.due[0].next <= l.now()
		switch {
		case waits && (l.turn || len(l.ready) == 0):
			b := heap.Pop(&l.due).(*behind)
			l.flying++
			go func(b behind, of *behind) {
				x := l.retry(ctx, b)
				x.behind = of
				l.landed <- x
			}(*b, b)
		case len(l.ready) > 0:
			q := l.ready[0]
			l.ready[0] = nil
			l.ready = l.ready[1:]
			messages := make([]stream.Message, 0, flight)
			for _, m := range q.items[:min(flight, len(q.items))] {
				messages = append(messages, m.message)
			}
			l.flying++
			go func() {
				n, err := l.sender.Send(ctx, messages)
				l.landed <- landing{lane: q, sent: n, err: err}
			}()
		default:
			return
		}
		l.turn = !l.turn
	}
}

// settle notes what came of an attempt.
func (l *lanes) settle(ctx context.Context, x landing) {
	l.metrics.sent(l.config.Code, x.sent)
	l.unsaved += x.sent
	if x.sent > 0 && x.err == nil {
		l.recovered()
	}
	setup := errors.Is(x.err, stream.ErrSetup)
	ended := x.err != nil && ctx.Err() != nil // of which nothing is known
	switch {
	case x.err == nil || ended:
	case setup:
		l.pauseAll(ctx, x.err)
	default:
		l.metrics.failed(l.config.Code)
		l.failures++
		l.note(x.err)
		if l.failures >= l.o.Workers {
			l.pauseAll(ctx, x.err)
		}
	}
	if x.behind != nil {
		l.settleBehind(x, setup || ended || x.lost != nil)
		return
	}
	q := x.lane
	l.finish(q.items[:x.sent])
	q.items = q.items[x.sent:]
	switch {
	case len(q.items) == 0:
		delete(l.queues, q.customer)
	case x.err == nil || setup || ended:
		l.ready = append(l.ready, q)
	default:
		l.fallBehind(q, x.err)
	}
}

// pauseAll lets nobody be sent to for a growing while.
func (l *lanes) pauseAll(ctx context.Context, err error) {
	l.trouble(ctx, err)
	if time.Now().Before(l.down) {
		return // of those that were under way together one counts
	}
	l.downFor = min(max(2*l.downFor, l.o.FirstPause), maxDownPause)
	l.down = time.Now().Add(jitter(l.downFor))
}

// recovered notes that somebody could be sent to. If nobody could before, all
// that are behind are tried again at once: it was not their fault.
func (l *lanes) recovered() {
	if l.state.State != Running {
		for _, b := range l.due {
			b.next = l.now()
		}
		heap.Init(&l.due)
	}
	l.failures, l.downFor, l.down = 0, 0, time.Time{}
	l.well()
}

// tell saves how far the endpoint is, when it is time or at the end, and shows
// it.
func (l *lanes) tell(ctx context.Context, end bool) error {
	show := l.state
	if crowded := len(l.behind) >= l.o.MaxBehind; crowded {
		if !l.crowded {
			l.log.Warn("nothing new is sent to the endpoint", "error", tooMany)
		}
		show.State, show.Error = Blocked, clip(tooMany+"; the last error: "+show.Error)
		l.crowded = true
	} else {
		l.crowded = false
	}
	same := show == l.shown && !l.changed && len(l.dirty) == 0
	urgent := end || show.State != l.shown.State || show.Holder != l.shown.Holder
	if same || !urgent && l.unsaved < saveMessages && time.Now().Before(l.saveAt) {
		return nil
	}
	c := store.ProgressChange{Progress: store.Progress{After: l.done(), Doc: show.doc()}}
	for customer := range l.dirty {
		if b := l.behind[customer]; b != nil {
			c.Put = append(c.Put, b.stored())
		} else {
			c.Caught = append(c.Caught, customer)
		}
	}
	if err := l.save(ctx, c); err != nil {
		return err
	}
	clear(l.dirty)
	l.changed, l.unsaved, l.shown, l.saveAt = false, 0, show, time.Now().Add(saveEvery)
	var oldest casm.Time
	if len(l.window) > 0 {
		oldest = l.window[0].at
	}
	l.metrics.lag(l.endpoint, c.After, oldest, len(l.window) > 0)
	l.metrics.customers(l.config.Code, len(l.behind), l.parked)
	return nil
}
