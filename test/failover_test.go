package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestFailover kills the primary of a synchronous pair under 16 clients and
// promotes the standby. The server, which was given both hosts, goes on by
// itself; nothing that was acknowledged is lost, nothing refused was done, and
// the stream holds exactly what the standby has.
func TestFailover(t *testing.T) {
	ctx := t.Context()
	stop := func(pg *testkit.Postgres) {
		t.Cleanup(func() {
			if err := pg.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	primary, err := testkit.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	stop(primary)
	name, err := primary.CreateDatabase(ctx, "template1")
	if err != nil {
		t.Fatal(err)
	}
	standby, err := primary.StartStandby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stop(standby)
	hosts := strings.Replace(primary.URL(name), primary.Address(), primary.Address()+","+standby.Address(), 1)
	app := testkit.NewApp(t, "--database", hosts, "--warehouse", "off")
	for n := range 4 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"hot%d","externalId":"hot%d","customerProfile":"b2b"}`, n, n))
	}
	l := &lossLoad{t: t, app: app}
	running, end := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() { l.client(running, c) })
	}
	l.progress("before the primary ends")
	time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	took := l.progress("after the standby was promoted")
	t.Logf("clients go on %v after the promotion", took.Round(time.Millisecond))
	end()
	clients.Wait()
	l.check()
}
