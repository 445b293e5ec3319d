package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/engine"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// tree makes a customer c with an account a, a sub-account b (below a), the
// subscribers s (of a) and t (of b), and subscriptions oc, oa, os, ot.
func (f *fixture) tree() {
	f.Helper()
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	f.do("createAccount", `{"externalId":"b","accountProfile":"postpaid","parent":{"externalId":"a"}}`)
	f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000001"}`)
	f.do("createSubscriber", `{"externalId":"t","subscriberProfile":"mobile","account":{"externalId":"b"},"primaryResource":"491700000002"}`)
	for owner, name := range map[string]string{"c": "Customer", "a": "Account", "s": "Subscriber", "t": "Subscriber"} {
		f.do("createSubscriptionOn"+name, fmt.Sprintf(`{"%s":{"externalId":%q},"externalId":"o%s","offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`,
			strings.ToLower(name), owner, owner))
	}
}

// members of the tree with their kinds.
var treeKinds = map[string]casm.Kind{
	"c": casm.KindCustomer, "a": casm.KindAccount, "b": casm.KindAccount,
	"s": casm.KindSubscriber, "t": casm.KindSubscriber,
	"oc": casm.KindOfferSubscription, "oa": casm.KindOfferSubscription, "os": casm.KindOfferSubscription, "ot": casm.KindOfferSubscription,
}

// states are the states of the tree's members, "c=ACTIVE …", by name; with a
// plan "a=ACTIVE>SUSPENDED".
func (f *fixture) states() string {
	f.Helper()
	var out []string
	for name, kind := range treeKinds {
		doc := f.read(kind, name, 0)
		text := fmt.Sprintf("%s=%v", name, at(doc, "state.state"))
		if p := at(doc, "plannedState.state"); p != nil {
			text += fmt.Sprintf(">%v", p)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (f *fixture) wantStates(want string) {
	f.Helper()
	if got := f.states(); got != want {
		f.Errorf("states\n got %s\nwant %s", got, want)
	}
}

func change(kind casm.Kind) string {
	if kind == casm.KindOfferSubscription {
		return "Subscription"
	}
	return kind.String()
}

// setState changes a state at once.
func (f *fixture) setState(name, state string, more ...string) *answer {
	f.Helper()
	kind := treeKinds[name]
	return f.do("update"+change(kind)+"State", stateBody(kind, name, state, more...))
}

var dflt = map[string]string{"ACTIVE": "dfltActive", "INACTIVE": "dfltInactive", "SUSPENDED": "dfltSuspended", "DEACTIVATED": "dfltDeactivated"}

// stateBody is the body of a state update; more are members of state, unless
// they start with "+", then of the body.
func stateBody(kind casm.Kind, name, state string, more ...string) string {
	inState, inBody := "", ""
	for _, m := range more {
		if rest, ok := strings.CutPrefix(m, "+"); ok {
			inBody += "," + rest
		} else {
			inState += "," + m
		}
	}
	return fmt.Sprintf(`{"%s":{"externalId":%q},"state":{"state":%q,"stateReason":%q%s}%s}`, kind.Member(), name, state, dflt[state], inState, inBody)
}

func validFrom(t casm.Time) string { return `"stateValidFrom":"` + t.String() + `"` }

const (
	pending = `"pending":true`
	cascade = `+"subordinateUpdated":true`
)

func refID(t testing.TB, doc any) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(fmt.Sprint(at(doc, "refId")))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (f *fixture) tryReadRef(kind casm.Kind, id string) (map[string]any, error) {
	f.Helper()
	ref, err := uuid.Parse(id)
	if err != nil {
		return nil, err
	}
	q := engine.Query{Ref: casm.Ref{RefID: ref}}
	for _, r := range engine.Reads {
		if r.Kind == kind {
			q.Read = r
		}
	}
	a, err := f.Read(f.Context(), q)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	return doc, json.Unmarshal(a.Body, &doc)
}

// feed is the whole journal.
func (f *fixture) feed() (all []store.Entry) {
	f.Helper()
	err := f.View(f.Context(), func(r store.Reader) error {
		for after := casm.Start; ; {
			page, err := r.Feed(f.Context(), after, store.FeedFilter{}, 1000)
			if err != nil || len(page) == 0 {
				return err
			}
			all = append(all, page...)
			after = page[len(page)-1].Position
		}
	})
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// hold keeps the store's writer until release is called: what is asked for
// meanwhile waits, and is gathered.
func (f *fixture) hold() (release func()) { return f.holdNeeds(store.Needs{}) }

// holdNeeds is a commit that has what needs names until release is called.
func (f *fixture) holdNeeds(needs store.Needs) (release func()) {
	f.Helper()
	held, let, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := f.store.Commit(context.Background(), needs, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			close(held)
			<-let
			return nil, nil
		})
		done <- err
	}()
	<-held
	return func() {
		close(let)
		if err := <-done; err != nil {
			f.Error(err)
		}
	}
}

// waitFor waits until so many operations wait for the committer.
func (f *fixture) waitFor(n int) {
	f.Helper()
	for deadline := time.Now().Add(10 * time.Second); f.Waiting() < int64(n); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			f.Fatalf("%d wait, want %d", f.Waiting(), n)
		}
	}
}
