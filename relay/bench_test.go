package relay_test

import (
	"fmt"
	"testing"
	"time"

	"casm/internal/testkit"
	"casm/relay"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
)

// BenchmarkRelay measures messages a second from a store to each platform, and
// of Kafka how long it takes to read them back in their order:
//
//	go test -run '^$' -bench Relay -benchtime 50000x ./relay
func BenchmarkRelay(b *testing.B) {
	b.Run("JetStream", func(b *testing.B) {
		benchmarkRelay(b, natstest.Target(b, natstest.Start(b, natsjs.ServerOptions{Dir: b.TempDir()})))
	})
	k, err := testkit.StartKafka(b)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := k.Stop(); err != nil {
			b.Error(err)
		}
	})
	b.Run("Kafka", func(b *testing.B) {
		url, o := k.URL(), kafka.Options{Logger: natstest.Logger(b)}
		target, err := kafka.Open(b.Context(), url, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = target.Close() })
		if _, err := target.Tail(b.Context()); err != nil { // makes the topic
			b.Fatal(err)
		}
		benchmarkRelay(b, target)

		begun := time.Now() // as an adoption looks for the place where stream and store part
		low, high, places := 1, b.N+1, 0
		for ; low < high; places++ {
			middle := low + (high-low)/2
			at, err := target.At(b.Context(), uint64(middle))
			if err != nil || at.Position.Transaction != int64(middle) {
				b.Fatalf("message %d: %+v %v", middle, at, err)
			}
			if middle <= b.N/3 {
				low = middle + 1
			} else {
				high = middle
			}
		}
		b.ReportMetric(float64(time.Since(begun).Milliseconds())/float64(places), "ms/place")
		s, err := kafka.Subscribe(url, o)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		if err := s.Begin(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		begun = time.Now()
		for n := 0; n < b.N; {
			got, err := s.Fetch(b.Context(), 4000, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			n += len(got)
		}
		b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "read/s")
	})
}

func benchmarkRelay(b *testing.B, target stream.Target) {
	l := newLedger(b)
	doc := fmt.Appendf(nil, `{"customName":"%0800d"}`, 1)
	for n := 0; n < b.N; n += 1000 {
		sizes := make([]int, min(1000, b.N-n))
		for i := range sizes {
			sizes[i] = 1
		}
		l.commitDocs(sizes, doc)
	}
	r := relay.New(l, target, options(b, l))
	b.ResetTimer()
	flush(b, r)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.StopTimer()
}
