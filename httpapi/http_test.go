package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casm/auth"
	"casm/engine"
	"casm/store"
)

func TestPathsAndMethods(t *testing.T) {
	a := newDev(t)
	for _, path := range []string{
		"/nothing", "/v1", "/v1/casm", "/v1/casm/", "/v1/casm/customers/create/", "//healthz", "/v1/casm/../casm/customers/read",
		"/v1/config/api-keys", "/v1/config/api-keys/x", "/v1/config/nothing", "/V1/config/services", "/docs/", "/%2e%2e/healthz",
	} {
		a.get(path).refuses(404, "not_found")
		a.post(path, "{}").refuses(404, "not_found")
	}
	for path, allow := range map[string]string{
		"/v1/casm/customers/create": "POST", "/v1/casm/customers/read": "GET, HEAD", "/v1/config/taxes": "GET, HEAD, POST",
		"/v1/config/taxes/x": "GET, HEAD, PUT, DELETE", "/healthz": "GET, HEAD", "/": "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPatch, http.MethodOptions, http.MethodTrace, "QUERY"} {
			r := a.do(method, path, "")
			r.refuses(405, "method_not_allowed")
			if r.Header.Get("Allow") != allow {
				t.Errorf("%s: Allow is %q, want %q", path, r.Header.Get("Allow"), allow)
			}
		}
	}
	a.get("/v1/casm/customers/create").refuses(405, "method_not_allowed")
}

func TestHead(t *testing.T) {
	a := newDev(t)
	a.customer("c1")
	for _, path := range []string{"/v1/casm/customers/read?externalId=c1", "/v1/config/state-reasons/dfltActive", "/docs", "/openapi.json", "/healthz", "/v1/business-transactions"} {
		// A Go client asks for gzip by itself, but not with HEAD.
		get := a.get(path, "Accept-Encoding", "identity").is(200)
		head := a.do(http.MethodHead, path, "", "Accept-Encoding", "identity").is(200)
		if len(head.Body) != 0 || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") || head.Header.Get("ETag") != get.Header.Get("ETag") {
			t.Errorf("%s: %v, HEAD %v", path, get.Header, head.Header)
		}
	}
	if r := a.do(http.MethodHead, "/v1/casm/customers/read?externalId=none", ""); r.Status != 400 {
		t.Errorf("status %d", r.Status)
	}
	a.do(http.MethodHead, "/v1/business-transactions/stream", "").is(200)
}

func TestQueries(t *testing.T) {
	a := newDev(t)
	id := a.customer("c1")
	const read = "/v1/casm/customers/read"
	for query, want := range map[string]string{
		"":                                            "one_of_required refId",
		"?":                                           "one_of_required refId",
		"?externalId=":                                "invalid_value externalId",
		"?externalId=c1&externalId=c1":                "invalid_value externalId",
		"?externalId=%ff":                             "invalid_value externalId",
		"?externalId=%zz":                             "invalid_value externalId",
		"?externalId=a%0ab":                           "invalid_value externalId",
		"?refId=7":                                    "invalid_value refId",
		"?refId=" + id[:35] + "g":                     "invalid_value refId",
		"?externalId=c1&stateHistory=yes":             "invalid_value stateHistory",
		"?externalId=c1&stateHistory":                 "invalid_value stateHistory",
		"?externalId=c1&asOf=2024-01-01":              "invalid_value asOf",
		"?externalId=c1&unknown=1":                    "unknown_member unknown",
		"?externalId=c1&subscribers=true":             "unknown_member subscribers",
		"?externalId=c1&requestId=1":                  "unknown_member requestId",
		"?externalId=c1&%zz=1":                        "unknown_member %zz",
		"?externalId=none":                            "not_found externalId",
		"?externalId=c1&asOf=1999-01-01T00:00:00Z":    "not_found externalId",
		"?externalId=c1&asOf=2199-01-01T00:00:00Z":    "out_of_range asOf",
		"?refId=01990000-0000-7000-8000-000000000000": "not_found refId",
		"?refId=01990000-0000-7000-8000-000000000000&externalId=c1": "ambiguous_reference refId",
		"?externalId=" + strings.Repeat("x", 256):                   "too_long externalId",
		"?externalId=" + strings.Repeat("x", maxQuery):              "too_long",
	} {
		switch want {
		case "too_long":
			a.get(read+query).refuses(400, "too_long", "one_of_required refId")
		default:
			a.get(read+query).refuses(400, want)
		}
	}
	a.get(read + "?externalId=c1&refId=" + id + "&stateHistory=false").is(200)
	a.get(read+"?x=1&y=2&y=2&asOf=z").refuses(400, "invalid_value asOf", "one_of_required refId", "unknown_member x", "unknown_member y")
	r := a.get("/v1/casm/customers/history?externalId=c1&limit=0&cursor=zzz")
	r.refuses(400, "invalid_value cursor", "out_of_range limit")
	a.get("/v1/casm/customers/history?externalId=c1&limit=501").refuses(400, "out_of_range limit")
	a.get("/v1/casm/customers/history?externalId=c1&limit=ten").refuses(400, "wrong_type limit")

	const sub = "/v1/casm/subscribers/read"
	a.get(sub).refuses(400, "one_of_required refId")
	a.get(sub+"?resource=1").refuses(400, "required resourceType")
	a.get(sub+"?resourceType=msisdn").refuses(400, "required resource")
	a.get(sub+"?externalId=x&resourceType=msisdn&resource=1").refuses(400, "one_of_required resource")
	a.get(sub+"?resourceType=msisdn&resource=1").refuses(400, "not_found resource")
}

