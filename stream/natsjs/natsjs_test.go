package natsjs_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
	"casm/stream/streamtest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestOverURL(t *testing.T) {
	streamtest.Run(t, func(t testing.TB) streamtest.Platform { return newPlatform(t, true) })
}

// platform is a server in this process; with external, targets connect to it
// as they would to a server elsewhere.
type platform struct {
	dir      string
	external bool
	srv      *natsjs.Server
}

func newPlatform(t testing.TB, external bool) *platform {
	p := &platform{dir: t.TempDir(), external: external}
	p.start(t)
	return p
}

func (p *platform) start(t testing.TB) {
	t.Helper()
	p.srv = natstest.Start(t, natsjs.ServerOptions{Dir: p.dir, Listen: "127.0.0.1:0"})
}

func (p *platform) Restart(t testing.TB) {
	p.srv.Stop()
	p.start(t)
}

func (p *platform) Open(t testing.TB) stream.Target {
	t.Helper()
	if p.external {
		g, err := natsjs.Connect(t.Context(), natsjs.PublisherURL(p.srv), natsjs.TargetOptions{Logger: natstest.Logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		waitConnected(t, g)
		return g
	}
	g, err := p.srv.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func waitConnected(t testing.TB, g *natsjs.Target) {
	t.Helper()
	for range 200 {
		if _, err := g.Tail(t.Context()); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the target does not connect")
}

// stranger connects to the port without credentials.
func stranger(t testing.TB, srv *natsjs.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(srv.URL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func (p *platform) Read(t testing.TB) []stream.Message {
	t.Helper()
	return natstest.ReadConn(t, stranger(t, p.srv))
}

func TestStrangersReadOnly(t *testing.T) {
	srv := natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	defer srv.Stop()
	g, err := srv.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	tail, err := g.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tail, err = g.Publish(t.Context(), tail, streamtest.Messages(1, 5)); err != nil {
		t.Fatal(err)
	}

	refused := make(chan error, 16)
	nc := stranger(t, srv, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	t.Run("may read", func(t *testing.T) {
		s, err := js.Stream(ctx, natsjs.StreamName)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := s.GetMsg(ctx, 3); err != nil || string(m.Data) != `{"n":3}` {
			t.Errorf("get: %v, %v", m, err)
		}
		if m, err := s.GetLastMsgForSubject(ctx, "casm.customer.created"); err != nil || m.Sequence != 5 {
			t.Errorf("last of a subject: %v, %v", m, err)
		}
		c, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "crm", FilterSubject: "casm.customer.created"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(ctx); err != nil {
			t.Errorf("acknowledge: %v", err)
		}
		if err := s.DeleteConsumer(ctx, "crm"); err != nil {
			t.Errorf("delete consumer: %v", err)
		}
		old, err := nc.JetStream() // the library's older face, with consumers that push
		if err != nil {
			t.Fatal(err)
		}
		push, err := old.SubscribeSync("casm.>", nats.OrderedConsumer())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if m, err := push.NextMsg(5 * time.Second); err != nil || string(m.Data) != fmt.Sprintf(`{"n":%d}`, i+1) {
				t.Errorf("push: %v, %v", m, err)
			}
		}
		_ = push.Unsubscribe()
		if _, err := js.AccountInfo(ctx); err != nil {
			t.Errorf("account: %v", err)
		}
		sub, err := nc.SubscribeSync("casm.>")
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if tail, err = g.Publish(ctx, tail, streamtest.Messages(6, 1)); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(5 * time.Second); err != nil || string(m.Data) != `{"n":6}` {
			t.Errorf("subscription: %v, %v", m, err)
		}
		_ = sub.Unsubscribe()
	})
	for what, try := range map[string]func() error{
		"publish":       func() error { return nc.Publish("casm.customer.created", []byte("{}")) },
		"publish acked": func() error { _, err := js.Publish(ctx, "casm.customer.created", nil); return err },
		"create stream": func() error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}})
			return err
		},
		"update stream": func() error {
			_, err := js.UpdateStream(ctx, jetstream.StreamConfig{Name: natsjs.StreamName, Subjects: []string{"casm.>"}, MaxMsgs: 1})
			return err
		},
		"delete stream":     func() error { return js.DeleteStream(ctx, natsjs.StreamName) },
		"purge":             func() error { return nc.Publish("$JS.API.STREAM.PURGE.CASM", nil) },
		"delete a message":  func() error { return nc.Publish("$JS.API.STREAM.MSG.DELETE.CASM", []byte(`{"seq":1}`)) },
		"snapshot":          func() error { return nc.Publish("$JS.API.STREAM.SNAPSHOT.CASM", []byte(`{"deliver_subject":"x"}`)) },
		"forge an answer":   func() error { return nc.Publish("_casm_relay.x", nil) },
		"hear the relay":    func() error { _, err := nc.SubscribeSync("_casm_relay.>"); return err },
		"hear the system":   func() error { _, err := nc.SubscribeSync("$SYS.>"); return err },
		"hear all requests": func() error { _, err := nc.SubscribeSync("$JS.API.>"); return err },
	} {
		t.Run("may not "+what, func(t *testing.T) {
			if err := try(); err == nil {
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-refused:
				if !errors.Is(err, nats.ErrPermissionViolation) {
					t.Errorf("refused with %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("was not refused")
			}
		})
	}
	if now, err := g.Tail(ctx); err != nil || now != tail {
		t.Errorf("the tail is %+v, %v, want %+v", now, err, tail)
	}
}

// A request is answered, and a consumer delivers, where its maker says: that must be no way to do, with
// the server's rights, what the maker may not do.
func TestAnswersGiveNoRights(t *testing.T) {
	srv := natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	defer srv.Stop()
	g, err := srv.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	tail, err := g.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tail, err = g.Publish(t.Context(), tail, streamtest.Messages(1, 5)); err != nil {
		t.Fatal(err)
	}
	nc := stranger(t, srv)
	n := 0
	for _, subject := range []string{
		"$JS.API.STREAM.DELETE.CASM", "$JS.API.STREAM.PURGE.CASM", "casm.customer.created",
	} {
		for _, config := range []string{
			`"ack_policy":"none","headers_only":true`,
			`"ack_policy":"explicit","headers_only":true`,
			`"ack_policy":"none","deliver_policy":"new","idle_heartbeat":100000000`,
			`"ack_policy":"none","flow_control":true,"idle_heartbeat":100000000`,
		} {
			n++
			name := "c" + strconv.Itoa(n)
			m, err := nc.Request("$JS.API.CONSUMER.CREATE.CASM."+name,
				fmt.Appendf(nil, `{"stream_name":"CASM","config":{"name":%q,"deliver_subject":%q,%s}}`, name, subject, config), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s to %s: %s", config, subject, m.Data)
		}
	}
	if _, err := nc.Request("$JS.API.CONSUMER.CREATE.CASM.pull",
		[]byte(`{"stream_name":"CASM","config":{"name":"pull","ack_policy":"explicit"}}`), time.Second); err != nil {
		t.Fatal(err)
	}
	for request, body := range map[string]string{
		"$JS.API.INFO":                                  "",
		"$JS.API.STREAM.INFO.CASM":                      "",
		"$JS.API.STREAM.MSG.GET.CASM":                   `{"seq":1}`,
		"$JS.API.DIRECT.GET.CASM":                       `{"seq":1000}`, // answered without a body
		"$JS.API.CONSUMER.MSG.NEXT.CASM.pull":           `{"batch":2,"no_wait":true}`,
		"$JS.ACK.CASM.pull.1.1.1.1795303226304706941.4": "",
	} {
		for _, reply := range []string{"casm.customer.created", "$JS.API.STREAM.DELETE.CASM", "$JS.API.STREAM.PURGE.CASM"} {
			if err := nc.PublishRequest(request, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(300 * time.Millisecond)
	if now, err := g.Tail(t.Context()); err != nil || now != tail {
		t.Errorf("the tail is %+v, %v, want %+v", now, err, tail)
	}
}

func TestPort(t *testing.T) {
	t.Run("taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = natsjs.Start(t.Context(), natsjs.ServerOptions{Dir: t.TempDir(), Listen: l.Addr().String(), Logger: natstest.Logger(t)})
		if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), natsjs.ListenFlag) {
			t.Errorf("got %v, want an error that names %s and %s", err, l.Addr(), natsjs.ListenFlag)
		}
	})
	t.Run("malformed", func(t *testing.T) {
		for _, addr := range []string{"4222", "localhost", "127.0.0.1:x", "127.0.0.1:70000"} {
			if _, err := natsjs.Start(t.Context(), natsjs.ServerOptions{Dir: t.TempDir(), Listen: addr}); err == nil || !strings.Contains(err.Error(), natsjs.ListenFlag) {
				t.Errorf("%q: %v", addr, err)
			}
		}
	})
	for name, o := range map[string]natsjs.ServerOptions{
		"none": {}, "off": {Listen: "off"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Dir = t.TempDir()
			srv := natstest.Start(t, o)
			defer srv.Stop()
			if srv.URL() != "" {
				t.Errorf("listens on %s", srv.URL())
			}
			g, err := srv.Target(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if _, err := g.Tail(t.Context()); err != nil {
				t.Error(err)
			}
			nc, err := srv.Reader("test")
			if err != nil {
				t.Fatal(err)
			}
			nc.Close()
		})
	}
}

func create(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestConflictingStream(t *testing.T) {
	srv := natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	defer srv.Stop()
	js, err := jetstream.New(natsjs.PublisherConn(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	g, err := srv.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx := t.Context()
	// Another stream: with the last one the server removes the folder of all,
	// and stumbles over it when one is made at the same time.
	create(t, js, jetstream.StreamConfig{Name: "OTHER"})
	for want, c := range map[string]jetstream.StreamConfig{
		"its subjects are":       {Subjects: []string{"casm.customer.*"}},
		"its retention is":       {Subjects: []string{"casm.>"}, Retention: jetstream.WorkQueuePolicy},
		"its storage is Memory":  {Subjects: []string{"casm.>"}, Storage: jetstream.MemoryStorage},
		"acknowledges nothing":   {Subjects: []string{"casm.>"}, NoAck: true},
		"3 messages per subject": {Subjects: []string{"casm.>"}, MaxMsgsPerSubject: 3},
	} {
		c.Name = natsjs.StreamName
		create(t, js, c)
		if _, err := g.Tail(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		if err := js.DeleteStream(ctx, natsjs.StreamName); err != nil {
			t.Fatal(err)
		}
	}
	// What can be set without loss is set, what the operator chose stays.
	create(t, js, jetstream.StreamConfig{
		Name: natsjs.StreamName, Subjects: []string{"casm.>"}, MaxAge: time.Hour, MaxBytes: 1 << 30,
	})
	tail, err := g.Tail(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Publish(ctx, tail, streamtest.Messages(1, 3)); err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(ctx, natsjs.StreamName)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Config; c.MaxAge != time.Hour || !c.AllowAtomicPublish {
		t.Errorf("the stream is now %+v", c)
	}
	// A stream that lost its last message cannot tell where to go on.
	if err := s.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Tail(ctx); !errors.Is(err, stream.ErrTailUnknown) {
		t.Errorf("tail of a purged stream: %v, want ErrTailUnknown", err)
	}
	// One that was removed is made anew, and is empty.
	if err := js.DeleteStream(ctx, natsjs.StreamName); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Publish(ctx, stream.Tail{Sequence: 3}, streamtest.Messages(4, 1)); err == nil {
		t.Error("published to a stream that was removed")
	}
	if tail, err := g.Tail(ctx); err != nil || tail != (stream.Tail{}) {
		t.Errorf("tail of a stream made anew: %+v, %v", tail, err)
	}
}
