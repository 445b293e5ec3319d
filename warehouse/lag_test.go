package warehouse_test

import (
	"testing"
	"time"

	"casm/warehouse"

	"github.com/prometheus/client_golang/prometheus"
)

// TestLag: how far the warehouse is behind is told whatever it is doing, over
// the API and as metrics.
func TestLag(t *testing.T) {
	l := newLedger(50)
	b := newBus(t, l)
	l.grow(20)
	b.publish(nil)
	now := l.now.Add(time.Hour).Std()
	registry := prometheus.NewRegistry()
	w, err := warehouse.Open(t.Context(), warehouse.Options{
		Place: place(t), Feed: l, Subscribe: b.subscribe, ReconcileAt: -1, Metrics: registry, Logger: logger(t), Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	want := func(when string, messages int64, seconds float64) {
		t.Helper()
		m, err := w.Metrics(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if m.Lag != (warehouse.Lag{Messages: messages, Seconds: seconds}) {
			t.Errorf("%s the lag is %+v, want %d and %v", when, m.Lag, messages, seconds)
		}
		if n, s := gauge(t, registry, "casm_warehouse_lag_messages"), gauge(t, registry, "casm_warehouse_lag_seconds"); n != float64(messages) || s != seconds {
			t.Errorf("%s the gauges tell %v and %v, want %d and %v", when, n, s, messages, seconds)
		}
	}
	age := func(i int) float64 { return now.Sub(l.message(l.entries[i]).RecordedAt.Std()).Seconds() }

	want("before it follows", l.position, age(0))
	stop := run(t, w)
	reached(t, w, l)
	want("when it is idle", 0, 0)

	// What is in the log and not on the stream is lacking too.
	n, before := len(l.entries), l.position
	l.createCustomer()
	l.commit()
	want("while the relay stands still", l.position-before, age(n))
	b.publish(nil)
	reached(t, w, l)
	want("after that", 0, 0)

	stop()
	n, before = len(l.entries), l.position
	for range 3 {
		l.createCustomer()
		l.commit()
	}
	b.publish(nil)
	want("when it is stopped", l.position-before, age(n))
	stop = run(t, w)
	reached(t, w, l)
	want("when it follows again", 0, 0)

	// A store that was put back has all that the warehouse lacks.
	stop()
	l.epoch++
	want("in another epoch", l.position, age(0))
}
