package relay_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"

	"github.com/prometheus/client_golang/prometheus"
)

// movable is a target whose server can be stopped and started again.
type movable struct{ now atomic.Pointer[natsjs.Target] }

func (m *movable) Tail(ctx context.Context) (stream.Tail, error) { return m.now.Load().Tail(ctx) }

func (m *movable) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	return m.now.Load().At(ctx, sequence)
}

func (m *movable) Publish(ctx context.Context, tail stream.Tail, ms []stream.Message) (stream.Tail, error) {
	return m.now.Load().Publish(ctx, tail, ms)
}

func (m *movable) Adopt(ctx context.Context, tail stream.Tail) error {
	return m.now.Load().Adopt(ctx, tail)
}
func (m *movable) MaxBatch() int { return m.now.Load().MaxBatch() }
func (m *movable) Close() error  { return m.now.Load().Close() }

func TestTargetDownThenUp(t *testing.T) {
	l, dir := newLedger(t), t.TempDir()
	srv := natstest.Start(t, natsjs.ServerOptions{Dir: dir})
	var g movable
	g.now.Store(natstest.Target(t, srv))
	o := options(t, l)
	reg := prometheus.NewRegistry()
	o.Metrics = reg
	r := relay.New(l, &g, o)
	run(t, r)
	l.commit(1, 1)
	eventually(t, "published", func() bool { return r.Status().Published.Transaction == 2 })

	srv.Stop()
	l.commit(1, 1, 1)
	eventually(t, "failing, with the lag", func() bool {
		s := r.Status()
		return s.State == relay.StateFailing && s.Error != "" && s.LagTransactions == 3 && s.Lag > 0
	})
	if m := gather(t, reg); m["casm_relay_lag_transactions"] != 3 || m["casm_relay_lag_seconds"] <= 0 ||
		m["casm_relay_errors_total"] == 0 || m["casm_relay_published_total"] != 2 || m["casm_relay_state failing"] != 1 {
		t.Errorf("metrics are %v", m)
	}

	srv = natstest.Start(t, natsjs.ServerOptions{Dir: dir})
	_ = g.now.Load().Close()
	g.now.Store(natstest.Target(t, srv))
	eventually(t, "published again", func() bool {
		s := r.Status()
		return s.State == relay.StateRunning && s.Published.Transaction == 5 && s.Lag == 0 && s.Error == "" && s.LastError != ""
	})
	wantOnStream(t, srv, l)
	if m := gather(t, reg); m["casm_relay_lag_transactions"] != 0 || m["casm_relay_lag_seconds"] != 0 || m["casm_relay_published_total"] != 5 {
		t.Errorf("metrics are %v", m)
	}
}

// gather gives the values of gauges and counters, those of states under their name.
func gather(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "state" {
					name += " " + l.GetValue()
				}
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

func TestFlush(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	r := relay.New(l, natstest.Target(t, srv), options(t, l))
	flush(t, r) // nothing to do
	l.commit(1, 0, 2, 0)
	flush(t, r)
	wantOnStream(t, srv, l)
	stop := run(t, r)
	for range 20 {
		l.commit(3, 1)
		flush(t, r) // beside Run
		wantOnStream(t, srv, l)
	}
	stop()
	l.commit(1)
	flush(t, r) // after Run
	wantOnStream(t, srv, l)

	l.commit(1)
	srv.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := r.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush to a stopped server: %v, want DeadlineExceeded", err)
	}
	if d := time.Since(begun); d > 2*time.Second {
		t.Errorf("flush took %v, bounded to 200 ms", d)
	}
}

func TestPause(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	r := relay.New(l, natstest.Target(t, srv), options(t, l))
	run(t, r)
	l.commit(1)
	eventually(t, "published", func() bool { return r.Status().Published.Transaction == 1 })
	r.Pause()
	time.Sleep(100 * time.Millisecond) // what was under way ends
	l.commit(1)
	eventually(t, "paused, with the lag", func() bool {
		s := r.Status()
		return s.State == relay.StatePaused && s.LagTransactions == 1 && s.Published.Transaction == 1
	})
	if err := r.Flush(t.Context()); err == nil {
		t.Error("flushed though paused")
	}
	r.Resume()
	eventually(t, "published after the pause", func() bool { return r.Status().Published.Transaction == 2 })
	wantOnStream(t, srv, l)
}

