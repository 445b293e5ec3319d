package warehouse_test

import (
	"context"
	"errors"
	"testing"

	"casm/internal/testkit"
	"casm/relay"
	"casm/store"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
	"casm/warehouse"
)

// bus is a real stream to which a ledger's messages are published.
type bus struct {
	t      testing.TB
	l      *ledger
	target stream.Target
	open   func(name string) (stream.Subscription, error)
}

func newBus(t testing.TB, l *ledger) *bus {
	srv := natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	return &bus{t: t, l: l, target: natstest.Target(t, srv), open: func(name string) (stream.Subscription, error) {
		nc, err := srv.Reader(name)
		if err != nil {
			return nil, err
		}
		return natsjs.Subscribe(nc, name)
	}}
}

func newKafkaBus(t testing.TB, l *ledger) *bus {
	url, o := testkit.SharedKafka(t).URL(), kafka.Options{Logger: natstest.Logger(t)}
	target, err := kafka.Open(t.Context(), url, o)
	if err == nil {
		_, err = target.Tail(t.Context()) // makes the topic
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return &bus{t: t, l: l, target: target, open: func(name string) (stream.Subscription, error) {
		o := o
		o.Name = name
		return kafka.Subscribe(url, o)
	}}
}

// onEach runs a test on each streaming platform.
func onEach(t *testing.T, run func(*testing.T, func(testing.TB, *ledger) *bus)) {
	t.Run("JetStream", func(t *testing.T) { run(t, newBus) })
	t.Run("Kafka", func(t *testing.T) { run(t, newKafkaBus) })
}

// publish publishes what the ledger has after the tail, leaving out what skip says.
func (b *bus) publish(skip func(e *store.Entry) bool) {
	b.t.Helper()
	tail, err := b.target.Tail(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var batch []stream.Message
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if tail, err = b.target.Publish(b.t.Context(), tail, batch); err != nil {
			b.t.Fatal(err)
		}
		batch = nil
	}
	for _, e := range b.l.entries {
		if e.Position.Compare(tail.Position) <= 0 && tail.Epoch == b.l.epoch || skip != nil && skip(&e) {
			continue
		}
		if batch = append(batch, relay.Message(e, b.l.epoch, "test")); len(batch) == b.target.MaxBatch() {
			flush()
		}
	}
	flush()
}

// subscribe is how a warehouse subscribes.
func (b *bus) subscribe(_ context.Context, name string) (stream.Subscription, error) {
	return b.open(name)
}

// reached waits until a warehouse has all of the ledger.
func reached(t testing.TB, w *warehouse.Warehouse, l *ledger) {
	t.Helper()
	last := l.entries[len(l.entries)-1].Position
	eventually(t, "the warehouse has reached "+last.String(), func() bool { return w.Status().Position == last })
}

func TestFollowsTheStream(t *testing.T) { onEach(t, followsTheStream) }

func followsTheStream(t *testing.T, newBus func(testing.TB, *ledger) *bus) {
	l := newLedger(2)
	b := newBus(t, l)
	l.grow(50)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	stop := run(t, w)
	reached(t, w, l)
	eventually(t, "it follows", func() bool { return w.Status().State == warehouse.StateFollowing })
	pages := l.pages // from here on the stream alone
	for range 20 {
		l.grow(10)
		b.publish(nil)
		reached(t, w, l)
	}
	if l.pages != pages {
		t.Errorf("the feed was read %d times though the stream had all", l.pages-pages)
	}
	stop()
	l.grow(30)
	b.publish(nil)
	run(t, w) // again, from where it was
	reached(t, w, l)
	if l.pages != pages {
		t.Errorf("the feed was read %d times after a restart though the stream had all", l.pages-pages)
	}
	wantEqual(t, w)
	wantSame(t, "followed the stream", dump(t, p), reference(t, l))
	if s := w.Status(); s.Lag != (warehouse.Lag{}) || s.DeadLetters != 0 {
		t.Errorf("the status is %+v", s)
	}
}

// TestStreamLacksMessages: what the stream skips, on purpose or as it was
// purged, comes from the feed.
func TestStreamLacksMessages(t *testing.T) { onEach(t, streamLacksMessages) }

func streamLacksMessages(t *testing.T, newBus func(testing.TB, *ledger) *bus) {
	l := newLedger(3)
	b := newBus(t, l)
	l.grow(40)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	run(t, w)
	reached(t, w, l)
	l.grow(40)
	b.publish(func(e *store.Entry) bool { return e.Position.Ordinal > 0 && e.Position.Transaction%3 == 0 })
	reached(t, w, l)
	l.grow(20)
	b.publish(nil)
	reached(t, w, l)
	wantEqual(t, w)
	wantSame(t, "with holes", dump(t, p), reference(t, l))
}

// TestStreamMadeAnew: a stream that was removed and begins again from
// somewhere loses nothing.
func TestStreamMadeAnew(t *testing.T) { onEach(t, streamMadeAnew) }

func streamMadeAnew(t *testing.T, newBus func(testing.TB, *ledger) *bus) {
	l := newLedger(4)
	b := newBus(t, l)
	l.grow(40)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	stop := run(t, w)
	reached(t, w, l)
	stop()
	l.grow(40)
	last := l.entries[len(l.entries)-10].Position
	b = newBus(t, l)
	if err := b.target.Adopt(t.Context(), stream.Tail{Epoch: 1, Position: last}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	run(t, w)
	l.grow(10)
	b.publish(nil)
	reached(t, w, l)
	wantEqual(t, w)
	wantSame(t, "another stream", dump(t, p), reference(t, l))
}

// TestForeignMessages: what is no message of the relay's is set aside and
// blocks nothing.
func TestForeignMessages(t *testing.T) {
	l := newLedger(5)
	b := newBus(t, l)
	l.grow(10)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	run(t, w)
	reached(t, w, l)
	before := l.pages
	foreign := stream.Message{Code: "customer", Event: "created", Body: []byte("\x00\xffnonsense")}
	tail, err := b.target.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.target.Publish(t.Context(), tail, []stream.Message{foreign}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is set aside", func() bool { return w.Status().DeadLetters == 1 })
	last := l.entries[len(l.entries)-1].Position
	if err := b.target.Adopt(t.Context(), stream.Tail{Epoch: 1, Position: last, Sequence: tail.Sequence + 1}); err != nil {
		t.Fatal(err)
	}
	l.grow(10)
	b.publish(nil)
	reached(t, w, l)
	if l.pages != before {
		t.Error("the feed was read for a message that is none")
	}
	got := dump(t, p)
	if len(got["dead_letter"]) != 1 {
		t.Errorf("dead letters: %v", got["dead_letter"])
	}
	want := reference(t, l)
	want["dead_letter"] = got["dead_letter"]
	wantSame(t, "beside a foreign message", got, want)
	if r := reconcile(t, w); r.Equal || r.DeadLetters != 1 || len(r.Differences) != 1 {
		t.Errorf("the reconciliation is %+v", r)
	}
}

// TestEpochChanges: a store that was put back to an earlier time makes the
// warehouse anew.
func TestEpochChanges(t *testing.T) { onEach(t, epochChanges) }

func epochChanges(t *testing.T, newBus func(testing.TB, *ledger) *bus) {
	old := newLedger(6)
	b := newBus(t, old)
	old.grow(40)
	b.publish(nil)
	p := place(t)
	l := newLedger(6)
	feed := &switchable{Feed: old}
	w := open(t, warehouse.Options{Place: p, Feed: feed, Subscribe: b.subscribe})
	run(t, w)
	reached(t, w, old)

	l.epoch = 2
	l.grow(5)
	tail, err := b.target.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	feed.set(l)
	if err := b.target.Adopt(t.Context(), stream.Tail{Epoch: 2, Position: l.entries[len(l.entries)-1].Position, Sequence: tail.Sequence}); err != nil {
		t.Fatal(err)
	}
	b.l = l
	l.grow(20)
	b.publish(nil)
	eventually(t, "the warehouse is of the new epoch", func() bool { return w.Status().Epoch == 2 })
	reached(t, w, l)
	wantEqual(t, w)
	wantSame(t, "of the new epoch", dump(t, p), reference(t, l))
}

// TestStreamDown: while there is no stream the feed is read.
func TestStreamDown(t *testing.T) {
	l := newLedger(8)
	l.grow(30)
	down := errors.New("no stream")
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: func(context.Context, string) (stream.Subscription, error) { return nil, down }})
	run(t, w)
	reached(t, w, l)
	l.grow(30)
	reached(t, w, l)
	eventually(t, "it says so", func() bool {
		s := w.Status()
		return s.State == warehouse.StateFailing && s.Error != ""
	})
	wantEqual(t, w)
}

func TestFollowsTheFeedAlone(t *testing.T) {
	l := newLedger(9)
	l.grow(30)
	w := open(t, warehouse.Options{Place: place(t), Feed: l})
	run(t, w)
	reached(t, w, l)
	l.grow(30)
	reached(t, w, l)
	wantEqual(t, w)
}
