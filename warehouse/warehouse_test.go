package warehouse_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/store"
	"casm/warehouse"
	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestMain(m *testing.M) {
	// Each check of a property opens databases: fewer of them, unless asked for.
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("25")
	}
	code := m.Run()
	testkit.CleanUp()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// tamper changes a warehouse behind its back.
func tamper(t testing.TB, p sqldb.SQLite, statement string) {
	t.Helper()
	c, err := sqlite.OpenConn(p.Path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := sqlitex.ExecuteScript(c, statement, nil); err != nil {
		t.Fatal(err)
	}
}

func TestReconciliationFindsTampering(t *testing.T) {
	l := newLedger(11)
	l.grow(60)
	for _, c := range []struct{ name, statement, want string }{
		{"nothing", ``, ""},
		{"a value of a present row", `UPDATE customer SET custom_name = 'x' WHERE ref_id = (SELECT min(ref_id) FROM customer)`, "Customer: 1 rows were altered"},
		{"a value of a former row", `UPDATE account_past SET state = 'GONE' WHERE rowid = 1`, "Account: 1 rows were altered"},
		{"a version", `UPDATE subscriber SET version = version + 1 WHERE ref_id = (SELECT max(ref_id) FROM subscriber)`, "Subscriber: the journal has"},
		{"a row that is gone", `DELETE FROM balance WHERE ref_id = (SELECT max(ref_id) FROM balance)`, "Balance: the journal has"},
		{"a former row that is gone", `DELETE FROM offer_subscription_past WHERE rowid = 1`, "OfferSubscription: the journal has"},
		{"a row twice", `INSERT INTO customer_past SELECT *, NULL FROM customer LIMIT 1`, "Customer: the journal has"},
		{"a counter", `UPDATE metric_count SET value = value + 1 WHERE metric = 'accountsByState' AND key = 'ACTIVE' AND NOT is_test`, `accountsByState "ACTIVE": the counter is off by 1`},
		{"a sum", `UPDATE metric_balance SET actual = 1`, "balances of"},
		{"a message", `DELETE FROM message WHERE position = 5`, "messages took effect"},
		{"what a message tells", `UPDATE message SET type = 'Account' WHERE (position, ordinal) = (SELECT position, ordinal FROM message WHERE type = 'Customer' LIMIT 1)`, "messages tell of versions"},
		{"a custom attribute", `UPDATE custom_attribute SET value = value || 'x' WHERE ref_id = (SELECT min(ref_id) FROM custom_attribute)`, "custom_attribute: "},
		{"a custom attribute that is gone", `DELETE FROM custom_attribute WHERE ref_id = (SELECT min(ref_id) FROM custom_attribute)`, "custom_attribute: "},
		{"a day", `UPDATE metric_day SET activated = activated + 1 WHERE date = (SELECT min(date) FROM metric_day)`, "daily_fact and metric_day differ"},
		{"a day that is gone", `DELETE FROM daily_fact WHERE date = (SELECT min(date) FROM metric_day)`, "daily_fact has nothing"},
		{"both of a day", `UPDATE metric_day SET created = 0; UPDATE daily_fact SET created = 0`, "by the daily facts 0 were created"},
		{"what was used", `UPDATE daily_balance_fact SET used = 7 WHERE service = 'money'`, "balances of money: what the daily facts come to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place(t)
			w := open(t, warehouse.Options{Place: p, Feed: l, Metrics: prometheus.NewRegistry()})
			catchUp(t, w)
			tamper(t, p, c.statement)
			r := reconcile(t, w)
			if r.Equal != (c.want == "") || c.want != "" && !strings.Contains(strings.Join(r.Differences, "\n"), c.want) {
				t.Errorf("equal: %t, differences: %q; want %q", r.Equal, r.Differences, c.want)
			}
		})
	}
}

// TestReconciliationIsUpToThePosition: what the journal has beyond what the
// warehouse has reached is no difference.
func TestReconciliationIsUpToThePosition(t *testing.T) {
	l := newLedger(12)
	l.grow(30)
	w := open(t, warehouse.Options{Place: place(t), Feed: l})
	catchUp(t, w)
	l.grow(30)
	wantEqual(t, w)
	catchUp(t, w)
	wantEqual(t, w)
}

