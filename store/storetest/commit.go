package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"casm"
	"casm/store"
)

var commitTests = []test{
	{"NothingToWrite", nothingToWrite},
	{"VisibleOnlyAfter", visibleOnlyAfter},
	{"ReaderSeesWhatIsCommitted", readerSeesWhatIsCommitted},
	{"ReaderEndsWithItsCall", readerEndsWithItsCall},
	{"ErrorOfDecide", errorOfDecide},
	{"PanicOfDecide", panicOfDecide},
	{"GoexitOfDecide", goexitOfDecide},
	{"ErrorOfView", errorOfView},
	{"ContextEnded", contextEnded},
	{"ContextEndsInDecide", contextEndsInDecide},
	{"Poison", poison},
	{"PoisonNextToGoodOnes", poisonNextToGoodOnes},
	{"OneEntityManyTimes", oneEntityManyTimes},
	{"LargeSet", largeSet},
	{"Reopen", reopen},
	{"Closed", closed},
}

// untouched fails the test when fn changed anything.
func (w *world) untouched(fn func()) {
	w.Helper()
	type state struct {
		Head   store.Head
		Feed   []store.Entry
		Config []store.ConfigChange
	}
	read := func() (s state) {
		s.Feed = w.feed(store.FeedFilter{}, 1000)
		w.view(func(r store.Reader) {
			s.Head = must(r.Head(w.ctx))(w)
			s.Config = must(r.Config(w.ctx))(w)
		})
		return s
	}
	before := read()
	fn()
	same(w, "what is stored", read(), before)
}

func nothingToWrite(w *world) {
	if h := w.head(); h.Position != 0 || h.Config != 0 {
		w.Errorf("head of an empty store: %+v", h)
	}
	w.create(w.customer("a"))
	before := w.head()
	for _, set := range []*store.WriteSet{nil, {}, {Uses: map[store.CodeKey]int64{}}} {
		w.untouched(func() {
			if h := w.commit(set); h != before {
				w.Errorf("head after %+v: %+v, want %+v", set, h, before)
			}
		})
	}
}

func visibleOnlyAfter(w *world) {
	c := w.customer("a")
	set := w.write(c)
	_, err := w.store.Commit(w.ctx, store.Needs{}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		if w.entity(c.Key).Version != 0 {
			w.Error("seen before it was committed")
		}
		return set, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	same(w, "entity", w.entity(c.Key), c)
}

func readerSeesWhatIsCommitted(w *world) {
	c := w.customer("a")
	w.create(c)
	needs := store.Needs{Claims: []store.ClaimKey{store.ExternalID(c.Kind, "a")}}
	_, err := w.store.Commit(w.ctx, needs, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		same(w, "loaded", l.Entities, []store.Entity{c})
		again := must(r.Load(w.ctx, needs))(w)
		same(w, "loaded again", again.Entities, l.Entities)
		if l.Head.Position != 1 || l.Now == 0 || again.Now < l.Now {
			w.Errorf("head %+v, now %v, then %v", l.Head, l.Now, again.Now)
		}
		same(w, "history", len(must(r.History(w.ctx, c.Key, 0, 0, 10))(w)), 1)
		return nil, nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func readerEndsWithItsCall(w *world) {
	var inView, inCommit store.Reader
	w.view(func(r store.Reader) { inView = r })
	_, err := w.store.Commit(w.ctx, store.Needs{}, func(r store.Reader, _ *store.Loaded) (*store.WriteSet, error) {
		inCommit = r
		return nil, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range []store.Reader{inView, inCommit} {
		if _, err := r.Head(w.ctx); err == nil {
			w.Error("a reader works after the end of its call")
		}
	}
}

func errorOfDecide(w *world) {
	w.create(w.customer("a"))
	refused := errors.New("refused")
	w.untouched(func() {
		calls := 0
		_, err := w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			calls++
			return w.write(w.customer("b")), refused
		})
		if err != refused || calls != 1 {
			w.Errorf("error %v after %d calls, want decide's own after 1", err, calls)
		}
	})
	w.create(w.customer("b"))
}

func panicOfDecide(w *world) {
	w.untouched(func() {
		defer func() {
			if p := recover(); p != "oops" {
				w.Errorf("recovered %v", p)
			}
		}()
		w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) { panic("oops") })
	})
	func() {
		defer func() {
			if p := recover(); p != "oops" {
				w.Errorf("recovered %v", p)
			}
		}()
		w.store.View(w.ctx, func(store.Reader) error { panic("oops") })
	}()
	w.create(w.customer("a"))
}

func goexitOfDecide(w *world) {
	w.parallel(1, func(int) {
		w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			runtime.Goexit()
			return nil, nil
		})
	})
	w.create(w.customer("a"))
}

