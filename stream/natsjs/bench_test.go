package natsjs_test

import (
	"bytes"
	"fmt"
	"testing"

	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
	"casm/stream/streamtest"
)

// BenchmarkPublish measures messages a second through one publisher, acknowledged
// and on disk, by the size of batches:
//
//	go test -run '^$' -bench Publish -benchtime 20000x ./stream/natsjs
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			srv := natstest.Start(b, natsjs.ServerOptions{Dir: b.TempDir()})
			defer srv.Stop()
			g, err := srv.Target(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			tail, err := g.Tail(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			body := append(append([]byte(`{"customName":"`), bytes.Repeat([]byte("x"), 800)...), `"}`...)
			ms := make([][]stream.Message, 0, b.N/size+1)
			for at := 0; at < b.N; at += size {
				batch := streamtest.Messages(int64(at)+1, min(size, b.N-at))
				for i := range batch {
					batch[i].Body = body
				}
				ms = append(ms, batch)
			}
			b.ResetTimer()
			for _, batch := range ms {
				if tail, err = g.Publish(b.Context(), tail, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
