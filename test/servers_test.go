package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/nats-io/nats-server/v2/server"
)

// broker starts a NATS server with JetStream, as an operator has one, and
// returns its URL.
func broker(t *testing.T, set ...func(*server.Options)) string {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, MaxPayload: 8 << 20}
	for _, fn := range set {
		fn(o)
	}
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns.ClientURL()
}

// servers starts several on one database and one stream.
func servers(t *testing.T, n int, database string, args ...string) []*testkit.App {
	t.Helper()
	return serversOn(t, n, database, append([]string{"--stream", broker(t)}, args...)...)
}

func serversOn(t *testing.T, n int, database string, args ...string) []*testkit.App {
	t.Helper()
	var all []*testkit.App
	for range n {
		all = append(all, testkit.NewApp(t, append([]string{"--database", database, "--warehouse", "off"}, args...)...))
	}
	return all
}

// eventually waits for something to become true.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// relayState is what a server's relay is about, as /readyz tells.
func relayState(app *testkit.App) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _, body, err := app.Get(ctx, "/readyz")
	var answer struct{ Relay string }
	if err != nil || json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return answer.Relay
}

// leader waits until one server's relay works and all others stand by, and
// returns it.
func leader(t *testing.T, apps []*testkit.App) *testkit.App {
	t.Helper()
	var found *testkit.App
	eventually(t, 10*time.Second, "one relay works and the others stand by", func() bool {
		found = nil
		for _, app := range apps {
			switch state := relayState(app); {
			case state == "running" && found == nil:
				found = app
			case state != "standby":
				return false
			}
		}
		return found != nil
	})
	return found
}

// TestRelayLease: of the relays of three servers one works. It is killed,
// and stopped and let go on; within five seconds another one publishes, and
// the stream is the journal, message by message.
func TestRelayLease(t *testing.T) {
	t.Run("JetStream", func(t *testing.T) { relayLease(t, servers(t, 3, testkit.Database(t))) })
	t.Run("Kafka", func(t *testing.T) { relayLease(t, serversOn(t, 3, testkit.Database(t), onKafka(t)...)) })
}

func relayLease(t *testing.T, apps []*testkit.App) {
	// Clients write to the servers that are not to be hurt.
	var hurt atomic.Pointer[testkit.App]
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for c := range 3 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				app := apps[rand.IntN(len(apps))]
				if app == hurt.Load() {
					continue
				}
				body := fmt.Sprintf(`{"requestId":"l%d-%d","customerProfile":"b2b"}`, c, n)
				if status, _, answer, err := app.Post(context.WithoutCancel(ctx), "/v1/casm/customers/create", body); err == nil && status != 200 && status != 503 {
					t.Errorf("%d %s", status, answer)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	for _, way := range []string{"killed", "stopped", "ended"} {
		holder := leader(t, apps)
		hurt.Store(holder)
		time.Sleep(100 * time.Millisecond) // requests under way end
		switch way {
		case "killed":
			holder.Kill()
		case "ended":
			holder.Stop()
		case "stopped":
			signal(t, holder, syscall.SIGSTOP)
		}
		begun, before := time.Now(), onStream(t, apps[0])
		eventually(t, 10*time.Second, "messages are published after the relay was "+way, func() bool { return onStream(t, apps[0]) > before+5 })
		took := time.Since(begun)
		t.Logf("%s: published again after %v", way, took.Round(time.Millisecond))
		if took > 5*time.Second {
			t.Errorf("the lease moved after %v, want 5 s at the most", took)
		}
		if way == "stopped" {
			signal(t, holder, syscall.SIGCONT)
		} else {
			holder.Start()
		}
		hurt.Store(nil)
	}
	leader(t, apps)
	stop()
	clients.Wait()
	metrics := 0
	for _, app := range apps {
		if _, _, body, err := app.Get(t.Context(), "/metrics"); err == nil && strings.Contains(string(body), `casm_relay_leads{relay="stream"} 1`) {
			metrics++
		}
	}
	if metrics != 1 {
		t.Errorf("%d servers tell by their metrics that they have the lease, want 1", metrics)
	}
	messages := feed(t, apps[0])
	checkVersions(t, messages)
	checkStream(t.Context(), t, apps[0], messages)
}

func signal(t *testing.T, app *testkit.App, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(app.PID(), s); err != nil {
		t.Fatal(err)
	}
}
