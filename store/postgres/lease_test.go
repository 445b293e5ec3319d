package postgres_test

import (
	"testing"
	"time"

	"casm"
	"casm/store"
	"casm/store/postgres"

	"github.com/google/go-cmp/cmp"
)

// TestSumsKept: a checksum is the same whether it is counted from the first or
// from sums that are kept, also before and within what they are of.
func TestSumsKept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, database(t))
	defer s.Close()
	const transactions = 10
	for n := range transactions {
		_, err := s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			return write(l, newID().String(), customer(l, newID(), ""), customer(l, newID(), ""), customer(l, newID(), "")), nil
		})
		if err != nil {
			t.Fatal(n, err)
		}
	}
	sums := func() (all []map[casm.Kind]casm.Sum) {
		t.Helper()
		for transaction := range int64(transactions + 2) {
			for _, ordinal := range []int64{0, 1, 9} {
				err := s.View(ctx, func(r store.Reader) error {
					sum, err := r.Checksum(ctx, casm.Position{Transaction: transaction, Ordinal: ordinal})
					all = append(all, sum)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		return all
	}
	counted := sums()
	for _, want := range []bool{true, true, true, false} {
		if more, err := postgres.AddSums(s, ctx, 3); err != nil || more != want {
			t.Errorf("kept: %t, %v; want %t", more, err, want)
		}
		if d := cmp.Diff(counted, sums()); d != "" {
			t.Fatalf("counted from the first, and from what is kept:\n%s", d)
		}
	}
	if n := counted[len(counted)-1][casm.KindCustomer].Versions; n != 3*transactions {
		t.Errorf("%d versions, want %d", n, 3*transactions)
	}
}

// TestLease: of two processes one has a lease, until it gives it up or lets it
// run out; that its session stays open changes nothing.
func TestLease(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), database(t)
	a, b := open(t, url), open(t, url)
	defer a.Close()
	defer b.Close()
	ask := func(holder, want string, span time.Duration) {
		t.Helper()
		s := a
		if holder == "b" {
			s = b
		}
		if has, err := s.Lease(ctx, "relay", holder, span); err != nil || has != want {
			t.Errorf("%s asked, %q has it, %v; want %s", holder, has, err, want)
		}
	}
	ask("a", "a", time.Minute)
	ask("b", "a", time.Minute)
	ask("b", "a", 0) // who does not have it cannot give it up
	if has, err := b.Lease(ctx, "other", "b", time.Minute); err != nil || has != "b" {
		t.Errorf("another lease: %q has it, %v", has, err)
	}
	ask("a", "a", 300*time.Millisecond) // shorter than before
	ask("b", "a", time.Minute)
	time.Sleep(350 * time.Millisecond)
	ask("b", "b", time.Minute) // it has run out
	ask("a", "b", time.Minute) // the former holder is told
	ask("b", "b", 0)
	ask("a", "a", time.Minute)
}
