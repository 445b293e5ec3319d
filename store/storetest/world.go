package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"casm"
	"casm/store"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

// world is one test's store, with short ways to write and read.
type world struct {
	*testing.T
	ctx   context.Context
	store store.Store
	open  Open
	now   atomic.Int64 // the tests' own clock; each reading is later than the one before
}

func newWorld(t *testing.T, open Open) *world {
	w := &world{T: t, ctx: context.Background(), open: open, store: open(t)}
	w.now.Store(int64(casm.MinTime) + 1_800_000_000_000_000)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return w
}

// reopen closes the store and opens its data again.
func (w *world) reopen() {
	w.Helper()
	if err := w.store.Close(); err != nil {
		w.Fatalf("Close: %v", err)
	}
	w.store = w.open(w.T)
}

// tick returns the next instant.
func (w *world) tick() casm.Time { return casm.Time(w.now.Add(1_000)) }

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// customer returns a new customer at version 1.
func (w *world) customer(externalID string) store.Entity {
	e := w.below(store.Entity{}, casm.KindCustomer)
	e.ExternalID = externalID
	return e
}

// below returns a new entity at version 1 directly below another.
func (w *world) below(above store.Entity, kind casm.Kind) store.Entity {
	e := store.Entity{
		Key: store.Key{Kind: kind, RefID: newID()}, Version: 1, Customer: above.Customer, Superior: above.RefID,
		State: "ACTIVE", Reason: "dfltActive", Created: w.tick(),
	}
	if kind == casm.KindCustomer {
		e.Customer = e.RefID
	}
	e.Updated = e.Created
	e.Doc = fmt.Appendf(nil, `{"refId":%q,"version":1}`, e.RefID)
	return e
}

// next returns the entity's next version, changed by edit.
func (w *world) next(e store.Entity, edit func(*store.Entity)) store.Entity {
	e.Version++
	e.Updated = w.tick()
	e.Doc = fmt.Appendf(nil, `{"refId":%q,"version":%d}`, e.RefID, e.Version)
	if edit != nil {
		edit(&e)
	}
	return e
}

// change returns the journal row of an entity's version.
func change(e store.Entity, lines store.Line) store.Change {
	event := "updated"
	if e.Version == 1 {
		event = "created"
	}
	return store.Change{
		Key: e.Key, Version: e.Version, Customer: e.Customer, Event: event, Lines: lines, At: e.Updated, Doc: e.Doc,
	}
}

// transaction returns one under a request id of its own.
func (w *world) transaction(changes ...store.Change) store.Transaction {
	return w.request(uuid.NewString(), changes...)
}

// request returns a transaction under a request id outside of a batch.
func (w *world) request(requestID string, changes ...store.Change) store.Transaction {
	return store.Transaction{
		ID: newID(), RequestID: requestID, Operation: "test", At: w.tick(), Actor: "tester",
		Claim: store.Request(requestID, -1), Changes: changes,
	}
}

// take is the claim of something free.
func take(key store.ClaimKey, holder uuid.UUID) store.ClaimChange {
	return store.ClaimChange{ClaimKey: key, To: holder}
}

// write returns a set with entities as they are, each with a journal row in one
// transaction. First versions take their external id.
func (w *world) write(entities ...store.Entity) *store.WriteSet {
	t := w.transaction()
	set := &store.WriteSet{Claims: []store.ClaimChange{take(t.Claim, t.ID)}, Entities: entities}
	for _, e := range entities {
		if e.ExternalID != "" && e.Version == 1 {
			set.Claims = append(set.Claims, take(store.ExternalID(e.Kind, e.ExternalID), e.RefID))
		}
		t.Changes = append(t.Changes, change(e, store.LineState))
	}
	set.Transactions = []store.Transaction{t}
	return set
}

// commit commits a set that depends on nothing.
func (w *world) commit(set *store.WriteSet) store.Head {
	w.Helper()
	head, err := w.try(set)
	if err != nil {
		w.Fatalf("Commit: %v", err)
	}
	return head
}

func (w *world) try(set *store.WriteSet) (store.Head, error) {
	return w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		return set, nil
	})
}

// create commits new entities.
func (w *world) create(entities ...store.Entity) store.Head {
	w.Helper()
	return w.commit(w.write(entities...))
}

// view runs fn on a snapshot.
func (w *world) view(fn func(r store.Reader)) {
	w.Helper()
	if err := w.store.View(w.ctx, func(r store.Reader) error { fn(r); return nil }); err != nil {
		w.Fatalf("View: %v", err)
	}
}

// load loads what is named, from a snapshot.
func (w *world) load(needs store.Needs) *store.Loaded {
	w.Helper()
	var l *store.Loaded
	w.view(func(r store.Reader) { l = must(r.Load(w.ctx, needs))(w) })
	return l
}

// entity loads one entity; the zero Entity when there is none.
func (w *world) entity(key store.Key) store.Entity {
	w.Helper()
	for _, e := range w.load(store.Needs{Entities: []store.Key{key}}).Entities {
		if e.Key == key {
			return e
		}
	}
	return store.Entity{}
}

// head reads the end of the log.
func (w *world) head() store.Head {
	w.Helper()
	return w.load(store.Needs{}).Head
}

// feed reads the whole journal in pages of a size.
func (w *world) feed(filter store.FeedFilter, page int) (all []store.Entry) {
	w.Helper()
	after := casm.Start
	for {
		var entries []store.Entry
		w.view(func(r store.Reader) { entries = must(r.Feed(w.ctx, after, filter, page))(w) })
		if len(entries) == 0 {
			return all
		}
		all = append(all, entries...)
		last := entries[len(entries)-1].Position
		if last.Compare(after) <= 0 {
			w.Fatalf("the feed after %v ends at %v", after, last)
		}
		after = last
	}
}

// parallel runs fn n times at once and waits.
func (w *world) parallel(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

// must passes on the value of a call that should not fail: must(call)(w).
func must[T any](v T, err error) func(w *world) T {
	return func(w *world) T {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
		return v
	}
}

// same compares what was read with what was written.
func same[T any](w *world, what string, got, want T) {
	w.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// sortEntities gives results that have no order one.
func sortEntities(entities []store.Entity) []store.Entity {
	return slices.SortedFunc(slices.Values(entities), func(x, y store.Entity) int {
		return slices.Compare(x.RefID[:], y.RefID[:])
	})
}

func sortChanges(changes []store.Change) []store.Change {
	return slices.SortedFunc(slices.Values(changes), func(x, y store.Change) int {
		return cmp.Or(slices.Compare(x.RefID[:], y.RefID[:]), cmp.Compare(x.Version, y.Version))
	})
}

// ids gives the refIds of entities in their order.
func ids(entities []store.Entity) []uuid.UUID {
	list := make([]uuid.UUID, len(entities))
	for i := range entities {
		list[i] = entities[i].RefID
	}
	return list
}

// keys gives the keys of entities.
func keys(entities ...store.Entity) []store.Key {
	list := make([]store.Key, len(entities))
	for i := range entities {
		list[i] = entities[i].Key
	}
	return list
}
