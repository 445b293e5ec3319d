package engine_test

import (
	"context"
	"time"

	"casm"
	"casm/engine"

	"github.com/go-json-experiment/json"
)

var allFlags = func() map[casm.Kind]map[string]bool {
	flags := map[casm.Kind]map[string]bool{}
	for _, r := range engine.Reads {
		flags[r.Kind] = map[string]bool{}
		for _, f := range r.Flags {
			flags[r.Kind][f] = true
		}
	}
	return flags
}()

// full reads an entity with what can be included, as flags say.
func (w *world) full(kind casm.Kind, id string, asOf casm.Time, flags map[string]bool) (map[string]any, string) {
	q := engine.Query{Ref: casm.Ref{RefID: refID(w.fixture, map[string]any{"refId": id})}, AsOf: asOf, Flags: flags}
	for _, r := range engine.Reads {
		if r.Kind == kind {
			q.Read = r
		}
	}
	a, err := w.Read(context.Background(), q)
	if err != nil {
		w.fixture.Fatalf("read %v %s as of %v: %v", kind, id, asOf, err)
	}
	var doc map[string]any
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		w.fixture.Fatal(err)
	}
	if float64(a.ETag) != doc["version"] {
		w.fixture.Errorf("ETag %d of version %v", a.ETag, doc["version"])
	}
	return doc, canonical(doc)
}

// canonical is a document without the external ids of references: reads give
// the present ones, asOf those that were recorded (contract 1).
func canonical(doc map[string]any) string {
	var strip func(v any, reference bool) any
	strip = func(v any, reference bool) any {
		switch x := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, v := range x {
				if k == "externalId" && reference {
					continue
				}
				switch k {
				case "customer", "account", "parent", "subscriber", "parentOfferSubscription":
					out[k] = strip(v, true)
				default:
					out[k] = strip(v, false)
				}
			}
			return out
		case []any:
			out := make([]any, len(x))
			for i := range x {
				out[i] = strip(x[i], false)
			}
			return out
		}
		return v
	}
	text, err := json.Marshal(strip(doc, false), json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// compare reads a few entities, or all, and compares them with the model.
func (w *world) compare(all bool) {
	w.pass(time.Millisecond)
	keep := number.Draw(w.T, "kept") % (1 + len(w.m.es))
	for i, e := range w.m.es {
		if e.typ != "" || !all && i/4 != keep/4 {
			continue
		}
		flags := map[string]bool{"resources": true}
		if i == keep || i == keep-1 {
			flags = allFlags[e.kind]
		}
		doc, text := w.full(e.kind, e.id, 0, flags)
		w.m.want(w.fixture, i, doc, true)
		w.lines(doc)
		if i == keep || i == keep-1 {
			w.shown = append(w.shown, shown{w.m.now, e.kind, e.id, text})
		}
		if e.kind == casm.KindSubscriber {
			w.compareResources(i, doc)
		}
	}
	for typ, list := range values {
		if !all {
			break
		}
		for _, value := range list {
			want := ""
			if h := w.m.holder(typ, value); h >= 0 {
				want = w.m.es[w.m.es[h].up].ext
				if want == "" {
					want = "<nil>"
				}
			}
			if got, _ := w.byResource(typ, value, 0); got != want {
				w.fixture.Errorf("%s %s leads to %q, want %q", typ, value, got, want)
			}
		}
	}
}

func (w *world) compareResources(i int, doc map[string]any) {
	list, _ := doc["resources"].([]any)
	var want []string
	for j, e := range w.m.es {
		if e.typ == "" || e.up != i || e.ended {
			continue
		}
		want = append(want, e.id)
		for _, r := range list {
			if at(r, "refId") == e.id {
				w.m.want(w.fixture, j, r.(map[string]any), true)
			}
		}
	}
	if len(list) != len(want) {
		w.fixture.Errorf("resources of %s: %v, want %v", w.m.es[i].id, list, want)
	}
}

// lines looks whether the time lines of a document hang together: what is not
// overtaken follows without gaps, and the last is what holds now.
func (w *world) lines(doc map[string]any) {
	for _, name := range []string{"stateHistory", "segmentHistory", "billCycleHistory", "parentHistory"} {
		list, _ := doc[name].([]any)
		if list == nil {
			continue
		}
		until := any(nil)
		for n, entry := range list { // last recorded first
			if at(entry, "overtaken") == true {
				continue
			}
			if at(entry, "validTo") != until {
				w.fixture.Errorf("%s.%d ends %v, want %v: %v", name, n, at(entry, "validTo"), until, doc)
			}
			until = at(entry, "validFrom")
		}
		if name == "stateHistory" {
			w.want(doc, "stateHistory.0.state", at(doc, "state.state"), "stateHistory.0.validFrom", at(doc, "state.stateValidFrom"), "stateHistory.0.overtaken", false)
		}
	}
}
