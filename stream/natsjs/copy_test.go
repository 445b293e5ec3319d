package natsjs_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestCopy: copies go to the stream that takes their subjects, in order, each
// once though it is sent twice; what a person must change is told as that.
func TestCopy(t *testing.T) {
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, Username: "copy", Password: "of-it",
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	defer func() { ns.Shutdown(); ns.WaitForShutdown() }()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	u, err := url.Parse(ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	open := func(prefix, secret string, networks ...netip.Prefix) (*natsjs.Copy, error) {
		return natsjs.OpenCopy(t.Context(), natsjs.CopyOptions{
			URL: u.String(), Prefix: prefix, Code: "customer", Secret: secret, Networks: networks, Logger: natstest.Logger(t),
		})
	}
	nc, err := nats.Connect(u.String(), nats.UserInfo("copy", "of-it"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: natsjs.StreamName, Subjects: []string{"casm.>"}}); err != nil {
		t.Fatal(err)
	}
	refused := func(want, prefix string, networks ...netip.Prefix) {
		t.Helper()
		c, err := open(prefix, "copy:of-it", networks...)
		if err == nil {
			_ = c.Close()
		}
		if !errors.Is(err, stream.ErrSetup) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", prefix, err, want)
		}
	}
	refused("no stream of the NATS server takes the subject copy.customer.created", "copy")
	refused("built-in relay alone", "casm")
	refused("in none of the networks", "copy", netip.MustParsePrefix("10.0.0.0/8"))
	if _, err := open("copy", "copy:wrong-password"); err == nil || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("a wrong password: %v", err)
	}
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Subjects: []string{"copy.>"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := open("copy", "copy:of-it\n")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var all []stream.Message
	for i := range 20 {
		all = append(all, stream.Message{
			Position: casm.Position{Transaction: int64(i + 1)}, ID: fmt.Sprint("id ", i), Code: "customer", Event: "updated", Body: fmt.Appendf(nil, `{"n":%d}`, i),
			Headers: []stream.Header{{Name: stream.HeaderTransactionID, Value: fmt.Sprint(i)}},
		})
	}
	for _, batch := range [][]stream.Message{all[:12], all[5:], all[10:]} {
		if n, err := c.Send(t.Context(), batch); n != len(batch) || err != nil {
			t.Fatalf("sent %d of %d, %v", n, len(batch), err)
		}
	}
	var got []string
	for n := range uint64(len(all)) {
		m, err := s.GetMsg(t.Context(), n+1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Subject+" "+string(m.Data)+" "+m.Header[stream.HeaderTransactionID][0])
	}
	var want []string
	for i := range all {
		want = append(want, fmt.Sprintf(`copy.customer.updated {"n":%d} %d`, i, i))
	}
	if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != uint64(len(all)) || !slices.Equal(got, want) {
		t.Errorf("%d messages, %v\n got %q\nwant %q", info.State.Msgs, err, got, want)
	}
	if err := js.DeleteStream(t.Context(), "COPY"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Send(t.Context(), all[:3]); n != 0 || err == nil {
		t.Errorf("without the stream: %d, %v", n, err)
	}
}
