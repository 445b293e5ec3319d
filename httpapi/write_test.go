package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"casm"

	"github.com/go-json-experiment/json"
)

func TestWriteAndRead(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	r := a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","externalId":"c1","customerProfile":"b2b"}`).is(200)
	s.validate(t, "CustomerTransaction", r.Body)
	if r.Header.Get("ETag") != `"1"` || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", r.Header)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if r.Header.Get(name) != want {
			t.Errorf("%s is %q", name, r.Header.Get(name))
		}
	}
	r = a.get("/v1/casm/customers/read?externalId=c1&stateHistory=true&accounts=true&segmentHistory=true").is(200)
	s.validate(t, "CustomerRead", r.Body)
	if r.Header.Get("ETag") != `"1"` {
		t.Errorf("ETag %s", r.Header.Get("ETag"))
	}
	sub := a.post("/v1/casm/subscribers/create", `{"requestId":"`+fresh()+`","externalId":"s1","subscriberProfile":"mobile","primaryResource":"491701234567"}`).is(200)
	s.validate(t, "SubscriberTransaction", sub.Body)
	r = a.get("/v1/casm/subscribers/read?resourceType=msisdn&resource=491701234567&resources=true").is(200)
	s.validate(t, "SubscriberRead", r.Body)
	r = a.get("/v1/casm/subscribers/resources/read?externalId=s1").is(200)
	s.validate(t, "SubscriberResourceItems", r.Body)
	on := a.post("/v1/casm/customers/subscriptions/create", `{"requestId":"`+fresh()+`","customer":{"externalId":"c1"},"externalId":"o1","offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2024-05-01T00:00:00+02:00"}}`).is(200)
	s.validate(t, "OfferSubscriptionTransaction", on.Body)
	r = a.get("/v1/casm/subscriptions/read?externalId=o1&balances=true").is(200)
	s.validate(t, "OfferSubscriptionRead", r.Body)
	acc := a.post("/v1/casm/accounts/create", `{"requestId":"`+fresh()+`","externalId":"a1","accountProfile":"postpaid","customer":{"externalId":"c1"}}`).is(200)
	s.validate(t, "AccountTransaction", acc.Body)
	r = a.get("/v1/casm/accounts/read?externalId=a1&billCycleHistory=true&parentHistory=true").is(200)
	s.validate(t, "AccountRead", r.Body)
}

func TestReplay(t *testing.T) {
	a := newDev(t)
	body := `{"requestId":"` + fresh() + `","externalId":"c1","customerProfile":"b2b"}`
	first := a.post("/v1/casm/customers/create", body).is(200)
	again := a.post("/v1/casm/customers/create", strings.ReplaceAll(body, ",", " ,\n ")).is(200)
	if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %v, again %v", first.Header, again.Header)
	}
	if string(first.Body) != string(again.Body) || first.Header.Get("ETag") != again.Header.Get("ETag") {
		t.Errorf("first %s, again %s", first.Body, again.Body)
	}
	p := a.post("/v1/casm/customers/create", strings.Replace(body, "c1", "c2", 1)).refuses(400, "request_id_reused /requestId")
	if p.RequestID == "" {
		t.Error("the problem has no requestId")
	}
}

func TestDryRun(t *testing.T) {
	a := newDev(t)
	body := `{"requestId":"` + fresh() + `","externalId":"c1","customerProfile":"b2b"}`
	r := a.post("/v1/casm/customers/create?dryRun=true", body).is(200)
	if r.member("dryRun") != true || r.member("transactionId") != nil {
		t.Errorf("%s", r.Body)
	}
	a.get("/v1/casm/customers/read?externalId=c1").refuses(400, "not_found externalId")
	a.post("/v1/casm/customers/create?dryRun=false", body).is(200)
	a.post("/v1/casm/customers/create?dryRun=1", body).refuses(400, "invalid_value dryRun")
	a.post("/v1/casm/customers/create?dryRun=true&dryRun=true", body).refuses(400, "invalid_value dryRun")
	a.post("/v1/config/customer-segments?dryRun=true", `{"code":"x","name":"x"}`).refuses(400, "unknown_member dryRun")
}

