package warehouse_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/warehouse"
	"casm/warehouse/sqldb"
)

// postgres is a new PostgreSQL place.
func postgres(t testing.TB) *sqldb.Postgres {
	t.Helper()
	p, err := sqldb.NewPostgres(testkit.Database(t), logger(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPostgres: the tables are, value by value, those in SQLite; a rebuild by
// another process is followed.
func TestPostgres(t *testing.T) {
	l := newLedger(30)
	b := newBus(t, l)
	l.grow(150)
	b.publish(nil)
	p := postgres(t)
	o := warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe}
	w := open(t, o)
	stop := run(t, w)
	reached(t, w, l)
	for range 5 {
		l.grow(20)
		b.publish(nil)
		reached(t, w, l)
	}
	wantEqual(t, w)
	wantSame(t, "on PostgreSQL", dump(t, p), reference(t, l))

	// As casm warehouse rebuild does, beside the process that follows.
	other := open(t, o)
	if err := other.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l.grow(20)
	b.publish(nil)
	reached(t, w, l)
	wantEqual(t, w)
	wantSame(t, "after a rebuild by another process", dump(t, p), reference(t, l))

	// Of two processes one follows; the other takes over.
	run(t, other)
	eventually(t, "the second one stands by", func() bool { return other.Status().State == warehouse.StateStandby })
	stop()
	l.grow(20)
	b.publish(nil)
	reached(t, other, l)
	wantEqual(t, other)
	wantSame(t, "after the take-over", dump(t, p), reference(t, l))
}

// TestPostgresSelect: a person's statement reads, and nothing else.
func TestPostgresSelect(t *testing.T) {
	l := newLedger(31)
	l.grow(20)
	p := postgres(t)
	w := open(t, warehouse.Options{Place: p, Feed: l})
	catchUp(t, w)
	if got := query(t, p, "SELECT count(*) > 0, 1.5, NULL, date '2026-01-02' FROM customer"); len(got) != 1 || got[0] != "1|1.5||2026-01-02" {
		t.Errorf("the result is %q", got)
	}
	db, err := p.OpenReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(ctx context.Context, s string) error {
		return db.Select(ctx, s, func([]string) error { return nil }, func([]sqldb.Value) error { return nil })
	}
	for _, s := range []string{
		"DELETE FROM customer", "SELECT 1; SELECT 2", "SET default_transaction_read_only = off; DELETE FROM customer", "SELEKT", "",
		"SET default_transaction_read_only = off", "SELECT set_config('transaction_read_only', 'off', false)", "COMMIT", "BEGIN READ WRITE",
		"DO $$ BEGIN DELETE FROM customer; END $$", "WITH x AS (DELETE FROM customer RETURNING 1) SELECT * FROM x",
		"EXPLAIN ANALYZE DELETE FROM customer", "SELECT * FROM customer FOR UPDATE", "CREATE TEMP TABLE x (n int)", "CREATE TABLE x AS SELECT 1",
		"COPY customer TO STDOUT", "COPY customer FROM STDIN", "COPY (SELECT 1) TO PROGRAM 'touch /tmp/casm-written'", "COPY (SELECT 1) TO '/tmp/casm-written'",
		"TRUNCATE customer", "DROP SCHEMA casm_warehouse CASCADE", "VACUUM", "NOTIFY x", "LOCK customer", "ALTER ROLE CURRENT_USER SET work_mem = '1GB'",
	} {
		if err := run(t.Context(), s); err == nil {
			t.Errorf("%s was taken", s)
		}
	}
	if _, err := os.Stat("/tmp/casm-written"); err == nil {
		t.Error("a statement wrote a file")
	}
	if err := run(t.Context(), "EXPLAIN SELECT * FROM customer"); err != nil {
		t.Error(err)
	}

	// One that takes too long is ended, on the server too.
	const running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := run(ctx, "SELECT pg_sleep(60)"); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
	eventually(t, "the server ended the statement", func() bool { return query(t, p, running)[0] == "0" })
	wantEqual(t, w)
}

// TestRefusedByTheDatabase: a message that the database does not take is set
// aside alone, out of a batch of many.
func TestRefusedByTheDatabase(t *testing.T) {
	l := newLedger(32)
	l.grow(60)
	l.begin("createCustomer")
	c := &casm.Customer{}
	c.State, c.CustomName = casm.State{State: casm.Active, StateReason: "x"}, "a\x00b" // no text of PostgreSQL's
	l.put(c, "created")
	l.commit()
	l.grow(60)
	p := postgres(t)
	w := open(t, warehouse.Options{Place: p, Feed: l})
	catchUp(t, w)
	got := query(t, p, "SELECT ref_id, version FROM dead_letter")
	if len(got) != 1 || got[0] != c.RefID.String()+"|1" {
		t.Errorf("dead letters are %q", got)
	}
	if s := w.Status(); s.Position != l.entries[len(l.entries)-1].Position || s.DeadLetters != 1 {
		t.Errorf("the status is %+v", s)
	}
	r := reconcile(t, w)
	if want := "Customer: the journal has"; len(r.Differences) != 2 || !strings.HasPrefix(r.Differences[0], want) {
		t.Errorf("the reconciliation finds %q", r.Differences)
	}
}

// TestDatabaseAway: while the database cannot be reached nothing is lost, nor
// set aside.
func TestDatabaseAway(t *testing.T) {
	server, err := testkit.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	p, err := sqldb.NewPostgres(server.Database(t, "template1"), logger(t))
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(33)
	b := newBus(t, l)
	l.grow(30)
	b.publish(nil)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe, Logger: slog.New(slog.DiscardHandler)})
	run(t, w)
	reached(t, w, l)
	for range 3 {
		if err := server.Crash(); err != nil { // which also loses what was committed a moment ago
			t.Fatal(err)
		}
		l.grow(30)
		b.publish(nil)
		time.Sleep(100 * time.Millisecond)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		reached(t, w, l)
	}
	wantEqual(t, w)
	wantSame(t, "after the database was away", dump(t, p), reference(t, l))
}
