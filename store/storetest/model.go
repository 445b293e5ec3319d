package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"casm"
	"casm/store"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var modelTests = []test{{"RandomCommits", randomCommits}}

// model is what a store should hold, kept in the simplest way there is.
type model struct {
	claims   map[store.ClaimKey]uuid.UUID
	entities map[uuid.UUID]store.Entity
	log      []store.Entry // the journal
	position int64
	uses     map[store.CodeKey]int64
}

func (m *model) clone() *model {
	c := &model{
		claims: make(map[store.ClaimKey]uuid.UUID), entities: make(map[uuid.UUID]store.Entity),
		uses: make(map[store.CodeKey]int64), log: slices.Clone(m.log), position: m.position,
	}
	for k, v := range m.claims {
		c.claims[k] = v
	}
	for k, v := range m.entities {
		c.entities[k] = v
	}
	for k, v := range m.uses {
		c.uses[k] = v
	}
	return c
}

// sorted gives the model's entities that match in the order of their refId.
func (m *model) sorted(match func(store.Entity) bool) []store.Entity {
	var list []store.Entity
	for _, e := range m.entities {
		if match(e) {
			list = append(list, e)
		}
	}
	return sortEntities(list)
}

// randomCommits runs random commits, good and refused ones, against a store and
// a model, and compares what both give by every way of reading. All runs share
// one store, but each has names and entities of its own and begins at the end
// of the log, so that a failure can be had again and made smaller.
func randomCommits(w *world) {
	runs := 0
	rapid.Check(w.T, func(t *rapid.T) {
		runs++
		r := &round{w: w, t: t, name: fmt.Sprint(runs, "/"), start: w.head().Position}
		m := &model{
			claims: map[store.ClaimKey]uuid.UUID{}, entities: map[uuid.UUID]store.Entity{},
			uses: map[store.CodeKey]int64{}, position: r.start,
		}
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			m = r.commit(m)
		}
		if rapid.IntRange(0, 9).Draw(t, "reopen") == 9 {
			w.reopen()
		}
		r.compare(m)
	})
}

// round is one run of the property.
type round struct {
	w     *world
	t     *rapid.T
	name  string // begins every name of this run
	start int64  // the log's end before it
}

// names are few, so that they are taken, freed and taken again all the time.
func (r *round) names() []string { return []string{"", r.name + "a", r.name + "b", r.name + "ü"} }

func (r *round) codes() []store.CodeKey {
	return []store.CodeKey{{Collection: "offers", Code: r.name + "x"}, {Collection: "offers", Code: r.name + "y"}}
}

// commit commits a random set and returns the model after it.
func (r *round) commit(m *model) *model {
	next := m.clone()
	set := r.build(next)
	switch rapid.IntRange(0, 9).Draw(r.t, "fate") {
	case 8: // refused for something in it, after the rest was written
		set.Entities = append(set.Entities, store.Entity{Key: store.Key{Kind: casm.KindCustomer, RefID: newID()}, Doc: []byte("{}")})
		if _, err := r.w.try(set); err == nil {
			r.t.Fatal("poison was taken")
		}
		return m
	case 9:
		set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: store.Request(r.name, -1), From: newID()})
		if _, err := r.w.try(set); err == nil {
			r.t.Fatal("a claim that nobody holds was moved")
		}
		return m
	}
	head, err := r.w.try(set)
	r.no(err)
	r.equal("position", head.Position, next.position)
	return next
}

