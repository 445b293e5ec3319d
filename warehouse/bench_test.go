package warehouse_test

import (
	"testing"
	"time"

	"casm/warehouse"
)

// BenchmarkFeed applies what a feed gives.
func BenchmarkFeed(b *testing.B) {
	l := newLedger(1)
	for len(l.entries) < 60_000 {
		l.grow(100)
	}
	b.ResetTimer()
	n := 0
	begun := time.Now()
	for b.Loop() {
		w := open(b, warehouse.Options{Place: place(b), Feed: l})
		catchUp(b, w)
		n += len(l.entries)
	}
	b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "messages/s")
}
