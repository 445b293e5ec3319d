package storetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var listTests = []test{
	{"Filters", listFilters},
	{"StableUnderWrites", listStable},
	{"Forget", forget},
}

// listed is an entity with what lists know of it beside its row.
type listed struct {
	store.Entity
	attributes []int64
	accounts   []uuid.UUID // above it
	types      []string    // of its resources
}

// listWorld fills a store with entities of all sorts.
func listWorld(w *world) (all []listed) {
	rnd := rand.New(rand.NewPCG(7, 11))
	pick := func(values ...string) string { return values[rnd.IntN(len(values))] }
	add := func(e store.Entity, above *listed) *listed {
		l := listed{Entity: e}
		if above != nil {
			l.accounts = slices.Clone(above.accounts)
			if above.Kind == casm.KindAccount {
				l.accounts = append(l.accounts, above.RefID)
			}
			l.Test = above.Test
		}
		l.State = pick("ACTIVE", "ACTIVE", "SUSPENDED", "INACTIVE", "DEACTIVATED")
		l.Reason = pick("dflt", "debt")
		l.Segment = pick("b2b", "b2c", "")
		l.CustomName = pick("", "Ann", "Anna", "Bertha", "ä", "äöü", "Ann%", "ann")
		l.Updated += casm.Time(rnd.IntN(50_000))
		l.ExternalID = e.Kind.MessageCode() + pick("-a", "-b", "-aa") + strconv.Itoa(len(all))
		if e.Kind == casm.KindOfferSubscription {
			l.Offer = pick("gold", "silver")
		}
		if rnd.IntN(5) == 0 {
			l.Planned = e.Created + casm.Time(rnd.IntN(100_000))
			if rnd.IntN(2) == 0 {
				l.Due = l.Planned
			}
		}
		for h := range int64(3) {
			if rnd.IntN(3) == 0 {
				l.attributes = append(l.attributes, h-1)
			}
		}
		l.AttributesGained = l.attributes
		all = append(all, l)
		return &all[len(all)-1]
	}
	for range 12 {
		top := *add(w.customer(""), nil)
		all[len(all)-1].Test = rnd.IntN(4) == 0
		above := all[len(all)-1]
		for range 3 {
			account := *add(w.below(above.Entity, casm.KindAccount), &above)
			if rnd.IntN(2) == 0 {
				above = account
			}
			subscriber := add(w.below(account.Entity, casm.KindSubscriber), &account)
			if rnd.IntN(2) == 0 {
				subscriber.types = append(subscriber.types, pick("msisdn", "imsi"))
			}
			s := *subscriber
			add(w.below(s.Entity, casm.KindOfferSubscription), &s)
			add(w.below(top.Entity, casm.KindOfferSubscription), &top)
		}
	}
	var rows []store.Entity
	for i := range all {
		rows = append(rows, all[i].Entity)
		for _, t := range all[i].types {
			r := w.below(all[i].Entity, casm.KindSubscriberResource)
			r.State, r.LookupKey = "", t+store.Separator+"49"+strconv.Itoa(i)
			rows = append(rows, r)
		}
		if all[i].Kind == casm.KindSubscriber {
			ended := w.below(all[i].Entity, casm.KindSubscriberResource)
			ended.State, ended.LookupKey = "DEACTIVATED", "ipV4"+store.Separator+strconv.Itoa(i)
			rows = append(rows, ended)
		}
	}
	w.create(rows...)
	return all
}

// matches is what a query means, said once more.
func matches(l *listed, q *store.ListQuery) bool {
	anyOf := func(value string, of []string) bool { return of == nil || slices.Contains(of, value) }
	prefix := func(value string, of []string) bool {
		return of == nil || slices.ContainsFunc(of, func(p string) bool { return strings.HasPrefix(value, p) })
	}
	meets := func(have, want []uuid.UUID) bool {
		return want == nil || slices.ContainsFunc(have, func(id uuid.UUID) bool { return slices.Contains(want, id) })
	}
	due := q.DueAt != 0 && l.Due != 0 && l.Due <= q.DueAt
	return l.Kind == q.Kind &&
		(q.IDs == nil || slices.Contains(q.IDs, l.RefID)) &&
		(due || anyOf(l.State, q.States)) && (due || anyOf(l.Reason, q.Reasons)) &&
		anyOf(l.Segment, q.Segments) && anyOf(l.Offer, q.Offers) &&
		prefix(l.CustomName, q.CustomNames) && prefix(l.ExternalID, q.ExternalIDs) &&
		(q.Attributes == nil || slices.ContainsFunc(l.attributes, func(h int64) bool { return slices.Contains(q.Attributes, h) })) &&
		meets([]uuid.UUID{l.Customer}, q.Customers) && meets(l.accounts, q.Accounts) && meets([]uuid.UUID{l.Superior}, q.Subscribers) &&
		(q.ResourceTypes == nil || slices.ContainsFunc(l.types, func(t string) bool { return slices.Contains(q.ResourceTypes, t) })) &&
		l.Updated >= q.UpdatedSince &&
		(q.PlannedBefore == 0 || l.Planned != 0 && l.Planned < q.PlannedBefore) &&
		(q.Test == nil || l.Test == *q.Test)
}

