// Package natstest helps tests that publish to, or read, the stream of an
// in-process server.
package natstest

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casm/stream"
	"casm/stream/natsjs"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Start starts a server that the caller stops, or the end of the test.
func Start(t testing.TB, o natsjs.ServerOptions) *natsjs.Server {
	t.Helper()
	if o.Logger == nil {
		o.Logger = Logger(t)
	}
	srv, err := natsjs.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

// Target connects to a server within the process, until the end of the test.
func Target(t testing.TB, srv *natsjs.Server) *natsjs.Target {
	t.Helper()
	g, err := srv.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// Logger shows the test's warnings and errors.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Read gives all messages of the server's stream from the first, as a
// subscriber without rights of its own gets them.
func Read(t testing.TB, srv *natsjs.Server) []stream.Message {
	t.Helper()
	nc, err := srv.Reader(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	return ReadConn(t, nc)
}

// ReadConn is Read on a connection.
func ReadConn(t testing.TB, nc *nats.Conn) []stream.Message {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, natsjs.StreamName)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	n := int(s.CachedInfo().State.Msgs)
	out := make([]stream.Message, 0, n)
	for len(out) < n {
		b, err := c.Fetch(min(n-len(out), 500), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		before := len(out)
		for m := range b.Messages() {
			out = append(out, message(m))
		}
		if b.Error() != nil || len(out) == before {
			t.Fatalf("a subscriber got %d of %d messages: %v", len(out), n, b.Error())
		}
	}
	return out
}

func message(m jetstream.Msg) stream.Message {
	f := strings.SplitN(m.Subject(), ".", 3)
	msg := stream.Message{Code: f[1], Event: f[2], Body: m.Data()}
	for k, v := range m.Headers() {
		msg.Headers = append(msg.Headers, stream.Header{Name: k, Value: v[0]})
		switch k {
		case stream.HeaderID:
			msg.ID = v[0]
		case stream.HeaderPosition:
			_ = msg.Position.UnmarshalText([]byte(v[0]))
		}
	}
	return msg
}