func (r *round) equal(what string, got, want any) {
	r.t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		r.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (r *round) no(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// build makes a set of a few operations and applies them to the model.
func (r *round) build(m *model) *store.WriteSet {
	before, changed := m.clone(), map[uuid.UUID]bool{}
	set := &store.WriteSet{Uses: map[store.CodeKey]int64{}}
	for range rapid.IntRange(0, 5).Draw(r.t, "operations") {
		tx := r.w.transaction()
		m.position++
		m.claims[tx.Claim] = tx.ID
		for range rapid.IntRange(0, 3).Draw(r.t, "changes") {
			e := r.entity(m)
			lines := store.Line(rapid.IntRange(0, 3).Draw(r.t, "lines"))
			m.entities[e.RefID], changed[e.RefID] = e, true
			tx.Changes = append(tx.Changes, change(e, lines))
			if rapid.IntRange(0, 4).Draw(r.t, "threshold") == 0 {
				tx.Changes = append(tx.Changes, threshold(e, 1))
			}
		}
		for i, c := range tx.Changes {
			head := tx
			head.Changes = nil
			m.log = append(m.log, store.Entry{Position: casm.Position{Transaction: m.position, Ordinal: int64(i)}, Transaction: head, Change: c})
		}
		set.Transactions = append(set.Transactions, tx)
		code := rapid.SampledFrom(r.codes()).Draw(r.t, "code")
		delta := max(rapid.Int64Range(-3, 4).Draw(r.t, "uses"), -m.uses[code])
		m.uses[code] += delta
		set.Uses[code] += delta
	}
	for id := range changed {
		set.Entities = append(set.Entities, m.entities[id])
	}
	for key, to := range m.claims {
		if from := before.claims[key]; from != to {
			set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: key, From: from, To: to})
		}
	}
	for key, from := range before.claims {
		if _, kept := m.claims[key]; !kept {
			set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: key, From: from})
		}
	}
	return set
}

// entity makes a new entity or the next version of one, and moves its claim.
func (r *round) entity(m *model) store.Entity {
	all := m.sorted(func(store.Entity) bool { return true })
	edit := func(e *store.Entity) {
		e.State = rapid.SampledFrom([]string{"ACTIVE", "SUSPENDED", "DEACTIVATED"}).Draw(r.t, "state")
		// Without the character 0: clients cannot give it, and not every database takes it.
		e.CustomName = strings.ReplaceAll(rapid.StringN(0, 6, -1).Draw(r.t, "name"), "\x00", "")
		e.LookupKey = rapid.SampledFrom(r.names()).Draw(r.t, "key")
		e.Due = casm.Time(rapid.IntRange(0, 5).Draw(r.t, "due"))
		e.Doc = append(e.Doc, ' ')
		id := rapid.SampledFrom(r.names()).Draw(r.t, "externalId")
		key := store.ExternalID(e.Kind, id)
		if holder, held := m.claims[key]; id != "" && held && holder != e.RefID {
			return // taken
		}
		if e.ExternalID != "" {
			delete(m.claims, store.ExternalID(e.Kind, e.ExternalID))
		}
		if e.ExternalID = id; id != "" {
			m.claims[key] = e.RefID
		}
	}
	if len(all) == 0 || rapid.IntRange(0, 2).Draw(r.t, "create") == 0 {
		e := r.w.customer("")
		if tops := m.sorted(func(e store.Entity) bool { return e.Kind < casm.KindSubscriber }); len(tops) > 0 && rapid.Bool().Draw(r.t, "below") {
			e = r.w.below(rapid.SampledFrom(tops).Draw(r.t, "above"), casm.KindAccount)
		}
		edit(&e)
		return e
	}
	return r.w.next(rapid.SampledFrom(all).Draw(r.t, "which"), edit)
}

