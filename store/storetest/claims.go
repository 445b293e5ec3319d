package storetest

import (
	"errors"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var claimTests = []test{
	{"Moves", claimMoves},
	{"Lost", claimLost},
	{"LostThenSeen", claimLostThenSeen},
	{"RenameAndReuse", renameAndReuse},
	{"SpacesAndKeysAreExact", claimsAreExact},
	{"SameRequest", sameRequest},
	{"SameRequestAtOnce", sameRequestAtOnce},
	{"RequestsOfABatch", requestsOfABatch},
}

func (w *world) holder(key store.ClaimKey) uuid.UUID {
	w.Helper()
	return w.load(store.Needs{Claims: []store.ClaimKey{key}}).Claims[key]
}

func (w *world) claim(changes ...store.ClaimChange) {
	w.Helper()
	w.commit(&store.WriteSet{Claims: changes})
}

func claimMoves(w *world) {
	key, other := store.Resource("msisdn", "491700000001"), store.Resource("msisdn", "491700000002")
	a, b := newID(), newID()
	w.claim(take(key, a))
	same(w, "taken", w.holder(key), a)
	w.claim(store.ClaimChange{ClaimKey: key, From: a, To: b})
	same(w, "moved", w.holder(key), b)
	w.claim(store.ClaimChange{ClaimKey: key, From: b}, take(other, b))
	same(w, "set free", w.holder(key), uuid.Nil)
	same(w, "taken beside", w.holder(other), b)
	w.claim(take(key, a), store.ClaimChange{ClaimKey: other, From: b, To: b})
	same(w, "taken again", w.holder(key), a)
	same(w, "kept", w.holder(other), b)
}

func claimLost(w *world) {
	held, free := store.ExternalID(casm.KindCustomer, "held"), store.ExternalID(casm.KindCustomer, "free")
	a, b := newID(), newID()
	w.claim(take(held, a))
	for name, lost := range map[string]store.ClaimChange{
		"taken though held":       take(held, b),
		"moved from another":      {ClaimKey: held, From: b, To: newID()},
		"set free by another":     {ClaimKey: held, From: b},
		"moved though free":       {ClaimKey: free, From: a, To: b},
		"set free though free":    {ClaimKey: free, From: a},
		"kept by another":         {ClaimKey: held, From: b, To: b},
		"taken again by its own":  take(held, a),
		"moved to one's own from": {ClaimKey: held, From: newID(), To: a},
	} {
		w.untouched(func() {
			calls := 0
			set := w.write(w.customer("beside"))
			set.Claims = append(set.Claims, lost)
			_, err := w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
				calls++
				return set, nil
			})
			if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown) {
				w.Errorf("%s: error %v, want a refusal", name, err)
			}
			if calls < 2 {
				w.Errorf("%s: decide was called %d times, want it to have another try", name, calls)
			}
		})
		same(w, name, w.holder(held), a)
		same(w, name+": beside", w.holder(store.ExternalID(casm.KindCustomer, "beside")), uuid.Nil)
	}
}

// claimLostThenSeen is a race with another process as decide sees it: at first
// the claim looks free, afresh it is seen to be held.
func claimLostThenSeen(w *world) {
	key := store.ExternalID(casm.KindCustomer, "a")
	holder := w.customer("a")
	w.create(holder)
	c := w.customer("b")
	calls := 0
	_, err := w.store.Commit(w.ctx, store.Needs{Claims: []store.ClaimKey{key}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		calls++
		set := w.write(c)
		if calls == 1 {
			set.Claims = append(set.Claims, take(key, c.RefID))
			return set, nil
		}
		same(w, "holder", l.Claims[key], holder.RefID)
		return set, nil
	})
	if err != nil || calls != 2 {
		w.Errorf("error %v after %d calls", err, calls)
	}
	same(w, "entity", w.entity(c.Key), c)
	same(w, "position", w.head().Position, 2)
}

// renameAndReuse: in one batch a first one is created with an external id, is
// renamed, and a second one is created with the id that is free again; and the
// same with one that was there before.
func renameAndReuse(w *world) {
	key := func(id string) store.ClaimKey { return store.ExternalID(casm.KindCustomer, id) }
	old := w.customer("x")
	w.create(old)

	first := w.customer("y")
	created := change(first, store.LineState)
	renamed := w.next(first, func(e *store.Entity) { e.ExternalID = "z" })
	second := w.customer("y")
	oldRenamed := w.next(old, func(e *store.Entity) { e.ExternalID = "w" })
	third := w.customer("x")
	set := &store.WriteSet{
		Claims: []store.ClaimChange{
			take(key("y"), second.RefID), take(key("z"), first.RefID), take(key("w"), old.RefID),
			{ClaimKey: key("x"), From: old.RefID, To: third.RefID},
		},
		Entities: []store.Entity{renamed, second, oldRenamed, third},
		Transactions: []store.Transaction{
			w.transaction(created), w.transaction(change(renamed, 0)), w.transaction(change(second, 0)),
			w.transaction(change(oldRenamed, 0), change(third, 0)),
		},
	}
	for i := range set.Transactions {
		set.Claims = append(set.Claims, take(set.Transactions[i].Claim, set.Transactions[i].ID))
	}
	w.commit(set)
	for id, want := range map[string]store.Entity{"x": third, "y": second, "z": renamed, "w": oldRenamed} {
		l := w.load(store.Needs{Claims: []store.ClaimKey{key(id)}})
		same(w, "holder of "+id, l.Entities, []store.Entity{want})
	}
	w.view(func(r store.Reader) {
		got := must(r.ExternalIDs(w.ctx, keys(old, first, second, third)))(w)
		same(w, "external ids", got, map[uuid.UUID]string{old.RefID: "w", first.RefID: "z", second.RefID: "y", third.RefID: "x"})
	})
	same(w, "journal rows", len(w.feed(store.FeedFilter{}, 10)), 6)
}

