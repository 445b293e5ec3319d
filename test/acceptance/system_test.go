package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

var feedCases = []Case{
	{"the feed: what happened to a customer, in order, page by page (section 7)", steps(aSubscription,
		get("/v1/business-transactions?customer={{customerId}}").
			ok(`{"items": [
				{"position": "<any>", "transactionId": "<any>", "requestId": "<any>", "operation": "createCustomer", "messageCode": "customer", "event": "created", "timestamp": "<any>", "actor": "dev",
					"payload": {"refId": "{{customerId}}", "version": 1, "operation": "createCustomer", "transactionId": "<any>"}},
				{"messageCode": "account"}, {"messageCode": "subscriber", "payload": {"resources": "<none>"}}, {"messageCode": "subscriberResource"}, {"messageCode": "offerSubscription"}, {"messageCode": "balance"}]}`).
			save("first", "items.0.position").save("last", "items.5.position"),
		get("/v1/business-transactions?customer={{customerId}}&after={{first}}&limit=1").ok(`{"items": [{"messageCode": "account"}]}`),
		get("/v1/business-transactions?customer={{customerId}}&after={{last}}").ok(`{"items": []}`),
		get("/v1/business-transactions?customer={{customerId}}&messageCode=balance").ok(`{"items": [{"messageCode": "balance"}]}`),
		get("/v1/business-transactions?after=x").refused("invalid_value after"),
		get("/v1/business-transactions?limit=1001").refused("out_of_range limit"),
		get("/v1/business-transactions?messageCode=fax&customer=x").refused("invalid_value customer", "invalid_value messageCode"),
	)},
	{"the live stream: resumes behind Last-Event-ID (section 7)", steps(aCustomer,
		get("/v1/business-transactions?customer={{customerId}}").ok(`{"items": [{}]}`).save("first", "items.0.position"),
		post("/customers/custom-name/update", `{"customer": {"externalId": "{{customer}}"}, "customName": "Live"}`).ok(``),
		does(follow),
		get("/v1/business-transactions/stream?after=x").refused("invalid_value after"),
		get("/v1/business-transactions/stream").with("Last-Event-ID", "x").refused("invalid_value Last-Event-ID"),
	)},
	{"events: created, updated, stateChanged, stateChangePlanned, ended (section 7)", steps(aSubscriber,
		post("/subscribers/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "customName": "x"}`).ok(``),
		post("/subscribers/state/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "state": {"state": "SUSPENDED", "stateReason": "lost", "stateValidFrom": "2099-01-01T00:00:00Z"}}`).ok(``),
		post("/subscribers/state/cancel", `{"subscriber": {"externalId": "{{subscriber}}"}}`).ok(``),
		post("/subscribers/state/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(``),
		get("/v1/business-transactions?customer={{customerId}}&messageCode=subscriber").
			ok(`{"items": [{"event": "created"}, {"event": "updated"}, {"event": "stateChangePlanned"}, {"event": "stateChangePlanned"}, {"event": "stateChanged"}]}`),
		get("/v1/business-transactions?customer={{customerId}}&messageCode=subscriberResource").ok(`{"items": [{"event": "created"}, {"event": "ended", "payload": {"validTo": "<any>"}}]}`),
	)},
	{"a JSON Schema per message (section 7)", steps(
		get("/v1/schemas/customer.json").ok(`{"$schema": "<any>", "title": "Customer"}`),
		get("/v1/schemas/balance.json").ok(`{"title": "Balance"}`),
		get("/v1/schemas/fax.json").refusedWith(404, "not_found"),
		get("/v1/schemas/customer.json?v=1").refused("unknown_member v"),
	)},
}

var systemCases = []Case{
	{"the warehouse: metrics, and that it holds what the journal holds (section 8)", steps(aSubscription,
		get("/v1/business-transactions/checksum").ok(`{"epoch": "<any>", "types": "<any>"}`),
		get("/v1/business-transactions/checksum?upTo=x").refused("invalid_value upTo"),
		get("/v1/dwh/metrics").ok(`{"customersByState": {"ACTIVE": "<any>"}, "balances": "<any>", "lag": {"messages": "<any>"}}`).eventually(),
		get("/v1/dwh/metrics?test=maybe").refused("invalid_value test"),
		get("/v1/dwh/reconciliation").ok(`{"equal": true, "differences": []}`).eventually(),
		get("/v1/dwh/reconciliation?x=1").refused("unknown_member x"),
	)},
	{"health, readiness, metrics, and the reference (section 9)", steps(
		get("/healthz").ok(`{"status": "ok"}`),
		get("/readyz").ok(`{"ready": true, "missing": []}`),
		get("/metrics").ok(``),
		get("/openapi.json").ok(`{"openapi": "3.1.0"}`),
		get("/docs").ok(``).header("Content-Type", "text/html; charset=utf-8"),
		get("/").ok(``),
		get("/nothing").refusedWith(404, "not_found"),
		post("/healthz", `{}`).refusedWith(405, "method_not_allowed"),
	)},
}

// follow resumes the live stream behind the first message of the case's
// customer, and sees the next.
func follow(t *testing.T, s *scene) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.app.URL+s.fill("/v1/business-transactions/stream?customer={{customerId}}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", s.fill("{{first}}"))
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	s.seen.add(s.api.ByID("streamBusinessTransactions"), res.StatusCode, nil)
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := s.api.Validate("FeedItem", []byte(data)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(data, `"customName":"Live"`) {
			t.Errorf("behind the first message comes %s", data)
		}
		return
	}
	t.Error("the stream ended, or was silent for 10 s")
}

// TestLiveOverARestart: who follows live and is cut off by a crash of the server
// goes on behind the last message it saw, missing none and seeing none twice.
func TestLiveOverARestart(t *testing.T) {
	t.Parallel()
	app := testkit.NewApp(t)
	create := func(n int) {
		t.Helper()
		ask(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId": "r%d", "externalId": "live-%d", "customerProfile": "b2b"}`, n, n), nil)
	}
	// follow reads so many events behind the last one and returns their customers.
	last := "0"
	follow := func(most int) (names []string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, app.URL+"/v1/business-transactions/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Last-Event-ID", last)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); len(names) < most && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				last = id
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				_, after, _ := strings.Cut(data, `"externalId":"`)
				name, _, _ := strings.Cut(after, `"`)
				names = append(names, name)
			}
		}
		return names
	}
	for n := range 4 {
		create(n)
	}
	got := follow(2)
	app.Kill()
	app.Start()
	create(4)
	got = append(got, follow(3)...)
	want := []string{"live-0", "live-1", "live-2", "live-3", "live-4"}
	if !slices.Equal(got, want) {
		t.Errorf("followed %q, want %q", got, want)
	}
}

