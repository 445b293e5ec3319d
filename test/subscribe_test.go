package test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
	"casm/stream/natsjs"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestSubscribe: with sign-in, an API key that may read the stream opens the
// in-process broker, over TLS where the API has it, until it is revoked.
func TestSubscribe(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		subscribe(t, testkit.NewKeyedApp(t), nil)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		root := testkit.NewCA(t, "root")
		subscribe(t, newTLS(t, root, nil).App, root.TLS())
	})
	t.Run("mutual TLS", func(t *testing.T) {
		t.Parallel()
		root := testkit.NewCA(t, "root")
		mine := root.Client("crm")
		s := newTLS(t, root, []testkit.Pair{mine}, "--tls-client-ca", testkit.WriteFile(t, t.TempDir(), "clients.pem", root.PEM))
		key := s.Key("none", "--permission", "stream:read")
		if _, err := nats.Connect(s.NATS, nats.Token(key), nats.Secure(root.TLS())); err == nil {
			t.Error("let in without a certificate")
		}
		subscribe(t, s.App, root.TLS(mine))
	})
}

func subscribe(t *testing.T, app *testkit.App, config *tls.Config) {
	key := app.Key("dwh", "--permission", "stream:read")
	other := app.Key("crm", "--permission", "casm:write")
	app.Bearer = other
	for n := range 3 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"s%d","externalId":"s%d","customerProfile":"b2b"}`, n, n))
	}
	options := func(credential string) []nats.Option {
		o := []nats.Option{nats.Token(credential), nats.NoReconnect()}
		if config != nil {
			o = append(o, nats.Secure(config))
		}
		return o
	}
	for _, wrong := range []string{"", other, key[:len(key)-1] + "_", strings.ToUpper(key)} {
		if nc, err := nats.Connect(app.NATS, options(wrong)...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with %.20s: %v", wrong, err)
			if err == nil {
				nc.Close()
			}
		}
	}
	if config != nil {
		if nc, err := nats.Connect(app.NATS, nats.Token(key)); err == nil {
			nc.Close()
			t.Error("taken without TLS")
		}
	}
	closed := make(chan struct{})
	nc, err := nats.Connect(app.NATS, append(options(key), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateOrUpdateConsumer(t.Context(), natsjs.StreamName, jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`"externalId":"s%d"`, n); m.Subject() != "casm.customer.created" || !strings.Contains(string(m.Data()), want) {
			t.Errorf("%s %s, want %s", m.Subject(), m.Data(), want)
		}
	}
	code := strings.Split(key, "_")[1]
	if out, err := exec.CommandContext(t.Context(), testkit.Binary(t), "key", "revoke", "--data", app.Data, code).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("a revoked key still reads")
	}
	if _, err := nats.Connect(app.NATS, options(key)...); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a revoked key: %v", err)
	}
	log := app.Log()
	for _, secret := range []string{key, other} {
		if strings.Contains(log, secret[len(secret)-43:]) {
			t.Error("a secret is in the log")
		}
	}
	if !strings.Contains(log, "needs stream:read") {
		t.Error("who may not subscribe is not in the audit")
	}
}
