package storetest

import (
	"fmt"

	"casm"
	"casm/store"
)

var journalTests = []test{
	{"Versions", versions},
	{"AsOf", asOf},
	{"History", history},
	{"HistoryOfLines", historyOfLines},
	{"TransactionChanges", transactionChanges},
	{"Transaction", transactionByID},
}

// grow commits versions 1 to n of a customer, each in a transaction of its own,
// and returns them.
func (w *world) grow(n int) (all []store.Entity) {
	w.Helper()
	c := w.customer("")
	for i := range n {
		if i > 0 {
			c = w.next(c, nil)
		}
		all = append(all, c)
		w.create(c)
	}
	return all
}

// threshold returns the extra row after a version.
func threshold(e store.Entity, n int) store.Change {
	c := change(e, 0)
	c.Event, c.Threshold, c.Doc = "thresholdReached", n, []byte(fmt.Sprintf(`{"threshold":%d}`, n))
	return c
}

func versions(w *world) {
	a, b := w.grow(5), w.grow(2)
	extra := w.next(b[1], nil)
	w.commit(&store.WriteSet{Transactions: []store.Transaction{w.transaction(change(extra, 0), threshold(extra, 1), threshold(extra, 2))}})
	at := func(e store.Entity) store.VersionKey { return store.VersionKey{Key: e.Key, Version: e.Version} }
	w.view(func(r store.Reader) {
		got := must(r.Versions(w.ctx, []store.VersionKey{
			at(a[4]), at(b[0]), at(extra), at(a[1]),
			{Key: a[0].Key, Version: 6},
			{Key: a[0].Key, Version: 0},
			{Key: store.Key{Kind: casm.KindAccount, RefID: a[0].RefID}, Version: 1},
		}))(w)
		same(w, "versions", sortChanges(got), sortChanges([]store.Change{
			change(a[1], store.LineState), change(a[4], store.LineState), change(b[0], store.LineState), change(extra, 0),
		}))
	})
}

func asOf(w *world) {
	a, b := w.grow(9), w.grow(3)
	asked := append(keys(a[0], b[0]), store.Key{Kind: casm.KindCustomer, RefID: newID()})
	// The last version in the journal alone, as if the earlier ones were put away.
	late := w.next(w.next(w.next(w.customer(""), nil), nil), nil)
	w.create(late)
	asked = append(asked, late.Key)
	last := late.Updated
	for at := a[0].Updated - 500; at <= last+500; at += 500 {
		var want []store.Change
		for _, history := range [][]store.Entity{a, b, {late}} {
			var found []store.Change
			for _, e := range history {
				if e.Updated <= at {
					found = []store.Change{change(e, store.LineState)}
				}
			}
			want = append(want, found...)
		}
		w.view(func(r store.Reader) {
			same(w, "at "+at.String(), sortChanges(must(r.AsOf(w.ctx, asked, at))(w)), sortChanges(want))
		})
	}
}

func history(w *world) {
	other := w.grow(2)
	all := w.grow(6)
	extra := w.next(all[5], nil)
	t := w.transaction(change(other[1], 0), change(extra, 0), threshold(extra, 1))
	t.Changes[0].Version = 3
	t.Comment, t.Hash = "with a comment", []byte("hash")
	w.commit(&store.WriteSet{Transactions: []store.Transaction{t}})
	w.view(func(r store.Reader) {
		got := must(r.History(w.ctx, all[0].Key, 0, 0, 100))(w)
		if len(got) != 7 {
			w.Fatalf("%d rows, want 7", len(got))
		}
		head := t
		head.Changes, head.Hash = nil, nil
		got[0].Transaction.Hash = nil
		same(w, "newest row", got[0], store.Entry{Position: casm.Position{Transaction: 9, Ordinal: 1}, Transaction: head, Change: change(extra, 0)})
		for i, e := range got {
			if e.Version != int64(7-i) {
				w.Errorf("row %d is version %d", i, e.Version)
			}
		}
		page := must(r.History(w.ctx, all[0].Key, 5, 0, 2))(w)
		if len(page) != 2 || page[0].Version != 4 || page[1].Version != 3 {
			w.Errorf("page below 5: %+v", page)
		}
		same(w, "page below 1", must(r.History(w.ctx, all[0].Key, 1, 0, 2))(w), nil)
		wrong := store.Key{Kind: casm.KindAccount, RefID: all[0].RefID}
		same(w, "of another kind", must(r.History(w.ctx, wrong, 0, 0, 2))(w), nil)
	})
}

