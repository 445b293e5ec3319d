package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

const (
	bareDatabase   = "CASM_BENCH_BARE_DATABASE"
	bareCommitters = 2 // as casm has on PostgreSQL
)

// serveLoop serves creations by the bare loop on a database, until it is killed.
func serveLoop(database string) error {
	l, err := testkit.OpenBare(context.Background(), database)
	if err != nil {
		return err
	}
	go l.Run(context.Background(), bareCommitters)
	return http.ListenAndServe(os.Getenv(bareListen), l)
}

// BenchmarkCreates compares creations of customers on PostgreSQL, in turns
// within one run: by casm; by a bare server, which is net/http, encoding/json
// and two round trips through pgx for all that waits, without rules, lists,
// journal or stream; and by those two round trips alone, without HTTP, called
// by as many at once. share is which part of their rates casm reaches.
//
//	go test ./bench -run '^$' -bench Creates -benchtime 1x
func BenchmarkCreates(b *testing.B) {
	app := testkit.NewApp(b, "--database", testkit.Database(b), "--warehouse", "off", "--log-level", "warn")
	target, err := url.Parse(app.URL)
	if err != nil {
		b.Fatal(err)
	}
	server := startBare(b, bareDatabase+"="+testkit.Database(b))
	loop := testkit.NewBare(b, testkit.SharedPostgres(b))
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { loop.Run(ctx, bareCommitters) })
	defer wg.Wait()
	defer cancel()
	for _, clients := range []int{64, 256} {
		b.Run(fmt.Sprintf("%d-clients", clients), func(b *testing.B) {
			for b.Loop() {
				var casm, bare Result
				var alone, seconds float64
				for range 4 {
					for _, c := range []struct {
						sum    *Result
						target *Target
					}{{&casm, &Target{URL: target}}, {&bare, &Target{URL: server, Bare: true}}} {
						r, err := Measure(b.Context(), c.target, Run{Scenario: "create-customer", Clients: clients, Duration: 2 * time.Second, Warmup: 500 * time.Millisecond})
						if err != nil {
							b.Fatal(err)
						}
						if r.Errors() > 0 {
							b.Fatal(r.FirstError)
						}
						c.sum.Add(r)
					}
					n, took := createAlone(b, loop, clients, 2*time.Second)
					alone, seconds = alone+float64(n), seconds+took.Seconds()
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(casm.Rate(), "casm/s")
				b.ReportMetric(bare.Rate(), "bare-server/s")
				b.ReportMetric(alone/seconds, "loop/s")
				b.ReportMetric(100*casm.Rate()/bare.Rate(), "share-of-server-%")
				b.ReportMetric(100*casm.Rate()*seconds/alone, "share-of-loop-%")
				b.ReportMetric(float64(casm.Latency(0.99))/1e6, "p99-ms")
			}
		})
	}
}

var loopNumber atomic.Int64

// createAlone lets callers create customers by the bare loop.
func createAlone(b *testing.B, loop *testkit.Bare, callers int, d time.Duration) (int64, time.Duration) {
	var done atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(begun) < d {
				id := "loop-" + strconv.FormatInt(loopNumber.Add(1), 10)
				if err := loop.Create(b.Context(), testkit.BareCustomer{RequestID: id, ExternalID: id, Doc: string(appendCustomer(nil, id, 0, 0))}); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return done.Load(), time.Since(begun)
}
