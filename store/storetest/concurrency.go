package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var concurrencyTests = []test{
	{"HotEntity", hotEntity},
	{"CircleOfParents", circleOfParents},
	{"CascadeAgainstCreate", cascadeAgainstCreate},
	{"SnapshotUnderWriters", snapshotUnderWriters},
	{"FeedUnderWriters", feedUnderWriters},
}

// hotEntity: 64 callers change one entity, and none of the changes is lost.
func hotEntity(w *world) {
	const callers, each = 64, 4
	c := w.customer("hot")
	w.create(c)
	w.parallel(callers, func(int) {
		for range each {
			_, err := w.store.Commit(w.ctx, store.Needs{Entities: keys(c)}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				return w.write(w.next(l.Entities[0], nil)), nil
			})
			if err != nil {
				w.Error(err)
			}
		}
	})
	same(w, "version", w.entity(c.Key).Version, 1+callers*each)
	w.view(func(r store.Reader) {
		history := must(r.History(w.ctx, c.Key, 0, 0, 1000))(w)
		for i, e := range history {
			if want := int64(len(history) - i); e.Version != want || e.Position.Transaction != want {
				w.Fatalf("row %d from the newest: version %d at %v", i, e.Version, e.Position)
			}
		}
		same(w, "versions", len(history), 1+callers*each)
	})
}

var errCircle = errors.New("circle")

// circleOfParents: accounts are put below each other at once, each way alone
// being allowed. Load sees all above, so no circle comes about.
func circleOfParents(w *world) {
	const n = 8
	top := w.customer("")
	accounts := make([]store.Entity, n)
	for i := range accounts {
		accounts[i] = w.below(top, casm.KindAccount)
	}
	w.create(append([]store.Entity{top}, accounts...)...)
	var mu sync.Mutex
	moved := 0
	w.parallel(n, func(i int) {
		child, parent := accounts[i].Key, accounts[(i+1)%n].Key
		_, err := w.store.Commit(w.ctx, store.Needs{Entities: []store.Key{child, parent}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			at := make(map[uuid.UUID]store.Entity)
			for _, e := range l.Entities {
				at[e.RefID] = e
			}
			for id := parent.RefID; id != uuid.Nil; id = at[id].Superior {
				if id == child.RefID {
					return nil, errCircle
				}
				if _, ok := at[id]; !ok {
					return nil, fmt.Errorf("%s, which is above, was not loaded", id)
				}
			}
			return w.write(w.next(at[child.RefID], func(e *store.Entity) { e.Superior = parent.RefID })), nil
		})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			moved++
		} else if err != errCircle {
			w.Error(err)
		}
	})
	same(w, "accounts moved", moved, n-1)
	// From the bottom one a single chain goes through all of them to the customer.
	longest := 0
	for _, a := range accounts {
		longest = max(longest, len(w.load(store.Needs{Entities: keys(a)}).Entities))
	}
	same(w, "longest chain", longest, n+1)
}

// cascadeAgainstCreate: a customer and all below it are deactivated while
// accounts are created below it. None is left active below a deactivated one.
func cascadeAgainstCreate(w *world) {
	top := w.customer("")
	w.create(top)
	needs := store.Needs{Entities: keys(top)}
	gone := errors.New("the customer is deactivated")
	const n = 16
	w.parallel(n, func(i int) {
		if i == n/2 {
			_, err := w.store.Commit(w.ctx, needs, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				all := l.Entities
				below, err := r.Children(w.ctx, store.ChildQuery{Of: top.RefID, Deep: true, Kind: casm.KindAccount, Limit: 100})
				if err != nil {
					return nil, err
				}
				all = append(all, below...)
				for i := range all {
					all[i] = w.next(all[i], func(e *store.Entity) { e.State = "DEACTIVATED" })
				}
				return w.write(all...), nil
			})
			if err != nil {
				w.Error(err)
			}
			return
		}
		_, err := w.store.Commit(w.ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			if l.Entities[0].State == "DEACTIVATED" {
				return nil, gone
			}
			return w.write(w.below(l.Entities[0], casm.KindAccount)), nil
		})
		if err != nil && err != gone {
			w.Error(err)
		}
	})
	w.view(func(r store.Reader) {
		active := must(r.Children(w.ctx, store.ChildQuery{Of: top.RefID, Kind: casm.KindAccount, SkipDeactivated: true, Limit: 100}))(w)
		same(w, "active below a deactivated customer", ids(active), nil)
	})
}

// snapshotUnderWriters: what a View reads holds together, however long it takes.
func snapshotUnderWriters(w *world) {
	a, b := w.customer("a"), w.customer("b")
	w.create(a, b)
	w.view(func(r store.Reader) {
		first := must(r.Load(w.ctx, store.Needs{Entities: keys(a)}))(w)
		w.create(w.next(a, nil), w.next(b, nil))
		second := must(r.Load(w.ctx, store.Needs{Entities: keys(b)}))(w)
		same(w, "version of the one", first.Entities[0].Version, 1)
		same(w, "version of the other", second.Entities[0].Version, 1)
		same(w, "head", second.Head, first.Head)
		same(w, "journal", len(must(r.Feed(w.ctx, casm.Start, store.FeedFilter{}, 10))(w)), 2)
	})
	same(w, "version after", w.entity(b.Key).Version, 2)
}

// feedUnderWriters: readers that follow the journal by position while it grows
// get each row once, in its order, without a gap.
func feedUnderWriters(w *world) {
	const writers, each, perTransaction = 8, 12, 3
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			after, rows := casm.Start, 0
			for last := false; ; {
				var entries []store.Entry
				err := w.store.View(w.ctx, func(r store.Reader) (err error) {
					entries, err = r.Feed(w.ctx, after, store.FeedFilter{}, 7)
					return err
				})
				if err != nil {
					w.Error(err)
					return
				}
				for _, e := range entries {
					next := casm.Position{Transaction: after.Transaction, Ordinal: after.Ordinal + 1}
					if rows%perTransaction == 0 {
						next = casm.Position{Transaction: after.Transaction + 1}
					}
					if e.Position != next {
						w.Errorf("%v follows %v", e.Position, after)
						return
					}
					after = e.Position
					rows++
				}
				if len(entries) > 0 {
					continue
				}
				if last {
					same(w, "rows", rows, writers*each*perTransaction)
					return
				}
				select {
				case <-done:
					last = true // one more round: nothing is written any more
				default:
				}
			}
		})
	}
	var mu sync.Mutex
	var positions []int64
	w.parallel(writers, func(i int) {
		for j := range each {
			name := fmt.Sprint(i, ".", j, ".")
			head, err := w.try(w.write(w.customer(name+"a"), w.customer(name+"b"), w.customer(name+"c")))
			if err != nil {
				w.Error(err)
				continue
			}
			mu.Lock()
			positions = append(positions, head.Position)
			mu.Unlock()
		}
	})
	close(done)
	readers.Wait()
	slices.Sort(positions)
	for i, p := range positions {
		if p != int64(i+1) {
			w.Fatalf("commits were told positions %v", positions)
		}
	}
}
