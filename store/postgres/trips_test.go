package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"casm"
	"casm/store"
	"casm/store/postgres"
)

// TestRoundTrips: a commit of many operations, some new, some of what there is,
// takes two round trips; one with a repeat among them three.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, proxy, _ := behind(t)
	old := createCustomer(t, s, "old") // and the connection is made
	mixed := func(name string, more ...store.ClaimKey) int {
		t.Helper()
		before := proxy.RoundTrips()
		needs := store.Needs{Entities: []store.Key{old}, Requests: more}
		for n := range 64 {
			needs.Requests = append(needs.Requests, store.Request(fmt.Sprint(name, n), -1))
			needs.Claims = append(needs.Claims, store.ExternalID(casm.KindCustomer, fmt.Sprint(name, n)))
		}
		_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			e, ok := find(l, old)
			if !ok {
				t.Error("the customer was not loaded")
			}
			set := write(l, name, next(l, e))
			for n := range 64 {
				c := customer(l, newID(), fmt.Sprint(name, n))
				c.AttributesGained = []int64{int64(n)}
				one := write(l, fmt.Sprint(name, n), c)
				set.Claims = append(set.Claims, one.Claims...)
				set.Entities = append(set.Entities, one.Entities...)
				set.Transactions = append(set.Transactions, one.Transactions...)
			}
			set.Uses = map[store.CodeKey]int64{{Collection: "customer-segments", Code: "b2b"}: 64}
			if len(l.Transactions) != len(more) {
				t.Errorf("%d transactions of repeats, not %d", len(l.Transactions), len(more))
			}
			return set, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return proxy.RoundTrips() - before
	}
	mixed("first")
	if n := mixed("second"); n != 2 {
		t.Errorf("a commit took %d round trips, not 2", n)
	}
	repeat := store.Request("first7", -1)
	mixed("third", repeat) // a statement is made ready at its first use
	if n := mixed("fourth", repeat); n != 3 {
		t.Errorf("a commit with a repeat took %d round trips, not 3", n)
	}
}

// TestManyMonths: a commit opens no month but its own, however many there are.
// What it has opened stands among its locks until it ends.
func TestManyMonths(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	c := connect(t, url)
	for n := range 24 {
		month := 202001 + n/12*100 + n%12
		for _, table := range []string{"business_transaction", "journal"} {
			if err := postgres.MakePartition(ctx, c, table, fmt.Sprintf("%s_%d", table, month), month); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := open(t, url)
	defer s.Close()
	key := createCustomer(t, s, "x")
	opened := func() (tables []string) {
		t.Helper()
		rows, err := c.Query(ctx, `SELECT DISTINCT r.relname FROM pg_locks l JOIN pg_class r ON r.oid = l.relation
			WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid() AND r.relkind = 'r'`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			tables = append(tables, name)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return tables
	}
	needs := store.Needs{
		Entities: []store.Key{key}, Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, "y")},
		Requests: []store.ClaimKey{store.Request("r", -1)},
	}
	_, err := s.Commit(ctx, needs, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		tables := opened()
		if !slices.Contains(tables, "entity_customer") {
			t.Fatalf("the commit has opened %q: this test does not see it", tables)
		}
		for _, old := range []string{"journal_202001", "business_transaction_202001"} {
			if slices.Contains(tables, old) {
				t.Errorf("the commit has opened %s", old)
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
