package engine_test

import (
	"testing"
	"time"

	"casm"
	"casm/engine"
)

// TestFind: a plain read, which is answered from what is stored, gives the same
// as one that goes all the way, whatever happened to the entity and to what it
// refers to.
func TestFind(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"s"},"externalId":"part \"of\" <o>","offer":"offer_code","parentOfferSubscription":{"externalId":"os"},"state":{"state":"ACTIVE","stateReason":"dfltActive"}}`)
	f.do("createAccount", `{"externalId":"below","accountProfile":"postpaid","parent":{"externalId":"a"}}`)
	f.do("updateAccountCustomAttributes", `{"account":{"externalId":"below"},"customAttributes":{"x":"{\"refId\":\"01990000-0000-7000-8000-000000000000\"}","state":"y"}}`)
	for i, read := range []int{0, 1, 1, 2, 3, 3} {
		q := engine.Query{Read: engine.Reads[read], Ref: casm.Ref{ExternalID: []string{"c", "a", "below", "s", "os", `part "of" <o>`}[i]}}
		if a, err := f.ReadShort(t.Context(), q); a == nil || err != nil {
			t.Errorf("%v is not read the short way: %v", q.Ref, err)
		}
		q.Flags = map[string]bool{"stateHistory": true}
		if a, err := f.ReadShort(t.Context(), q); a != nil || err != nil {
			t.Errorf("a view is read the short way: %v", err)
		}
	}
	renames := []string{"", "c", "a", "s", "os", "below"}
	ids := []casm.Ref{}
	for _, name := range []string{"c", "a", "below", "s", "os", `part "of" <o>`} {
		ids = append(ids, casm.Ref{ExternalID: name})
	}
	kinds := []int{0, 1, 1, 2, 3, 3}
	for i := range ids {
		ids[i].RefID = f.plain(kinds[i], ids[i].ExternalID).RefID
	}
	operations := map[string]string{"c": "Customer", "a": "Account", "s": "Subscriber", "os": "Subscription", "below": "Account"}
	members := map[string]string{"c": "customer", "a": "account", "s": "subscriber", "os": "subscription", "below": "account"}
	for _, name := range renames {
		if name != "" {
			f.do("update"+operations[name]+"ExternalId", `{"`+members[name]+`":{"externalId":"`+name+`"},"externalId":"new \u2028 é `+name+`"}`)
		}
		f.samePlain(kinds, ids)
	}
	// a plan that is due is shown as taken effect
	f.do("updateAccountState", `{"account":{"externalId":"new \u2028 é a"},"state":{"state":"SUSPENDED","stateReason":"debt","stateValidFrom":"`+f.now().Add(time.Hour).Format(time.RFC3339)+`"}}`)
	f.samePlain(kinds, ids)
	f.advance(2 * time.Hour)
	f.samePlain(kinds, ids)
}

// plain reads an entity by its external id.
func (f *fixture) plain(read int, externalID string) *casm.Customer {
	f.Helper()
	a, err := f.Read(f.Context(), engine.Query{Read: engine.Reads[read], Ref: casm.Ref{ExternalID: externalID}})
	if err != nil {
		f.Fatalf("%s: %v", externalID, err)
	}
	e, err := casm.DecodeEntity(casm.KindCustomer, a.Body) // its common members
	if err != nil {
		f.Fatal(err)
	}
	return e.(*casm.Customer)
}

// samePlain compares plain reads with those that go all the way.
func (f *fixture) samePlain(reads []int, ids []casm.Ref) {
	f.Helper()
	for i, ref := range ids {
		q := engine.Query{Read: engine.Reads[reads[i]], Ref: casm.Ref{RefID: ref.RefID}}
		quick, err := f.Read(f.Context(), q)
		if err != nil {
			f.Fatal(err)
		}
		whole, err := f.ReadWhole(f.Context(), q)
		if err != nil {
			f.Fatal(err)
		}
		if string(quick.Body) != string(whole.Body) || quick.ETag != whole.ETag {
			f.Errorf("version %d %s\nis shown as\n%d %s", whole.ETag, whole.Body, quick.ETag, quick.Body)
		}
	}
}
