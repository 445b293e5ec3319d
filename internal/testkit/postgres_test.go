package testkit

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPostgres: a server starts, is durable, survives a crash, gives copies of
// a database, and leaves nothing behind.
func TestPostgres(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, err := StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.folder); !os.IsNotExist(err) {
			t.Errorf("the folder is left behind: %v", err)
		}
	}()
	template, err := p.CreateDatabase(ctx, "template1")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Exec(ctx, template, `CREATE TABLE x (v int)`, `INSERT INTO x VALUES (7)`); err != nil {
		t.Fatal(err)
	}
	if err := p.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	name, err := p.CreateDatabase(ctx, template)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{p.URL(name), p.SocketURL(name)} {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		var v int
		var durable string
		if err := conn.QueryRow(ctx, `SELECT v, current_setting('fsync') FROM x`).Scan(&v, &durable); err != nil || v != 7 || durable != "on" {
			t.Errorf("%d, fsync %s, %v", v, durable, err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}
