package warehouse_test

import (
	"testing"

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
