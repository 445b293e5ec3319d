package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

func ifMatch(version int64) func(*engine.Write) {
	return func(w *engine.Write) { w.IfMatch = version }
}

func dryRun(w *engine.Write) { w.DryRun = true }

// codes are violations as "code pointer", or the error itself.
func codes(err error) []string {
	if err == nil {
		return nil
	}
	var v casm.Violations
	if !errors.As(err, &v) {
		return []string{err.Error()}
	}
	var out []string
	for _, x := range v {
		out = append(out, string(x.Code)+" "+x.Pointer)
	}
	return out
}

// refusedWith is refused for a write with options.
func (f *fixture) refusedWith(option func(*engine.Write), operation, body string, want ...string) {
	f.Helper()
	_, err := f.try(operation, body, option)
	if got := codes(err); !slices.Equal(got, want) {
		f.Errorf("%s %s:\n got %v\nwant %v", operation, body, err, want)
	}
}

// unchanged asserts that a write changes nothing (contract rule 7).
func (f *fixture) unchanged(operation, body string) *answer {
	f.Helper()
	a := f.do(operation, body)
	if a.ImpactedTotal != 0 || len(a.Impacted) != 0 {
		f.Errorf("%s %s: %s; want no change", operation, body, a.raw)
	}
	return a
}

// want asserts what stands in a document, by path; nil: nothing.
func (f *fixture) want(doc any, pairs ...any) {
	f.Helper()
	for i := 0; i < len(pairs); i += 2 {
		path, want := pairs[i].(string), pairs[i+1]
		if n, ok := want.(int); ok {
			want = float64(n)
		}
		if t, ok := want.(casm.Time); ok {
			want = t.String()
		}
		if got := at(doc, path); got != want {
			text, _ := json.Marshal(doc, json.Deterministic(true))
			f.Errorf("%s is %v, want %v in %s", path, got, want, text)
		}
	}
}

// length asserts how long a list in a document is.
func (f *fixture) length(doc any, path string, want int) {
	f.Helper()
	list, _ := at(doc, path).([]any)
	if len(list) != want {
		f.Errorf("%s has %d elements, want %d: %v", path, len(list), want, list)
	}
}

// impacted are the types of what a write touched.
func (a *answer) impactedTypes() string {
	var types []string
	for _, x := range a.Impacted {
		types = append(types, x.Type)
	}
	return strings.Join(types, " ")
}

// in gives an instant from the store's clock.
func (f *fixture) in(d time.Duration) casm.Time { return casm.TimeOf(f.now().Add(d)) }

func edit(collection, code string, item casm.ConfigItem) command.ConfigEdit {
	if item != nil {
		item.Base().Code = code
		if item.Base().Name == "" {
			item.Base().Name = code
		}
	}
	return command.ConfigEdit{Collection: casm.CollectionByPath(collection), Code: code, Item: item}
}

// configure makes items stand.
func (f *fixture) configure(edits ...command.ConfigEdit) []command.ConfigChange {
	f.Helper()
	changes, err := f.EditConfig(f.Context(), "test", false, edits)
	if err != nil {
		f.Fatalf("configure %s: %v", edits[0].Code, err)
	}
	return changes
}

// configRefused asserts what an edit is refused with.
func (f *fixture) configRefused(e command.ConfigEdit, want ...string) {
	f.Helper()
	_, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{e})
	if got := codes(err); !slices.Equal(got, want) {
		f.Errorf("%s/%s: got %v, want %v", e.Collection.Path, e.Code, err, want)
	}
}