func listFilters(w *world) {
	all := listWorld(w)
	rnd := rand.New(rand.NewPCG(1, 2))
	kinds := []casm.Kind{casm.KindCustomer, casm.KindAccount, casm.KindSubscriber, casm.KindOfferSubscription}
	yes := true
	found := 0
	for range 400 {
		q := store.ListQuery{Kind: kinds[rnd.IntN(len(kinds))], Limit: 1 + rnd.IntN(20), Scan: []int{3, 17, 10_000}[rnd.IntN(3)]}
		some := func() *listed { return &all[rnd.IntN(len(all))] }
		for range rnd.IntN(4) {
			switch rnd.IntN(15) {
			case 0:
				q.States = append(q.States, some().State)
			case 1:
				q.Reasons = append(q.Reasons, some().Reason)
			case 2:
				q.Segments = append(q.Segments, "b2b")
			case 3:
				q.Offers = append(q.Offers, "gold")
			case 4:
				q.CustomNames = append(q.CustomNames, []string{"Ann", "Ann%", "ä", "B"}[rnd.IntN(4)])
			case 5:
				q.ExternalIDs = append(q.ExternalIDs, q.Kind.MessageCode()+[]string{"-a", "-b1", ""}[rnd.IntN(3)])
			case 6:
				q.Attributes = append(q.Attributes, int64(rnd.IntN(4)-1))
			case 7:
				if q.Kind != casm.KindCustomer {
					q.Customers = append(q.Customers, some().Customer)
				}
			case 8:
				if s := some(); s.Kind == casm.KindAccount {
					q.Accounts = append(q.Accounts, s.RefID)
				}
			case 9:
				if s := some(); s.Kind == casm.KindSubscriber && q.Kind == casm.KindOfferSubscription {
					q.Subscribers = append(q.Subscribers, s.RefID)
				}
			case 10:
				if q.Kind == casm.KindSubscriber {
					q.ResourceTypes = append(q.ResourceTypes, []string{"msisdn", "imsi", "ipV4", "ms"}[rnd.IntN(4)])
				}
			case 11:
				q.UpdatedSince = some().Updated
			case 12:
				q.PlannedBefore = some().Updated + 50_000
			case 13:
				q.Test = &yes
			case 14:
				q.IDs = append(q.IDs, some().RefID, some().RefID)
			}
		}
		if rnd.IntN(2) == 0 {
			q.DueAt = some().Updated
		}
		var want []store.Entity
		for i := range all {
			if matches(&all[i], &q) {
				want = append(want, all[i].Entity)
			}
		}
		slices.SortFunc(want, func(a, b store.Entity) int {
			if c := cmp.Compare(a.Updated, b.Updated); c != 0 && q.UpdatedSince != 0 {
				return c
			}
			return cmp.Compare(string(a.RefID[:]), string(b.RefID[:]))
		})
		got := listAll(w, q)
		found += len(got)
		if !slices.Equal(ids(got), ids(want)) {
			w.Fatalf("%+v\n got %d %v\nwant %d %v", q, len(got), ids(got), len(want), ids(want))
		}
	}
	if found == 0 {
		w.Error("no query found anything")
	}
}

// listAll pages through a list.
func listAll(w *world, q store.ListQuery) (all []store.Entity) {
	w.Helper()
	for range 10_000 {
		var page store.ListPage
		w.view(func(r store.Reader) { page = must(r.List(w.ctx, q))(w) })
		if len(page.Entities) > q.Limit {
			w.Fatalf("%+v: a page of %d", q, len(page.Entities))
		}
		all = append(all, page.Entities...)
		if page.Next == nil {
			return all
		}
		q.After = *page.Next
	}
	w.Fatalf("%+v does not end", q)
	return nil
}

// listStable pages while others write: what stood before and after is there
// once.
func listStable(w *world) {
	var all []store.Entity
	for range 40 {
		all = append(all, w.customer(""))
	}
	w.create(all...)
	q := store.ListQuery{Kind: casm.KindCustomer, Limit: 7, Scan: 10}
	var got []store.Entity
	for n := 0; ; n++ {
		var page store.ListPage
		w.view(func(r store.Reader) { page = must(r.List(w.ctx, q))(w) })
		got = append(got, page.Entities...)
		if page.Next == nil {
			break
		}
		q.After = *page.Next
		if n < 3 {
			w.create(w.customer(""))
			w.commit(w.write(w.next(all[n], nil)))
		}
	}
	if n := len(slices.Compact(ids(got))); n != len(got) || !slices.Equal(ids(got)[:40], ids(sortEntities(all))) {
		w.Errorf("%d entities, %d different", len(got), n)
	}
}

// forget sets old request ids free and keeps the others.
func forget(w *world) {
	var sets []*store.WriteSet
	for range 5 {
		set := w.write(w.customer(""))
		w.commit(set)
		sets = append(sets, set)
	}
	before := sets[3].Transactions[0].At
	if n, err := w.store.Forget(w.ctx, before, 2); n != 2 || err != nil {
		w.Fatalf("forgot %d, %v", n, err)
	}
	if n, err := w.store.Forget(w.ctx, before, 2); n != 1 || err != nil {
		w.Fatalf("forgot %d, %v", n, err)
	}
	if n, err := w.store.Forget(w.ctx, before, 2); n != 0 || err != nil {
		w.Fatalf("forgot %d, %v", n, err)
	}
	for i, set := range sets {
		key := set.Transactions[0].Claim
		l := w.load(store.Needs{Requests: []store.ClaimKey{key}})
		if _, known := l.Transactions[key]; known != (i >= 3) {
			w.Errorf("request %d known: %t", i, known)
		}
	}
	again := w.write(w.customer(""))
	again.Transactions[0].RequestID, again.Transactions[0].Claim = sets[0].Transactions[0].RequestID, sets[0].Transactions[0].Claim
	again.Claims = []store.ClaimChange{take(again.Transactions[0].Claim, again.Transactions[0].ID)}
	w.commit(again)
}
