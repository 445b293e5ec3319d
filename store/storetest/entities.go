package storetest

import (
	"fmt"
	"slices"
	"strings"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var entityTests = []test{
	{"AllFields", allFields},
	{"DocumentsAreExact", documentsAreExact},
	{"Change", entityChange},
	{"LoadAbove", loadAbove},
	{"LoadHolders", loadHolders},
	{"LoadOnce", loadOnce},
	{"LoadParts", loadParts},
	{"ExternalIDs", externalIDs},
	{"Find", find},
	{"Children", children},
	{"ChildrenPages", childrenPages},
	{"ChildrenOf", childrenOf},
	{"ByLookupKey", byLookupKey},
	{"Due", due},
}

// full returns an entity with a value in every field.
func (w *world) full() store.Entity {
	top := w.customer("")
	account := w.below(top, casm.KindAccount)
	e := w.below(account, casm.KindOfferSubscription)
	e.Version = 7
	e.ExternalID, e.LookupKey = "ext-ü", "msisdn"+store.Separator+"4917"
	e.State, e.Reason, e.Segment, e.Offer, e.CustomName = "SUSPENDED", "debt", "b2b", "offer_code", "名前 \"quoted\""
	e.Test = true
	e.Due, e.Planned = w.tick(), w.tick()
	e.Link = newID()
	w.create(top, account)
	return e
}

func allFields(w *world) {
	e := w.full()
	w.commit(&store.WriteSet{Entities: []store.Entity{e}})
	same(w, "entity", w.entity(e.Key), e)
	// And all of them empty again.
	bare := store.Entity{
		Key: e.Key, Version: 8, Customer: e.Customer, State: "ACTIVE", Created: casm.MinTime, Updated: casm.MaxTime - 1, Doc: []byte("{}"),
	}
	w.commit(&store.WriteSet{Entities: []store.Entity{bare}})
	same(w, "emptied entity", w.entity(e.Key), bare)
	c := w.customer("")
	w.commit(&store.WriteSet{Entities: []store.Entity{c}})
	same(w, "customer", w.entity(c.Key), c)
}

func documentsAreExact(w *world) {
	for _, doc := range []string{
		`{}`,
		`{"b":1,"a":2,"b2":{"z":null,"y":[]}}`,
		" {\t\"a\" :\r\n 1.0 , \"b\":1e3,\"c\":9007199254740991 } \n",
		`{"a":"ä 😀 \u00e4 \ud83d\ude00 \/ \u0000","` + "\u2028\u00a0\ufeff" + `":"e` + "\u0301" + `"}`,
		`{"a":"` + strings.Repeat("long ü ", 80_000) + `"}`,
	} {
		c := w.customer("")
		c.Doc = []byte(doc)
		w.create(c)
		if got := string(w.entity(c.Key).Doc); got != doc {
			w.Errorf("document %.60q came back as %.60q", doc, got)
		}
		w.view(func(r store.Reader) {
			versions := must(r.Versions(w.ctx, []store.VersionKey{{Key: c.Key, Version: 1}}))(w)
			if len(versions) != 1 || string(versions[0].Doc) != doc {
				w.Errorf("document %.60q is not so in the journal", doc)
			}
		})
	}
}

// entityChange changes single fields, indexed ones among them, and looks
// whether everything that finds by them follows.
func entityChange(w *world) {
	top, other := w.customer(""), w.customer("")
	a := w.below(top, casm.KindAccount)
	w.create(top, other, a)
	for i, edit := range []func(*store.Entity){
		func(e *store.Entity) { e.CustomName = "name" },
		func(e *store.Entity) { e.Superior = other.RefID },
		func(e *store.Entity) { e.Customer = other.RefID },
		func(e *store.Entity) { e.Due = w.tick() },
		func(e *store.Entity) { e.State = "SUSPENDED" },
		func(e *store.Entity) { e.Due = w.tick() },
		func(e *store.Entity) { e.LookupKey = "key" },
		func(e *store.Entity) { e.Due = 0 },
		func(e *store.Entity) { e.LookupKey = "" },
	} {
		a = w.next(a, edit)
		w.create(a)
		same(w, fmt.Sprint("change ", i), w.entity(a.Key), a)
		w.view(func(r store.Reader) {
			for _, of := range []store.Entity{top, other} {
				q := store.ChildQuery{Of: of.RefID, Kind: a.Kind, Limit: 9}
				same(w, "directly below", len(must(r.Children(w.ctx, q))(w)) == 1, a.Superior == of.RefID)
				q.Deep = true
				same(w, "below", len(must(r.Children(w.ctx, q))(w)) == 1, a.Customer == of.RefID)
			}
			same(w, "due", len(must(r.Due(w.ctx, casm.MaxTime, 9))(w)) == 1, a.Due != 0)
			same(w, "found by key", len(must(r.ByLookupKey(w.ctx, a.Kind, "key"))(w)) == 1, a.LookupKey != "")
		})
	}
}

func loadAbove(w *world) {
	top, stranger := w.customer(""), w.customer("")
	account := w.below(top, casm.KindAccount)
	sub := w.below(account, casm.KindAccount)
	subscriber := w.below(sub, casm.KindSubscriber)
	parent := w.below(top, casm.KindOfferSubscription)
	sibling := w.below(subscriber, casm.KindSubscriber)
	subscription := w.below(subscriber, casm.KindOfferSubscription)
	subscription.Link = parent.RefID
	all := []store.Entity{top, account, sub, subscriber, parent, subscription}
	w.create(append(all, stranger, sibling)...)
	same(w, "a subscription with all above", sortEntities(w.load(store.Needs{Entities: keys(subscription)}).Entities), sortEntities(all))
	same(w, "a sub-account with all above", sortEntities(w.load(store.Needs{Entities: keys(sub)}).Entities),
		sortEntities([]store.Entity{top, account, sub}))
	same(w, "a customer", w.load(store.Needs{Entities: keys(top)}).Entities, []store.Entity{top})
	same(w, "several", sortEntities(w.load(store.Needs{Entities: keys(sub, stranger, parent)}).Entities),
		sortEntities([]store.Entity{top, account, sub, stranger, parent}))
}

func loadHolders(w *world) {
	top := w.customer("c")
	account := w.below(top, casm.KindAccount)
	subscriber := w.below(account, casm.KindSubscriber)
	resource := w.below(subscriber, casm.KindSubscriberResource)
	set := w.write(top, account, subscriber, resource)
	key := store.Resource("msisdn", "4917")
	set.Claims = append(set.Claims, take(key, resource.RefID))
	w.commit(set)

	l := w.load(store.Needs{Claims: []store.ClaimKey{key, store.Resource("msisdn", "0"), store.ExternalID(casm.KindAccount, "c")}})
	same(w, "claims", l.Claims, map[store.ClaimKey]uuid.UUID{key: resource.RefID})
	same(w, "the holder with all above", sortEntities(l.Entities), sortEntities([]store.Entity{top, account, subscriber, resource}))
	l = w.load(store.Needs{Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, "c")}})
	same(w, "holder of an external id", l.Entities, []store.Entity{top})
	// A request's claim is held by a transaction, which is no entity.
	request := set.Transactions[0].Claim
	l = w.load(store.Needs{Claims: []store.ClaimKey{request}})
	same(w, "a request's claim", l.Claims, map[store.ClaimKey]uuid.UUID{request: set.Transactions[0].ID})
	same(w, "entities of a request's claim", l.Entities, nil)
}

