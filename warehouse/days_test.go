package warehouse_test

import (
	"testing"

	"casm/warehouse"
	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
)

// TestDaysAreReadAgain: the days that metrics tell are those that stand in the
// table, though only those that changed are read again; also where another
// process goes on.
func TestDaysAreReadAgain(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testDays(t, place(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testDays(t, postgres(t)) })
}

func testDays(t *testing.T, p sqldb.Place) {
	l := newLedger(60)
	w := open(t, warehouse.Options{Place: p, Feed: l})
	same := func(when string) {
		t.Helper()
		fresh, err := warehouse.Open(t.Context(), warehouse.Options{Place: p, Feed: l, ReconcileAt: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		for _, test := range []bool{false, true} {
			got, err := w.Metrics(t.Context(), test)
			if err != nil {
				t.Fatal(err)
			}
			want, err := fresh.Metrics(t.Context(), test)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s (-read whole +got):\n%s", when, d)
			}
		}
	}
	same("at first")
	for n := range 12 {
		before := w.Status().Messages
		l.grow(20)
		if n == 6 { // a late one, of days ago
			now := l.now
			l.now = l.now.Add(-100 * 3600e9)
			l.createCustomer()
			l.commit()
			l.now = now
		}
		catchUp(t, w)
		if !w.KnowsDays(before) {
			t.Error("it does not know which days changed")
		}
		same("after its own messages")
	}
	other := open(t, warehouse.Options{Place: p, Feed: l})
	before := w.Status().Messages
	l.grow(50)
	catchUp(t, other)
	same("after another's messages")
	l.grow(50)
	catchUp(t, w)
	if w.KnowsDays(before) {
		t.Error("it takes another's days for its own")
	}
	same("after both")
}