// TestDeadLetters: what cannot be processed is set aside and shown, and what
// follows takes effect.
func TestDeadLetters(t *testing.T) {
	l := newLedger(13)
	l.begin("createCustomer")
	c := &casm.Customer{}
	c.State = casm.State{State: casm.Active, StateReason: "x"}
	l.put(c, "created")
	l.commit()
	for range 3 {
		l.begin("updateCustomer")
		c.CustomName += "x"
		l.put(c, "updated")
		l.commit()
	}
	l.grow(20)
	for name, damage := range map[string]func(e *store.Entry){
		"no JSON": func(e *store.Entry) { e.Doc = []byte(`{"refId":!}`) },
		"another type": func(e *store.Entry) {
			e.Doc = []byte(`{"refId":"` + c.RefID.String() + `","version":2,"customName":7}`)
		},
		"no refId":         func(e *store.Entry) { e.Doc = []byte(`{"version":2}`) },
		"no version":       func(e *store.Entry) { e.Doc = []byte(`{"refId":"` + c.RefID.String() + `"}`) },
		"no time":          func(e *store.Entry) { e.At = 0 },
		"no event":         func(e *store.Entry) { e.Event = "" },
		"no transaction":   func(e *store.Entry) { e.Transaction.ID = uuid.Nil },
		"a future version": func(e *store.Entry) { e.Doc = []byte(strings.Replace(string(e.Doc), `"version":2`, `"version":20`, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			l.damage = func(e *store.Entry) {
				if e.RefID == c.RefID && e.Version == 2 {
					damage(e)
				}
			}
			p := place(t)
			w := open(t, warehouse.Options{Place: p, Feed: l})
			catchUp(t, w)
			want := `position:2-0`
			got := query(t, p, "SELECT id, reason FROM dead_letter ORDER BY id")
			if len(got) == 0 || !strings.HasPrefix(got[0], want) || w.Status().DeadLetters != int64(len(got)) {
				t.Errorf("dead letters are %q, %d by the status", got, w.Status().DeadLetters)
			}
			if w.Status().Position != l.entries[len(l.entries)-1].Position {
				t.Error("what followed did not take effect")
			}
			if name != "a future version" {
				if got := query(t, p, "SELECT version FROM customer WHERE ref_id = '"+c.RefID.String()+"'"); !slices.Equal(got, []string{"4"}) {
					t.Errorf("the customer's version is %q", got)
				}
			}
			r := reconcile(t, w)
			if r.Equal || r.DeadLetters == 0 {
				t.Errorf("the reconciliation is silent: %+v", r)
			}
			// Mended: a rebuild heals it.
			l.damage = nil
			if err := w.Rebuild(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			wantEqual(t, w)
		})
	}
}

func TestRebuild(t *testing.T) {
	l := newLedger(14)
	b := newBus(t, l)
	l.grow(120)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	run(t, w)
	reached(t, w, l)
	before := dump(t, p)
	var reports []warehouse.RebuildProgress
	if err := w.Rebuild(t.Context(), func(r warehouse.RebuildProgress) { reports = append(reports, r) }); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "rebuilt", dump(t, p), before)
	if len(reports) == 0 || reports[len(reports)-1].Done == 0 || reports[len(reports)-1].Done > reports[len(reports)-1].Total {
		t.Errorf("progress: %+v", reports)
	}
	l.grow(50)
	b.publish(nil)
	reached(t, w, l) // follows on in the new one
	wantEqual(t, w)
	wantSame(t, "rebuilt and followed", dump(t, p), reference(t, l))
	for _, tail := range []string{".next", ".ready", ".next-wal"} {
		if _, err := os.Stat(p.Path + tail); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left", tail)
		}
	}
}