func TestIfMatch(t *testing.T) {
	a := newDev(t)
	a.customer("c1")
	update := func(header ...string) *answered {
		return a.post("/v1/casm/customers/custom-name/update", `{"requestId":"`+fresh()+`","customer":{"externalId":"c1"},"customName":"`+fresh()+`"}`, header...)
	}
	if r := update("If-Match", `"1"`).is(200); r.Header.Get("ETag") != `"2"` {
		t.Errorf("ETag %s", r.Header.Get("ETag"))
	}
	update("If-Match", "2").is(200)
	update("If-Match", `"2"`).refuses(412, "version_mismatch If-Match")
	for _, bad := range []string{"*", `W/"3"`, `"3", "4"`, `""`, "0", "-1", "+3", "3.0", `"`, "99999999999999999999"} {
		update("If-Match", bad).refuses(400, "invalid_value If-Match")
	}
	update("If-Match", `"3"`, "If-Match", `"3"`).refuses(400, "invalid_value If-Match")

	create := func(more string) *answered {
		return a.post("/v1/casm/accounts/create", `{"requestId":"`+fresh()+`","accountProfile":"postpaid"`+more+`}`, "If-Match", `"1"`)
	}
	create("").refuses(400, "invalid_value If-Match")
	create(`,"customer":null`).refuses(400, "invalid_value If-Match")
	create(`,"customer":{"externalId":"c1"}`).refuses(412, "version_mismatch If-Match")
	create(`,"customer":7`).refuses(400, "wrong_type /customer")
	create(`,"unknown":7`).refuses(400, "unknown_member /unknown", "invalid_value If-Match")
	a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","customerProfile":"b2b"}`, "If-Match", `"1"`).refuses(400, "invalid_value If-Match")
	a.post("/v1/casm/customers/create", `[]`, "If-Match", `"1"`).refuses(400, "wrong_type")
}

// TestOrderOfChecks is contract rule 2's: what is found first is told alone.
func TestOrderOfChecks(t *testing.T) {
	a := newAPI(t, nil)
	const path = "/v1/casm/customers/create"
	large := `{"requestId":"` + strings.Repeat("x", maxBody) + `"}`
	noJSON := []string{"Content-Type", "text/plain"}
	a.post(path, large, noJSON...).refuses(401, "unauthenticated Authorization")
	a.key("Reader")
	a.post(path, large, noJSON...).refuses(403, "forbidden Authorization")
	a.key("casm:write")
	a.post(path, large, noJSON...).refuses(413, "too_large")
	a.post(path, "{", noJSON...).refuses(415, "not_json Content-Type")
	a.post(path+"?x=1", "{").refuses(400, "malformed_json")
	a.post(path+"?x=1&dryRun=maybe", `{"requestId":7,"what":1,"state":{"state":"ALIVE"}}`, "If-Match", "*").refuses(400,
		"wrong_type /requestId", "invalid_value /state/state", "unknown_member /what",
		"invalid_value If-Match", "invalid_value dryRun", "unknown_member x")
	a.post("/v1/casm/customers/custom-name/update", `{"requestId":"`+fresh()+`","customer":{"externalId":"none"},"customName":"x"}`, "If-Match", "7").refuses(400, "not_found /customer")
}

func TestBodies(t *testing.T) {
	a := newDev(t)
	const path = "/v1/casm/customers/create"
	for _, bad := range []string{
		`{"requestId":"1","requestId":"1"}`, `{"requestId":"1","customAttributes":{"a":"1","a":"2"}}`,
		"{\"requestId\":\"\xff\"}", `{"requestId":"\ud800"}`, `{"requestId":"1"} {}`, `{`, ``, ` `, `{"requestId":"1",}`, `nul`,
		`{"requestId":"1"}x`, "\xef\xbb\xbf{}", strings.Repeat("[", 20_000),
	} {
		a.post(path, bad, "Content-Type", "application/json").refuses(400, "malformed_json")
	}
	for _, bad := range []string{`[]`, `null`, `7`, `"x"`} {
		a.post(path, bad).refuses(400, "wrong_type")
	}
	good := func() string { return `{"requestId":"` + fresh() + `","customerProfile":"b2b"}` }
	for _, ct := range []string{"application/json", "application/json; charset=UTF-8", "Application/JSON;charset=\"utf-8\"", "application/vnd.casm+json", "text/x+json"} {
		a.post(path, good(), "Content-Type", ct).is(200)
	}
	for _, ct := range []string{"", "text/json", "application/json; charset=latin1", "application/x-www-form-urlencoded", "json", "application/json;;"} {
		a.post(path, good(), "Content-Type", ct).refuses(415, "not_json Content-Type")
	}
	a.post(path, good(), "Content-Encoding", "gzip").refuses(415, "not_json Content-Type")
	a.post(path, good(), "Content-Type", "application/json", "Content-Encoding", "identity").is(200)

	// Exactly 1 MiB is allowed; then the shape is looked at.
	a.post(path, `{"requestId":"1"}`+strings.Repeat(" ", maxBody-len(`{"requestId":"1"}`))).refuses(400, "required /state")
	a.post(path, `{"requestId":"1"}`+strings.Repeat(" ", maxBody)).refuses(413, "too_large")
	a.post("/v1/casm/batch", `{}`+strings.Repeat(" ", 2*maxBody)).refuses(400, "required /operations", "required /requestId")
}

