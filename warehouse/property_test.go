package warehouse_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"casm"
	"casm/relay"
	"casm/stream"
	"casm/warehouse"
	"casm/warehouse/sqldb"

	"pgregory.net/rapid"
)

// disorder is a stream of a ledger's messages that delivers them as a bad day
// has it: again, in another order, with some left out, now and then not at all.
type disorder struct {
	t         *rapid.T
	l         *ledger
	published int // of the ledger's entries
	next      int
	calm      bool
}

func (d *disorder) tail(n int) stream.Tail {
	if n == 0 {
		return stream.Tail{}
	}
	return stream.Tail{Epoch: d.l.epoch, Position: d.l.entries[n-1].Position, Sequence: uint64(n)}
}

func (d *disorder) Tail(context.Context) (stream.Tail, error) { return d.tail(d.published), nil }

func (d *disorder) At(_ context.Context, sequence uint64) (stream.Tail, error) {
	if sequence > uint64(d.published) || !d.calm && rapid.IntRange(0, 9).Draw(d.t, "purged") == 0 {
		return stream.Tail{}, stream.ErrNoMessage
	}
	return d.tail(int(sequence)), nil
}

func (d *disorder) Begin(_ context.Context, after uint64) error {
	d.next = int(after)
	return nil
}

func (d *disorder) Ack(context.Context, uint64) error { return nil }
func (d *disorder) Close() error                      { return nil }

func (d *disorder) Fetch(context.Context, int, time.Duration) ([]stream.Delivery, error) {
	if !d.calm && rapid.IntRange(0, 14).Draw(d.t, "down") == 0 {
		return nil, errors.New("the stream is down")
	}
	var got []stream.Delivery
	add := func(i int) {
		m := relay.Message(d.l.entries[i], d.l.epoch, "test")
		headers := map[string][]string{}
		for _, h := range m.Headers {
			headers[h.Name] = []string{h.Value}
		}
		got = append(got, stream.Delivery{Sequence: uint64(i + 1), Headers: headers, Body: m.Body})
	}
	from := d.next
	d.next = min(d.next+20, d.published)
	if d.calm {
		for i := from; i < d.next; i++ {
			add(i)
		}
		return got, nil
	}
	if again := rapid.IntRange(0, 5).Draw(d.t, "again"); again > 3 {
		from = max(0, from-again)
	}
	// One thing at a time goes wrong, more often than not nothing.
	lost, twice := -1, -1
	if d.next > from {
		switch rapid.IntRange(0, 7).Draw(d.t, "wrong") {
		case 0:
			lost = rapid.IntRange(from, d.next-1).Draw(d.t, "lost")
		case 1:
			twice = rapid.IntRange(from, d.next-1).Draw(d.t, "twice")
		}
	}
	for i := from; i < d.next; i++ {
		if i == lost {
			continue
		}
		add(i)
		if i == twice {
			add(i)
		}
	}
	if rapid.IntRange(0, 9).Draw(d.t, "order") == 0 {
		got = rapid.Permutation(got).Draw(d.t, "shuffled")
	}
	return got, nil
}

// TestAnyInterleaving: whatever is delivered again, late, twice, in disorder
// or not at all, and however often the warehouse is closed and opened, its
// tables are those of one that read the log once, in order.
func TestAnyInterleaving(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		l := newLedger(rapid.Uint64().Draw(rt, "seed"))
		d := &disorder{t: rt, l: l}
		p := sqldb.SQLite{Path: dir + "/" + strconv.Itoa(n) + ".db"}
		ctx := context.Background()
		start := func() *warehouse.Warehouse {
			w, err := warehouse.Open(ctx, warehouse.Options{Place: p, Feed: l, Logger: slog.New(slog.DiscardHandler), ReconcileAt: -1})
			if err != nil {
				rt.Fatal(err)
			}
			return w
		}
		w, joined := start(), false
		defer func() { _ = w.Close() }()
		step := func() {
			var err error
			if joined, err = w.Step(ctx, d, joined); err != nil && d.calm {
				rt.Fatal(err)
			}
		}
		l.grow(rapid.IntRange(0, 10).Draw(rt, "transactions at first"))
		d.published = len(l.entries)
		step()
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			// The feed is seldom there, so that the stream has to do.
			l.breaks(rapid.IntRange(0, 9).Draw(rt, "feed") > 1)
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				if err := w.Close(); err != nil {
					rt.Fatal(err)
				}
				w, joined = start(), false
			case 1, 2:
				l.grow(rapid.IntRange(1, 10).Draw(rt, "transactions"))
				d.published = len(l.entries)
			case 3:
				l.grow(rapid.IntRange(1, 10).Draw(rt, "transactions"))
				d.published = rapid.IntRange(d.published, len(l.entries)).Draw(rt, "published")
			default:
				step()
			}
		}
		d.published, d.calm = len(l.entries), true
		l.breaks(false)
		last := casm.Start
		if len(l.entries) > 0 {
			last = l.entries[len(l.entries)-1].Position
		}
		for range 200 {
			step()
			if w.Status().Position == last {
				break
			}
		}
		r, err := w.Reconcile(ctx)
		if err != nil || !r.Equal {
			rt.Fatalf("the reconciliation finds %v, %v", r.Differences, err)
		}
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		w = start()
		wantSame(rt, "after disorder", dump(t, p), reference(t, l))
	})
}
