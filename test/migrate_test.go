package test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestMigrate uses casm migrate as an operator does: what is pending is told
// and done, and a server with --no-migrate waits for it.
func TestMigrate(t *testing.T) {
	database, binary := testkit.Database(t), testkit.Binary(t)
	migrate := func(want string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), binary, append([]string{"migrate", "--database", database}, args...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("casm migrate %v: %v\n%s\nwant %q", args, err, out, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	serve := exec.CommandContext(ctx, binary, "serve", "--no-migrate", "--database", database, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--nats-listen", "off")
	if out, err := serve.CombinedOutput(); err == nil || !strings.Contains(string(out), "casm migrate") {
		t.Errorf("casm serve --no-migrate on an empty database: %v\n%s", err, out)
	}
	migrate("pending: 00001_first.sql", "--dry-run")
	migrate("the database has schema 0", "--dry-run")
	migrate("taken: 00001_first.sql")
	migrate("as this release needs", "--dry-run")
	migrate("as this release needs")
	// A newer release was here: this one serves on, as long as it may.
	name := database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
	if err := testkit.SharedPostgres(t).Exec(t.Context(), name, `INSERT INTO schema_step (version_id, is_applied) VALUES (90000, true)`); err != nil {
		t.Fatal(err)
	}
	testkit.NewApp(t, "--database", database, "--warehouse", "off").Stop()
	app := testkit.NewApp(t, "--no-migrate", "--database", database, "--warehouse", "off")
	post(t, app, "/v1/casm/customers/create", `{"requestId":"r","customerProfile":"b2b"}`)
}