// TestChunkedBody has no Content-Length, so that the limit is met while reading.
func TestChunkedBody(t *testing.T) {
	a := newDev(t)
	req, err := http.NewRequest(http.MethodPost, a.URL+"/v1/casm/customers/create", struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", maxBody+1))})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
}

// TestTooLargeIsHeard: most clients send all of a body before they look at the
// answer, which the reset of a connection with unread bytes would take away.
func TestTooLargeIsHeard(t *testing.T) {
	a := newDev(t)
	const length = 6 * maxBody // more than the buffers between client and server hold
	for _, framing := range []string{"Content-Length: " + strconv.Itoa(length), "Transfer-Encoding: chunked"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		body := strings.Repeat(" ", length)
		if !strings.HasPrefix(framing, "Content") {
			body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", length, body)
		}
		if _, err := io.WriteString(conn, "POST /v1/casm/customers/create HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"+framing+"\r\n\r\n"+body); err != nil {
			t.Errorf("%s: %v", framing, err)
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", framing, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("%s: status %d, close %v", framing, resp.StatusCode, resp.Close)
		}
	}
}

func TestBatch(t *testing.T) {
	a := newAPI(t, nil)
	s := loadOpenAPI(t)
	a.key("casm:write")
	create := `{"operation":"createCustomer","body":{"externalId":"c1","customerProfile":"b2b"}}`
	rename := `{"operation":"updateCustomerCustomName","body":{"customer":{"externalId":"c1"},"customName":"x"},"ifMatch":"1"}`
	id := fresh()
	r := a.post("/v1/casm/batch", `{"requestId":"`+id+`","operations":[`+create+`,`+rename+`]}`).is(200)
	s.validate(t, "BatchAnswer", r.Body)
	r = a.post("/v1/casm/batch", `{"requestId":"`+id+`","operations":[`+create+`,`+rename+`]}`).is(200)
	if r.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("not marked as a repeat")
	}
	r = a.post("/v1/casm/batch", `{"requestId":"`+fresh()+`","atomic":false,"operations":[`+create+`,`+rename+`]}`).is(200)
	s.validate(t, "BatchAnswer", r.Body)
	results := r.member("results").([]any)
	if results[0].(map[string]any)["status"] != 400.0 || results[1].(map[string]any)["status"] != 412.0 {
		t.Errorf("%s", r.Body)
	}
	a.post("/v1/casm/batch", `{"requestId":"`+fresh()+`","operations":[`+create+`,{"operation":"batch","body":{}},{"operation":"createCustomer","ifMatch":1,"body":{"customerProfile":7}}]}`, "If-Match", "1").
		refuses(400, "invalid_value /operations/1/operation", "wrong_type /operations/2/body/customerProfile", "invalid_value /operations/2/ifMatch", "invalid_value If-Match")
	a.post("/v1/casm/batch", `{"requestId":"`+fresh()+`","operations":[`+create+`,`+strings.Replace(rename, `"1"`, `"+1"`, 1)+`]}`).refuses(400, "invalid_value /operations/1/ifMatch")
	a.post("/v1/casm/batch", `{"requestId":"`+fresh()+`","operations":[]}`).refuses(400, "required /operations")

	a.key("Reader")
	a.post("/v1/casm/batch", `{"requestId":7,"operations":[`+create+`]}`).refuses(400, "wrong_type /requestId")
	a.post("/v1/casm/batch", `{"requestId":"`+fresh()+`","operations":[`+create+`,`+rename+`]}`).refuses(403, "forbidden /operations/0/operation", "forbidden /operations/1/operation")
	if len(a.log.find(`"audit"`, `"outcome":"denied"`, `"act":"batch"`)) != 1 {
		t.Error("not audited")
	}
}

// TestDetails: what is wrong is told with what would be right (contract 4).
func TestDetails(t *testing.T) {
	a := newDev(t)
	detail := func(r *answered, want string) {
		t.Helper()
		var p casm.Problem
		if err := json.Unmarshal(r.is(400).Body, &p); err != nil || len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, want) {
			t.Errorf("%s lacks %q (%v)", r.Body, want, err)
		}
	}
	customer := func(more string) *answered {
		return a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","customerProfile":"b2b","externalId":"c"`+more+`}`)
	}
	detail(customer(`,"customerSegmnt":"b2c"`), "did you mean customerSegment?")
	detail(customer(`,"zzzzzzzz":"1"`), "the nearest known member is ")
	detail(a.get("/v1/casm/customers/read?externalId=c&asOf=2026-01-01T00:00:00"), "such as 2026-05-01T00:00:00+02:00")
	detail(a.get("/v1/business-transactions?after="+strings.Repeat("x", 200)), "such as 42-0, as the feed gives them (42 is behind all of transaction 42, 0 is the beginning)")
	customer("").is(200)
	detail(a.post("/v1/casm/customers/state/update", `{"requestId":"`+fresh()+`","customer":{"externalId":"c"},"state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`),
		"what is possible: SUSPENDED, DEACTIVATED")
}
