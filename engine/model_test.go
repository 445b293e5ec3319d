package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"

	"pgregory.net/rapid"
)

// checking is a testing.TB whose failures are of one try of a property.
type checking struct {
	testing.TB
	t *rapid.T
}

func (c checking) Helper()                           { c.t.Helper() }
func (c checking) Error(args ...any)                 { c.t.Error(args...) }
func (c checking) Errorf(format string, args ...any) { c.t.Errorf(format, args...) }
func (c checking) Fatal(args ...any)                 { c.t.Fatal(args...) }
func (c checking) Fatalf(format string, args ...any) { c.t.Fatalf(format, args...) }
func (c checking) Cleanup(fn func())                 { c.t.Cleanup(fn) }
func (c checking) Context() context.Context          { return context.Background() }

// world is an engine beside its model.
type world struct {
	*fixture
	*drawing
	requests []sent
	shown    []shown
}

// sent is a request that took effect.
type sent struct {
	batch      bool
	operation  string
	body, text string
}

// shown is what a read gave at an instant.
type shown struct {
	at   casm.Time
	kind casm.Kind
	id   string
	text string
}

// TestModel runs random operations against the engine and a simple model of
// the rules, compares after each what both say, and looks in the end whether
// journal, claims, use counts, time lines and the past fit.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(checking{t, rt}, true)
		f.configure(edit("products", "plain", &casm.Product{Services: []casm.ProductService{}}),
			edit("offers", "plain", &casm.Offer{Product: "plain", Versions: []casm.OfferVersion{{Version: 1}}}))
		start := time.Now().Add(time.Minute).Truncate(time.Second)
		f.manual.Store(start.UnixMicro())
		w := &world{fixture: f, drawing: &drawing{rt, &model{now: casm.TimeOf(start)}}}
		w.plant()
		for n := range 5 + number.Draw(rt, "steps")%40 {
			w.step()
			w.compare(n%8 == 0)
			if rt.Failed() {
				return
			}
		}
		w.finish()
	})
}

// plant makes a small tree to begin with.
func (w *world) plant() {
	type planted struct {
		kind   casm.Kind
		name   string
		up     int
		value  string
		parent int
	}
	const none = -1
	var pairs []string
	var at []int
	for n, p := range []planted{
		{casm.KindCustomer, "c1", none, "", none},
		{casm.KindCustomer, "c2", none, "", none},
		{casm.KindAccount, "a1", 0, "", none},
		{casm.KindAccount, "a2", 2, "", 2},
		{casm.KindAccount, "a3", 1, "", none},
		{casm.KindSubscriber, "s1", 2, "491700000001", none},
		{casm.KindSubscriber, "s2", 3, "491700000002", none},
		{casm.KindSubscriber, "s3", 4, "", none},
		{casm.KindOfferSubscription, "o1", 0, "", none},
		{casm.KindOfferSubscription, "o2", 3, "", none},
		{casm.KindOfferSubscription, "o3", 5, "", none},
		{casm.KindOfferSubscription, "o4", 6, "", none},
	} {
		e := ent{kind: p.kind, ext: p.name, state: "ACTIVE", reason: "dfltActive", up: none, customer: n, parent: none, version: 1}
		body := []string{"externalId", quoted(p.name), "state", `{"state":"ACTIVE","stateReason":"dfltActive"}`}
		operation := "create" + p.kind.String()
		if p.up >= 0 {
			up := w.m.es[at[p.up]]
			e.up, e.customer = at[p.up], up.customer
			member := up.kind.Member()
			switch p.kind {
			case casm.KindAccount:
				e.segment, e.cycle = "standard", "monthly"
				body = append(body, "accountProfile", `"postpaid"`)
				if p.parent >= 0 {
					e.parent, member = at[p.parent], "parent"
				}
			case casm.KindOfferSubscription:
				operation = "createSubscriptionOn" + up.kind.String()
				body = append(body, "offer", `"plain"`)
			}
			body = append(body, member, fmt.Sprintf(`{"externalId":%q}`, up.ext), "primaryResource", quoted(p.value))
		}
		at = append(at, w.m.add(e))
		if p.value != "" {
			w.m.add(ent{kind: casm.KindSubscriberResource, typ: "msisdn", value: p.value, up: at[n], customer: e.customer, parent: none, version: 1})
		}
		if p.kind == casm.KindCustomer {
			w.m.es[at[n]].customer = at[n]
		}
		pairs = append(pairs, operation, members(body...))
	}
	for n, r := range w.batch(operations("plant", true, pairs...)).Results {
		w.learn(at[n], r.Transaction)
	}
}

// pass moves the clock of both.
func (w *world) pass(d time.Duration) {
	w.manual.Add(d.Microseconds())
	w.m.now = w.m.now.Add(d)
	w.m.settle()
}

