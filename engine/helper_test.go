package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casm"
	"casm/command"
	"casm/engine"

	"github.com/go-json-experiment/json"
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
