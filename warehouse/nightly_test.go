package warehouse_test

import (
	"testing"
	"time"

	"casm/warehouse"

	"github.com/prometheus/client_golang/prometheus"
)

// gauge reads a metric without labels.
func gauge(t testing.TB, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestNightly: the reconciliation runs by itself at its time, and its alarm
// goes up when a row was altered.
func TestNightly(t *testing.T) {
	const name = "casm_warehouse_reconciliation_equal"
	l := newLedger(40)
	l.grow(30)
	for want, statement := range map[float64]string{1: "", 0: "UPDATE customer SET custom_name = 'altered'"} {
		p, registry := place(t), prometheus.NewRegistry()
		now := time.Now().UTC()
		soon := now.Sub(now.Truncate(24*time.Hour)) + 300*time.Millisecond
		w, err := warehouse.Open(t.Context(), warehouse.Options{Place: p, Feed: l, ReconcileAt: soon, Metrics: registry})
		if err != nil {
			t.Fatal(err)
		}
		catchUp(t, w)
		tamper(t, p, statement)
		if got := gauge(t, registry, name); got != -1 {
			t.Errorf("before the first, the alarm is %v", got)
		}
		stop := run(t, w)
		eventually(t, "the nightly reconciliation ran", func() bool { return gauge(t, registry, name) != -1 })
		if got := gauge(t, registry, name); got != want {
			t.Errorf("the alarm is %v, want %v", got, want)
		}
		stop()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