func (w *world) step() {
	w.pass(time.Second)
	w.m.tx++
	switch n := number.Draw(w.T, "step") % 100; {
	case n < 70:
		w.single()
	case n < 80:
		w.inBatch(true)
	case n < 85:
		w.inBatch(false)
	case n < 92:
		w.repeat()
	default:
		w.pass(time.Duration(pick(w.drawing, "minutes", 1, 2, 10, 60, 200)) * time.Minute)
	}
}

func (w *world) single() {
	o := w.operation()
	payload, want := w.m.run(o.apply)
	id := fmt.Sprintf("q%d", w.m.tx)
	body := `{"requestId":"` + id + `",` + o.body[1:]
	w.T.Logf("%v: %s %s: %v", w.m.now, o.id, body, want)
	a, err := w.try(o.id, body)
	if got := codes(err); !slices.Equal(got, want) {
		w.fixture.Fatalf("%s %s:\n got %v\nwant %v", o.id, o.body, err, want)
	}
	if err != nil {
		return
	}
	w.requests = append(w.requests, sent{false, o.id, body, a.raw})
	w.took(o, payload, a)
}

// took compares an answer with what the model made of the operation.
func (w *world) took(o op, payload int, a *answer) {
	if a.ImpactedTotal != w.m.impacted {
		w.fixture.Fatalf("%s %s: impacted %d, want %d: %s", o.id, o.body, a.ImpactedTotal, w.m.impacted, a.raw)
	}
	w.learn(payload, a)
	w.m.want(w.fixture, payload, a.Payload, false)
}

// learn keeps the refIds that an answer gives to what it created.
func (w *world) learn(payload int, a *answer) {
	w.m.es[payload].id = fmt.Sprint(a.Payload["refId"])
	if list, _ := a.Payload["resources"].([]any); len(list) > 0 {
		for j := range w.m.es {
			for _, r := range list {
				if e := &w.m.es[j]; e.typ != "" && e.up == payload && !e.ended && e.value == at(r, "resource") {
					e.id = fmt.Sprint(at(r, "refId"))
				}
			}
		}
	}
}

func (w *world) inBatch(atomic bool) {
	n := 1 + number.Draw(w.T, "operations")%5
	before := w.m.clone()
	var pairs []string
	var payloads, impacted []int
	var results [][]string
	for range n {
		if !atomic {
			w.m.tx++
		}
		o := w.operation()
		payload, want := w.m.run(o.apply)
		payloads, results, impacted = append(payloads, payload), append(results, want), append(impacted, w.m.impacted)
		pairs = append(pairs, o.id, o.body)
		if want != nil && atomic {
			break
		}
	}
	body := operations(fmt.Sprintf("q%d", w.m.tx), atomic, pairs...)
	w.T.Logf("%v: batch %s: %v", w.m.now, body, results)
	b, err := w.tryBatch(body)
	if last := len(results) - 1; atomic && results[last] != nil {
		tx := w.m.tx
		*w.m = *before
		w.m.tx = tx
		var want []string
		for _, c := range results[last] {
			want = append(want, strings.Replace(c, " ", fmt.Sprintf(" /operations/%d/body", last), 1))
		}
		if got := codes(err); !slices.Equal(got, want) {
			w.fixture.Fatalf("batch %s:\n got %v\nwant %v", body, err, want)
		}
		return
	}
	if err != nil {
		w.fixture.Fatalf("batch %s: %v", body, err)
	}
	again := sent{true, "", body, b.raw}
	for n, r := range b.Results {
		var got []string
		if r.Problem != nil {
			got = codes(r.Problem.Errors)
			again.batch = false // a repeat may do more: not to be repeated here
		}
		if !slices.Equal(got, results[n]) {
			w.fixture.Fatalf("batch %s:\n%d: got %v\nwant %v", body, n, got, results[n])
		}
		if got != nil {
			continue
		}
		if r.Transaction.ImpactedTotal != impacted[n] {
			w.fixture.Fatalf("batch %s:\n%d: impacted %d, want %d", body, n, r.Transaction.ImpactedTotal, impacted[n])
		}
		w.learn(payloads[n], r.Transaction)
	}
	if again.batch {
		w.requests = append(w.requests, again)
	}
}

func (w *world) repeat() {
	if len(w.requests) == 0 {
		return
	}
	r := pick(w.drawing, "repeat", w.requests...)
	var text string
	var replayed bool
	if r.batch {
		b := w.batch(r.body)
		text, replayed = b.raw, b.replayed
	} else {
		a := w.do(r.operation, r.body)
		text, replayed = a.raw, a.replayed
	}
	if !replayed || text != r.text {
		w.fixture.Fatalf("repeat of %s: replayed %t\n got %s\nwant %s", r.body, replayed, text, r.text)
	}
}
