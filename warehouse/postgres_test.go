package warehouse_test

import (
	"log/slog"
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
	for _, s := range []string{"DELETE FROM customer", "SELECT 1; SELECT 2", "SET default_transaction_read_only = off; DELETE FROM customer", "SELEKT"} {
		if err := db.Select(t.Context(), s, func([]string) error { return nil }, func([]sqldb.Value) error { return nil }); err == nil {
			t.Errorf("%s was taken", s)
		}
	}
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