// TestAccess: every operation asks for a credential, and then for its
// permission; a key has a rate (contract 11).
func TestAccess(t *testing.T) {
	t.Parallel()
	app := testkit.NewKeyedApp(t)
	admin := app.Key("admin", "--permission", "admin", "--rate", "100000")
	nothing := app.Key("nothing", "--permission", "dwh:read", "--rate", "100000")
	feed := app.Key("feed", "--permission", "stream:read", "--rate", "100000")
	slow := app.Key("slow", "--permission", "casm:read", "--rate", "1")
	send := func(method, path, key string) (int, http.Header, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, app.URL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		s := &scene{runner: &runner{app: app}}
		res, err := s.send(t, &step{method: method, headers: []string{"Authorization", req.Header.Get("Authorization")}}, path, "{}")
		if err != nil {
			t.Fatal(err)
		}
		return res.status, res.header, res.body
	}
	status, _, text := send(http.MethodGet, "/openapi.json", admin)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	api, err := testkit.ParseOpenAPI(text)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(op *testkit.APIOperation, key string, want int, code string) {
		t.Helper()
		path := strings.NewReplacer("{code}", "b2b", "{file}", "customer.json").Replace(op.Path)
		status, header, body := send(op.Method, path, key)
		if status != want || !strings.Contains(string(body), `"code":"`+code+`"`) {
			t.Errorf("%s: %d %s, want %d with %s", op.ID, status, body, want, code)
		}
		if err := api.CheckAnswer(op, status, header, body); err != nil {
			t.Error(err)
		}
	}
	public := []string{"health", "ready", "start", "signIn", "signOut", "listSignInMethods", "beginOIDCSignIn", "finishOIDCSignIn"}
	free := append([]string{"batch", "metrics", "openAPI", "docs", "readSession"}, public...) // any credential will do, or what is in the batch decides
	for _, op := range api.Operations {
		if !slices.Contains(public, op.ID) {
			refused(op, "", http.StatusUnauthorized, "unauthenticated")
			refused(op, admin+"x", http.StatusUnauthorized, "unauthenticated")
		}
		if !slices.Contains(free, op.ID) {
			key := nothing
			if strings.HasPrefix(op.Path, "/v1/dwh/") {
				key = feed
			}
			refused(op, key, http.StatusForbidden, "forbidden")
		}
	}
	for range 20 {
		status, header, body := send(http.MethodGet, "/v1/casm/customers", slow)
		if status == http.StatusTooManyRequests {
			if header.Get("Retry-After") == "" || !strings.Contains(string(body), `"code":"rate_limited"`) {
				t.Errorf("%v %s", header, body)
			}
			return
		}
	}
	t.Error("20 requests at once do not exceed a rate of 1 a second")
}

// TestTooManyStreams: a bounded number of clients may follow live; one more is
// told to come back, and is let in when another leaves.
func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	app := testkit.NewApp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	api := testkit.LoadOpenAPI(t, app)
	open := func() *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, app.URL+"/v1/business-transactions/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	var first *http.Response
	for n := 0; ; n++ {
		res := open()
		if res.StatusCode == http.StatusOK {
			if first == nil {
				first = res
			} else {
				t.Cleanup(func() { _ = res.Body.Close() })
			}
			if n > 1000 {
				t.Fatal("1,000 streams are open; there is no bound")
			}
			continue
		}
		var p json.RawMessage
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(p), `"code":"overloaded"`) {
			t.Errorf("%d %v %s", res.StatusCode, res.Header, p)
		}
		if err := api.CheckAnswer(api.ByID("streamBusinessTransactions"), res.StatusCode, res.Header, p); err != nil {
			t.Error(err)
		}
		break
	}
	_ = first.Body.Close()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		res := open()
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal(fmt.Errorf("a client left 10 s ago, and still there is no room: %d", res.StatusCode))
		}
	}
}
