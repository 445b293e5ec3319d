package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"casm"
)

func TestConfig(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	const base = "/v1/config/account-types"
	r := a.post(base, `{"code":"vip","name":"VIP","paymentResponsible":true}`).is(201)
	s.validate(t, "AccountType", r.Body)
	if r.Header.Get("ETag") != `"1"` || r.Header.Get("Location") != base+"/vip" {
		t.Errorf("headers: %v", r.Header)
	}
	a.post(base, `{"code":"vip","name":"VIP"}`).refuses(409, "duplicate_code /code")
	a.post(base, `{"code":"a b","name":""}`, "If-Match", `"1"`).refuses(400, "invalid_value /code", "invalid_value /name", "invalid_value If-Match")
	a.post(base, `{"code":"x","name":"x","paymentResponsible":"yes","what":1}`).refuses(400, "wrong_type /paymentResponsible", "unknown_member /what")
	a.post(base, `{`).refuses(400, "malformed_json")
	a.post(base, `{}`, "Content-Type", "text/plain").refuses(415, "not_json Content-Type")

	item := string(a.get(base + "/vip").is(200).Body)
	r = a.do(http.MethodPut, base+"/vip", strings.Replace(item, `"VIP"`, `"V.I.P."`, 1), "If-Match", `"1"`).is(200)
	if r.Header.Get("ETag") != `"2"` || r.member("name") != "V.I.P." || r.member("version") != 2.0 {
		t.Errorf("%s", r.Body)
	}
	a.do(http.MethodPut, base+"/vip", item, "If-Match", `"1"`).refuses(412, "version_mismatch If-Match")
	a.do(http.MethodPut, base+"/other", item).refuses(404, "not_found")
	a.do(http.MethodPut, base+"/vip", strings.Replace(item, `"vip"`, `"vop"`, 1)).refuses(400, "code_immutable /code")
	if same := a.do(http.MethodPut, base+"/vip", string(r.Body)).is(200); same.Header.Get("ETag") != `"2"` {
		t.Errorf("no change moved the version: %s", same.Body)
	}

	r = a.get(base).is(200)
	s.validate(t, "AccountTypeItems", r.Body)
	var codes []string
	for _, item := range r.member("items").([]any) {
		codes = append(codes, item.(map[string]any)["code"].(string))
	}
	if strings.Join(codes, " ") != "payer technical vip" {
		t.Errorf("codes %v", codes)
	}
	a.get(base+"/other").refuses(404, "not_found")
	a.get(base+"?x=1").refuses(400, "unknown_member x")

	a.do(http.MethodDelete, base+"/vip", "", "If-Match", "1").refuses(412, "version_mismatch If-Match")
	if r := a.do(http.MethodDelete, base+"/vip", "", "If-Match", "2").is(204); len(r.Body) > 0 {
		t.Errorf("%s", r.Body)
	}
	a.do(http.MethodDelete, base+"/vip", "").refuses(404, "not_found")
	a.do(http.MethodDelete, base+"/payer", "").refuses(409, "in_use")

	r = a.get(base + "/vip/history").is(200)
	s.validate(t, "ConfigHistory", r.Body)
	items := r.member("items").([]any)
	if len(items) != 3 || items[0].(map[string]any)["deleted"] != true || items[2].(map[string]any)["actor"] != "dev" {
		t.Errorf("%s", r.Body)
	}
	a.get(base+"/other/history").refuses(404, "not_found")
	if n := len(a.log.find(`"audit"`, `"code":"vip"`, `"outcome":"done"`)); n != 3 {
		t.Errorf("%d changes are audited", n)
	}

	s.validate(t, "Services", a.get("/v1/config/services").is(200).Body)
}

// TestConfigAnswers validates every list against its schema.
func TestConfigAnswers(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	for _, c := range casm.Collections {
		if !c.Internal {
			s.validate(t, c.Object.Name+"Items", a.get("/v1/config/"+c.Path).is(200).Body)
		}
	}
}

// TestPrimaryCurrency: there is always one (contract 5).
func TestPrimaryCurrency(t *testing.T) {
	a := newDev(t)
	const base = "/v1/config/currencies"
	a.do(http.MethodPut, base+"/EUR", `{"code":"EUR","name":"Euro","precision":2}`).refuses(400, "invalid_value /primary")
	a.post(base, `{"code":"CHF","name":"Franc","primary":true,"precision":2}`).is(201)
	a.do(http.MethodDelete, base+"/CHF", "").refuses(409, "in_use")
	a.do(http.MethodPut, base+"/EUR", `{"code":"EUR","name":"Euro","primary":true,"precision":2}`).is(200)
	a.do(http.MethodDelete, base+"/CHF", "").is(204)
	a.post("/v1/config/import", "currencies: [{code: EUR, name: Euro, precision: 2}]\n", "Content-Type", "application/yaml").refuses(400, "invalid_value /currencies/0/primary")
	a.post("/v1/config/import?dryRun=true", "currencies: [{code: USD, name: Dollar, primary: true, precision: 2}]\n", "Content-Type", "application/yaml").is(200)
}

// TestPattern: one that compiles only within the parentheses that make it match
// whole values would match parts of them.
func TestPattern(t *testing.T) {
	newDev(t).post("/v1/config/resource-types", `{"code":"x","name":"x","pattern":"a)|(?:b"}`).refuses(400, "invalid_value /pattern")
}

// TestExportEmpty imports what was exported, mandatory lists that are empty included.
func TestExportEmpty(t *testing.T) {
	a := newDev(t)
	a.post("/v1/config/products", `{"code":"empty","name":"Empty","services":[]}`).is(201)
	for _, form := range []string{"application/yaml", "application/json"} {
		document := string(a.get("/v1/config/export", "Accept", form).is(200).Body)
		if r := a.post("/v1/config/import", document, "Content-Type", form).is(200); len(r.member("changes").([]any)) != 0 {
			t.Errorf("%s: %s", form, r.Body)
		}
	}
}
