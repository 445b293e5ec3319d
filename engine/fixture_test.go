package engine_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/internal/testkit"
	"casm/store"
	"casm/store/postgres"
	"casm/store/sqlite"

	"github.com/go-json-experiment/json"
)

var onPostgres = flag.Bool("postgres", false, "run on PostgreSQL, with two committers")

// fixture is an engine on a real store with a clock that tests move.
type fixture struct {
	testing.TB
	*engine.Engine
	store  store.Store
	offset atomic.Int64
	manual atomic.Int64 // the clock itself in microseconds since 1970, unless zero
	n      atomic.Int64
}

func (f *fixture) now() time.Time {
	if micros := f.manual.Load(); micros != 0 {
		return time.UnixMicro(micros)
	}
	return time.Now().Add(time.Duration(f.offset.Load()))
}

// advance moves the clock.
func (f *fixture) advance(d time.Duration) { f.offset.Add(int64(d)) }

func newFixture(t testing.TB, start bool, options ...func(*engine.Options)) *fixture {
	t.Helper()
	f := &fixture{TB: t}
	o := engine.Options{}
	var s store.Store
	var err error
	if *onPostgres {
		o.Committers = 2
		url := testkit.Database(t)
		if err = postgres.Migrate(t.Context(), url); err == nil {
			s, err = postgres.Open(t.Context(), url, postgres.Options{Now: f.now, Committers: 4})
		}
	} else {
		s, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{Now: f.now})
	}
	if err != nil {
		t.Fatal(err)
	}
	f.store, o.Store = s, s
	for _, option := range options {
		option(&o)
	}
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f.Engine = e
	e.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.EditConfig(t.Context(), "test", false, testkit.Config()); err != nil {
		t.Fatal(err)
	}
	return f
}

// answer is a decoded answer of a write.
type answer struct {
	TransactionID string         `json:"transactionId"`
	RequestID     string         `json:"requestId"`
	Operation     string         `json:"operation"`
	Timestamp     casm.Time      `json:"timestamp"`
	Payload       map[string]any `json:"payload"`
	ImpactedTotal int            `json:"impactedTotal"`
	Impacted      []struct {
		Type, RefID, ExternalID string
		Version                 int64
	} `json:"impacted"`
	DryRun bool `json:"dryRun"`

	raw      string
	etag     int64
	replayed bool
}

func (f *fixture) try(operation, body string, options ...func(*engine.Write)) (*answer, error) {
	f.Helper()
	if !strings.Contains(body, "requestId") {
		body = fmt.Sprintf(`{"requestId":"r%d",%s`, f.n.Add(1), strings.TrimPrefix(body, "{"))
	}
	op := command.OperationByID(operation)
	if op == nil {
		f.Fatalf("no operation %s", operation)
	}
	in, v := op.Decode([]byte(body), "", false)
	if len(v) > 0 {
		return nil, v
	}
	w := engine.Write{Input: in, Body: []byte(body), Actor: "test"}
	for _, o := range options {
		o(&w)
	}
	a, err := f.Write(f.Context(), w)
	if err != nil {
		return nil, err
	}
	out := &answer{raw: string(a.Body), etag: a.ETag, replayed: a.Replayed}
	if err := json.Unmarshal(a.Body, out, json.MatchCaseInsensitiveNames(true)); err != nil {
		f.Fatalf("%v in %s", err, a.Body)
	}
	return out, nil
}

func (f *fixture) do(operation, body string, options ...func(*engine.Write)) *answer {
	f.Helper()
	a, err := f.try(operation, body, options...)
	if err != nil {
		f.Fatalf("%s %s: %v", operation, body, err)
	}
	return a
}

// refused asserts what a write is refused with: "code pointer" each.
func (f *fixture) refused(operation, body string, want ...string) {
	f.Helper()
	_, err := f.try(operation, body)
	v, ok := err.(casm.Violations)
	if !ok {
		f.Errorf("%s %s: %v; want %v", operation, body, err, want)
		return
	}
	var got []string
	for _, x := range v {
		got = append(got, string(x.Code)+" "+x.Pointer)
		if x.Detail == "" || strings.Contains(x.Detail, "%!") {
			f.Errorf("%s: detail %q", x.Code, x.Detail)
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		f.Errorf("%s %s:\n got %v\nwant %v", operation, body, err, want)
	}
}

func (f *fixture) read(kind casm.Kind, externalID string, asOf casm.Time, flags ...string) map[string]any {
	f.Helper()
	doc, err := f.tryRead(kind, externalID, asOf, flags...)
	if err != nil {
		f.Fatalf("read %v %s: %v", kind, externalID, err)
	}
	return doc
}

func (f *fixture) tryRead(kind casm.Kind, externalID string, asOf casm.Time, flags ...string) (map[string]any, error) {
	f.Helper()
	q := engine.Query{Ref: casm.Ref{ExternalID: externalID}, AsOf: asOf, Flags: map[string]bool{}}
	for _, r := range engine.Reads {
		if r.Kind == kind {
			q.Read = r
		}
	}
	for _, flag := range flags {
		q.Flags[flag] = true
	}
	a, err := f.Read(f.Context(), q)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		f.Fatalf("%v in %s", err, a.Body)
	}
	return doc, nil
}

// at follows a path such as "state.state" or "items.0.x" into decoded JSON.
func at(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			var n int
			if _, err := fmt.Sscan(part, &n); err != nil || n >= len(x) {
				return nil
			}
			v = x[n]
		default:
			return nil
		}
	}
	return v
}
