package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/store"
	"casm/store/postgres"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// connect gives a connection of the test's own.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(ctx) })
	return c
}

func exec(t *testing.T, c *pgx.Conn, sql string, a ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, a...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestOpenRefuses: a database without our schema, or with one that this
// release cannot serve, is not opened, and the error says what to do; and the
// password is in no error.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := startServer(t).Database(t, "template1")
	refused := func(url, want string) {
		t.Helper()
		s, err := postgres.Open(ctx, url, postgres.Options{})
		if err == nil {
			s.Close()
			t.Fatalf("opened, want: %s", want)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want: %s", err, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %v", err)
		}
	}
	refused(url, "casm migrate")
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	c := connect(t, url)
	// One step taken back.
	exec(t, c, `UPDATE schema_step SET is_applied = false WHERE version_id = (SELECT max(version_id) FROM schema_step)`)
	refused(url, "casm migrate")
	exec(t, c, `UPDATE schema_step SET is_applied = true`)
	// A newer release has migrated: this one serves on as long as it may.
	exec(t, c, `INSERT INTO schema_step (version_id, is_applied) VALUES (90000, true)`)
	open(t, url).Close()
	if err := postgres.Migrate(ctx, url); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("an older release migrated: %v", err)
	}
	exec(t, c, `UPDATE schema_compatibility SET from_step = 90000`)
	refused(url, "newer release")

	refused(strings.Replace(url, "casm@", "casm:secret@", 1)+"&connect_timeout=x", "")
	refused("postgres://casm:secret@127.0.0.1:1/x", "")
	refused("postgres://casm:secret@[::1", "")
}

// TestMigrateWhileServing: processes that serve go on while others migrate, at
// once and again and again.
func TestMigrateWhileServing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := open(t, url)
	defer s.Close()
	done := make(chan struct{})
	errs := make(chan error, 3)
	for range cap(errs) {
		go func() { errs <- postgres.Migrate(ctx, url) }()
	}
	go func() {
		defer close(done)
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}()
	for n := 0; ; n++ {
		createCustomer(t, s, fmt.Sprint("c", n))
		select {
		case <-done:
			return
		default:
		}
	}
}