func errorOfView(w *world) {
	refused := errors.New("refused")
	for range 40 { // more often than there are connections
		if err := w.store.View(w.ctx, func(store.Reader) error { return refused }); err != refused {
			w.Fatalf("error %v, want fn's own", err)
		}
	}
}

func contextEnded(w *world) {
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	w.untouched(func() {
		_, err := w.store.Commit(ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			w.Error("decide was called")
			return w.write(w.customer("a")), nil
		})
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			w.Errorf("Commit: %v", err)
		}
		err = w.store.View(ctx, func(r store.Reader) error { _, err := r.Head(ctx); return err })
		if !errors.Is(err, context.Canceled) {
			w.Errorf("View: %v", err)
		}
	})
	w.create(w.customer("a"))
}

func contextEndsInDecide(w *world) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	c := w.customer("a")
	_, err := w.store.Commit(ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		cancel()
		return w.write(c), nil
	})
	stored := w.entity(c.Key).Version != 0
	switch {
	case err == nil && !stored:
		w.Error("success, and nothing was written")
	case err != nil && stored:
		w.Errorf("written in spite of %v", err)
	case err != nil && !errors.Is(err, store.ErrUnavailable):
		w.Errorf("error %v, want ErrUnavailable", err)
	}
	w.create(w.customer("b"))

	ctx, cancel = context.WithCancel(w.ctx)
	defer cancel()
	err = w.store.View(ctx, func(r store.Reader) error {
		cancel()
		_, err := r.Head(ctx)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		w.Errorf("View: %v, want ErrUnavailable", err)
	}
	w.head()
}

// poisons are sets that a database refuses, each with something good before.
func (w *world) poisons(good store.Entity) map[string]*store.WriteSet {
	noVersion := w.customer("")
	noVersion.Version = 0
	twice := w.write(w.customer("p1"), w.customer("p2"))
	twice.Transactions[0].Changes = append(twice.Transactions[0].Changes, change(good, 0))
	zeroVersion := w.write(w.customer("p3"))
	zeroVersion.Transactions[0].Changes = append(zeroVersion.Transactions[0].Changes, change(noVersion, 0))
	sets := map[string]*store.WriteSet{
		"entity without a version": w.write(w.customer("p4"), noVersion),
		"version recorded before":  twice,
		"change without a version": zeroVersion,
		"uses below zero":          {Uses: map[store.CodeKey]int64{{Collection: "offers", Code: "o"}: -1}},
	}
	for _, set := range sets {
		set.Config = []store.ConfigChange{{CodeKey: store.CodeKey{Collection: "offers", Code: "o"}, Version: 1, Doc: []byte("{}"), At: w.tick()}}
	}
	return sets
}

func poison(w *world) {
	good := w.customer("good")
	w.create(good)
	for name, set := range w.poisons(good) {
		w.untouched(func() {
			_, err := w.try(set)
			if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown) {
				w.Errorf("%s: error %v, want a refusal", name, err)
			}
		})
		claims := make([]store.ClaimKey, len(set.Claims))
		for i := range claims {
			claims[i] = set.Claims[i].ClaimKey
		}
		if l := w.load(store.Needs{Claims: claims, Entities: keys(set.Entities...)}); len(l.Claims)+len(l.Entities) > 0 {
			w.Errorf("%s: left behind %v %v", name, l.Claims, l.Entities)
		}
		w.create(w.customer(name))
	}
}