// TestRebuildWhileFollowing rebuilds again and again while messages come and
// metrics are read.
func TestRebuildWhileFollowing(t *testing.T) {
	l := newLedger(15)
	b := newBus(t, l)
	l.grow(50)
	b.publish(nil)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Subscribe: b.subscribe})
	run(t, w)
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := w.Metrics(t.Context(), false); err != nil {
				t.Errorf("metrics: %v", err)
				return
			}
		}
	}()
	rebuilt := make(chan error, 1)
	go func() {
		var err error
		for range 4 {
			err = errors.Join(err, w.Rebuild(t.Context(), nil))
		}
		rebuilt <- err
	}()
	for range 15 {
		l.grow(10)
		b.publish(nil)
		time.Sleep(10 * time.Millisecond)
	}
	if err := <-rebuilt; err != nil {
		t.Fatal(err)
	}
	reached(t, w, l)
	close(stop)
	<-ended
	wantEqual(t, w)
	wantSame(t, "rebuilt while following", dump(t, p), reference(t, l))
}

// TestTakeOverAfterRebuild: a process that stood by while another one put a new
// file in the place of the old one goes on in the new one.
func TestTakeOverAfterRebuild(t *testing.T) {
	l := newLedger(21)
	l.grow(50)
	p := place(t)
	var lead sync.Mutex
	p.Lock = func() (func() error, bool, error) {
		return func() error { lead.Unlock(); return nil }, lead.TryLock(), nil
	}
	first, second := open(t, warehouse.Options{Place: p, Feed: l}), open(t, warehouse.Options{Place: p, Feed: l})
	stop := run(t, first)
	reached(t, first, l)
	run(t, second)
	eventually(t, "the second one stands by", func() bool { return second.Status().State == warehouse.StateStandby })
	if err := first.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l.grow(20)
	reached(t, first, l)
	stop()
	l.grow(20)
	reached(t, second, l)
	wantEqual(t, second)
	wantSame(t, "after the take-over", dump(t, p), reference(t, l))
}

