package test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestWarehouseKill kills the process, with the data warehouse in it, at random
// moments under clients. Afterwards the warehouse holds what the journal holds:
// the reconciliation counts both, row by row.
func TestWarehouseKill(t *testing.T) {
	app := testkit.NewApp(t)
	hot(t, app)
	for round := range rounds() {
		killRound(t, app, round)
		app.Start()
		wantReconciled(t, app)
	}
	if strings.Contains(app.Log(), "set aside") {
		t.Errorf("messages were set aside:\n%s", app.Log())
	}
	// It followed its own stream; what a rebuild reads from the feed is the same.
	before := warehouseMetrics(t, app)
	rebuild(t, app)
	wantReconciled(t, app)
	if after := warehouseMetrics(t, app); after != before {
		t.Errorf("rebuilt, the metrics are\n%s\nbefore they were\n%s", after, before)
	}
}

// TestWarehouseOverHTTP: what another process reads from the feed over HTTP is,
// row by row, what the server's own warehouse got from the stream.
func TestWarehouseOverHTTP(t *testing.T) {
	app := testkit.NewApp(t)
	hot(t, app)
	for n := range 20 {
		for i, request := range []struct{ path, body string }{
			{"customers/create", `"externalId":"c%d","customerProfile":"b2b","customAttributes":{"a":"line\nbreak","ü":""},"testCustomer":true`},
			{"subscribers/create", `"externalId":"s%d","subscriberProfile":"mobile","comment":"by \"hand\""`},
			{"subscribers/subscriptions/create", `"externalId":"o%d","offer":"offer_code","subscriber":{"externalId":"s%[1]d"},"state":{"state":"ACTIVE","stateReason":"active"}`},
			{"customers/state/update", `"customer":{"externalId":"c%d"},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended","stateValidFrom":"2199-01-01T00:00:00Z"}`},
			{"subscribers/state/update", `"subscriber":{"externalId":"s%d"},"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated"},"subordinateUpdated":true`},
		} {
			post(t, app, "/v1/casm/"+request.path, fmt.Sprintf(`{"requestId":"w%d-%d",`, n, i)+fmt.Sprintf(request.body, n)+"}")
		}
	}
	wantReconciled(t, app)
	other := t.TempDir()
	out, err := exec.CommandContext(t.Context(), testkit.Binary(t), "warehouse", "rebuild", "--feed", app.URL, "--data", other).CombinedOutput()
	if err != nil {
		t.Fatalf("rebuild from the feed: %v\n%s", err, out)
	}
	sql := func(data, statement string) string {
		out, err := exec.CommandContext(t.Context(), testkit.Binary(t), "warehouse", "sql", "--data", data, "--json", statement).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", statement, err, out)
		}
		return string(out)
	}
	rows := 0
	for line := range strings.Lines(sql(app.Data, "SELECT DISTINCT table_name FROM data_dictionary")) {
		var table struct {
			Name string `json:"table_name"`
		}
		if err := json.Unmarshal([]byte(line), &table); err != nil {
			t.Fatal(err)
		}
		columns := "*"
		if table.Name == "progress" { // the rest is of one warehouse
			columns = "epoch, position, ordinal, messages, recorded_at"
		}
		statement := "SELECT " + columns + " FROM " + table.Name + " ORDER BY 1, 2"
		got, want := sql(other, statement), sql(app.Data, statement)
		if got != want {
			t.Errorf("%s: the feed gave\n%.2000s\nthe stream\n%.2000s", table.Name, got, want)
		}
		rows += strings.Count(want, "\n")
	}
	if rows < 500 {
		t.Errorf("only %d rows were compared", rows)
	}
}

