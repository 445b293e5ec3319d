package engine_test

import (
	"testing"

	"casm"
	"casm/store"
)

// TestEndpointBegins: an endpoint begins behind what was committed before it,
// also when it is made again, and a change leaves it where it is.
func TestEndpointBegins(t *testing.T) {
	f := newFixture(t, true)
	key := store.CodeKey{Collection: casm.PubSubEndpoints, Code: "crm"}
	progress := func() (p *store.Progress) {
		t.Helper()
		err := f.View(t.Context(), func(r store.Reader) (err error) {
			p, err = r.Progress(t.Context(), key)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	endpoint := func(url string) *casm.PubSubEndpoint {
		return &casm.PubSubEndpoint{Item: casm.Item{Name: "CRM"}, Type: casm.EndpointWebhook, URL: url}
	}
	create := func() {
		t.Helper()
		if _, err := f.try("createCustomer", `{"customerProfile":"b2b"}`); err != nil {
			t.Fatal(err)
		}
	}
	begun := func(transaction int64) {
		t.Helper()
		if p := progress(); p == nil || p.After != (casm.Position{Transaction: transaction, Ordinal: casm.MaxOrdinal}) {
			t.Errorf("it begins with %+v, want behind transaction %d", p, transaction)
		}
	}
	f.configure(edit(casm.PubSubEndpoints, "crm", endpoint("https://a.example")))
	begun(0)
	create()
	f.configure(edit(casm.PubSubEndpoints, "crm", endpoint("https://b.example")))
	begun(0)
	f.configure(edit(casm.PubSubEndpoints, "crm", nil))
	if p := progress(); p != nil {
		t.Errorf("deleted, and %+v is left", p)
	}
	f.configure(edit(casm.PubSubEndpoints, "crm", endpoint("https://a.example")))
	begun(1)
}
