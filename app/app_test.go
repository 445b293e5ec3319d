package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/auth"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are those of a server for development on free ports.
func settings(t *testing.T) Settings {
	t.Helper()
	s := good()
	s.Data.Data = filepath.Join(t.TempDir(), "data")
	s.Listen, s.NATSListen, s.Dev, s.Demo = "127.0.0.1:0", "127.0.0.1:0", true, true
	return s
}

var quiet = slog.New(slog.DiscardHandler)

// start starts a server that is stopped at the test's end, if it was not before.
func start(t *testing.T, s Settings) *App {
	t.Helper()
	a, err := Start(t.Context(), s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	return a
}

func stop(t *testing.T, a *App) {
	t.Helper()
	begun := time.Now()
	if err := a.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// client keeps no connections, so that a server has none to wait for.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// call sends a request and returns status and body.
func call(t *testing.T, method, url, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func codeRef(collection, code string) casm.CodeRef {
	return casm.CodeRef{Collection: collection, Code: code}
}

func createCustomer(t *testing.T, a *App, id string) {
	t.Helper()
	status, body := call(t, "POST", a.Status().URL+"/v1/casm/customers/create", "",
		fmt.Sprintf(`{"requestId": %q, "externalId": %q, "customerProfile": "b2b"}`, id, id))
	if status != http.StatusOK {
		t.Fatalf("create %s: %d %s", id, status, body)
	}
}

// messages reads n messages of the stream from its first, as a stranger.
func messages(t *testing.T, a *App, n int) []string {
	t.Helper()
	nc, err := nats.Connect(a.Status().NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.OrderedConsumer(t.Context(), "CASM", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < n {
		m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(got), n, err)
		}
		got = append(got, m.Subject())
	}
	return got
}

// TestServe: a server from start to stop, twice on the same data.
func TestServe(t *testing.T) {
	s := settings(t)
	a := start(t, s)
	createCustomer(t, a, "one")
	if got := messages(t, a, 1); got[0] != "casm.customer.created" {
		t.Errorf("stream: %v", got)
	}
	for path, want := range map[string]string{
		"/readyz": "", "/healthz": "", "/v1/casm/customers/read?externalId=one": `"externalId":"one"`,
		"/metrics": "casm_build_info{",
	} {
		if status, body := call(t, "GET", a.Status().URL+path, "", ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	for _, metric := range []string{"go_goroutines", "process_open_fds", "casm_relay_lag_seconds", "casm_commit_seconds", "casm_http_requests_total"} {
		if _, body := call(t, "GET", a.Status().URL+"/metrics", "", ""); !strings.Contains(body, "\n"+metric) {
			t.Errorf("/metrics has no %s", metric)
		}
	}
	stop(t, a)
	if _, err := os.Stat(filepath.Join(s.Data.Data, socketFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}

	a = start(t, s)
	createCustomer(t, a, "two")
	if got := messages(t, a, 2); len(got) != 2 {
		t.Errorf("stream: %v", got)
	}
	if status, body := call(t, "GET", a.Status().URL+"/v1/casm/customers/read?externalId=one", "", ""); status != http.StatusOK {
		t.Errorf("after a restart: %d %s", status, body)
	}
	history, err := a.core.engine.ConfigHistory(t.Context(), codeRef("offers", "offer_code"), 10)
	if err != nil || len(history) != 1 {
		t.Errorf("the demonstration was added again: %d versions, %v", len(history), err)
	}
}

// TestFlush: what was answered just before a stop is on the stream after it.
func TestFlush(t *testing.T) {
	s := settings(t)
	a := start(t, s)
	for i := range 50 {
		createCustomer(t, a, fmt.Sprint("customer-", i))
	}
	stop(t, a)
	if s := a.relay.Status(); s.LagTransactions != 0 || s.Published.Transaction != 50 {
		t.Errorf("relay after the stop: %+v", s)
	}
}

func TestFolderInUse(t *testing.T) {
	s := settings(t)
	start(t, s)
	_, err := Start(t.Context(), s, quiet)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("a second server: %v", err)
	}
}

// TestFolderBrieflyInUse: a server waits for a command that is about to end.
func TestFolderBrieflyInUse(t *testing.T) {
	s := settings(t)
	l, err := lock(s.Data.Data)
	if err != nil {
		t.Fatal(err)
	}
	freed := make(chan error, 1)
	time.AfterFunc(200*time.Millisecond, func() { freed <- l.Unlock() })
	start(t, s)
	if err := <-freed; err != nil {
		t.Error(err)
	}
}

// TestAfterCrash: lock file and socket of a process that was killed are no
// hindrance.
func TestAfterCrash(t *testing.T) {
	s := settings(t)
	if err := os.MkdirAll(s.Data.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(s.Data.Data, socketFile), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Data.Data, lockFile), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, s)
	if status, err := ServerStatus(t.Context(), s.Data.Data); err != nil || status.URL != a.Status().URL {
		t.Errorf("socket: %+v, %v", status, err)
	}
}

// TestFailedStart: a start that fails leaves nothing behind, and says why.
func TestFailedStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		set  func(*Settings)
		want string
	}{
		"dev from outside": {func(s *Settings) { s.Listen = "0.0.0.0:0" }, "--dev"},
		"API's port":       {func(s *Settings) { s.Listen = taken.Addr().String() }, "--listen"},
		"stream's port":    {func(s *Settings) { s.NATSListen = taken.Addr().String() }, "--nats-listen"},
		"folder is a file": {func(s *Settings) { s.Data.Data = filepath.Join(s.Data.Data, "..", "file") }, "data folder"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			if err := os.WriteFile(filepath.Join(filepath.Dir(s.Data.Data), "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			free := s
			c.set(&s)
			_, err := Start(t.Context(), s, quiet)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			stop(t, start(t, free)) // the folder is free again
		})
	}
}

// TestStopWithWork: a client that follows the feed, one that sends slowly and
// one that keeps its connection do not hold a stop up.
func TestStopWithWork(t *testing.T) {
	a := start(t, settings(t))
	res, err := http.Get(a.Status().URL + "/v1/business-transactions/stream")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("live feed: %v %v", res, err)
	}
	defer res.Body.Close()
	slow, err := net.Dial("tcp", strings.TrimPrefix(a.Status().URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := slow.Write([]byte("POST /v1/casm/customers/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		ended <- err
	}()
	begun := time.Now()
	stop(t, a)
	if took := time.Since(begun); took > stopRequests+2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	<-ended
	if missing := a.missing(); len(missing) == 0 {
		t.Error("a server that has stopped says it is ready")
	}
}

// TestKeys: API keys on the data folder, and of a running server.
func TestKeys(t *testing.T) {
	s := settings(t)
	s.Dev = false
	administer := func(fn func(Admin) error) {
		t.Helper()
		if err := Administer(t.Context(), s.Data, "local:tester", true, quiet, fn); err != nil {
			t.Fatal(err)
		}
	}
	create := func(name string, permissions ...string) (key string) {
		administer(func(a Admin) (err error) {
			key, err = a.CreateKey(t.Context(), auth.NewKey{Name: name, Permissions: permissions, Expires: time.Now().Add(time.Hour), RateLimit: 100})
			return err
		})
		return key
	}
	list := func() (keys []auth.Key) {
		administer(func(a Admin) (err error) {
			keys, err = a.Keys(t.Context())
			return err
		})
		return keys
	}
	nothing := Administer(t.Context(), s.Data, "x", false, quiet, func(Admin) error { return nil })
	if _, err := os.Stat(s.Data.Data); !errors.Is(nothing, ErrNoData) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without data: %v, folder %v", nothing, err)
	}
	nothing = RebuildWarehouse(t.Context(), WarehouseData{Data: s.Data}, FeedSettings{TimeZone: "UTC"}, quiet, func(int64, int64, int64) {})
	if _, err := os.Stat(s.Data.Data); !errors.Is(nothing, ErrNoData) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a warehouse of no data: %v, folder %v", nothing, err)
	}
	before := create("before", "Power User")
	a := start(t, s)
	if nc, err := nats.Connect(a.Status().NATS); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without --dev the stream is open to anybody: %v", err)
		if err == nil {
			nc.Close()
		}
	}
	read := func(key string, want int) {
		t.Helper()
		if status, body := call(t, "GET", a.Status().URL+"/v1/config/state-reasons", key, ""); status != want {
			t.Errorf("%d instead of %d: %s", status, want, body)
		}
	}
	read("", http.StatusUnauthorized)
	read(before, http.StatusOK)
	during := create("during", "config:read")
	read(during, http.StatusOK)

	keys := list()
	if len(keys) != 2 || keys[0].Name != "before" || keys[1].Name != "during" || keys[1].Permissions[0] != "config:read" ||
		keys[1].RateLimit != 100 || keys[1].Expires == 0 || keys[1].Revoked {
		t.Fatalf("keys: %+v", keys)
	}
	administer(func(a Admin) error { return a.RevokeKey(t.Context(), keys[1].Code) })
	read(during, http.StatusUnauthorized)
	read(before, http.StatusOK)
	err := Administer(t.Context(), s.Data, "x", false, quiet, func(a Admin) error { return a.RevokeKey(t.Context(), "nobody") })
	if err == nil || !strings.Contains(err.Error(), "not_found") {
		t.Errorf("revoking an unknown key of a running server: %v", err)
	}
	history, err := a.core.engine.ConfigHistory(t.Context(), codeRef("api-keys", keys[1].Code), 10)
	if err != nil || len(history) != 2 || history[0].Actor != "local:tester" {
		t.Errorf("record of the key: %+v, %v", history, err)
	}
	stop(t, a)
	if keys := list(); len(keys) != 2 || !keys[1].Revoked {
		t.Errorf("keys after the stop: %+v", keys)
	}
}

// TestSocket: only this user can connect, also where the folder's path is
// longer than a socket's can be.
func TestSocket(t *testing.T) {
	s := settings(t)
	s.Data.Data = filepath.Join(s.Data.Data, strings.Repeat("long/", 30))
	start(t, s)
	info, err := os.Stat(filepath.Join(s.Data.Data, socketFile))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Fatalf("socket: %v, %v", info, err)
	}
	if status, err := ServerStatus(t.Context(), s.Data.Data); err != nil || status.PID != os.Getpid() {
		t.Errorf("status: %+v, %v", status, err)
	}
}

// TestProfiles: what a server is busy with it tells on its socket, and nowhere
// else.
func TestProfiles(t *testing.T) {
	a := start(t, settings(t))
	socket := newRemote(a.settings.Data.Data, "").client
	for path, want := range map[string]string{
		"/debug/pprof/goroutine?debug=1":   "casm/engine.(*Engine).commitLoop",
		"/debug/pprof/heap?debug=1":        "heap profile:",
		"/debug/pprof/profile?seconds=1":   "\x1f\x8b", // compressed
		"/debug/pprof/trace?seconds=0.001": "go 1.",
	} {
		res, err := socket.Get("http://casm" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %v: %.200q", path, res.Status, err, body)
		}
		if status, _ := call(t, "GET", a.Status().URL+path, "", ""); status != http.StatusNotFound {
			t.Errorf("the API answers %s with %d", path, status)
		}
	}
}

// TestRun: it greets, and ends when its context does.
func TestRun(t *testing.T) {
	s := settings(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- Run(ctx, s, quiet, &out) }()
	var status Status
	for status.URL == "" {
		select {
		case err := <-done:
			t.Fatalf("ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		status, _ = ServerStatus(t.Context(), s.Data.Data) // fails until the socket is there
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{status.URL + "/v1/casm", status.URL + "/docs", status.NATS, "curl -s", s.Data.Data} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the greeting has no %q:\n%s", want, &out)
		}
	}
}

// TestTraces: a request's span reaches the collector.
func TestTraces(t *testing.T) {
	var spans atomic.Int64
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		spans.Add(int64(len(b)))
	})}
	go server.Serve(collector)
	defer server.Close()
	s := settings(t)
	s.OTLPEndpoint = "http://" + collector.Addr().String()
	a := start(t, s)
	createCustomer(t, a, "traced")
	stop(t, a)
	if spans.Load() == 0 {
		t.Error("no span reached the collector")
	}
	client.CloseIdleConnections()
}

// TestCollectorAway: a collector that does not answer costs neither requests
// nor a quick stop.
func TestCollectorAway(t *testing.T) {
	s := settings(t)
	s.OTLPEndpoint = "http://127.0.0.1:1"
	a := start(t, s)
	createCustomer(t, a, "untraced")
	stop(t, a)
}

// TestManyConnections: more connections than are allowed wait, and are served
// when others end.
func TestManyConnections(t *testing.T) {
	s := settings(t)
	s.MaxConns = 2
	a := start(t, s)
	address := strings.TrimPrefix(a.Status().URL, "http://")
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	time.Sleep(50 * time.Millisecond) // both are accepted
	answered := make(chan int, 1)
	go func() {
		status, _ := call(t, "GET", a.Status().URL+"/healthz", "", "")
		answered <- status
	}()
	select {
	case <-answered:
		t.Error("a third connection was served")
	case <-time.After(100 * time.Millisecond):
	}
	for _, c := range held {
		c.Close()
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the third connection: %d", status)
	}
}