// retire retires an item.
func (f *fixture) retire(collection, code string, retired bool) {
	f.Helper()
	s, err := f.Config(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	c := casm.CollectionByPath(collection)
	doc, err := casm.EncodeItem(s.Item(collection, code))
	if err != nil {
		f.Fatal(err)
	}
	item, err := c.Decode(doc)
	if err != nil {
		f.Fatal(err)
	}
	item.Base().Retired = retired
	f.configure(command.ConfigEdit{Collection: c, Code: code, Item: item})
}

// batchResult is one result of a batch.
type batchResult struct {
	Status      int
	Transaction *answer
	Problem     *casm.Problem
}

type batchAnswer struct {
	RequestID string        `json:"requestId"`
	Results   []batchResult `json:"results"`

	raw      string
	replayed bool
}

func (f *fixture) tryBatch(body string, options ...func(*engine.BatchWrite)) (*batchAnswer, error) {
	f.Helper()
	b, v := command.DecodeBatch([]byte(body))
	if len(v) > 0 {
		return nil, v
	}
	w := engine.BatchWrite{Batch: b, Body: []byte(body), Actor: "test"}
	for _, o := range options {
		o(&w)
	}
	a, err := f.Batch(f.Context(), w)
	if err != nil {
		return nil, err
	}
	out := &batchAnswer{raw: string(a.Body), replayed: a.Replayed}
	if err := json.Unmarshal(a.Body, out, json.MatchCaseInsensitiveNames(true)); err != nil {
		f.Fatalf("%v in %s", err, a.Body)
	}
	return out, nil
}

func (f *fixture) batch(body string, options ...func(*engine.BatchWrite)) *batchAnswer {
	f.Helper()
	a, err := f.tryBatch(body, options...)
	if err != nil {
		f.Fatalf("batch %s: %v", body, err)
	}
	return a
}

func (f *fixture) batchRefused(body string, want ...string) {
	f.Helper()
	_, err := f.tryBatch(body)
	if got := codes(err); !slices.Equal(got, want) {
		f.Errorf("batch %s:\n got %v\nwant %v", body, err, want)
	}
}

// operations is the body of a batch of "operation", "body" pairs.
func operations(requestID string, atomic bool, pairs ...string) string {
	var ops []string
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, fmt.Sprintf(`{"operation":%q,"body":%s}`, pairs[i], pairs[i+1]))
	}
	return fmt.Sprintf(`{"requestId":%q,"atomic":%t,"operations":[%s]}`, requestID, atomic, strings.Join(ops, ","))
}

// historyOf returns an entity's business transactions, newest first.
func (f *fixture) historyOf(kind casm.Kind, externalID string) []any {
	f.Helper()
	items, _, err := f.History(f.Context(), engine.HistoryQuery{Kind: kind, Ref: casm.Ref{ExternalID: externalID}, Limit: 100})
	if err != nil {
		f.Fatal(err)
	}
	var list []any
	if err := json.Unmarshal(items, &list); err != nil {
		f.Fatal(err)
	}
	return list
}

// recorded waits until a due change of the operation is recorded.
func (f *fixture) recorded(kind casm.Kind, externalID, operation string) map[string]any {
	f.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for _, item := range f.historyOf(kind, externalID) {
			if at(item, "operation") == operation {
				return item.(map[string]any)
			}
		}
		if time.Now().After(deadline) {
			f.Fatalf("%s of %v %s is not recorded by itself", operation, kind, externalID)
		}
	}
}

// resources reads a subscriber's resources.
func (f *fixture) resources(subscriber string, history bool, asOf casm.Time) []any {
	f.Helper()
	a, err := f.ReadResources(f.Context(), engine.ResourceQuery{Ref: casm.Ref{ExternalID: subscriber}, HistoryIncluded: history, AsOf: asOf})
	if err != nil {
		f.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		f.Fatal(err)
	}
	list, _ := doc["items"].([]any)
	return list
}

// byResource finds a subscriber by its resource.
func (f *fixture) byResource(resourceType, value string, asOf casm.Time) (string, error) {
	f.Helper()
	for _, r := range engine.Reads {
		if !r.ByResource {
			continue
		}
		a, err := f.Read(f.Context(), engine.Query{Read: r, Resource: command.ResourceKey{Type: resourceType, Value: value}, AsOf: asOf})
		if err != nil {
			return "", err
		}
		var doc map[string]any
		if err := json.Unmarshal(a.Body, &doc); err != nil {
			f.Fatal(err)
		}
		return fmt.Sprint(doc["externalId"]), nil
	}
	return "", errors.New("no read by resource")
}

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
func (f *fixture) hold() (release func()) {
	f.Helper()
	held, let, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := f.store.Commit(context.Background(), store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
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
