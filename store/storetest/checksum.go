package storetest

import (
	"casm"
	"casm/store"
)

var checksumTests = []test{
	{"AnyPosition", checksumAnyPosition},
	{"Reopened", checksumReopened},
}

// sumsOf counts journal rows up to a position, one by one.
func sumsOf(entries []store.Entry, upTo casm.Position) map[casm.Kind]casm.Sum {
	want := map[casm.Kind]casm.Sum{}
	for _, e := range entries {
		if e.Threshold == 0 && e.Position.Compare(upTo) <= 0 {
			s := want[e.Kind]
			s.Add(e.Kind, e.RefID, e.Version)
			want[e.Kind] = s
		}
	}
	return want
}

func checksumAnyPosition(w *world) {
	w.view(func(r store.Reader) {
		same(w, "checksum of an empty log", must(r.Checksum(w.ctx, casm.Position{Transaction: 9}))(w), map[casm.Kind]casm.Sum{})
	})
	all := w.someLog()
	end := casm.Position{Transaction: 1 << 40}
	w.view(func(r store.Reader) {
		for _, at := range []casm.Position{casm.Start, {Transaction: 2}, {Transaction: 3, Ordinal: 7}, end, {Transaction: 1<<62 - 1}} {
			same(w, "checksum up to "+at.String(), must(r.Checksum(w.ctx, at))(w), sumsOf(all, at))
		}
		for _, e := range all {
			same(w, "checksum up to "+e.Position.String(), must(r.Checksum(w.ctx, e.Position))(w), sumsOf(all, e.Position))
		}
	})
	if got := sumsOf(all, end)[casm.KindCustomer]; got.Entities != 2 || got.Versions != 4 {
		w.Errorf("two customers in four versions are %+v", got)
	}
}

func checksumReopened(w *world) {
	all := w.someLog()
	w.reopen()
	end := casm.Position{Transaction: 1 << 40}
	w.view(func(r store.Reader) {
		same(w, "checksum", must(r.Checksum(w.ctx, end))(w), sumsOf(all, end))
	})
}
