package relay_test

import (
	"encoding/json"
	"testing"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var (
	someTransaction = uuid.MustParse("019a0000-0000-7000-8000-000000000001")
	someCustomer    = uuid.MustParse("019a0000-0000-7000-8000-000000000002")
	someBalance     = uuid.MustParse("019a0000-0000-7000-8000-000000000003")
)

func someEntry() store.Entry {
	at, err := casm.ParseTime("2026-05-01T02:00:00.123456+02:00")
	if err != nil {
		panic(err)
	}
	return store.Entry{
		Position:    casm.Position{Transaction: 42, Ordinal: 1},
		Transaction: store.Transaction{ID: someTransaction, Operation: "updateCustomerState", At: at},
		Change: store.Change{
			Key: store.Key{Kind: casm.KindCustomer, RefID: someCustomer}, Version: 7, Customer: someCustomer,
			Event: "stateChanged", At: at, Doc: []byte(`{"refId":"x","b":1,"a": [ ]}`),
		},
	}
}

func TestBody(t *testing.T) {
	const tx = `"transactionId":"019a0000-0000-7000-8000-000000000001","operation":"updateCustomerState"`
	for name, c := range map[string]struct {
		edit func(*store.Entry)
		want string
	}{
		"at the end, the rest as it was": {func(*store.Entry) {}, `{"refId":"x","b":1,"a": [ ],` + tx + `}`},
		"a comment":                      {func(e *store.Entry) { e.Transaction.Comment = "a \"b\"\n\té€" }, `{"refId":"x","b":1,"a": [ ],` + tx + `,"comment":"a \"b\"\n\té€"}`},
		"a threshold":                    {func(e *store.Entry) { e.Threshold = 2 }, `{"refId":"x","b":1,"a": [ ],` + tx + `,"threshold":2}`},
		"an empty document":              {func(e *store.Entry) { e.Doc = []byte(`{}`) }, `{` + tx + `}`},
		"white space":                    {func(e *store.Entry) { e.Doc = []byte("{ \"a\" : 1 \n}\n") }, `{ "a" : 1,` + tx + `}`},
		"white space alone":              {func(e *store.Entry) { e.Doc = []byte("{ }") }, `{` + tx + `}`},
		"no document":                    {func(e *store.Entry) { e.Doc = nil }, `{` + tx + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			e := someEntry()
			c.edit(&e)
			before := string(e.Doc)
			got := relay.Body(e)
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !json.Valid(got) {
				t.Errorf("not JSON: %s", got)
			}
			if string(e.Doc) != before {
				t.Errorf("the document was changed to %s", e.Doc)
			}
		})
	}
	e := someEntry()
	if n := testing.AllocsPerRun(100, func() { relay.Body(e) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func TestMessage(t *testing.T) {
	e := someEntry()
	m := relay.Message(e, 3, "/casm/test")
	want := stream.Message{
		Position: e.Position, Epoch: 3, ID: relay.ID(e), Code: "customer", Event: "stateChanged",
		Key: someCustomer.String(), Body: relay.Body(e),
		Headers: []stream.Header{
			{Name: "X-Ocs-Io-transaction-id", Value: someTransaction.String()},
			{Name: "X-Ocs-Io-message-code", Value: "customer"},
			{Name: "X-Ocs-Io-message-payload", Value: "Customer"},
			{Name: "ce-specversion", Value: "1.0"},
			{Name: "ce-id", Value: relay.ID(e)},
			{Name: "ce-source", Value: "/casm/test"},
			{Name: "ce-type", Value: "casm.customer.stateChanged.v1"},
			{Name: "ce-subject", Value: someCustomer.String()},
			{Name: "ce-time", Value: "2026-05-01T00:00:00.123456Z"},
			{Name: "ce-datacontenttype", Value: "application/json"},
			{Name: "ce-partitionkey", Value: someCustomer.String()},
			{Name: "Casm-Position", Value: "42-1"},
			{Name: "Casm-Epoch", Value: "3"},
		},
	}
	if d := cmp.Diff(want, m); d != "" {
		t.Errorf("message (-want +got):\n%s", d)
	}
}

func TestID(t *testing.T) {
	e := someEntry()
	if _, err := uuid.Parse(relay.ID(e)); err != nil {
		t.Error(err)
	}
	same := e
	same.Position = casm.Position{Transaction: 1} // another place, the same thing
	if relay.ID(same) != relay.ID(e) {
		t.Error("a message that is sent again at another position has another id")
	}
	seen := map[string]string{relay.ID(e): "the message"}
	for name, edit := range map[string]func(*store.Entry){
		"another transaction": func(e *store.Entry) { e.Transaction.ID = someBalance },
		"another entity":      func(e *store.Entry) { e.RefID = someBalance },
		"another version":     func(e *store.Entry) { e.Version++ },
		"its threshold 1":     func(e *store.Entry) { e.Threshold = 1 },
		"its threshold 2":     func(e *store.Entry) { e.Threshold = 2 },
	} {
		e := e
		edit(&e)
		id := relay.ID(e)
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have one id", name, other)
		}
		seen[id] = name
	}
}

func BenchmarkMessage(b *testing.B) {
	e := someEntry()
	for b.Loop() {
		relay.Message(e, 1, "/casm")
	}
}