func loadOnce(w *world) {
	top := w.customer("c")
	account := w.below(top, casm.KindAccount)
	w.create(top, account)
	l := w.load(store.Needs{
		Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, "c"), store.ExternalID(casm.KindCustomer, "c")},
		Entities: []store.Key{
			account.Key, top.Key, account.Key,
			{Kind: casm.KindAccount, RefID: newID()},          // unknown
			{Kind: casm.KindSubscriber, RefID: account.RefID}, // of another kind
			{},
		},
	})
	same(w, "entities", sortEntities(l.Entities), sortEntities([]store.Entity{top, account}))
	wrong := w.load(store.Needs{Entities: []store.Key{{Kind: casm.KindSubscriber, RefID: account.RefID}}})
	same(w, "one of another kind", wrong.Entities, nil)
	if (&store.Needs{}).Empty() && l.Now == 0 {
		w.Error("no clock")
	}
}

// loadParts: a subscriber that is named comes with its resources, a
// subscription with its balances; what stands above something named does not.
func loadParts(w *world) {
	top := w.customer("")
	subscriber, other := w.below(top, casm.KindSubscriber), w.below(top, casm.KindSubscriber)
	subscriber.ExternalID = "s"
	subscription := w.below(subscriber, casm.KindOfferSubscription)
	var resources, balances []store.Entity
	for range 3 {
		resources = append(resources, w.below(subscriber, casm.KindSubscriberResource))
		balances = append(balances, w.below(subscription, casm.KindBalance))
	}
	resources[1].State, balances[2].State = "DEACTIVATED", "DEACTIVATED"
	foreign := w.below(other, casm.KindSubscriberResource)
	w.create(append(append(slices.Clone(resources), balances...), top, subscriber, other, subscription, foreign)...)
	load := func(what string, needs store.Needs, want ...store.Entity) {
		w.Helper()
		same(w, what, sortEntities(w.load(needs).Entities), sortEntities(want))
		_, err := w.store.Commit(w.ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			same(w, what+" in Commit", sortEntities(l.Entities), sortEntities(want))
			return nil, nil
		})
		if err != nil {
			w.Error(err)
		}
	}
	load("a subscriber", store.Needs{Entities: keys(subscriber)}, top, subscriber, resources[0], resources[2])
	load("by its external id", store.Needs{Claims: []store.ClaimKey{store.ExternalID(casm.KindSubscriber, "s")}},
		top, subscriber, resources[0], resources[2])
	load("a subscription", store.Needs{Entities: keys(subscription)}, top, subscriber, subscription, balances[0], balances[1])
	load("both, and a part", store.Needs{Entities: keys(subscription, subscriber, resources[0])},
		top, subscriber, subscription, balances[0], balances[1], resources[0], resources[2])
	load("a part", store.Needs{Entities: keys(resources[0])}, top, subscriber, resources[0])
}