// TestPartitions: rows go to the partition of their month, which stands ready
// months before; without one they are kept and found all the same.
func TestPartitions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	c := connect(t, url)
	var names []string
	now := time.Now().UTC()
	for n := range 3 {
		names = append(names, fmt.Sprintf("journal_%s", time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC).Format("200601")))
	}
	count := func(table string) (n int) {
		t.Helper()
		if err := c.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := open(t, url)
	defer s.Close()
	createCustomer(t, s, "now")
	if n := count(names[0]); n != 1 {
		t.Errorf("%d rows in the partition of this month", n)
	}
	for _, name := range names[1:] {
		count(name) // is there
	}
	// By the clock of a store that is far ahead.
	at := now.AddDate(5, 0, 0)
	ahead, err := postgres.Open(ctx, url, postgres.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close()
	createCustomer(t, ahead, "ahead")
	if n := count("journal_other"); n != 1 {
		t.Errorf("%d rows in the partition for all others", n)
	}
	err = s.View(ctx, func(r store.Reader) error {
		entries, err := r.Feed(ctx, casm.Start, store.FeedFilter{}, 10)
		if len(entries) != 2 {
			t.Errorf("%d rows in the feed", len(entries))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// One that was taken away is made again.
	exec(t, c, `ALTER TABLE journal DETACH PARTITION `+names[2])
	exec(t, c, `DROP TABLE `+names[2])
	again := open(t, url)
	defer again.Close()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var there bool
		if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1))`, names[2]).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if there {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the partition was not made again")
		}
	}
}

// TestViews: attributes are columns, with what they are as comments.
func TestViews(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := open(t, url)
	defer s.Close()
	account := &casm.Account{
		Common:      casm.Common{RefID: newID(), Version: 1},
		Customer:    casm.Ref{RefID: newID(), ExternalID: "C'1"},
		AccountType: "payer", BillCycle: "monthly", BillingDay: 7, Currency: "EUR", TaxExemption: true,
		PlannedBillCycle: &casm.PlannedBillCycle{BillCycle: "own-day", BillingDay: 9, ValidFrom: casm.MinTime + 1},
		Managed: casm.Managed{
			ExternalID: "A-1", CustomName: "Ada", CustomAttributes: map[string]string{"k": "v"},
			State:        casm.State{State: casm.Active, StateReason: "dflt", StateValidFrom: casm.MinTime},
			PlannedState: &casm.State{State: casm.Suspended, StateReason: "debt", Pending: true},
			CreatedAt:    casm.MinTime + 2, UpdatedAt: casm.MinTime + 3,
		},
	}
	doc, err := casm.EncodeEntity(account)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		return &store.WriteSet{Entities: []store.Entity{{
			Key: store.Key{Kind: casm.KindAccount, RefID: account.RefID}, Version: 1, Customer: account.Customer.RefID, Superior: account.Customer.RefID,
			ExternalID: "A-1", CustomName: "Ada", State: casm.Active, Reason: "dflt", Test: true, Created: account.CreatedAt, Updated: account.UpdatedAt, Doc: doc,
		}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, url)
	var name, externalID, customer, state, reason, planned, plannedReason, cycle, key string
	var customerID, top uuid.UUID
	var day, plannedDay int64
	var exempt, pending, test bool
	var created, from time.Time
	err = c.QueryRow(ctx, `SELECT custom_name, external_id, customer_external_id, customer_ref_id, state, state_reason, planned_state,
		planned_state_reason, planned_state_pending, billing_day, planned_bill_cycle, planned_bill_cycle_billing_day, planned_bill_cycle_valid_from,
		tax_exemption, created_at, custom_attributes ->> 'k', customer_at_top_ref_id, test
		FROM casm_account WHERE ref_id = $1`, account.RefID).Scan(&name, &externalID, &customer, &customerID, &state, &reason, &planned,
		&plannedReason, &pending, &day, &cycle, &plannedDay, &from, &exempt, &created, &key, &top, &test)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(name, externalID, customer, state, reason, planned, plannedReason, pending, day, cycle, plannedDay, exempt, key, test)
	if want := fmt.Sprint("Ada", "A-1", "C'1", "ACTIVE", "dflt", "SUSPENDED", "debt", true, 7, "own-day", 9, true, "v", true); got != want {
		t.Errorf("row %s, want %s", got, want)
	}
	if customerID != account.Customer.RefID || top != customerID || casm.TimeOf(created) != account.CreatedAt || casm.TimeOf(from) != casm.MinTime+1 {
		t.Errorf("%v %v %v %v", customerID, top, created, from)
	}
	for _, view := range []string{"casm_customer", "casm_account", "casm_subscriber", "casm_subscriber_resource", "casm_offer_subscription", "casm_balance"} {
		var columns, commented int
		err := c.QueryRow(ctx, `SELECT count(*), count(col_description(attrelid, attnum)) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0`, view).
			Scan(&columns, &commented)
		if err != nil || columns < 8 || commented != columns {
			t.Errorf("%s has %d columns, %d with a comment, %v", view, columns, commented, err)
		}
	}
	// A view of a release that knew fewer attributes gets the others; one that is
	// built on it stays.
	exec(t, c, `DROP VIEW casm_customer`)
	exec(t, c, `CREATE VIEW casm_customer AS SELECT e.version, e.ref_id FROM entity_customer e`)
	exec(t, c, `CREATE VIEW report AS SELECT ref_id FROM casm_customer`)
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	exec(t, c, `SELECT version, ref_id, customer_segment FROM casm_customer`)
	// One with a column that is no more is made anew.
	exec(t, c, `DROP VIEW casm_customer CASCADE`)
	exec(t, c, `CREATE VIEW casm_customer AS SELECT e.version, e.ref_id, 1 AS gone FROM entity_customer e`)
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	exec(t, c, `SELECT version, ref_id, customer_segment FROM casm_customer`)
}
