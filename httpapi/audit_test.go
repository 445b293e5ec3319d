package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casm/auth"
)

// TestAudit: what was done is in the audit when it is answered, what was denied
// soon, with all that is promised of a record; by filter and in pages.
func TestAudit(t *testing.T) {
	a := newAPI(t, nil)
	s := loadOpenAPI(t)
	key := a.key("CRM Integration")
	for range 3 {
		a.get("/v1/config/services").refuses(403, "forbidden Authorization")
	}
	a.get("/v1/audit").refuses(403, "forbidden Authorization")
	a.key("admin")
	a.post("/v1/config/gl-codes", `{"code": "9999", "name": "Test"}`).is(201)
	acts := func(query string) string {
		t.Helper()
		r := a.get("/v1/audit" + query).is(200)
		s.validate(t, "Audit", r.Body)
		var list []string
		for _, item := range r.member("items").([]any) {
			i := item.(map[string]any)
			list = append(list, fmt.Sprint(i["actor"], " ", i["act"], " ", i["outcome"], " ", i["count"]))
		}
		return strings.Join(list, "; ")
	}
	const created, made = "key:crm createGlCode done 1", "test key.create done 1"
	if got := acts("?outcome=done"); got != created+"; "+made+"; "+made {
		t.Errorf("as soon as it was answered: %s", got)
	}
	a.trail.Close(t.Context()) // so that nothing waits
	for query, want := range map[string]string{
		"?outcome=done":                            created + "; " + made + "; " + made,
		"?actor=test":                              made + "; " + made,
		"?act=createGlCode":                        created,
		"?act=createGlCode&actor=test":             "",
		"?outcome=refused":                         "",
		"?outcome=done&since=2199-01-01T00:00:00Z": "",
		"?outcome=done&until=2001-01-01T00:00:00Z": "",
		"?outcome=done&since=" + url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)): created + "; " + made + "; " + made,
	} {
		if got := acts(query); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	// Equal ones within a second are one record; a second may have ended meanwhile.
	denied := a.get("/v1/audit?outcome=denied&act=listServices&actor=" + url.QueryEscape("key:crm")).is(200)
	sum := 0.0
	for _, item := range denied.member("items").([]any) {
		i := item.(map[string]any)
		sum += i["count"].(float64)
		d := i["details"].(map[string]any)
		if i["remote"] != "127.0.0.1" || d["reason"] != "needs config:read" || d["key"] != strings.Split(key, "_")[1] || d["id"] == "" || d["route"] != "/v1/config/services" {
			t.Errorf("%v", i)
		}
	}
	if sum != 3 {
		t.Errorf("%v are recorded: %s", sum, denied.Body)
	}
	// In pages, each record once.
	seen, cursor := map[string]bool{}, ""
	for {
		r := a.get("/v1/audit?limit=2" + cursor).is(200)
		for _, item := range r.member("items").([]any) {
			id := item.(map[string]any)["id"].(string)
			if seen[id] {
				t.Errorf("%s comes again", id)
			}
			seen[id] = true
		}
		next, ok := r.member("nextCursor").(string)
		if !ok {
			break
		}
		a.get("/v1/audit?actor=test&limit=2&cursor="+next).refuses(400, "invalid_value cursor")
		cursor = "&cursor=" + next
	}
	if len(seen) < 5 || len(seen) > 7 {
		t.Errorf("%d records", len(seen))
	}
	for query, want := range map[string]string{
		"?outcome=ok": "invalid_value outcome", "?limit=0": "out_of_range limit", "?limit=501": "out_of_range limit", "?cursor=x": "invalid_value cursor",
		"?since=yesterday": "invalid_value since", "?actor=": "invalid_value actor", "?who=me": "unknown_member who", "?act=a&act=b": "invalid_value act",
		"?since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z": "invalid_value until",
	} {
		a.get("/v1/audit"+query).refuses(400, want)
	}
	a.do(http.MethodDelete, "/v1/audit", "").refuses(405, "method_not_allowed")
}

// TestImportIsAudited: an import is one record, a dry run none.
func TestImportIsAudited(t *testing.T) {
	a := newDev(t)
	const document = `{"taxes": []}`
	done := func() int {
		return len(a.log.find(`"audit"`, `"act":"importConfiguration"`, `"outcome":"`+auth.OutcomeDone+`"`))
	}
	a.post("/v1/config/import?dryRun=true", document).is(200)
	if n := done(); n != 0 {
		t.Errorf("%d records of a dry run", n)
	}
	changes := len(a.post("/v1/config/import", document).is(200).member("changes").([]any))
	if n := done(); changes > 0 && n != 1 || changes == 0 && n != 0 {
		t.Errorf("%d records of %d changes", n, changes)
	}
}

// TestAdministrationNamesItsRequest: whoever administers over HTTP finds the act in
// the audit under the id that the answer had, and that the log has, whatever came of it.
func TestAdministrationNamesItsRequest(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	acts := map[string]*answered{
		"role.create done":     a.post("/v1/admin/roles", `{"code":"desk","name":"Desk","permissions":["casm:read"]}`, "X-Request-Id", "mine-1").is(201),
		"role.replace done":    a.do(http.MethodPut, "/v1/admin/roles/desk", `{"code":"desk","name":"Front","permissions":["casm:read"]}`).is(200),
		"user.create done":     a.post("/v1/admin/users", `{"code":"ann","name":"Ann","roles":["desk"],"password":"`+passphrase+`"}`).is(201),
		"user.replace done":    a.do(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann B","roles":["desk"]}`).is(200),
		"role.delete refused":  a.do(http.MethodDelete, "/v1/admin/roles/desk", "").is(409),
		"user.delete done":     a.do(http.MethodDelete, "/v1/admin/users/ann", "").is(204),
		"key.create done":      a.post("/v1/admin/keys", `{"name":"till","roles":["reader"]}`).is(201),
		"key.revoke refused":   a.do(http.MethodDelete, "/v1/admin/keys/none", "").is(404),
		"createGlCode done":    a.post("/v1/config/gl-codes", `{"code":"9999","name":"Test"}`).is(201),
		"user.create refused":  a.post("/v1/admin/users", `{"code":"bob","name":"Bob","password":"short"}`).is(400),
		"role.replace refused": a.do(http.MethodPut, "/v1/admin/roles/none", `{"code":"none","name":"None","permissions":["admin"]}`).is(404),
	}
	if id := acts["role.create done"].Header.Get("X-Request-Id"); id != "mine-1" {
		t.Errorf("a client's own id is answered as %q", id)
	}
	a.trail.Close(t.Context()) // so that nothing waits
	found := map[string]map[string]any{}
	for _, item := range a.get("/v1/audit?actor=" + url.QueryEscape("key:crm")).is(200).member("items").([]any) {
		i := item.(map[string]any)
		found[fmt.Sprint(i["act"], " ", i["outcome"])] = i["details"].(map[string]any)
	}
	for act, r := range acts {
		id := r.Header.Get("X-Request-Id")
		if d := found[act]; id == "" || d["id"] != id || d["method"] == "" || !strings.HasPrefix(fmt.Sprint(d["route"]), "/v1/") {
			t.Errorf("%s was answered under %q, the audit has %v", act, id, d)
		}
		eventually(t, "the request of "+act+" is logged", func() bool { return len(a.log.find(`"msg":"request"`, `"id":"`+id+`"`)) == 1 })
		if n := len(a.log.find(`"msg":"audit"`, `"id":"`+id+`"`)); n != 1 {
			t.Errorf("%s: the log has %d audited lines of it", act, n)
		}
	}
}