func externalIDs(w *world) {
	a, b, none := w.customer("a"), w.customer("ü😀"), w.customer("")
	w.create(a, b, none)
	asked := append(keys(a, b, none), store.Key{Kind: casm.KindAccount, RefID: a.RefID}, store.Key{Kind: casm.KindCustomer, RefID: newID()})
	w.view(func(r store.Reader) {
		same(w, "external ids", must(r.ExternalIDs(w.ctx, asked))(w), map[uuid.UUID]string{a.RefID: "a", b.RefID: "ü😀"})
		same(w, "of none", must(r.ExternalIDs(w.ctx, nil))(w), nil)
	})
}

// find is for stores that are a store.Finder.
func find(w *world) {
	finder, can := w.store.(store.Finder)
	if !can {
		w.Skip("this store is no Finder")
	}
	top, owner := w.customer("c"), w.customer("")
	account := w.below(top, casm.KindAccount)
	linked, subscription := w.below(account, casm.KindOfferSubscription), w.below(account, casm.KindOfferSubscription)
	linked.ExternalID, subscription.ExternalID, subscription.Link = "ü😀", "s", linked.RefID
	subscription.Due = w.tick()
	w.create(top, owner, account, linked, subscription)
	look := func(what string, kind casm.Kind, refID uuid.UUID, externalID string, want *store.Found) {
		w.Helper()
		got := must(finder.Find(w.ctx, store.Key{Kind: kind, RefID: refID}, externalID))(w)
		if got != nil {
			if got.Now == 0 {
				w.Errorf("%s: no time", what)
			}
			got.Now = 0
		}
		same(w, what, got, want)
	}
	whole := &store.Found{
		Key: subscription.Key, Version: 1, Due: subscription.Due, Doc: subscription.Doc,
		Around: [3]store.Neighbour{{RefID: account.RefID}, {RefID: top.RefID, ExternalID: "c"}, {RefID: linked.RefID, ExternalID: "ü😀"}},
	}
	look("by refId", casm.KindOfferSubscription, subscription.RefID, "", whole)
	look("by external id", casm.KindOfferSubscription, uuid.Nil, "s", whole)
	look("a customer", casm.KindCustomer, uuid.Nil, "c", &store.Found{Key: top.Key, Version: 1, Doc: top.Doc})
	look("one without external id", casm.KindCustomer, owner.RefID, "", &store.Found{Key: owner.Key, Version: 1, Doc: owner.Doc})
	look("another kind", casm.KindAccount, subscription.RefID, "", nil)
	look("another kind's external id", casm.KindAccount, uuid.Nil, "s", nil)
	look("nothing", casm.KindCustomer, newID(), "", nil)
}

