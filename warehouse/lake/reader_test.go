package lake_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
)

// reader reads a folder with DuckDB, which knows nothing of us.
const reader = `
import sys, json
import duckdb
d = sys.argv[1]
duckdb.sql("SET TimeZone = 'UTC'")
q = lambda s: [list(map(str, r)) for r in duckdb.sql(s).fetchall()]
src = lambda n: f"read_parquet('{d}/{n}/date=*/*.parquet', hive_partitioning=true)"
print(json.dumps({
  "versions": q(f"SELECT version, custom_name, date, valid_from::VARCHAR, lead(valid_from) OVER (PARTITION BY ref_id ORDER BY version)::VARCHAR, is_test, custom_attributes FROM {src('customer_version')} ORDER BY is_test, version"),
  "balance": q(f"SELECT service, granted, used FROM {src('daily_balance')}"),
  "granted": q(f"SELECT sum(granted_balance) FROM {src('balance_version')}"),
  "metric": q(f"SELECT date, type, created FROM {src('daily_metric')} ORDER BY 1, 2"),
  "transactions": q(f"SELECT count(*), count(DISTINCT position) FROM {src('business_transaction')}"),
  "messages": q(f"SELECT type, count(*) FROM {src('message')} GROUP BY 1 ORDER BY 1"),
}))
`

// duckdb is the package of the reader.
const duckdb = "duckdb==2.0.0"

// python gives a command that runs a program in Python with DuckDB, which is
// installed where tests keep what they need. Where that cannot be had the test
// is skipped, but not where CI runs.
func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CI") != "" {
		skip = t.Fatalf
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		skip("no folder to install to: %v", err)
	}
	dir := filepath.Join(cache, "casm-test", strings.ReplaceAll(duckdb, "==", "-"))
	if _, err := os.Stat(dir); err != nil {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			skip("%v", err)
		}
		next, err := os.MkdirTemp(filepath.Dir(dir), ".installing-")
		if err != nil {
			skip("%v", err)
		}
		defer os.RemoveAll(next)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
			"--no-deps", "--only-binary", ":all:", "--target", next, duckdb).CombinedOutput()
		if err != nil {
			skip("python3 with %s, to read the files, cannot be had: %v\n%s", duckdb, err, out)
		}
		_ = os.Rename(next, dir) // else another test was quicker
	}
	cmd := exec.CommandContext(t.Context(), "python3", args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	return cmd
}

// TestIndependentReader reads the files with another implementation.
func TestIndependentReader(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testReader(t, file(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testReader(t, database(t)) })
}

func testReader(t *testing.T, place sqldb.Place) {
	x, _ := newExported(t, place)
	x.export()
	cmd := python(t, "-c", reader, x.dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var got map[string][][]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	const first, second = "2026-01-31 10:00:00+00", "2026-02-01 10:00:00+00"
	want := map[string][][]string{
		"versions": {
			{"1", "None", "2026-01-31", first, second, "False", `{"k":"v"}`},
			{"2", "Zoë", "2026-02-01", second, "None", "False", `{"k":"v"}`},
			{"1", "None", "2026-01-31", "2026-01-31 11:00:00+00", "None", "True", "None"},
		},
		"balance": {{"data", "27021597764222973", "0"}}, "granted": {{"27021597764222973"}}, "transactions": {{"7", "7"}},
		"metric":   {{"2026-01-31", "Customer", "1"}, {"2026-02-01", "OfferSubscription", "1"}},
		"messages": {{"Balance", "3"}, {"Customer", "3"}, {"OfferSubscription", "1"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("an independent reader (-want +got):\n%s", d)
	}
}