func historyOfLines(w *world) {
	c := w.customer("")
	lines := []store.Line{store.LineState | store.LineSegment, 0, store.LineState, 0, store.LineSegment, store.LineBillCycle | store.LineParent}
	for i, line := range lines {
		if i > 0 {
			c = w.next(c, nil)
		}
		w.commit(&store.WriteSet{Transactions: []store.Transaction{w.transaction(change(c, line), threshold(c, 1))}})
	}
	w.view(func(r store.Reader) {
		for _, q := range []struct {
			lines  store.Line
			before int64
			limit  int
			want   []int64
		}{
			{store.LineState, 0, 9, []int64{3, 1}},
			{store.LineState, 0, 1, []int64{3}},
			{store.LineState, 3, 9, []int64{1}},
			{store.LineState, 1, 9, nil},
			{store.LineSegment, 0, 9, []int64{5, 1}},
			{store.LineParent, 0, 9, []int64{6}},
			{store.LineState | store.LineBillCycle, 0, 9, []int64{6, 3, 1}},
			{0, 0, 9, []int64{6, 5, 4, 3, 2, 1}},
		} {
			var got []int64
			for _, e := range must(r.History(w.ctx, c.Key, q.before, q.lines, q.limit))(w) {
				got = append(got, e.Version)
			}
			same(w, fmt.Sprintf("lines %b below %d", q.lines, q.before), got, q.want)
		}
	})
}

func transactionChanges(w *world) {
	w.grow(2)
	a, b, c := w.customer(""), w.customer(""), w.customer("")
	first := w.request("batch", change(a, 1), threshold(a, 1), change(b, 1), change(c, 1))
	first.Claim = store.Request("batch", 0)
	second := w.request("batch", change(w.next(a, nil), 0))
	second.ID, second.Ordinal, second.Claim = first.ID, 1, store.Request("batch", 1)
	nothing := w.request("nothing")
	due := w.request("due", change(w.next(b, nil), 0))
	due.Claim = store.ClaimKey{}
	w.commit(&store.WriteSet{Transactions: []store.Transaction{first, second, nothing, due}})
	w.grow(2)
	w.view(func(r store.Reader) {
		check := func(t store.Transaction, ordinal, limit, wantTotal int, want ...store.Change) {
			w.Helper()
			got, total, err := r.TransactionChanges(w.ctx, t.ID, ordinal, limit)
			if err != nil {
				w.Fatal(err)
			}
			same(w, "changes", got, want)
			same(w, "total", total, wantTotal)
		}
		check(first, 0, 10, 3, first.Changes[0], first.Changes[2], first.Changes[3])
		check(first, 0, 2, 3, first.Changes[0], first.Changes[2])
		check(first, 0, 0, 3)
		check(first, 1, 10, 1, second.Changes...)
		check(first, 2, 10, 0)
		check(nothing, 0, 10, 0)
		check(due, 0, 10, 1, due.Changes...)
		check(store.Transaction{ID: newID()}, 0, 10, 0)
	})
}

func transactionByID(w *world) {
	c := w.customer("")
	low, high := w.request("r"), w.request("r", change(c, 0))
	high.ID, high.Ordinal = low.ID, 1
	low.Claim, high.Claim = store.Request("r", 0), store.Request("r", 1)
	low.Hash, low.Answer, low.Comment = []byte("hash"), []byte(`{"answer":1}`), "comment"
	due := w.transaction(change(w.next(c, nil), 0))
	due.Claim, due.Operation = store.ClaimKey{}, "applyPlannedState"
	w.commit(&store.WriteSet{Transactions: []store.Transaction{low, high, due}})
	due.Changes = nil
	w.view(func(r store.Reader) {
		same(w, "of a batch", must(r.Transaction(w.ctx, low.ID))(w), &low)
		same(w, "of a due change", must(r.Transaction(w.ctx, due.ID))(w), &due)
		same(w, "unknown", must(r.Transaction(w.ctx, newID()))(w), nil)
	})
}
