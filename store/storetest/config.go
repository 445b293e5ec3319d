package storetest

import (
	"cmp"
	"fmt"
	"slices"

	"casm/store"
)

var configTests = []test{
	{"Versions", configVersions},
	{"HistoryKeepsLess", configKept},
	{"HeadRisesOnce", configHead},
	{"Uses", uses},
}

func (w *world) item(collection, code string, version int64) store.ConfigChange {
	return store.ConfigChange{
		CodeKey: store.CodeKey{Collection: collection, Code: code}, Version: version,
		Doc: fmt.Appendf(nil, "{ \"code\": %q, \"name\":\"ü %d\"}", code, version), At: w.tick(), Actor: "me",
	}
}

func configVersions(w *world) {
	a1, a2, b1, c1 := w.item("offers", "a", 1), w.item("offers", "a", 2), w.item("offers", "A", 1), w.item("currencies", "a", 1)
	gone, again := w.item("offers", "a", 3), w.item("offers", "a", 1) // numbered from 1 again
	gone.Doc = nil
	check := func(present []store.ConfigChange, history ...store.ConfigChange) {
		w.Helper()
		w.view(func(r store.Reader) {
			got := must(r.Config(w.ctx))(w)
			for _, list := range [][]store.ConfigChange{got, present} {
				slices.SortFunc(list, func(x, y store.ConfigChange) int {
					return cmp.Or(cmp.Compare(x.Collection, y.Collection), cmp.Compare(x.Code, y.Code))
				})
			}
			same(w, "present items", got, present)
			slices.Reverse(history)
			same(w, "history", must(r.ConfigHistory(w.ctx, a1.CodeKey, 10))(w), history)
			same(w, "newest", must(r.ConfigHistory(w.ctx, a1.CodeKey, 1))(w), history[:1])
			same(w, "of nothing", must(r.ConfigHistory(w.ctx, store.CodeKey{Collection: "offers", Code: "x"}, 9))(w), nil)
		})
	}
	w.commit(&store.WriteSet{Config: []store.ConfigChange{a1, b1, c1}})
	check([]store.ConfigChange{a1, b1, c1}, a1)
	w.commit(&store.WriteSet{Config: []store.ConfigChange{a2}})
	check([]store.ConfigChange{a2, b1, c1}, a1, a2)
	w.commit(&store.WriteSet{Config: []store.ConfigChange{gone}})
	check([]store.ConfigChange{b1, c1}, a1, a2, gone)
	w.commit(&store.WriteSet{Config: []store.ConfigChange{again}})
	check([]store.ConfigChange{again, b1, c1}, a1, a2, gone, again)
	w.view(func(r store.Reader) {
		deleted := must(r.ConfigHistory(w.ctx, a1.CodeKey, 2))(w)[1]
		if deleted.Doc != nil {
			w.Errorf("a deletion has the document %q", deleted.Doc)
		}
	})
}

// configKept: the history keeps what it is told to, the present item is whole.
func configKept(w *world) {
	first, second, gone := w.item("users", "ann", 1), w.item("users", "ann", 2), w.item("users", "ann", 3)
	gone.Doc = nil
	kept := func(c store.ConfigChange) store.ConfigChange {
		c.Doc, c.Kept = []byte(`{"kept": 1}`), nil
		return c
	}
	for _, c := range []*store.ConfigChange{&first, &second} {
		whole := *c
		c.Kept = kept(*c).Doc
		w.commit(&store.WriteSet{Config: []store.ConfigChange{*c}})
		w.view(func(r store.Reader) { same(w, "present items", must(r.Config(w.ctx))(w), []store.ConfigChange{whole}) })
	}
	w.commit(&store.WriteSet{Config: []store.ConfigChange{gone}})
	w.view(func(r store.Reader) {
		same(w, "history", must(r.ConfigHistory(w.ctx, first.CodeKey, 10))(w), []store.ConfigChange{gone, kept(second), kept(first)})
	})
}

func configHead(w *world) {
	before := w.head()
	head := w.commit(&store.WriteSet{Config: []store.ConfigChange{w.item("offers", "a", 1), w.item("offers", "b", 1)}})
	want := before
	want.Config++
	same(w, "head told", head, want)
	same(w, "head read", w.head(), want)
	head = w.create(w.customer(""))
	want.Position++
	same(w, "head after a business transaction", head, want)
	_, err := w.store.Commit(w.ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		same(w, "head in Commit", l.Head, want)
		return nil, nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func uses(w *world) {
	a, b, c := store.CodeKey{Collection: "offers", Code: "a"}, store.CodeKey{Collection: "offers", Code: "b"}, store.CodeKey{Collection: "segments", Code: "a"}
	check := func(want map[store.CodeKey]int64) {
		w.Helper()
		w.view(func(r store.Reader) {
			got := must(r.Uses(w.ctx, []store.CodeKey{a, b, c}))(w)
			for _, key := range []store.CodeKey{a, b, c} {
				same(w, fmt.Sprint("uses of ", key), got[key], want[key])
			}
		})
	}
	check(nil)
	w.commit(&store.WriteSet{Uses: map[store.CodeKey]int64{a: 3, b: 1, c: 0}})
	check(map[store.CodeKey]int64{a: 3, b: 1})
	w.commit(&store.WriteSet{Uses: map[store.CodeKey]int64{a: -2, b: -1, c: 5}})
	check(map[store.CodeKey]int64{a: 1, c: 5})
	if _, err := w.try(&store.WriteSet{Uses: map[store.CodeKey]int64{a: -1, c: -6}}); err == nil {
		w.Error("uses below zero were taken")
	}
	check(map[store.CodeKey]int64{a: 1, c: 5})
}
