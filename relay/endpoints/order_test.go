package endpoints_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"casm"
	"casm/relay"
	"casm/relay/endpoints"
	"casm/store"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetStream runs a NATS server with JetStream on a folder and a port, 0 for any.
func jetStream(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = -1
	}
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return ns
}

// TestInOrder: a copy on NATS is the journal in its order, though the server
// there goes down and comes back, and the endpoint is stopped and started.
func TestInOrder(t *testing.T) {
	h := newHouse(t)
	dir := t.TempDir()
	ns := jetStream(t, dir, 0)
	url, port := ns.ClientURL(), ns.Addr().String()
	open := func(o *endpoints.Options) {
		o.Open = func(ctx context.Context, p *casm.PubSubEndpoint) (endpoints.Sender, error) {
			return natsjs.OpenCopy(ctx, natsjs.CopyOptions{URL: p.URL, Prefix: p.DefaultTopic(), Code: "customer", Timeout: time.Second, Logger: natstest.Logger(t)})
		}
	}
	h.configure(&casm.PubSubEndpoint{Type: casm.EndpointNATS, URL: url, Topic: "copy"})
	e, stop := h.start(open)
	h.customer("a")
	h.until("it is blocked without a stream", func() bool { return h.status(e).State == endpoints.Blocked })
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Subjects: []string{"copy.>"}}); err != nil {
		t.Fatal(err)
	}
	caughtUp := func() bool { s := h.status(e); return s.State == endpoints.Running && s.LagTransactions == 0 }
	h.until("it goes on with one", caughtUp)
	for n := range 50 {
		h.rename("a", n)
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	for n := range 50 {
		h.rename("a", 100+n)
	}
	h.until("it fails", func() bool { return h.status(e).State == endpoints.Failing })
	var number int
	if _, err := fmt.Sscanf(port, "127.0.0.1:%d", &number); err != nil {
		t.Fatal(err)
	}
	jetStream(t, dir, number)
	h.until("it goes on", caughtUp)
	stop()
	h.rename("a", 200)
	e, stop = h.start(open)
	h.until("it goes on after a restart", caughtUp)
	stop()

	var want []string
	err = h.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Feed(t.Context(), casm.Start, store.FeedFilter{}, 1000)
		for _, e := range entries {
			want = append(want, relay.ID(e))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "COPY")
	if err != nil {
		t.Fatal(err)
	}
	for n, id := range want {
		m, err := s.GetMsg(t.Context(), uint64(n+1))
		if err != nil || len(m.Header["ce-id"]) != 1 || m.Header["ce-id"][0] != id {
			t.Fatalf("message %d is %v, %v, want %s", n+1, m, err, id)
		}
	}
	if got := s.CachedInfo().State.Msgs; got != uint64(len(want)) {
		t.Errorf("%d messages, want %d", got, len(want))
	}
}
