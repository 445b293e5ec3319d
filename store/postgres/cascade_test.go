package postgres_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"casm"
	"casm/store"
)

// TestCascade: while a commit changes everything below a large customer, other
// processes change other customers, and are held up by little more than a
// flush; what is below the customer waits until the end. CASM_CASCADE gives
// how many entities are below it.
func TestCascade(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ctx := context.Background()
	size := 10_000
	if n, err := strconv.Atoi(os.Getenv("CASM_CASCADE")); err == nil {
		size = n
	}
	url := database(t)
	s := openSeveral(t, url, 2)
	defer s.Close()
	top := createCustomer(t, s, "top")
	for at := 0; at < size; at += 2000 {
		_, err := s.Commit(ctx, store.Needs{Entities: []store.Key{top}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			var entities []store.Entity
			for range min(2000, size-at) {
				e := customer(l, newID(), "")
				e.Kind, e.Customer, e.Superior = casm.KindAccount, top.RefID, top.RefID
				e.Doc = fmt.Appendf(nil, benchDoc, e.RefID, "", benchNote)
				entities = append(entities, e)
			}
			return write(l, newID().String(), entities...), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	began := make(chan struct{})
	ended := make(chan time.Duration)
	go func() {
		started := time.Now()
		_, err := s.stores[0].Commit(ctx, store.Needs{Entities: []store.Key{top}}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			close(began)
			all := []store.Entity{next(l, l.Entities[0])}
			q := store.ChildQuery{Of: top.RefID, Kind: casm.KindAccount, Limit: 1000}
			for {
				page, err := r.Children(ctx, q)
				if err != nil {
					return nil, err
				}
				for _, e := range page {
					e = next(l, e)
					e.State = "DEACTIVATED"
					all = append(all, e)
				}
				if len(page) < q.Limit {
					return write(l, "cascade", all...), nil
				}
				q.After = page[len(page)-1].RefID
			}
		})
		if err != nil {
			t.Error(err)
		}
		ended <- time.Since(started)
	}()
	<-began
	// One below the customer waits, and sees all of it.
	below := make(chan error)
	go func() {
		_, err := s.stores[1].Commit(ctx, store.Needs{Entities: []store.Key{top}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			if v := l.Entities[0].Version; v != 2 {
				t.Errorf("what waited sees version %d", v)
			}
			return nil, nil
		})
		below <- err
	}()
	// Others do not. They are of a third process: the second one's committers
	// may all wait for the customer.
	other := open(t, url)
	defer other.Close()
	var longest time.Duration
	commits, whole := 0, time.Duration(0)
	for whole == 0 {
		began := time.Now()
		if _, err := once(ctx, other, newID().String()); err != nil {
			t.Error(err)
		}
		longest = max(longest, time.Since(began))
		commits++
		select {
		case whole = <-ended:
		default:
		}
	}
	if err := <-below; err != nil {
		t.Error(err)
	}
	t.Logf("a cascade of %d in %v; meanwhile %d other commits, the longest of %v", size, whole, commits, longest)
	// On a machine that does other things besides, a flush may take long.
	if most := max(250*time.Millisecond, whole/2); longest > most {
		t.Errorf("others were held up for %v", longest)
	}
	if commits < 3 {
		t.Errorf("only %d other commits meanwhile", commits)
	}
	err := other.View(ctx, func(r store.Reader) error {
		gone, err := r.Children(ctx, store.ChildQuery{Of: top.RefID, Kind: casm.KindAccount, SkipDeactivated: true, Limit: 10})
		if len(gone) > 0 {
			t.Errorf("%d were left out", len(gone))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