func TestHistoryPages(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	a.customer("c1")
	for range 4 {
		a.post("/v1/casm/customers/custom-name/update", `{"requestId":"`+fresh()+`","customer":{"externalId":"c1"},"customName":"`+fresh()+`","comment":"why"}`).is(200)
	}
	var versions []float64
	path := "/v1/casm/customers/history?externalId=c1&limit=2"
	for next := path; next != ""; {
		r := a.get(next).is(200)
		s.validate(t, "History", r.Body)
		for _, item := range r.member("items").([]any) {
			versions = append(versions, item.(map[string]any)["version"].(float64))
		}
		next = ""
		if cursor, ok := r.member("nextCursor").(string); ok {
			next = path + "&cursor=" + cursor
		}
	}
	if len(versions) != 5 || versions[0] != 5 || versions[4] != 1 {
		t.Errorf("versions %v", versions)
	}
}

func TestRequestID(t *testing.T) {
	a := newDev(t)
	if id := a.get("/healthz", "X-Request-Id", "abc-1").Header.Get("X-Request-Id"); id != "abc-1" {
		t.Errorf("id %q", id)
	}
	for _, bad := range []string{"a b", strings.Repeat("x", 65), `"`, "ä"} {
		if id := a.get("/healthz", "X-Request-Id", bad).Header.Get("X-Request-Id"); id == bad || len(id) != 32 {
			t.Errorf("id %q", id)
		}
	}
	r := a.post("/v1/casm/customers/create", `{"requestId":"log-1","customerProfile":"b2b"}`, "X-Request-Id", "abc-2").is(200)
	eventually(t, "the request is logged", func() bool { return len(a.log.find(`"id":"abc-2"`)) > 0 })
	record := a.log.find(`"id":"abc-2"`)[0]
	for _, want := range []string{
		`"level":"INFO"`, `"method":"POST"`, `"route":"/v1/casm/customers/create"`, `"status":200`, `"actor":"dev"`,
		`"requestId":"log-1"`, `"transactionId":"` + r.member("transactionId").(string) + `"`,
	} {
		if !strings.Contains(record, want) {
			t.Errorf("%s is not in %s", want, record)
		}
	}
}