func TestBlockedUntilAdopted(t *testing.T) {
	restored := func(t *testing.T, old *ledger, commits int) *ledger {
		l := newLedger(t)
		copyFirst(t, old, l, 1)
		for range commits {
			l.commit(1)
		}
		return l
	}
	for name, c := range map[string]struct {
		restore func(t *testing.T, old *ledger) *ledger
		reason  string
		after   casm.Position // which both have
		more    int           // messages that follow it when one more was committed
	}{
		"a higher epoch": {
			func(t *testing.T, old *ledger) *ledger {
				if _, err := old.RaiseEpoch(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				return old
			}, "it was put back", casm.Position{Transaction: 3}, 1,
		},
		"a shorter log":                 {func(t *testing.T, old *ledger) *ledger { return restored(t, old, 0) }, "lost what was published", casm.Position{Transaction: 1}, 1},
		"a log as long":                 {func(t *testing.T, old *ledger) *ledger { return restored(t, old, 2) }, "holds another one", casm.Position{Transaction: 1}, 3},
		"a longer log":                  {func(t *testing.T, old *ledger) *ledger { return restored(t, old, 9) }, "holds another one", casm.Position{Transaction: 1}, 10},
		"a log of which nothing stands": {func(t *testing.T, _ *ledger) *ledger { l := newLedger(t); l.commit(1, 1, 1, 1); return l }, "holds another one", casm.Start, 5},
	} {
		t.Run(name, func(t *testing.T) {
			l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
			l.commit(1, 1, 1)
			flush(t, relay.New(l, natstest.Target(t, srv), options(t, l)))
			l = c.restore(t, l)
			r := relay.New(l, natstest.Target(t, srv), options(t, l))
			run(t, r)
			eventually(t, "blocked", func() bool { return r.Status().State == relay.StateBlocked })
			if s := r.Status(); !strings.Contains(s.Error, c.reason) || !strings.Contains(s.Error, "casm relay adopt") {
				t.Errorf("the reason is %q", s.Error)
			}
			l.commit(1)
			if err := r.Flush(t.Context()); err == nil {
				t.Error("flushed though blocked")
			}
			if n := len(natstest.Read(t, srv)); n != 3 {
				t.Errorf("%d messages are on the stream, 3 were", n)
			}
			a, err := r.Adopt(t.Context(), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			if want := (relay.Adoption{Epoch: a.Epoch, After: c.after, Lost: 3 - uint64(c.after.Transaction)}); a != want || a.Epoch < 2 {
				t.Errorf("adopted %+v, want %+v", a, want)
			}
			eventually(t, "goes on after it was adopted", func() bool {
				s := r.Status()
				return s.State == relay.StateRunning && s.LagTransactions == 0
			})
			ms := natstest.Read(t, srv)
			if len(ms) != 3+c.more || ms[3].Position.Transaction != c.after.Transaction+1 {
				t.Errorf("the stream has %d messages, the last at %s; want %d more, after %s", len(ms), ms[len(ms)-1].Position, c.more, c.after)
			}
			if _, err := r.Adopt(t.Context(), nil, false); !errors.Is(err, relay.ErrAgree) {
				t.Errorf("adopted again: %v", err)
			}
		})
	}
}

// copyFirst copies the first transactions of a log to one that is empty, as a
// backup taken then holds them.
func copyFirst(t *testing.T, from, to *ledger, transactions int64) {
	t.Helper()
	var entries []store.Entry
	err := from.View(t.Context(), func(r store.Reader) (err error) {
		entries, err = r.Feed(t.Context(), casm.Start, store.FeedFilter{}, 1000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.Commit(t.Context(), store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		set := &store.WriteSet{}
		for _, e := range entries {
			if e.Position.Transaction > transactions {
				break
			}
			if int64(len(set.Transactions)) < e.Position.Transaction {
				set.Transactions = append(set.Transactions, e.Transaction)
			}
			last := &set.Transactions[len(set.Transactions)-1]
			last.Changes = append(last.Changes, e.Change)
		}
		return set, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
