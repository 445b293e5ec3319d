package engine_test

import (
	"context"
	"fmt"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// finish records what is due and looks whether everything that is kept fits.
func (w *world) finish() {
	f := w.fixture
	w.compare(true)
	w.record()
	for _, s := range w.shown {
		if _, text := w.full(s.kind, s.id, s.at, allFlags[s.kind]); text != s.text {
			f.Errorf("%v %s as of %v\n  is %s\nwas %s", s.kind, s.id, s.at, text, s.text)
		}
	}
	journal := f.feed()
	last := map[store.Key]store.Entry{}
	effects := map[string]store.Entry{}
	for n, e := range journal {
		before, known := last[e.Key]
		if e.Version != before.Version+1 {
			f.Errorf("%v %s: version %d after %d", e.Kind, e.RefID, e.Version, before.Version)
		}
		if known && e.At < before.At {
			f.Errorf("%v %s: version %d at %v after %v", e.Kind, e.RefID, e.Version, e.At, before.At)
		}
		if (e.Event == "created") != (e.Version == 1) {
			f.Errorf("event %s of version %d", e.Event, e.Version)
		}
		last[e.Key] = e
		if n > 0 && journal[n-1].Position.Compare(e.Position) >= 0 {
			f.Errorf("position %v after %v", e.Position, journal[n-1].Position)
		}
		if e.Transaction.Claim != (store.ClaimKey{}) {
			key := fmt.Sprintf("%s %d", e.Transaction.RequestID, e.Transaction.Ordinal)
			if other, twice := effects[key]; twice && other.Position.Transaction != e.Position.Transaction {
				f.Errorf("%s took effect twice: %v and %v", key, other.Position, e.Position)
			}
			effects[key] = e
		}
	}
	err := f.View(context.Background(), func(r store.Reader) error {
		if err := w.replays(r, last); err != nil {
			return err
		}
		if err := w.claims(r); err != nil {
			return err
		}
		return w.uses(r, last)
	})
	if err != nil {
		f.Fatal(err)
	}
	managed := 0
	for _, e := range w.m.es {
		if e.id != "" {
			managed++
		}
	}
	if len(last) != len(w.m.es) {
		f.Errorf("%d entities, the model has %d (%d named)", len(last), len(w.m.es), managed)
	}
}

// record touches everything, so that what is due is recorded.
func (w *world) record() {
	for i, e := range w.m.es {
		if e.typ != "" || e.kind == casm.KindBalance {
			continue
		}
		name := quoted(e.name)
		if name == "" {
			name = "null"
		}
		_, err := w.try("update"+change(e.kind)+"CustomName", fmt.Sprintf(`{"requestId":"touch%d","%s":{"refId":%q},"customName":%s}`, i, e.kind.Member(), e.id, name))
		if want := w.m.dead(i); (err != nil) != want {
			w.fixture.Errorf("touch of %d: %v", i, err)
		}
	}
}

// replays looks whether the journal's last rows are what is stored.
func (w *world) replays(r store.Reader, last map[store.Key]store.Entry) error {
	var needs store.Needs
	for key := range last {
		needs.Entities = append(needs.Entities, key)
	}
	l, err := r.Load(context.Background(), needs)
	if err != nil {
		return err
	}
	if len(l.Entities) != len(last) {
		w.fixture.Errorf("%d entities stored, %d in the journal", len(l.Entities), len(last))
	}
	for _, e := range l.Entities {
		if j := last[e.Key]; j.Version != e.Version || string(j.Doc) != string(e.Doc) || j.Customer != e.Customer {
			w.fixture.Errorf("%v %s: stored version %d %s, journal %d %s", e.Kind, e.RefID, e.Version, e.Doc, j.Version, j.Doc)
		}
	}
	return nil
}

// claims looks whether exactly what entities have at present is claimed.
func (w *world) claims(r store.Reader) error {
	want := map[store.ClaimKey]string{}
	for _, kind := range managedKinds {
		for _, ext := range []string{"x1", "x2", "x3", "x4", "x5", "x6"} {
			want[store.ExternalID(kind, ext)] = ""
			if i := w.m.byExternal(kind, ext); i >= 0 {
				want[store.ExternalID(kind, ext)] = w.m.es[i].id
			}
		}
	}
	for typ, list := range values {
		for _, value := range list {
			want[store.Resource(typ, value)] = ""
			if i := w.m.holder(typ, value); i >= 0 {
				want[store.Resource(typ, value)] = w.m.es[i].id
			}
		}
	}
	var needs store.Needs
	for key := range want {
		needs.Claims = append(needs.Claims, key)
	}
	l, err := r.Load(context.Background(), needs)
	if err != nil {
		return err
	}
	for key, holder := range want {
		got := ""
		if id := l.Claims[key]; id != uuid.Nil {
			got = id.String()
		}
		if got != holder {
			w.fixture.Errorf("claim %v is held by %q, want %q", key, got, holder)
		}
	}
	return nil
}

// uses counts the references to configuration anew.
func (w *world) uses(r store.Reader, last map[store.Key]store.Entry) error {
	want := map[store.CodeKey]int64{}
	items, err := r.Config(context.Background())
	if err != nil {
		return err
	}
	for _, item := range items {
		want[item.CodeKey] = 0
	}
	for _, e := range last {
		entity, err := casm.DecodeEntity(e.Kind, e.Doc)
		if err != nil {
			return err
		}
		for _, ref := range command.EntityCodes(entity) {
			want[store.CodeKey(ref)]++
		}
	}
	var keys []store.CodeKey
	for key := range want {
		keys = append(keys, key)
	}
	got, err := r.Uses(context.Background(), keys)
	if err != nil {
		return err
	}
	for key, n := range want {
		if got[key] != n {
			w.fixture.Errorf("uses of %v: %d, counted %d", key, got[key], n)
		}
	}
	return nil
}
