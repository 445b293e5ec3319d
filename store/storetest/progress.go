package storetest

import (
	"math"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var progressTests = []test{
	{"Versions", progressVersions},
	{"Behind", progressBehind},
	{"GoesWithItsItem", progressGoes},
	{"OneOfMany", progressOneOfMany},
}

var endpoint = store.CodeKey{Collection: "endpoints", Code: "a"}

// progress reads an item's progress, nil for none.
func (w *world) progress(key store.CodeKey) (p *store.Progress) {
	w.Helper()
	w.view(func(r store.Reader) { p = must(r.Progress(w.ctx, key))(w) })
	return p
}

func (w *world) behind(key store.CodeKey, q store.BehindQuery) (list []store.Behind) {
	w.Helper()
	w.view(func(r store.Reader) { list = must(r.Behind(w.ctx, key, q))(w) })
	return list
}

func at(version, transaction int64) store.ProgressChange {
	return store.ProgressChange{Progress: store.Progress{
		CodeKey: endpoint, Version: version, Began: 7, After: casm.Position{Transaction: transaction, Ordinal: 3}, Doc: []byte(`{ "state":"ü"}`),
	}}
}

func progressVersions(w *world) {
	if p := w.progress(endpoint); p != nil {
		w.Errorf("without any there is %+v", p)
	}
	before := w.head()
	for n := range int64(3) {
		change := at(n+1, 40-n) // it may go back
		same(w, "head", w.commit(&store.WriteSet{Progress: []store.ProgressChange{change}}), before)
		same(w, "progress", w.progress(endpoint), &change.Progress)
	}
	for _, version := range []int64{1, 2, 3, 5} {
		if _, err := w.try(&store.WriteSet{Progress: []store.ProgressChange{at(version, 99)}}); err == nil {
			w.Errorf("version %d was taken after 3", version)
		}
	}
	want := at(3, 38)
	w.reopen()
	same(w, "progress after others were refused", w.progress(endpoint), &want.Progress)
	last := at(4, math.MaxInt32)
	last.After.Ordinal = casm.MaxOrdinal
	w.commit(&store.WriteSet{Progress: []store.ProgressChange{last}})
	same(w, "the end of a transaction", w.progress(endpoint), &last.Progress)
}

func progressBehind(w *world) {
	var all []store.Behind
	for i := range 5 {
		all = append(all, store.Behind{
			Customer: newID(), After: casm.Position{Transaction: int64(i), Ordinal: int64(i)}, Parked: i%2 == 1, Doc: []byte(`{"n": 1}`),
		})
	}
	first := at(1, 9)
	first.Put = all
	other := at(1, 1)
	other.Code, other.Put = "b", all[:2]
	w.commit(&store.WriteSet{Progress: []store.ProgressChange{first, other}})
	same(w, "all", w.behind(endpoint, store.BehindQuery{Limit: 10}), all)
	same(w, "a page", w.behind(endpoint, store.BehindQuery{After: all[1].Customer, Limit: 2}), all[2:4])
	same(w, "the parked", w.behind(endpoint, store.BehindQuery{ParkedOnly: true, Limit: 10}), []store.Behind{all[1], all[3]})
	if p := w.progress(endpoint); p.Behind != 5 || p.Parked != 2 {
		w.Errorf("%d behind, %d parked", p.Behind, p.Parked)
	}
	second := at(2, 10)
	all[1].Parked, all[1].After.Transaction, all[1].Doc = false, 77, []byte(`{}`)
	second.Put, second.Caught = all[1:2], []uuid.UUID{all[0].Customer, newID()}
	w.commit(&store.WriteSet{Progress: []store.ProgressChange{second}})
	same(w, "after a change", w.behind(endpoint, store.BehindQuery{Limit: 10}), all[1:])
	if p := w.progress(store.CodeKey{Collection: "endpoints", Code: "b"}); p.Behind != 2 || p.Parked != 1 {
		w.Errorf("of another: %d behind, %d parked", p.Behind, p.Parked)
	}
}

func progressGoes(w *world) {
	change := at(1, 5)
	change.Put = []store.Behind{{Customer: newID(), Doc: []byte(`{}`)}}
	w.commit(&store.WriteSet{Config: []store.ConfigChange{w.item("endpoints", "a", 1)}, Progress: []store.ProgressChange{change}})
	w.commit(&store.WriteSet{Config: []store.ConfigChange{w.item("endpoints", "a", 2)}})
	if p := w.progress(endpoint); p == nil || p.Behind != 1 {
		w.Errorf("after a change of the item: %+v", p)
	}
	gone := w.item("endpoints", "a", 3)
	gone.Doc = nil
	w.commit(&store.WriteSet{Config: []store.ConfigChange{gone}})
	if p, behind := w.progress(endpoint), w.behind(endpoint, store.BehindQuery{Limit: 9}); p != nil || len(behind) > 0 {
		w.Errorf("after the item: %+v, %+v", p, behind)
	}
	if _, err := w.try(&store.WriteSet{Progress: []store.ProgressChange{at(2, 6)}}); err == nil {
		w.Error("progress of an item that is gone was taken")
	}
	w.commit(&store.WriteSet{Config: []store.ConfigChange{w.item("endpoints", "a", 4)}, Progress: []store.ProgressChange{at(1, 6)}})
	if p := w.progress(endpoint); p == nil || p.After.Transaction != 6 {
		w.Errorf("made again: %+v", p)
	}
}

// progressOneOfMany: of several who write the same version one succeeds.
func progressOneOfMany(w *world) {
	w.commit(&store.WriteSet{Progress: []store.ProgressChange{at(1, 0)}})
	done := make([]bool, 8)
	w.parallel(len(done), func(i int) {
		_, err := w.try(&store.WriteSet{Progress: []store.ProgressChange{at(2, int64(i)+1)}})
		done[i] = err == nil
	})
	n := 0
	for i, ok := range done {
		if ok {
			n++
			if p := w.progress(endpoint); p.After.Transaction != int64(i)+1 || p.Version != 2 {
				w.Errorf("%d succeeded, what stands is %+v", i, p)
			}
		}
	}
	if n != 1 {
		w.Errorf("%d of %d succeeded", n, len(done))
	}
}