func children(w *world) {
	top := w.customer("")
	var direct []store.Entity
	for i := range 6 {
		a := w.below(top, casm.KindAccount)
		if i%2 == 0 {
			a.State = "DEACTIVATED"
		}
		direct = append(direct, a)
	}
	sub := w.below(direct[1], casm.KindAccount)
	subscriber := w.below(sub, casm.KindSubscriber)
	elsewhere := w.below(w.customer(""), casm.KindAccount)
	w.create(append(slices.Clone(direct), top, sub, subscriber, elsewhere)...)
	active, gone := []store.Entity{direct[1], direct[3], direct[5]}, []store.Entity{direct[0], direct[2], direct[4]}
	for name, c := range map[string]struct {
		q    store.ChildQuery
		want []store.Entity
	}{
		"directly below":           {store.ChildQuery{}, direct},
		"of another kind":          {store.ChildQuery{Kind: casm.KindSubscriber}, nil},
		"deep":                     {store.ChildQuery{Deep: true}, append(slices.Clone(direct), sub)},
		"deep of another kind":     {store.ChildQuery{Deep: true, Kind: casm.KindSubscriber}, []store.Entity{subscriber}},
		"the customer is not":      {store.ChildQuery{Deep: true, Kind: casm.KindCustomer}, nil},
		"below a sub-account":      {store.ChildQuery{Of: sub.RefID, Kind: casm.KindSubscriber}, []store.Entity{subscriber}},
		"not deactivated":          {store.ChildQuery{SkipDeactivated: true}, active},
		"deactivated last":         {store.ChildQuery{DeactivatedLast: true}, append(slices.Clone(active), gone...)},
		"deactivated last, few":    {store.ChildQuery{DeactivatedLast: true, Limit: 2}, active[:2]},
		"deactivated last, more":   {store.ChildQuery{DeactivatedLast: true, Limit: 4}, append(slices.Clone(active), gone[0])},
		"deactivated last and not": {store.ChildQuery{DeactivatedLast: true, SkipDeactivated: true}, active},
		"created by then":          {store.ChildQuery{CreatedBefore: direct[2].Created}, direct[:3]},
		"all of it":                {store.ChildQuery{CreatedBefore: direct[3].Created, SkipDeactivated: true, After: direct[1].RefID}, direct[3:4]},
		"of nothing":               {store.ChildQuery{Of: newID()}, nil},
	} {
		if c.q.Of == uuid.Nil {
			c.q.Of = top.RefID
		}
		if c.q.Kind == 0 {
			c.q.Kind = casm.KindAccount
		}
		if c.q.Limit == 0 {
			c.q.Limit = 100
		}
		w.view(func(r store.Reader) { same(w, name, must(r.Children(w.ctx, c.q))(w), c.want) })
	}
}

