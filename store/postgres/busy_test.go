package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"casm"
	"casm/store"

	"github.com/google/go-cmp/cmp"
)

// TestPatience: a commit with patience says what it would have had to wait for,
// and has what nobody holds.
func TestPatience(t *testing.T) {
	ctx := context.Background()
	s := openSeveral(t, database(t), 2)
	defer s.Close()
	held, free := createCustomer(t, s, "held"), createCustomer(t, s, "free")
	account := newID()
	_, err := s.Commit(ctx, store.Needs{Entities: []store.Key{held}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		e := customer(l, account, "below")
		e.Kind, e.Customer, e.Superior = casm.KindAccount, held.RefID, held.RefID
		return write(l, "account", e), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(store.Reader, *store.Loaded) (*store.WriteSet, error) { return nil, nil }
	name := func(kind casm.Kind, id string) store.ClaimKey { return store.ExternalID(kind, id) }
	needs := store.Needs{
		Requests: []store.ClaimKey{store.Request("r", -1)},
		Entities: []store.Key{free, {Kind: casm.KindAccount, RefID: account}, {Kind: casm.KindCustomer, RefID: newID()}, held},
		Claims:   []store.ClaimKey{name(casm.KindCustomer, "free"), name(casm.KindAccount, "below"), name(casm.KindCustomer, "new")},
		Patience: 20 * time.Millisecond,
	}

	began, end := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := s.stores[0].Commit(ctx, store.Needs{Entities: []store.Key{held}}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			close(began)
			<-end
			return nil, nil
		})
		done <- err
	}()
	<-began
	_, err = s.stores[1].Commit(ctx, needs, nothing)
	busy, is := errors.AsType[*store.Busy](err)
	if !is {
		t.Fatalf("a held customer: %v", err)
	}
	want := &store.Busy{Entities: needs.Entities[1:2:2], Claims: needs.Claims[1:2]}
	want.Entities = append(want.Entities, held)
	if diff := cmp.Diff(want, busy); diff != "" {
		t.Error(diff)
	}
	if _, err := s.stores[1].Commit(ctx, store.Needs{Entities: []store.Key{free}, Patience: needs.Patience}, nothing); err != nil {
		t.Errorf("a free customer: %v", err)
	}
	// the configuration is shared by all commits, and changed alone
	_, err = s.stores[1].Commit(ctx, store.Needs{Patience: needs.Patience}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		return &store.WriteSet{Config: []store.ConfigChange{{CodeKey: store.CodeKey{Collection: "taxes", Code: "x"}, Version: 1, Doc: []byte(`{}`), At: 1, Actor: "x"}}}, nil
	})
	if busy, is := errors.AsType[*store.Busy](err); !is || !busy.Config {
		t.Errorf("the configuration: %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := s.stores[1].Commit(ctx, needs, nothing); err != nil {
		t.Errorf("when nothing is held: %v", err)
	}
}
