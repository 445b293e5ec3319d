package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	if code == 0 {
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func newClient(t *testing.T, address string, o Options) *Client {
	t.Helper()
	c, err := New(address, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClient is an order as a CRM would place it, against a started server
// that asks for a key.
func TestClient(t *testing.T) {
	app := testkit.NewKeyedApp(t)
	ctx := t.Context()
	c := newClient(t, app.URL, Options{Key: app.Key("crm", "--role", "CRM Integration")})
	made, err := c.Do(ctx, "createCustomer", map[string]any{"externalId": "c-1", "customerProfile": "b2b"})
	if err != nil {
		t.Fatal(err)
	}
	customer, err := As[casm.Customer](made)
	if err != nil || customer.ExternalID != "c-1" || customer.CustomerSegment != "b2b" || made.Version != 1 || made.Replayed || made.ImpactedTotal != 1 {
		t.Fatalf("%+v %+v %v", made, customer, err)
	}

	// what is refused says why
	_, err = c.Do(ctx, "createCustomer", `{"externalId": "c-1", "customerProfile": "b2c"}`)
	p, ok := errors.AsType[*Problem](err)
	if !Has(err, casm.DuplicateExternalID) || !ok || p.Errors[0].Pointer != "/externalId" || p.Status != 400 || p.HTTPRequestID == "" {
		t.Errorf("%v", err)
	}
	if _, err := c.Do(ctx, "readCustomer", `{}`); err == nil || Has(err, casm.NotFound) {
		t.Errorf("a read was carried out as a write: %v", err)
	}
	if _, err := c.Do(ctx, "createCustomer", `[]`); err == nil {
		t.Error("a list was sent as a body")
	}

	// If-Match, dry run, a repeat
	rename := map[string]any{"requestId": "r-1", "customer": map[string]any{"externalId": "c-1"}, "customName": "One"}
	if dry, err := c.Do(ctx, "updateCustomerCustomName", rename, DryRun(), IfMatch(1)); err != nil || !dry.DryRun {
		t.Errorf("%+v %v", dry, err)
	}
	if done, err := c.Do(ctx, "updateCustomerCustomName", rename, IfMatch(made.Version)); err != nil || done.Version != 2 || done.Replayed {
		t.Errorf("%+v %v", done, err)
	}
	if done, err := c.Do(ctx, "updateCustomerCustomName", rename); err != nil || !done.Replayed || done.Version != 2 {
		t.Errorf("%+v %v", done, err)
	}
	if _, err := c.Do(ctx, "updateCustomerCustomName", `{"customer": {"externalId": "c-1"}, "customName": "Two"}`, IfMatch(1)); !Has(err, casm.VersionMismatch) {
		t.Errorf("%v", err)
	}

	// batch
	results, err := c.Batch(ctx, "b-1", true, []BatchOperation{
		{Operation: "createAccount", Body: map[string]any{"externalId": "a-1", "accountProfile": "postpaid", "customer": map[string]any{"externalId": "c-1"}}, IfMatch: 2},
		{Operation: "createSubscriber", Body: map[string]any{"externalId": "s-1", "subscriberProfile": "mobile", "account": map[string]any{"externalId": "a-1"}}},
	})
	if err != nil || len(results) != 2 || results[1].Transaction.Operation != "createSubscriber" {
		t.Fatalf("%+v %v", results, err)
	}
	results, err = c.Batch(ctx, "", false, []BatchOperation{{Operation: "createCustomer", Body: map[string]any{"customerProfile": "none"}}})
	if err != nil || !Has(results[0].Err(), casm.NotConfigured) {
		t.Errorf("%+v %v", results, err)
	}

	// read, list, feed
	var read struct {
		casm.Customer
		Accounts []casm.Account `json:"accounts"`
	}
	if v, err := c.Read(ctx, "readCustomer", ByExternalID("c-1", "accounts"), &read); err != nil || v != 2 || len(read.Accounts) != 1 || read.CustomName != "One" {
		t.Errorf("%d %+v %v", v, read, err)
	}
	for n := range 7 {
		if _, err := c.Do(ctx, "createCustomer", map[string]any{"externalId": fmt.Sprintf("list-%d", n), "customerProfile": "b2b"}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for e, err := range Entities[casm.Customer](ctx, c, "listCustomers", Query{"externalId": {"list-"}, "limit": {"2"}}) {
		if err != nil || e.ExternalID != fmt.Sprintf("list-%d", n) {
			t.Fatalf("%+v %v", e, err)
		}
		n++
	}
	if n != 7 {
		t.Errorf("%d customers were listed", n)
	}
	messages, err := c.Messages(ctx, "", 1000)
	if err != nil || len(messages) != 11 || messages[0].Actor != "key:crm" && messages[0].Actor == "" {
		t.Errorf("%d messages, %v", len(messages), err)
	}
	if rest, err := c.Messages(ctx, messages[9].Position, 10); err != nil || len(rest) != 1 {
		t.Errorf("%v %v", rest, err)
	}

	// without a key
	if _, err := newClient(t, app.URL, Options{}).Messages(ctx, "", 1); !Has(err, casm.Unauthenticated) {
		t.Errorf("%v", err)
	}
}

// TestRepeats: what is done although the answer is lost, what is overloaded,
// and what is not known has one effect.
func TestRepeats(t *testing.T) {
	app := testkit.NewApp(t)
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int64
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch tries.Add(1) {
		case 1: // carried out, and the answer is lost
			behind.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusGatewayTimeout)
			_, _ = w.Write([]byte(`{"type":"/docs#outcome_unknown","title":"Outcome unknown","status":504,"detail":"","errors":[{"code":"outcome_unknown","pointer":"","detail":"x"}]}`))
		case 3: // a proxy's own page
			http.Error(w, "busy", http.StatusServiceUnavailable)
		default:
			behind.ServeHTTP(w, r)
		}
	}))
	defer front.Close()
	c := newClient(t, front.URL, Options{})
	done, err := c.Do(t.Context(), "createCustomer", map[string]any{"externalId": "once", "customerProfile": "b2b"})
	if err != nil || !done.Replayed || tries.Load() != 4 {
		t.Errorf("%+v after %d tries: %v", done, tries.Load(), err)
	}
	if messages, err := c.Messages(t.Context(), "", 10); err != nil || len(messages) != 1 {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

// TestGivesUp: attempts and contexts end.
func TestGivesUp(t *testing.T) {
	var tries atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		w.Header().Set("Retry-After", "1")
		http.Error(w, strings.Repeat("busy ", 1000), http.StatusServiceUnavailable)
	}))
	defer front.Close()
	body := map[string]any{"customerProfile": "b2b"}
	_, err := newClient(t, front.URL, Options{Attempts: 2}).Do(t.Context(), "createCustomer", body)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != 503 || p.RetryAfter != time.Second || len(p.Detail) > 600 || tries.Load() != 2 {
		t.Errorf("after %d tries: %v", tries.Load(), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := newClient(t, front.URL, Options{}).Do(ctx, "createCustomer", body); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := New("casm.example", Options{}); err == nil {
		t.Error("an address without a scheme was taken")
	}
}

// TestKnowsReads: every read of the API can be called.
func TestKnowsReads(t *testing.T) {
	api := testkit.LoadOpenAPI(t, testkit.NewApp(t))
	for _, op := range api.Operations {
		if op.Method == http.MethodGet && strings.HasPrefix(op.Path, "/v1/casm/") && reads[op.ID] != op.Path {
			t.Errorf("%s is at %s, not %q", op.ID, op.Path, reads[op.ID])
		}
	}
}