func poisonNextToGoodOnes(w *world) {
	good := w.customer("good")
	w.create(good)
	var bad []*store.WriteSet
	for _, set := range w.poisons(good) {
		bad = append(bad, set)
	}
	const n = 16
	w.parallel(n, func(i int) {
		if i < len(bad) {
			if _, err := w.try(bad[i]); err == nil {
				w.Error("poison was taken")
			}
			return
		}
		if _, err := w.try(w.write(w.customer(fmt.Sprint("good", i)))); err != nil {
			w.Errorf("a good one failed: %v", err)
		}
	})
	if got, want := w.head().Position, int64(1+n-len(bad)); got != want {
		w.Errorf("position %d, want %d", got, want)
	}
}

func oneEntityManyTimes(w *world) {
	c := w.customer("a")
	set := w.write(c)
	for i := range 9 {
		c = w.next(c, func(e *store.Entity) { e.CustomName = fmt.Sprint("name ", i) })
		t := w.transaction(change(c, 0))
		set.Claims = append(set.Claims, take(t.Claim, t.ID))
		set.Transactions = append(set.Transactions, t)
	}
	set.Entities = []store.Entity{c}
	if head := w.commit(set); head.Position != 10 {
		w.Errorf("position %d, want 10", head.Position)
	}
	same(w, "entity", w.entity(c.Key), c)
	entries := w.feed(store.FeedFilter{}, 3)
	if len(entries) != 10 {
		w.Fatalf("%d journal rows, want 10", len(entries))
	}
	for i, e := range entries {
		if want := (casm.Position{Transaction: int64(i + 1)}); e.Version != int64(i+1) || e.Position != want {
			w.Errorf("row %d: version %d at %v", i, e.Version, e.Position)
		}
	}
}

func largeSet(w *world) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	top := w.customer("top")
	all := []store.Entity{top}
	for range n {
		all = append(all, w.below(top, casm.KindAccount))
	}
	w.create(all...)
	if got := len(w.feed(store.FeedFilter{Kind: casm.KindAccount}, 1000)); got != n {
		w.Errorf("%d journal rows, want %d", got, n)
	}
	w.view(func(r store.Reader) {
		children := must(r.Children(w.ctx, store.ChildQuery{Of: top.RefID, Kind: casm.KindAccount, Limit: n + 1}))(w)
		same(w, "children", ids(children), ids(sortEntities(all[1:])))
	})
}

func reopen(w *world) {
	c := w.customer("a")
	account := w.below(c, casm.KindAccount)
	set := w.write(c, account)
	item := store.ConfigChange{CodeKey: store.CodeKey{Collection: "offers", Code: "o"}, Version: 1, Doc: []byte(`{"code":"o"}`), At: w.tick(), Actor: "me"}
	set.Config = []store.ConfigChange{item}
	set.Uses = map[store.CodeKey]int64{item.CodeKey: 3}
	w.commit(set)
	w.untouched(w.reopen)
	for range 2 {
		same(w, "entities", sortEntities([]store.Entity{w.entity(c.Key), w.entity(account.Key)}), sortEntities([]store.Entity{c, account}))
		w.view(func(r store.Reader) {
			same(w, "configuration", must(r.Config(w.ctx))(w), set.Config)
			same(w, "uses", must(r.Uses(w.ctx, []store.CodeKey{item.CodeKey}))(w), set.Uses)
			t := must(r.Transaction(w.ctx, set.Transactions[0].ID))(w)
			if t == nil || t.RequestID != set.Transactions[0].RequestID {
				w.Errorf("transaction %+v", t)
			}
		})
		w.reopen()
	}
	if head := w.create(w.customer("b")); head.Position != 2 {
		w.Errorf("position %d after opening again, want 2", head.Position)
	}
}

func closed(w *world) {
	if err := w.store.Close(); err != nil {
		w.Fatal(err)
	}
	_, err := w.store.Commit(w.ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		w.Error("decide was called")
		return nil, nil
	})
	if !errors.Is(err, store.ErrUnavailable) {
		w.Errorf("Commit on a closed store: %v", err)
	}
	err = w.store.View(w.ctx, func(store.Reader) error { w.Error("fn was called"); return nil })
	if !errors.Is(err, store.ErrUnavailable) {
		w.Errorf("View on a closed store: %v", err)
	}
	w.store = w.open(w.T)
	w.head()
}
