package natsjs_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
	"casm/stream/streamtest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestSignIn: who signs in reads, and no more; who does not stays out; and who
// may no longer read is sent away, but not when that cannot be found out.
func TestSignIn(t *testing.T) {
	var revoked, faulty atomic.Bool
	var asked atomic.Int64
	srv := natstest.Start(t, natsjs.ServerOptions{
		Dir: t.TempDir(), Listen: "127.0.0.1:0",
		SignIn: func(_ context.Context, credential, remote string) (string, bool, error) {
			asked.Add(1)
			if !strings.HasPrefix(remote, "127.0.0.1:") {
				t.Errorf("asked about somebody at %q", remote)
			}
			if faulty.Load() {
				return "", false, errors.New("the store is away")
			}
			return "key:" + credential, credential == "good" && !revoked.Load(), nil
		},
	})
	defer srv.Stop()
	g := natstest.Target(t, srv) // those of the process need not sign in
	tail, err := g.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Publish(t.Context(), tail, streamtest.Messages(1, 5)); err != nil {
		t.Fatal(err)
	}
	if own, err := srv.Reader("warehouse"); err != nil {
		t.Error(err)
	} else {
		own.Close()
	}
	for name, shown := range map[string][]nats.Option{
		"nothing": nil, "another token": {nats.Token("bad")}, "another password": {nats.UserInfo("good", "bad")},
		"a name of ours": {nats.UserInfo("casm-publisher", "bad")}, "a name of ours without a password": {nats.UserInfo("casm-publisher", "")},
		"no token": {nats.Token("")},
	} {
		if nc, err := nats.Connect(srv.URL(), shown...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with %s: %v", name, err)
			if err == nil {
				nc.Close()
			}
		}
	}
	faulty.Store(true)
	if _, err := nats.Connect(srv.URL(), nats.Token("good")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("when it cannot be judged: %v", err)
	}
	faulty.Store(false)

	closed := make(chan error, 2)
	var all []*nats.Conn
	for _, shown := range []nats.Option{nats.Token("good"), nats.UserInfo("crm", "good")} {
		refused := make(chan error, 1)
		nc := stranger(t, srv, shown, nats.NoReconnect(),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }),
			nats.ClosedHandler(func(nc *nats.Conn) { closed <- nc.LastError() }))
		all = append(all, nc)
		if n := len(natstest.ReadConn(t, nc)); n != 5 {
			t.Errorf("read %d messages", n)
		}
		if err := nc.Publish("casm.customer.created", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("publishing: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a subscriber may publish")
		}
	}
	js, err := jetstream.New(all[0], jetstream.WithDefaultTimeout(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), natsjs.StreamName); err == nil {
		t.Error("the stream could be removed")
	}

	faulty.Store(true)
	before, late := asked.Load(), time.Now().Add(20*time.Second)
	for asked.Load() < before+4 { // each is asked twice more
		if time.Now().After(late) {
			t.Fatal("those who are in are not judged anew")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, nc := range all {
		if !nc.IsConnected() {
			t.Error("sent away by a fault")
		}
	}
	faulty.Store(false)
	revoked.Store(true)
	for range all {
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatal("not sent away")
		}
	}
}