func childrenPages(w *world) {
	top := w.customer("")
	all := []store.Entity{top}
	for range 23 {
		all = append(all, w.below(top, casm.KindAccount))
	}
	w.create(all...)
	for _, deep := range []bool{false, true} {
		q := store.ChildQuery{Of: top.RefID, Kind: casm.KindAccount, Deep: deep, Limit: 5}
		var got []store.Entity
		for {
			var page []store.Entity
			w.view(func(r store.Reader) { page = must(r.Children(w.ctx, q))(w) })
			if len(page) == 0 {
				break
			}
			if got = append(got, page...); len(got) >= len(all) {
				w.Fatalf("%d children, want %d", len(got), len(all)-1)
			}
			q.After = page[len(page)-1].RefID
		}
		same(w, "all pages", ids(got), ids(sortEntities(all[1:])))
	}
}

// childrenOf: what is below several is what is below each.
func childrenOf(w *world) {
	top := w.customer("")
	all := []store.Entity{top}
	of := []uuid.UUID{newID(), top.RefID}
	for range 3 {
		account := w.below(top, casm.KindAccount)
		of, all = append(of, account.RefID), append(all, account)
		for range 3 {
			all = append(all, w.below(account, casm.KindSubscriber), w.below(account, casm.KindAccount))
		}
		gone := w.below(account, casm.KindAccount)
		gone.State = "DEACTIVATED"
		all = append(all, gone)
	}
	w.create(all...)
	for _, kind := range casm.Kinds {
		for _, skip := range []bool{false, true} {
			for limit := 1; limit < 6; limit++ {
				w.view(func(r store.Reader) {
					want := map[uuid.UUID][]store.Entity{}
					for _, id := range of {
						if below := must(r.Children(w.ctx, store.ChildQuery{Of: id, Kind: kind, SkipDeactivated: skip, Limit: limit}))(w); len(below) > 0 {
							want[id] = below
						}
					}
					same(w, fmt.Sprint(kind, skip, limit), must(r.ChildrenOf(w.ctx, of, kind, skip, limit))(w), want)
				})
			}
		}
	}
}

func byLookupKey(w *world) {
	key := "msisdn" + store.Separator + "4917"
	top := w.customer("")
	first, second := w.below(top, casm.KindSubscriberResource), w.below(top, casm.KindSubscriberResource)
	other, account := w.below(top, casm.KindSubscriberResource), w.below(top, casm.KindAccount)
	first.LookupKey, second.LookupKey, account.LookupKey, other.LookupKey = key, key, key, key+"0"
	first.State = "DEACTIVATED"
	w.create(top, second, first, other, account)
	w.view(func(r store.Reader) {
		same(w, "with the key", must(r.ByLookupKey(w.ctx, casm.KindSubscriberResource, key))(w), []store.Entity{first, second})
		same(w, "without a key", must(r.ByLookupKey(w.ctx, casm.KindCustomer, ""))(w), nil)
	})
}

func due(w *world) {
	var all []store.Entity
	for i := range 5 {
		c := w.customer("")
		c.Due = casm.MinTime + casm.Time(100-10*i)
		all = append(all, c)
	}
	never := w.customer("")
	same2 := w.customer("")
	same2.Due = all[4].Due
	w.create(append(slices.Clone(all), never, same2)...)
	w.view(func(r store.Reader) {
		at := func(t casm.Time, limit int) []uuid.UUID { return ids(must(r.Due(w.ctx, t, limit))(w)) }
		same(w, "up to the third", at(all[2].Due, 10), ids([]store.Entity{all[4], same2, all[3], all[2]}))
		same(w, "the first two", at(casm.MaxTime, 2), ids([]store.Entity{all[4], same2}))
		same(w, "before all", at(all[4].Due-1, 10), nil)
	})
	w.create(w.next(all[4], func(e *store.Entity) { e.Due = 0 }))
	w.view(func(r store.Reader) {
		same(w, "after one was done", ids(must(r.Due(w.ctx, all[3].Due, 10))(w)), ids([]store.Entity{same2, all[3]}))
	})
}
