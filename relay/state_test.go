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

// epochs is a log whose store was put back so often.
type epochs struct {
	relay.Log
	raised atomic.Int64
}

type epochReader struct {
	store.Reader
	raised int64
}

func (e *epochs) View(ctx context.Context, fn func(store.Reader) error) error {
	return e.Log.View(ctx, func(r store.Reader) error { return fn(epochReader{r, e.raised.Load()}) })
}

func (r epochReader) Head(ctx context.Context) (store.Head, error) {
	h, err := r.Reader.Head(ctx)
	h.Epoch += r.raised
	return h, err
}

func TestBlockedUntilAdopted(t *testing.T) {
	for name, c := range map[string]struct {
		restore func(t *testing.T, old *ledger) relay.Log
		reason  string
		after   casm.Position
	}{
		"a higher epoch": {
			func(t *testing.T, old *ledger) relay.Log {
				e := &epochs{Log: old}
				e.raised.Store(1)
				return e
			}, "it was put back", casm.Position{Transaction: 3},
		},
		"a lower epoch": {
			func(t *testing.T, old *ledger) relay.Log {
				e := &epochs{Log: old}
				e.raised.Store(-1)
				return e
			}, "it was put back", casm.Position{Transaction: 3},
		},
		"a shorter log": {
			func(t *testing.T, _ *ledger) relay.Log {
				l := newLedger(t)
				l.commit(1, 1)
				return l
			}, "lost what was published", casm.Position{Transaction: 1},
		},
		"another log": {
			func(t *testing.T, _ *ledger) relay.Log {
				l := newLedger(t)
				l.commit(1, 1, 1, 1, 1)
				return l
			}, "holds another one", casm.Position{Transaction: 4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
			l.commit(1, 1, 1)
			flush(t, relay.New(l, natstest.Target(t, srv), options(t, l)))
			log := c.restore(t, l)
			o := options(t, l)
			r := relay.New(log, natstest.Target(t, srv), o)
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
			if err := r.Adopt(t.Context(), c.after); err != nil {
				t.Fatal(err)
			}
			eventually(t, "goes on after it was adopted", func() bool {
				s := r.Status()
				return s.State == relay.StateRunning && s.LagTransactions == 0
			})
			ms := natstest.Read(t, srv)
			if len(ms) != 4 || ms[3].Position.Transaction != c.after.Transaction+1 {
				t.Errorf("the stream has %d messages, the last at %s; want one more, after %s", len(ms), ms[len(ms)-1].Position, c.after)
			}
		})
	}
}