func TestMetrics(t *testing.T) {
	a := newDev(t)
	a.customer("c1")
	a.get("/nothing-"+fresh()).refuses(404, "not_found")
	page := string(a.get("/metrics").is(200).Body)
	for _, want := range []string{
		`casm_http_requests_total{operation="createCustomer",status="200"} 1`,
		`casm_http_requests_total{operation="unknown",status="404"} 1`,
		`casm_http_request_seconds_count{operation="createCustomer"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in\n%s", want, page)
		}
	}
}

func TestReadiness(t *testing.T) {
	var missing []string
	a := newAPI(t, func(o *Options) { o.Ready = func() []string { return missing } })
	s := loadOpenAPI(t)
	s.validate(t, "Readiness", a.get("/readyz").is(200).Body)
	missing = []string{"the relay is not connected"}
	r := a.get("/readyz").is(503)
	s.validate(t, "Readiness", r.Body)
	if !strings.Contains(string(r.Body), missing[0]) {
		t.Errorf("%s", r.Body)
	}
	a.get("/healthz").is(200)
}

func TestPages(t *testing.T) {
	a := newDev(t)
	for _, path := range []string{"/", "/docs"} {
		r := a.get(path).is(200)
		if r.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", path, r.Header)
		}
		page := string(r.Body)
		if path == "/docs" && !strings.Contains(page, "1.2.3") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "src=") || strings.Contains(page, "javascript:") {
			t.Errorf("%s is not as it should be", path)
		}
		if !strings.Contains(page, "<style>"+styleSheet+"</style>") {
			t.Errorf("%s: the style sheet is not as its hash says", path)
		}
		scripts := strings.Count(page, "<script")
		if path == "/docs" && !strings.Contains(page, "<script>"+docsScript+"</script>") || path == "/" && scripts != 0 || scripts > 1 {
			t.Errorf("%s: the script is not as its hash says", path)
		}
		if policy := r.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: %s", path, policy)
		}
	}
	page := string(a.get("/docs").Body)
	for _, e := range endpoints {
		if !strings.Contains(page, `id="`+e.ID+`"`) {
			t.Errorf("/docs lacks %s", e.ID)
		}
	}
	for _, c := range codeDocs {
		if !strings.Contains(page, `id="`+string(c.Code)+`"`) {
			t.Errorf("/docs lacks %s", c.Code)
		}
	}
	if string(a.get("/openapi.json").is(200).Body) != string(OpenAPI("1.2.3")) {
		t.Error("/openapi.json is another one")
	}
	r := a.get("/v1/schemas/balance.json").is(200)
	if r.Header.Get("Content-Type") != "application/schema+json" {
		t.Error(r.Header)
	}
	a.get("/v1/schemas/balance").refuses(404, "not_found")
	a.get("/v1/schemas/nothing.json").refuses(404, "not_found")
}

// failing is an engine whose writes end in an error: the engine's own errors
// cannot be had at will.
type failing struct {
	Engine
	err   error
	panic bool
}

func (f failing) Write(context.Context, engine.Write) (*engine.Answer, error) {
	if f.panic {
		panic("secret of the house")
	}
	return nil, f.err
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		want   string
		retry  string
	}{
		{engine.ErrOverloaded, 503, "overloaded", "1"},
		{store.ErrUnavailable, 503, "overloaded", "1"},
		{errors.Join(store.ErrOutcomeUnknown, errors.New("secret of the house")), 504, "outcome_unknown", ""},
		{errors.New("secret of the house"), 500, "internal", ""},
		// It was done: a 503 would say that it was not.
		{&auth.Unrecorded{Act: "role.create", Err: errors.Join(store.ErrUnavailable, errors.New("secret of the house"))}, 500, "internal", ""},
		{nil, 500, "internal", ""}, // panics
	} {
		a := newAPI(t, func(o *Options) { o.Dev, o.Engine = true, failing{o.Engine, c.err, c.err == nil} })
		r := a.post("/v1/casm/customers/create", `{"requestId":"fault-1","customerProfile":"b2b"}`, "X-Request-Id", "find-me")
		p := r.refuses(c.status, c.want)
		if p.RequestID != "fault-1" || r.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %s, Retry-After %q", c.want, r.Body, r.Header.Get("Retry-After"))
		}
		if strings.Contains(string(r.Body), "secret") {
			t.Errorf("internals are shown: %s", r.Body)
		}
		if c.status == 500 && (len(a.log.find("find-me", "secret of the house", `"ERROR"`)) == 0 || !strings.Contains(string(r.Body), "find-me")) {
			t.Errorf("not found in the log: %s", a.log)
		}
	}
}

// TestGone: to a client that went away nothing is written, not even an empty 200.
func TestGone(t *testing.T) {
	a := newDev(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/casm/customers/create", strings.NewReader(`{"requestId":"1","customerProfile":"b2b"}`))
	req.Header.Set("Content-Type", "application/json")
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Errorf("panicked with %v", p)
		}
		if w.Body.Len() > 0 {
			t.Errorf("wrote %s", w.Body)
		}
	}()
	failingServer := New(Options{Dev: true, Engine: failing{a.engine, context.Canceled, false}})
	failingServer.ServeHTTP(w, req)
}