func claimsAreExact(w *world) {
	all := []store.ClaimKey{
		store.ExternalID(casm.KindCustomer, "a"), store.ExternalID(casm.KindAccount, "a"),
		store.ExternalID(casm.KindCustomer, "A"), store.ExternalID(casm.KindCustomer, "a "),
		store.ExternalID(casm.KindCustomer, "ä"), store.ExternalID(casm.KindCustomer, "a\u0308"),
		store.ExternalID(casm.KindCustomer, "%"), store.ExternalID(casm.KindCustomer, "'; --"), store.ExternalID(casm.KindCustomer, "😀"),
		store.Request("a", -1), store.Request("a", 0), store.Request("a", 1), store.Resource("a", "a"),
	}
	want := make(map[store.ClaimKey]uuid.UUID)
	set := &store.WriteSet{}
	for _, key := range all {
		want[key] = newID()
		set.Claims = append(set.Claims, take(key, want[key]))
	}
	w.commit(set)
	same(w, "claims", w.load(store.Needs{Claims: append(all, store.Request("b", -1))}).Claims, want)
}

// sameRequest: a repeat finds the transaction, after a reopen too.
func sameRequest(w *world) {
	t := w.request("r-1", change(w.customer(""), 0))
	t.Hash, t.Answer, t.Comment, t.Actor = []byte{0, 1, 2}, []byte("\x00answer"), "a\nb\tc – ü", "crm"
	nothing := w.request("r-2") // a write that changed nothing has a transaction too
	w.commit(&store.WriteSet{
		Claims:       []store.ClaimChange{take(t.Claim, t.ID), take(nothing.Claim, nothing.ID)},
		Transactions: []store.Transaction{t, nothing},
	})
	t.Changes = nil
	needs := store.Needs{Requests: []store.ClaimKey{t.Claim, nothing.Claim, store.Request("r-3", -1)}}
	want := map[store.ClaimKey]store.Transaction{t.Claim: t, nothing.Claim: nothing}
	for range 2 {
		same(w, "in View", w.load(needs).Transactions, want)
		_, err := w.store.Commit(w.ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			same(w, "in Commit", l.Transactions, want)
			return nil, nil
		})
		if err != nil {
			w.Fatal(err)
		}
		w.reopen()
	}
	// Its claim set free, as when it has been kept for long enough, it is new.
	w.claim(store.ClaimChange{ClaimKey: t.Claim, From: t.ID})
	if _, ok := w.load(needs).Transactions[t.Claim]; ok {
		w.Error("found without its claim")
	}
}

func sameRequestAtOnce(w *world) {
	key := store.Request("once", -1)
	w.parallel(32, func(int) {
		_, err := w.store.Commit(w.ctx, store.Needs{Requests: []store.ClaimKey{key}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			if _, done := l.Transactions[key]; done {
				return nil, nil
			}
			t := w.request("once", change(w.customer(""), 0))
			return &store.WriteSet{Claims: []store.ClaimChange{take(key, t.ID)}, Transactions: []store.Transaction{t}}, nil
		})
		if err != nil {
			w.Error(err)
		}
	})
	same(w, "position", w.head().Position, 1)
}

// requestsOfABatch: operations run under (requestId, n); those of an atomic
// batch share their transaction's id.
func requestsOfABatch(w *world) {
	set := &store.WriteSet{}
	want := make(map[store.ClaimKey]store.Transaction)
	var needs store.Needs
	add := func(requestID string, id uuid.UUID, ordinal int) {
		t := w.request(requestID)
		t.ID, t.Ordinal, t.Claim = id, ordinal, store.Request(requestID, ordinal)
		set.Claims = append(set.Claims, take(t.Claim, t.ID))
		set.Transactions = append(set.Transactions, t)
		needs.Requests = append(needs.Requests, t.Claim)
		want[t.Claim] = t
	}
	atomic := newID()
	for n := range 3 {
		add("atomic", atomic, n)
		add("apart", newID(), n)
	}
	w.commit(set)
	same(w, "transactions", w.load(needs).Transactions, want)
	if l := w.load(store.Needs{Requests: []store.ClaimKey{store.Request("atomic", -1), store.Request("atomic", 3)}}); len(l.Transactions) > 0 {
		w.Errorf("found %v", l.Transactions)
	}
}
