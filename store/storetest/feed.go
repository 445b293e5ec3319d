package storetest

import (
	"math"

	"casm"
	"casm/store"
)

var feedTests = []test{
	{"Pages", feedPages},
	{"Filters", feedFilters},
	{"AnyPosition", feedAnyPosition},
}

// someLog commits transactions of several sizes, an empty one among them, and
// returns the journal as it should read.
func (w *world) someLog() (want []store.Entry) {
	a, b := w.customer("a"), w.customer("b")
	account, sub := w.below(a, casm.KindAccount), w.below(b, casm.KindAccount)
	transactions := []store.Transaction{
		w.transaction(change(a, store.LineState)),
		w.transaction(),
		w.transaction(change(b, store.LineState), change(sub, store.LineState)),
		w.transaction(change(account, store.LineState), change(w.next(a, nil), 0), threshold(a, 2)),
		w.transaction(change(w.next(b, nil), 0)),
	}
	transactions[2].Comment, transactions[2].Answer = "comment", []byte("answer")
	transactions[4].Claim = store.ClaimKey{}
	// One commit of three, one of two.
	w.commit(&store.WriteSet{Transactions: transactions[:3]})
	w.commit(&store.WriteSet{Transactions: transactions[3:]})
	for i, t := range transactions {
		changes := t.Changes
		t.Changes, t.Answer, t.Hash = nil, nil, nil
		for j, c := range changes {
			want = append(want, store.Entry{Position: casm.Position{Transaction: int64(i + 1), Ordinal: int64(j)}, Transaction: t, Change: c})
		}
	}
	return want
}

// bare leaves out what a feed need not give.
func bare(entries []store.Entry) []store.Entry {
	for i := range entries {
		entries[i].Transaction.Hash, entries[i].Transaction.Answer = nil, nil
	}
	return entries
}

func feedPages(w *world) {
	same(w, "an empty log", w.feed(store.FeedFilter{}, 10), nil)
	want := w.someLog()
	for page := 1; page <= len(want)+1; page++ {
		same(w, "feed", bare(w.feed(store.FeedFilter{}, page)), want)
	}
	w.view(func(r store.Reader) {
		for i := range want {
			got := must(r.Feed(w.ctx, want[i].Position, store.FeedFilter{}, 100))(w)
			same(w, "after "+want[i].Position.String(), bare(got), want[i+1:])
		}
	})
}

func feedFilters(w *world) {
	all := w.someLog()
	for _, filter := range []store.FeedFilter{
		{Customer: all[0].Customer},
		{Kind: casm.KindAccount},
		{Customer: all[1].Customer, Kind: casm.KindCustomer},
		{Customer: newID()},
		{Kind: casm.KindBalance},
	} {
		var want []store.Entry
		for _, e := range all {
			if (filter.Customer == e.Customer || filter.Customer == store.FeedFilter{}.Customer) && (filter.Kind == e.Kind || filter.Kind == 0) {
				want = append(want, e)
			}
		}
		for page := 1; page < 4; page++ {
			same(w, "feed", bare(w.feed(filter, page)), want)
		}
	}
}

// feedAnyPosition: positions come from outside and may never have been given.
func feedAnyPosition(w *world) {
	want := w.someLog()
	w.view(func(r store.Reader) {
		for position, from := range map[casm.Position]int{
			{Transaction: 0, Ordinal: 5}:                         0,
			{Transaction: 1, Ordinal: 9}:                         1,
			{Transaction: 1, Ordinal: math.MaxInt64 >> 1}:        1,
			{Transaction: 2, Ordinal: 0}:                         1,
			{Transaction: 99, Ordinal: 0}:                        len(want),
			{Transaction: math.MaxInt64 >> 1, Ordinal: 1}:        len(want),
			{Transaction: math.MaxInt64, Ordinal: math.MaxInt64}: len(want),
		} {
			same(w, "after "+position.String(), bare(must(r.Feed(w.ctx, position, store.FeedFilter{}, 100))(w)), want[from:])
		}
	})
}