// TestSwitchInterrupted: a process that was killed while it put the new file
// in its place goes on with that.
func TestSwitchInterrupted(t *testing.T) {
	old, l := newLedger(16), newLedger(17)
	old.grow(20)
	l.grow(30)
	p, other := place(t), place(t)
	for _, x := range []struct {
		p sqldb.SQLite
		l *ledger
	}{{p, old}, {other, l}} {
		w, err := warehouse.Open(t.Context(), warehouse.Options{Place: x.p, Feed: x.l, ReconcileAt: -1})
		if err != nil {
			t.Fatal(err)
		}
		catchUp(t, w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(other.Path, p.Path+".ready"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Path+"-wal", []byte("of the old file"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := open(t, warehouse.Options{Place: p, Feed: l})
	wantEqual(t, w)
	wantSame(t, "after the interruption", dump(t, p), reference(t, l))
}

// TestTimeZoneChanges: days are of the installation's time zone; another one
// builds the warehouse anew.
func TestTimeZoneChanges(t *testing.T) {
	l := newLedger(18)
	l.grow(400)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l})
	catchUp(t, w)
	utc := query(t, p, "SELECT date, sum(created) FROM metric_day GROUP BY 1 ORDER BY 1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	w = open(t, warehouse.Options{Place: p, Feed: l, Zone: vienna})
	run(t, w)
	eventually(t, "it follows", func() bool { return w.Status().State == warehouse.StateFollowing })
	if got := query(t, p, "SELECT date, sum(created) FROM metric_day GROUP BY 1 ORDER BY 1"); slices.Equal(got, utc) {
		t.Errorf("the days are those of UTC: %v", got)
	}
	wantEqual(t, w)
}

// TestNewColumn: a member that tables lack is added when they are opened.
func TestNewColumn(t *testing.T) {
	l := newLedger(19)
	l.grow(40)
	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l})
	catchUp(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, p, `DROP VIEW customer_history; ALTER TABLE customer DROP COLUMN custom_name; ALTER TABLE customer_past DROP COLUMN custom_name`)
	w = open(t, warehouse.Options{Place: p, Feed: l})
	if n := query(t, p, "SELECT count(*) FROM customer_history WHERE custom_name IS NOT NULL"); n[0] != "0" {
		t.Errorf("%s rows have a name that were recorded before there was a column", n)
	}
	l.grow(40)
	catchUp(t, w)
	if n := query(t, p, "SELECT count(*) FROM customer WHERE custom_name IS NOT NULL"); n[0] == "0" {
		t.Error("no row has a name that was recorded since")
	}
}

// TestMetrics counts what a person can count.
func TestMetrics(t *testing.T) {
	l := newLedger(20)
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	state := func(s string) casm.State { return casm.State{State: s, StateReason: "x"} }
	at := func(s string) {
		l.begin("op")
		v, err := casm.ParseTime(s)
		if err != nil {
			t.Fatal(err)
		}
		l.now, l.tx.At = v, v
	}
	at("2026-07-01T21:59:59Z") // 1 July in Vienna
	one := &casm.Customer{CustomerSegment: "b2b"}
	one.State = state(casm.Active)
	l.put(one, "created")
	none := &casm.Customer{}
	none.State = state(casm.Inactive)
	l.put(none, "created")
	tester := &casm.Customer{TestCustomer: true, CustomerSegment: "b2b"}
	tester.State = state(casm.Active)
	l.put(tester, "created")
	l.commit()
	at("2026-07-01T22:00:00Z") // 2 July in Vienna
	var below []casm.Entity
	for _, c := range []*casm.Customer{one, tester} {
		a := &casm.Account{Customer: casm.Ref{RefID: c.RefID}, AccountType: "payer", BillCycle: "m", Currency: "EUR"}
		a.State = state(casm.Active)
		l.put(a, "created")
		s := &casm.Subscriber{Customer: casm.Ref{RefID: c.RefID}, Account: casm.Ref{RefID: a.RefID}}
		s.State = state(casm.Suspended)
		l.put(s, "created")
		o := &casm.OfferSubscription{Subscriber: casm.Ref{RefID: s.RefID}, Offer: "gold"}
		o.State = state(casm.Active)
		l.put(o, "created")
		for _, b := range []*casm.Balance{
			{Service: "data", UnitOfMeasure: "OCTET", GrantedBalance: casm.MaxInteger, ActualBalance: casm.MaxInteger},
			{Service: "money", Currency: "EUR", GrantedBalance: 500, ActualBalance: 500},
		} {
			b.OfferSubscription, b.ValidFrom = casm.Ref{RefID: o.RefID}, l.now
			l.put(b, "created")
			below = append(below, b)
		}
		below = append(below, a)
	}
	l.commit()
	at("2026-07-02T10:00:00Z")
	money := below[1].(*casm.Balance)
	money.ActualBalance = 120
	l.put(money, "updated")
	one.State = state(casm.Suspended)
	l.put(one, "stateChanged")
	l.commit()
	at("2026-07-03T10:00:00Z")
	one.State = state(casm.Deactivated)
	l.put(one, "stateChanged")
	one.CustomName = "no event"
	l.put(one, "updated")
	l.commit()

	p := place(t)
	w := open(t, warehouse.Options{Place: p, Feed: l, Zone: vienna})
	catchUp(t, w)
	wantEqual(t, w)
	get := func(test bool) (m map[string]any) {
		t.Helper()
		b, err := w.MetricsJSON(t.Context(), test)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	day := func(date, kind string, n ...float64) any {
		return map[string]any{"date": date, "type": kind, "created": n[0], "activated": n[1], "suspended": n[2], "deactivated": n[3]}
	}
	want := map[string]any{
		"customersByState":   map[string]any{"DEACTIVATED": 1.0, "INACTIVE": 1.0},
		"customersBySegment": map[string]any{"b2b": 1.0, "": 1.0},
		"accountsByState":    map[string]any{"ACTIVE": 1.0}, "subscribersByState": map[string]any{"SUSPENDED": 1.0},
		"subscriptionsByState": map[string]any{"ACTIVE": 1.0}, "subscriptionsByOffer": map[string]any{"gold": 1.0},
		"perDay": []any{
			day("2026-07-01", "Customer", 2, 1, 0, 0),
			day("2026-07-02", "Account", 1, 1, 0, 0), day("2026-07-02", "Customer", 0, 0, 1, 0),
			day("2026-07-02", "OfferSubscription", 1, 1, 0, 0), day("2026-07-02", "Subscriber", 1, 0, 1, 0),
			day("2026-07-03", "Customer", 0, 0, 0, 1),
		},
		"balances": []any{
			map[string]any{"service": "data", "unitOfMeasure": "OCTET", "count": 1.0, "granted": float64(casm.MaxInteger), "actual": float64(casm.MaxInteger)},
			map[string]any{"service": "money", "currency": "EUR", "count": 1.0, "granted": 500.0, "actual": 120.0},
		},
		"lag": map[string]any{"messages": 0.0, "seconds": 0.0},
	}
	if d := cmp.Diff(want, get(false)); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
	want["customersByState"] = map[string]any{"DEACTIVATED": 1.0, "INACTIVE": 1.0, "ACTIVE": 1.0}
	want["customersBySegment"] = map[string]any{"b2b": 2.0, "": 1.0}
	want["accountsByState"], want["subscribersByState"] = map[string]any{"ACTIVE": 2.0}, map[string]any{"SUSPENDED": 2.0}
	want["subscriptionsByState"], want["subscriptionsByOffer"] = map[string]any{"ACTIVE": 2.0}, map[string]any{"gold": 2.0}
	want["perDay"] = []any{
		day("2026-07-01", "Customer", 3, 2, 0, 0),
		day("2026-07-02", "Account", 2, 2, 0, 0), day("2026-07-02", "Customer", 0, 0, 1, 0),
		day("2026-07-02", "OfferSubscription", 2, 2, 0, 0), day("2026-07-02", "Subscriber", 2, 0, 2, 0),
		day("2026-07-03", "Customer", 0, 0, 0, 1),
	}
	want["balances"] = []any{
		map[string]any{"service": "data", "unitOfMeasure": "OCTET", "count": 2.0, "granted": 2 * float64(casm.MaxInteger), "actual": 2 * float64(casm.MaxInteger)},
		map[string]any{"service": "money", "currency": "EUR", "count": 2.0, "granted": 1000.0, "actual": 620.0},
	}
	if d := cmp.Diff(want, get(true)); d != "" {
		t.Errorf("metrics with tests (-want +got):\n%s", d)
	}
	for statement, want := range map[string][]string{
		"SELECT * FROM daily_balance ORDER BY date, service": {
			"2026-07-02|data|OCTET||gold|1|9007199254740991|0|0", "2026-07-02|money||EUR|gold|1|500|0|380",
		},
		"SELECT count(*), sum(is_test) FROM balance": {"4|2"},
		"SELECT version, state, valid_from, valid_to FROM customer_history WHERE ref_id = '" + one.RefID.String() + "' ORDER BY 1": {
			"1|ACTIVE|2026-07-01T21:59:59.000000Z|2026-07-02T10:00:00.000001Z", "2|SUSPENDED|2026-07-02T10:00:00.000001Z|2026-07-03T10:00:00.000002Z",
			"3|DEACTIVATED|2026-07-03T10:00:00.000002Z|2026-07-03T10:00:00.000000Z", "4|DEACTIVATED|2026-07-03T10:00:00.000000Z|",
		},
	} {
		if got := query(t, p, statement); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", statement, got, want)
		}
	}
}

// TestLargeSums: sums beyond 64 bits are exact.
func TestLargeSums(t *testing.T) {
	l := newLedger(21)
	l.begin("op")
	c := &casm.Customer{}
	l.put(c, "created")
	o := &casm.OfferSubscription{Customer: casm.Ref{RefID: c.RefID}, Offer: "x"}
	l.put(o, "created")
	l.commit()
	for range 5 {
		l.begin("op")
		for range 500 {
			l.put(&casm.Balance{OfferSubscription: casm.Ref{RefID: o.RefID}, Service: "s", UnitOfMeasure: "OCTET", GrantedBalance: casm.MaxInteger, ActualBalance: casm.MaxInteger, ValidFrom: l.now}, "created")
		}
		l.commit()
	}
	w := open(t, warehouse.Options{Place: place(t), Feed: l})
	catchUp(t, w)
	m, err := w.Metrics(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Balances) != 1 || string(m.Balances[0].Granted) != "22517998136852477500" {
		t.Errorf("balances are %+v", m.Balances)
	}
	wantEqual(t, w)
}
