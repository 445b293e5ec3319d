package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/auth"
	"casm/engine"
	"casm/internal/testkit"
	"casm/store/sqlite"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
)

// api is a server on the real engine and the real embedded store.
type api struct {
	*httptest.Server
	t       *testing.T
	server  *Server
	engine  *engine.Engine
	store   *sqlite.Store
	keys    auth.Keys
	trail   *auth.Trail
	log     *lines
	metrics *prometheus.Registry
	header  http.Header // sent with each request
}

// newAPI starts a server with the configuration of testkit; without dev, so
// that keys are needed.
func newAPI(t *testing.T, change func(*Options)) *api {
	t.Helper()
	ctx := context.Background()
	st, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(ctx, engine.Options{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	if _, err := e.EditConfig(ctx, "test", false, testkit.Config()); err != nil {
		t.Fatal(err)
	}
	a := &api{t: t, engine: e, store: st, log: &lines{}, metrics: prometheus.NewRegistry(), header: http.Header{}}
	logger := slog.New(slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a.trail = auth.NewTrail(auth.TrailOptions{Store: st, Logger: logger})
	logger = auth.Audited(logger, a.trail)
	a.keys = auth.Keys{Configuration: e, Logger: logger}
	o := Options{
		Engine: e, Auth: auth.New(auth.Options{Configuration: e, Sessions: st}), Logger: logger,
		Metrics: a.metrics, Gatherer: a.metrics, Version: "1.2.3",
	}
	if change != nil {
		change(&o)
	}
	a.server = New(o)
	a.Server = httptest.NewServer(a.server)
	t.Cleanup(func() {
		a.server.Close()
		a.Server.CloseClientConnections()
		a.Server.Close()
		a.trail.Close(ctx)
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// newDev is newAPI with --dev.
func newDev(t *testing.T) *api { return newAPI(t, func(o *Options) { o.Dev = true }) }

// key makes an API key and lets requests use it.
func (a *api) key(permissions ...string) string {
	a.t.Helper()
	key, _, err := a.keys.Create(context.Background(), "test", "here", auth.NewKey{Name: "crm", Permissions: permissions})
	if err != nil {
		a.t.Fatal(err)
	}
	a.header.Set("Authorization", "Bearer "+key)
	return key
}

// answered is what came back.
type answered struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// do sends a request; header is pairs of names and values.
func (a *api) do(method, path, body string, header ...string) *answered {
	a.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, a.URL+path, in)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header = a.header.Clone()
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else if header[i+1] == "" {
			req.Header.Del(header[i])
		} else {
			req.Header.Add(header[i], header[i+1])
			if header[i] == "Content-Type" {
				req.Header.Set(header[i], header[i+1])
			}
		}
	}
	resp, err := a.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return &answered{a.t, resp.StatusCode, resp.Header, b}
}

func (a *api) post(path, body string, header ...string) *answered {
	a.t.Helper()
	return a.do(http.MethodPost, path, body, header...)
}

func (a *api) get(path string, header ...string) *answered {
	a.t.Helper()
	return a.do(http.MethodGet, path, "", header...)
}

var requests atomic.Int64

// fresh is a new requestId.
func fresh() string { return fmt.Sprintf("test-%d", requests.Add(1)) }

// customer creates a customer and returns its refId.
func (a *api) customer(externalID string) string {
	a.t.Helper()
	r := a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","externalId":"`+externalID+`","customerProfile":"b2b"}`).is(200)
	return r.member("payload", "refId").(string)
}

// is checks the status.
func (r *answered) is(status int) *answered {
	r.t.Helper()
	if r.Status != status {
		r.t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	return r
}

// member returns a value within the answer's JSON.
func (r *answered) member(path ...string) any {
	r.t.Helper()
	var v any
	if err := json.Unmarshal(r.Body, &v); err != nil {
		r.t.Fatalf("%s: %v", r.Body, err)
	}
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			r.t.Fatalf("no object at %s in %s", name, r.Body)
		}
		v = m[name]
	}
	return v
}

// refuses checks that the answer is a problem with this status and exactly
// these errors, written "code pointer".
func (r *answered) refuses(status int, errors ...string) casm.Problem {
	r.t.Helper()
	var p casm.Problem
	if err := json.Unmarshal(r.Body, &p); err != nil {
		r.t.Fatalf("status %d, no problem: %s", r.Status, r.Body)
	}
	var got []string
	for _, v := range p.Errors {
		got = append(got, strings.TrimSpace(string(v.Code)+" "+v.Pointer))
		if v.Detail == "" {
			r.t.Errorf("%s has no detail", v.Code)
		}
	}
	if r.Status != status || p.Status != status || !slices.Equal(got, errors) {
		r.t.Errorf("status %d with %q, want %d with %q: %s", r.Status, got, status, errors, r.Body)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		r.t.Errorf("Content-Type is %q", ct)
	}
	if p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, "/docs#") {
		r.t.Errorf("the problem lacks something: %s", r.Body)
	}
	return p
}

// lines is a log that tests can look into.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// find returns the records that hold all of the texts.
func (l *lines) find(texts ...string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
			found = append(found, line)
		}
	}
	return found
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not in 5 s: %s", what)
		}
	}
}