// TestWarehouseTestEntities: what moves below a test account leaves the metrics,
// in the warehouse that follows as in one that is built anew.
func TestWarehouseTestEntities(t *testing.T) {
	app := testkit.NewApp(t)
	for n, request := range []struct{ path, body string }{
		{"customers/create", `"externalId":"c","customerProfile":"b2b"`},
		{"accounts/create", `"externalId":"tests","accountProfile":"postpaid","customer":{"externalId":"c"},"testAccount":true`},
		{"accounts/create", `"externalId":"real","accountProfile":"postpaid","customer":{"externalId":"c"}`},
		{"accounts/create", `"externalId":"below","accountProfile":"department","parent":{"externalId":"real"}`},
		{"subscribers/create", `"externalId":"s","subscriberProfile":"mobile","account":{"externalId":"below"},"primaryResource":"436641234567"`},
		{"subscribers/subscriptions/create", `"externalId":"o","offer":"offer_code","subscriber":{"externalId":"s"},"state":{"state":"ACTIVE","stateReason":"active"}`},
		{"accounts/parent/update", `"account":{"externalId":"real"},"parent":{"externalId":"tests"}`},
		{"accounts/parent/update", `"account":{"externalId":"real"},"parent":null`},
		{"subscriptions/balance/update", `"subscription":{"externalId":"o"},"service":"data","action":"DEDUCT","amount":1`},
	} {
		post(t, app, "/v1/casm/"+request.path, fmt.Sprintf(`{"requestId":"t%d",%s}`, n, request.body))
	}
	for range 2 {
		wantReconciled(t, app)
		status, _, body, err := app.Get(t.Context(), "/v1/dwh/metrics")
		if err != nil || status != 200 {
			t.Fatalf("metrics: %d %v: %s", status, err, body)
		}
		for _, want := range []string{`"accountsByState":{}`, `"subscribersByState":{}`, `"subscriptionsByState":{}`, `"balances":[]`, `"customersByState":{"ACTIVE":1}`} {
			if !strings.Contains(string(body), want) {
				t.Errorf("no %s in %s", want, body)
			}
		}
		rebuild(t, app)
	}
}

// hot makes the customers that the clients of killRound change.
func hot(t *testing.T, app *testkit.App) {
	t.Helper()
	for n := range 4 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"hot%d","externalId":"hot%d","customerProfile":"b2b"}`, n, n))
	}
}

// wantReconciled waits until the warehouse has all that the journal has, and
// wants the reconciliation to find no difference.
func wantReconciled(t *testing.T, app *testkit.App) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, _, body, err := app.Get(t.Context(), "/v1/dwh/reconciliation")
		if err != nil || status != 200 {
			t.Fatalf("reconciliation: %d %v: %s", status, err, body)
		}
		var r struct {
			Equal       bool
			Differences []string
			Position    string
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		if !r.Equal {
			t.Fatalf("at %s the reconciliation finds %q", r.Position, r.Differences)
		}
		status, _, body, err = app.Get(t.Context(), "/v1/business-transactions?limit=1&after="+r.Position)
		if err != nil || status != 200 {
			t.Fatalf("feed: %d %v: %s", status, err, body)
		}
		if last = string(body); strings.HasPrefix(last, `{"items":[]`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the warehouse is still at %s", r.Position)
		}
	}
}

// warehouseMetrics gives the metrics without the lag.
func warehouseMetrics(t *testing.T, app *testkit.App) string {
	t.Helper()
	status, _, body, err := app.Get(t.Context(), "/v1/dwh/metrics?test=true")
	if err != nil || status != 200 {
		t.Fatalf("metrics: %d %v: %s", status, err, body)
	}
	head, _, _ := strings.Cut(string(body), `,"lag"`)
	return head
}

// rebuild rebuilds the warehouse of a running server.
func rebuild(t *testing.T, app *testkit.App) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testkit.Binary(t), "warehouse", "rebuild", "--data", app.Data).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "rebuilt: ") {
		t.Fatalf("rebuild: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(app.Data, "warehouse.db.*")); len(left) > 0 {
		t.Errorf("%v were left", left)
	}
}

// TestWarehouseOff: a server without a warehouse says so.
func TestWarehouseOff(t *testing.T) {
	app := testkit.NewApp(t, "--warehouse", "off")
	for _, path := range []string{"/v1/dwh/metrics", "/v1/dwh/reconciliation"} {
		status, _, body, err := app.Get(t.Context(), path)
		if err != nil || status != 404 || !strings.Contains(string(body), "--warehouse off") {
			t.Errorf("%s: %d %v %s", path, status, err, body)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(app.Data, "warehouse*")); len(files) > 0 {
		t.Errorf("%v were made", files)
	}
}

// TestWarehouseOnPostgres keeps the warehouse in PostgreSQL.
func TestWarehouseOnPostgres(t *testing.T) {
	app := testkit.NewApp(t, "--warehouse", testkit.Database(t))
	hot(t, app)
	killRound(t, app, 0)
	app.Start()
	wantReconciled(t, app)
}
