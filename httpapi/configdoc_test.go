package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casm"

	"github.com/go-json-experiment/json"
)

func TestConfigDocument(t *testing.T) {
	a := newDev(t)
	yaml := []string{"Content-Type", "application/yaml"}
	r := a.get("/v1/config/export").is(200)
	document := string(r.Body)
	if r.Header.Get("Content-Type") != "application/yaml" || !strings.Contains(document, "\n  - code: dfltActive\n") {
		t.Fatalf("%v\n%s", r.Header, document)
	}
	same := a.post("/v1/config/import", document, yaml...).is(200)
	if string(same.Body) != `{"changes":[]}` {
		t.Errorf("%s", same.Body)
	}
	asJSON := a.get("/v1/config/export", "Accept", "application/json").is(200)
	a.post("/v1/config/import", string(asJSON.Body)).is(200)

	a.post("/v1/config/import", "gl-codes:\n  - {code: a, name: A}\n  - {code: b, name: B}\n", yaml...).is(200)
	edit := "gl-codes:\n  - {code: b, name: Bee}\n  - {code: c, name: C}\ntaxes:\n  - {code: t, name: T, values: [{rate: 1, glCode: c}]}\n"
	dry := a.post("/v1/config/import?dryRun=true", edit, yaml...).is(200)
	for _, want := range []string{
		`"dryRun":true`, `{"collection":"gl-codes","code":"a","change":"deleted"`, `"code":"b","change":"replaced","differences":[{"pointer":"/name","from":"B","to":"Bee"}]`,
		`"code":"c","change":"created"`, `"collection":"taxes","code":"t","change":"created"`,
	} {
		if !strings.Contains(string(dry.Body), want) {
			t.Errorf("%s is not in %s", want, dry.Body)
		}
	}
	a.get("/v1/config/gl-codes/a").is(200)
	real := a.post("/v1/config/import", edit, yaml...).is(200)
	if strings.Replace(string(dry.Body), `"dryRun":true,`, "", 1) != string(real.Body) {
		t.Errorf("dry %s\nreal %s", dry.Body, real.Body)
	}
	a.get("/v1/config/gl-codes/a").is(404)

	// A document that the server was given, if it was.
	a.get("/v1/config/demonstration").refuses(404, "not_found")
	given := newAPI(t, func(o *Options) { o.Dev, o.Demonstration = true, []byte("gl-codes: []\n") })
	if r := given.get("/v1/config/demonstration").is(200); string(r.Body) != "gl-codes: []\n" || r.Header.Get("Content-Type") != "application/yaml" {
		t.Errorf("%v %s", r.Header, r.Body)
	}

	// all or nothing, with pointers into the document
	a.post("/v1/config/import", "gl-codes: []\ncharging-classes: [{code: x, name: X}]\n", yaml...).refuses(409, "in_use /gl-codes")
	a.get("/v1/config/charging-classes/x").is(404)
	a.post("/v1/config/import", "state-reasons: [{code: x, name: X}]\n", yaml...).refuses(400, "required /state-reasons/0/state")
	a.post("/v1/config/import", "charging-classes: [{code: x, name: X, parent: y}]\n", yaml...).refuses(400, "not_configured /charging-classes/0/parent")
	a.post("/v1/config/import", "currencies: [{code: USD, name: D, primary: true}, {code: CHF, name: F, primary: true}]\n", yaml...).
		refuses(400, "invalid_value /currencies/1/primary")
	a.post("/v1/config/import", "x: [", yaml...).refuses(400, "malformed_json")
	a.post("/v1/config/import", "{}", "Content-Type", "text/plain").refuses(415, "not_json Content-Type")

	// what every installation holds stays; sections refer to each other in any order
	a.post("/v1/config/import", "bill-cycles: []\n", yaml...).is(200)
	a.get("/v1/config/bill-cycles/monthly").is(200)
}

// TestImportMany imports 10,000 offers, while writes go on.
func TestImportMany(t *testing.T) {
	a := newDev(t)
	var b strings.Builder
	b.WriteString("products: [{code: p, name: P, services: [{code: s, kind: one-time-fee}]}]\noffers:\n")
	for n := range 10_000 {
		fmt.Fprintf(&b, "- {code: o%d, name: Offer %d, product: p, versions: [{version: 1, currency: EUR, services: [{service: s, attributes: {charge: %d}}]}]}\n", n, n, n)
	}
	began, took := time.Now(), make(chan time.Duration)
	go func() {
		defer func() { took <- time.Since(began) }()
		a.post("/v1/config/import", b.String(), "Content-Type", "application/yaml").is(200)
	}()
	var longest, whole time.Duration
	writes := 0
	for ; whole == 0; writes++ {
		write := time.Now()
		a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","customerProfile":"b2b"}`).is(200)
		longest = max(longest, time.Since(write))
		select {
		case whole = <-took:
		default:
		}
	}
	t.Logf("10,000 offers in %v; %d customers meanwhile, each in %v at most", whole, writes, longest)
	if writes < 10 {
		t.Errorf("%d customers meanwhile", writes)
	}
	a.get("/v1/config/offers/o9999").is(200)
	// what is wrong is told in bounds
	wrong := a.post("/v1/config/import", strings.ReplaceAll(b.String(), "currency: EUR", "currency: USD"), "Content-Type", "application/yaml").is(400)
	var problem casm.Problem
	if err := json.Unmarshal(wrong.Body, &problem); err != nil || len(problem.Errors) != casm.MaxViolations || !strings.Contains(problem.Detail, "9999 more") {
		t.Errorf("%d errors, %s, %v", len(problem.Errors), problem.Detail, err)
	}
}
