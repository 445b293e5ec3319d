package engine_test

import (
	"testing"
	"time"

	"casm"
	"casm/engine"
)

func TestMainJob(t *testing.T) {
	f := newFixture(t, true)
	c := f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	if c.ImpactedTotal != 1 || c.etag != 1 || at(c.Payload, "state.state") != "ACTIVE" || at(c.Payload, "customerSegment") != "b2b" {
		t.Fatal(c.raw)
	}
	f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	s := f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491701234567"}`)
	if s.ImpactedTotal != 2 || at(s.Payload, "resources.0.resource") != "491701234567" || at(s.Payload, "customer.externalId") != "c" {
		t.Fatal(s.raw)
	}
	o := f.do("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"offer_code","externalId":"o","state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2024-05-01T00:00:00+02:00"}}`)
	if o.ImpactedTotal != 2 || at(o.Payload, "priority") != 7.0 || at(o.Payload, "services.1.attributes.unitOfMeasure") != "OCTET" || o.etag != 1 {
		t.Fatal(o.raw)
	}
	doc := f.read(casm.KindCustomer, "c", 0, "accounts", "offers", "stateHistory", "segmentHistory")
	if at(doc, "accounts.0.externalId") != "a" || at(doc, "offers.0.externalId") != "o" || at(doc, "stateHistory.0.state") != "ACTIVE" || at(doc, "segmentHistory.0.customerSegment") != "b2b" {
		t.Fatal(doc)
	}
	// a name for the whole chain
	chain := f.do("createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"491701234568"}`)
	if chain.ImpactedTotal != 4 || chain.Impacted[0].Type != "Customer" || chain.Impacted[3].Type != "SubscriberResource" {
		t.Fatal(chain.raw)
	}
}

func TestRepeat(t *testing.T) {
	f := newFixture(t, true)
	body := `{"requestId":"one","externalId":"c","customerProfile":"b2b","customAttributes":{"b":"2","a":"1"}}`
	first := f.do("createCustomer", body)
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"N"}`)
	again := f.do("createCustomer", `{"customAttributes":{"a":"1","b":"2"}, "externalId":"c","customerProfile":"b2b","requestId":"one"}`)
	if !again.replayed || again.raw != first.raw || again.etag != first.etag {
		t.Fatalf("%v %s\n%s", again.replayed, again.raw, first.raw)
	}
	f.refused("createCustomer", `{"requestId":"one","externalId":"d","customerProfile":"b2b"}`, "request_id_reused /requestId")
	f.refused("updateCustomerCustomName", `{"requestId":"one","customer":{"externalId":"c"},"customName":"N"}`, "request_id_reused /requestId")
	nothing := f.do("updateCustomerCustomName", `{"requestId":"two","customer":{"externalId":"c"},"customName":"N"}`)
	if nothing.ImpactedTotal != 0 || at(nothing.Payload, "version") != 2.0 {
		t.Fatal(nothing.raw)
	}
	if r := f.do("updateCustomerCustomName", `{"requestId":"two","customer":{"externalId":"c"},"customName":"N"}`); !r.replayed || r.raw != nothing.raw {
		t.Fatal(r.raw)
	}
	dry := f.do("updateCustomerCustomName", `{"requestId":"one","customer":{"externalId":"c"},"customName":"M"}`, func(w *engine.Write) { w.DryRun = true })
	if !dry.DryRun || dry.TransactionID != "" || dry.ImpactedTotal != 1 || at(f.read(casm.KindCustomer, "c", 0), "customName") != "N" {
		t.Fatal(dry.raw)
	}
}

func TestPlannedState(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","primaryResource":"491701234567"}`)
	due := casm.TimeOf(f.now().Add(time.Hour))
	p := f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"debt","stateValidFrom":"`+due.String()+`"}}`)
	if at(p.Payload, "plannedState.state") != "SUSPENDED" || at(p.Payload, "state.state") != "ACTIVE" {
		t.Fatal(p.raw)
	}
	f.refused("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated","stateValidFrom":"`+due.String()+`"}}`, "state_change_already_planned /state")
	before := casm.TimeOf(f.now())
	f.advance(2 * time.Hour)
	doc := f.read(casm.KindCustomer, "c", 0, "stateHistory")
	if at(doc, "state.state") != "SUSPENDED" || at(doc, "version") != 3.0 || doc["plannedState"] != nil || at(doc, "updatedAt") != due.String() || at(doc, "stateHistory.0.stateReason") != "debt" {
		t.Fatal(doc)
	}
	deadline := time.Now().Add(2 * time.Second)
	for {
		var n int64
		items, _, err := f.History(t.Context(), engine.HistoryQuery{Kind: casm.KindCustomer, Ref: casm.Ref{ExternalID: "c"}, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if string(items) != "" && len(items) > 0 {
			n = int64(len(items))
		}
		recorded := f.read(casm.KindCustomer, "c", 0, "stateHistory")
		if at(recorded, "stateHistory.0.transactionId") != at(doc, "stateHistory.0.transactionId") {
			t.Fatalf("recorded otherwise than shown: %v %v", recorded, doc)
		}
		if contains(string(items), "applyPlannedState") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not recorded by itself: %s %d", items, n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	past := f.read(casm.KindCustomer, "c", before, "stateHistory")
	if at(past, "state.state") != "ACTIVE" || at(past, "version") != 2.0 {
		t.Fatal(past)
	}
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

func TestRefusals(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.refused("createCustomer", `{"externalId":"c","customerProfile":"nope","customerSegment":"x"}`,
		"not_configured /customerProfile", "not_configured /customerSegment", "duplicate_external_id /externalId")
	f.refused("createCustomer", `{"externalId":"d"}`, "required /state")
	f.refused("createCustomer", `{"externalId":"","customSegment":"b2b","customName":7,"state":{"state":"GONE"}}`,
		"wrong_type /customName", "unknown_member /customSegment", "invalid_value /externalId", "invalid_value /state/state")
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"zz"},"parent":{"refId":"01990000-0000-7000-8000-000000000000"}}`,
		"not_found /customer", "not_found /parent")
	f.refused("createAccount", `{"requestId":"empty"}`, "required /accountType", "required /billCycle", "required /currency", "required /customer", "required /state")
	f.refused("createSubscriber", `{"primaryResourceType":"imsi","primaryResource":"12","state":{"state":"ACTIVE","stateReason":"debt"}}`,
		"required /account", "invalid_value /primaryResource", "not_primary_resource_type /primaryResourceType", "state_reason_not_for_state /state/stateReason")
	f.refused("updateCustomerCustomName", `{"customer":{},"customName":"x"}`, "one_of_required /customer")
	f.refused("updateCustomerCustomName", `{"customer":{"externalId":"c"}}`, "required /customName")
	f.refused("updateCustomer", `{"customer":{"externalId":"c"}}`, "one_of_required ")
	f.refused("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"INACTIVE","stateReason":"dfltInactive","pending":true}}`,
		"pending_needs_future_date /state/pending", "transition_not_allowed /state/state")
}
