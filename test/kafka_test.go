package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestKafkaKilled kills the Kafka broker, and then the server, while clients write
// and the relay publishes. Requests go on being answered, also by a server that
// starts without its broker; when that is back the stream is the journal, message
// by message, and the data warehouse that follows it has caught up.
func TestKafkaKilled(t *testing.T) {
	k := testkit.SharedKafka(t)
	app := testkit.NewApp(t, onKafka(t)...)
	for n := range 4 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"hot%d","externalId":"hot%d","customerProfile":"b2b"}`, n, n))
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered atomic.Int64
	for c := range 4 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("b%d-%d", c, n)
				path, body := "customers/create", fmt.Sprintf(`{"requestId":"%s","externalId":"%s","customerProfile":"b2b"}`, id, id)
				if n%2 == 1 {
					path, body = "customers/custom-name/update", fmt.Sprintf(`{"requestId":"%s","customer":{"externalId":"hot%d"},"customName":"%s"}`, id, n%4, id)
				}
				status, _, answer, err := app.Post(context.WithoutCancel(ctx), "/v1/casm/"+path, body)
				if err == nil && status != 200 && status != 503 {
					t.Errorf("%d %s", status, answer)
				}
				if err == nil && status == 200 {
					answered.Add(1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	more := func(n int64) {
		t.Helper()
		before := answered.Load()
		eventually(t, 20*time.Second, "requests are answered", func() bool { return answered.Load() >= before+n })
	}
	kills := max(rounds()/4, 1)
	for range kills {
		more(100)
		time.Sleep(rand.N(200 * time.Millisecond))
		if err := k.Kill(); err != nil {
			t.Fatal(err)
		}
		more(50)
		app.Kill()
		app.Start() // without its broker
		more(50)
		if err := k.Start(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		before := onStream(t, app)
		eventually(t, 20*time.Second, "messages are published again", func() bool { return onStream(t, app) > before })
		t.Logf("published again %v after the broker was back", time.Since(begun).Round(time.Millisecond))
	}
	stop()
	clients.Wait()
	messages := feed(t, app)
	checkVersions(t, messages)
	checkStream(t.Context(), t, app, messages)
	wantReconciled(t, app)
	t.Logf("%d messages, %d kills", len(messages), kills)
}