// compare reads everything back that the last commits could have touched.
func (r *round) compare(m *model) {
	ctx := r.w.ctx
	err := r.w.store.View(ctx, func(rd store.Reader) error {
		head, err := rd.Head(ctx)
		r.no(err)
		r.equal("position", head.Position, m.position)

		entries, err := rd.Feed(ctx, casm.Position{Transaction: r.start, Ordinal: math.MaxInt32}, store.FeedFilter{}, len(m.log)+1)
		r.no(err)
		r.equal("feed", bare(entries), m.log)

		r.claims(rd, m)
		r.uses(rd, m)
		for _, e := range m.entities {
			r.history(rd, m, e)
			r.below(rd, m, e)
		}
		for _, key := range r.names()[1:] {
			got, err := rd.ByLookupKey(ctx, casm.KindAccount, key)
			r.no(err)
			r.equal("by key", got, m.sorted(func(e store.Entity) bool { return e.LookupKey == key && e.Kind == casm.KindAccount }))
		}
		due, err := rd.Due(ctx, 3, 100_000)
		r.no(err)
		due = slices.DeleteFunc(due, func(e store.Entity) bool { return m.entities[e.RefID].Version == 0 }) // of other runs
		want := m.sorted(func(e store.Entity) bool { return e.Due > 0 && e.Due <= 3 })
		slices.SortStableFunc(want, func(x, y store.Entity) int { return int(x.Due - y.Due) })
		r.equal("due", due, want)
		return nil
	})
	r.no(err)
}

func (r *round) claims(rd store.Reader, m *model) {
	var needs store.Needs
	want := make(map[store.ClaimKey]uuid.UUID)
	holders := make(map[uuid.UUID]bool)
	for _, kind := range []casm.Kind{casm.KindCustomer, casm.KindAccount} {
		for _, id := range r.names()[1:] {
			key := store.ExternalID(kind, id)
			needs.Claims = append(needs.Claims, key)
			if holder, held := m.claims[key]; held {
				want[key] = holder
				for id := holder; id != uuid.Nil; id = m.entities[id].Superior {
					holders[id] = true
				}
				holders[m.entities[holder].Customer] = true
			}
		}
	}
	l, err := rd.Load(r.w.ctx, needs)
	r.no(err)
	r.equal("claims", l.Claims, want)
	r.equal("holders", sortEntities(l.Entities), m.sorted(func(e store.Entity) bool { return holders[e.RefID] }))
}

func (r *round) uses(rd store.Reader, m *model) {
	uses, err := rd.Uses(r.w.ctx, r.codes())
	r.no(err)
	for _, code := range r.codes() {
		r.equal("uses", uses[code], m.uses[code])
	}
}

func (r *round) history(rd store.Reader, m *model, e store.Entity) {
	var all, state []store.Entry
	for _, entry := range slices.Backward(m.log) {
		if entry.Key == e.Key && entry.Threshold == 0 {
			all = append(all, entry)
			if entry.Lines&store.LineState != 0 {
				state = append(state, entry)
			}
		}
	}
	got, err := rd.History(r.w.ctx, e.Key, 0, 0, len(all)+1)
	r.no(err)
	r.equal("history", bare(got), all)
	got, err = rd.History(r.w.ctx, e.Key, 0, store.LineState, len(all)+1)
	r.no(err)
	r.equal("history of the state", bare(got), state)

	for _, entry := range all {
		versions, err := rd.AsOf(r.w.ctx, []store.Key{e.Key}, entry.At)
		r.no(err)
		r.equal("as of", versions, []store.Change{entry.Change})
	}
}

func (r *round) below(rd store.Reader, m *model, e store.Entity) {
	for _, deep := range []bool{false, true} {
		want := m.sorted(func(c store.Entity) bool {
			return c.Kind == casm.KindAccount && (c.Superior == e.RefID && !deep || c.Customer == e.RefID && deep)
		})
		q := store.ChildQuery{Of: e.RefID, Kind: casm.KindAccount, Deep: deep, Limit: len(want) + 1}
		got, err := rd.Children(r.w.ctx, q)
		r.no(err)
		r.equal(fmt.Sprint("below, deep ", deep), got, want)

		q.DeactivatedLast = true
		slices.SortStableFunc(want, func(x, y store.Entity) int {
			switch gone := x.State == "DEACTIVATED"; {
			case gone == (y.State == "DEACTIVATED"):
				return 0
			case gone:
				return 1
			}
			return -1
		})
		got, err = rd.Children(r.w.ctx, q)
		r.no(err)
		r.equal(fmt.Sprint("below with deactivated last, deep ", deep), got, want)
	}
}
