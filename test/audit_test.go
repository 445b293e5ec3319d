package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

type auditRecord struct {
	ID, At, Actor, Act, Outcome, Remote string
	Count                               int
	Details                             map[string]string
}

// audit reads all records of a query; key may be "".
func audit(t *testing.T, app *testkit.App, key, query string) (all []auditRecord) {
	t.Helper()
	for cursor := ""; ; {
		status, body := get(t, app, "/v1/audit?limit=500"+query+cursor, key)
		var page struct {
			Items      []auditRecord
			NextCursor string
		}
		if status != http.StatusOK || json.Unmarshal(body, &page) != nil {
			t.Fatalf("%d %s", status, body)
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// get reads a path with an Authorization header, unless that is "".
func get(t *testing.T, app *testkit.App, path, authorization string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, body := exchange(t, http.DefaultClient, req)
	return res.StatusCode, body
}

// denied sends a request with a credential that is not known.
func denied(t *testing.T, app *testkit.App, credential string) {
	t.Helper()
	if status, body := get(t, app, "/v1/casm/customers", credential); status != http.StatusUnauthorized {
		t.Fatalf("%d %s", status, body)
	}
}

func total(records []auditRecord) (n int) {
	for _, r := range records {
		n += r.Count
	}
	return n
}

// TestAudit: what was administered survives kill -9 as soon as it was answered;
// what was denied is there a moment later, and what waited at an orderly stop,
// too; a backup holds it, and a restore adds to it.
func TestAudit(t *testing.T) {
	t.Parallel()
	app := testkit.NewKeyedApp(t)
	key := "Bearer " + app.Key("auditor", "--permission", "admin")
	for n := range 3 {
		app.Key(fmt.Sprint("k", n), "--role", "reader")
		if n == 1 {
			relay(t, app, "pause")
			relay(t, app, "resume")
		}
		app.Kill()
		app.Start()
	}
	var acts []string
	for _, r := range audit(t, app, key, "&outcome=done") {
		if r.Details["name"] != "" {
			r.Act += " " + r.Details["name"]
		}
		acts = append(acts, r.Act)
	}
	if got := strings.Join(acts, ", "); !strings.HasPrefix(got, "key.create k2, relay.resume, relay.pause, key.create k1, key.create k0, key.create auditor") {
		t.Errorf("after kills: %s", got)
	}
	secret := "casm_aaaaaaaaaaaaaaaa_" + strings.Repeat("Zz", 21) + "A"
	for _, credential := range []string{"", "Bearer " + secret, "Basic " + secret, secret, "Bearer x" + secret} {
		denied(t, app, credential)
	}
	eventually(t, 10*time.Second, "denied acts are recorded", func() bool { return total(audit(t, app, key, "&outcome=denied")) == 5 })
	app.Kill() // which takes what waited, and that is nothing now
	app.Start()
	for range 40 {
		denied(t, app, "Bearer "+secret)
	}
	if err := app.Terminate(); err != nil {
		t.Fatal(err)
	}
	app.Start()
	if n := total(audit(t, app, key, "&outcome=denied&act=listCustomers")); n != 45 {
		t.Errorf("%d denied acts after an orderly stop, want 45", n)
	}
	all, err := json.Marshal(audit(t, app, key, ""))
	if err != nil || strings.Contains(string(all), secret[22:]) {
		t.Errorf("the audit holds a secret, or %v", err)
	}

	dir, data := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	casmDoes(t, "backup", dir, "--data", app.Data)
	if r := audit(t, app, key, "&act=backup"); len(r) != 1 || r[0].Details["dir"] != dir {
		t.Errorf("backup: %+v", r)
	}
	casmDoes(t, "restore", dir, "--data", data)
	app.Stop()
	app.Data = data
	app.Start()
	if r := audit(t, app, key, ""); len(r) == 0 || r[0].Act != "restore" || total(audit(t, app, key, "&outcome=denied&act=listCustomers")) != 45 {
		t.Errorf("the restored audit: %+v", r)
	}
}

func casmDoes(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), testkit.Binary(t), args...).CombinedOutput(); err != nil {
		t.Fatalf("casm %v: %v\n%s", args, err, out)
	}
}

func relay(t *testing.T, app *testkit.App, what string) {
	t.Helper()
	casmDoes(t, "relay", what, "--data", app.Data)
}

// TestAuditOfSeveral: two servers on one database write and read one audit, and
// so does the command line beside them.
func TestAuditOfSeveral(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t)
	apps := servers(t, 2, database)
	casmDoes(t, "key", "create", "--name", "k", "--role", "reader", "--data", t.TempDir(), "--database", database)
	for n, app := range apps {
		if status, _, body, err := app.Post(t.Context(), "/v1/config/gl-codes", fmt.Sprintf(`{"code":"900%d","name":"Test"}`, n)); err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s %v", status, body, err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL+"/v1/casm/customers", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = fmt.Sprintf("rebound%d.example", n)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusForbidden {
			t.Fatalf("%s %v", res.Status, err)
		}
	}
	for _, app := range apps {
		if r := audit(t, app, "", "&outcome=done&actor=dev&act=createGlCode"); len(r) != 2 || r[0].Details["code"] != "9001" {
			t.Errorf("%+v", r)
		}
		if r := audit(t, app, "", "&act="+url.QueryEscape("key.create")); len(r) != 1 || r[0].Remote != "command line" {
			t.Errorf("%+v", r)
		}
		eventually(t, 10*time.Second, "the denied acts of both are read", func() bool { return total(audit(t, app, "", "&outcome=denied")) == 2 })
	}
}
