package warehouse_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"casm/relay"
	"casm/stream"
	"casm/warehouse"
	"casm/warehouse/sqldb"
)

// size is how many messages benchmarks work on: 60,000, or CASM_MESSAGES.
func size() int {
	if n, err := strconv.Atoi(os.Getenv("CASM_MESSAGES")); err == nil {
		return n
	}
	return 60_000
}

// grown is a ledger with at least so many messages: customers with what stands
// below them, and changes, three transactions of ten making new ones.
func grown(n int) *ledger {
	l := newLedger(1)
	for len(l.entries) < n {
		l.grow(100)
	}
	return l
}

// benchmarkStream measures how quickly a warehouse catches up with a stream
// that has all messages, a real one. It has the first transaction from a feed
// and joins the stream behind that.
func benchmarkStream(b *testing.B, where func() sqldb.Place) {
	l := grown(size())
	bus := newBus(b, l)
	bus.publishAll()
	one := newLedger(1)
	one.position = l.entries[0].Position.Transaction
	for _, e := range l.entries {
		if e.Position.Transaction == one.position {
			one.entries = append(one.entries, e)
		}
	}
	last, count := l.entries[len(l.entries)-1].Position, len(l.entries)
	// What was published is let go: a warehouse has no log in its memory, for
	// the garbage collector to read again and again.
	bus.l = nil
	runtime.GC()
	var m meter
	for b.Loop() {
		w := open(b, warehouse.Options{Place: where(), Feed: one, Subscribe: bus.subscribe})
		catchUp(b, w)
		if err := w.JoinAt(b.Context(), uint64(len(one.entries))); err != nil {
			b.Fatal(err)
		}
		m.start(b)
		stop := run(b, w)
		for w.Status().Position != last {
			time.Sleep(time.Millisecond)
		}
		m.stop(b)
		stop()
	}
	m.report(b, b.N*count)
}

func BenchmarkStreamSQLite(b *testing.B) {
	benchmarkStream(b, func() sqldb.Place { return place(b) })
}

func BenchmarkStreamPostgres(b *testing.B) {
	benchmarkStream(b, func() sqldb.Place { return postgres(b) })
}

// benchmarkFeed applies what a feed gives, as a rebuild does.
func benchmarkFeed(b *testing.B, where func() sqldb.Place) {
	l := grown(size())
	var m meter
	for b.Loop() {
		w := open(b, warehouse.Options{Place: where(), Feed: l})
		m.start(b)
		catchUp(b, w)
		m.stop(b)
	}
	m.report(b, b.N*len(l.entries))
}

func BenchmarkFeedSQLite(b *testing.B) {
	benchmarkFeed(b, func() sqldb.Place { return place(b) })
}

func BenchmarkFeedPostgres(b *testing.B) {
	benchmarkFeed(b, func() sqldb.Place { return postgres(b) })
}

// BenchmarkMetrics answers /v1/dwh/metrics over HTTP at a million entities, or
// CASM_MESSAGES messages: with nothing new since the answer before, and after
// each message.
func BenchmarkMetrics(b *testing.B) {
	n := 2_000_000
	if os.Getenv("CASM_MESSAGES") != "" {
		n = size()
	}
	l := grown(n)
	p := place(b)
	w := open(b, warehouse.Options{Place: p, Feed: l})
	begun := time.Now()
	catchUp(b, w)
	b.Logf("%d messages, %d entities, %s", len(l.entries), len(l.present), time.Since(begun))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := w.MetricsJSON(r.Context(), false)
		if err != nil {
			b.Error(err)
		}
		_, _ = rw.Write(body)
	}))
	defer server.Close()
	get := func() {
		res, err := http.Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		var m warehouse.Metrics
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			b.Fatal(err)
		}
		_ = res.Body.Close()
	}
	for _, fresh := range []bool{false, true} {
		b.Run(fmt.Sprintf("new=%t", fresh), func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				if fresh {
					b.StopTimer()
					l.grow(2)
					catchUp(b, w)
					b.StartTimer()
				}
				begun := time.Now()
				get()
				all = append(all, time.Since(begun))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
	b.Run("reconciliation", func(b *testing.B) {
		for b.Loop() {
			wantEqual(b, w)
		}
	})
}

// BenchmarkMetricsTenYears answers /v1/dwh/metrics after each message where ten
// years of days are told.
func BenchmarkMetricsTenYears(b *testing.B) {
	l := grown(2000)
	p := place(b)
	w := open(b, warehouse.Options{Place: p, Feed: l})
	catchUp(b, w)
	tamper(b, p, `WITH RECURSIVE d(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < 3650)
		INSERT INTO metric_day SELECT date('2026-01-01', '-' || n || ' days'), type, 0, 10, 10, 10, 10
		FROM d, (SELECT DISTINCT type FROM metric_day)`)
	for b.Loop() {
		b.StopTimer()
		l.grow(2)
		catchUp(b, w)
		b.StartTimer()
		if _, err := w.MetricsJSON(b.Context(), false); err != nil {
			b.Fatal(err)
		}
	}
}

// publishAll publishes the whole ledger as quickly as the stream takes it.
func (b *bus) publishAll() {
	b.t.Helper()
	tail, err := b.target.Tail(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for chunk := range slices.Chunk(b.l.entries, b.target.MaxBatch()) {
		batch := make([]stream.Message, len(chunk))
		for i, e := range chunk {
			batch[i] = relay.Message(e, b.l.epoch, "test")
		}
		if tail, err = b.target.Publish(b.t.Context(), tail, batch); err != nil {
			b.t.Fatal(err)
		}
	}
}
