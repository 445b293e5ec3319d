package engine_test

import (
	"fmt"
	"testing"
	"time"

	"casm"
)

func TestRule17Transitions(t *testing.T) {
	f := newFixture(t, true)
	allowed := map[string]string{
		"INACTIVE": "INACTIVE ACTIVE DEACTIVATED", "ACTIVE": "ACTIVE SUSPENDED DEACTIVATED", "SUSPENDED": "SUSPENDED ACTIVE DEACTIVATED", "DEACTIVATED": "",
	}
	all := []string{"INACTIVE", "ACTIVE", "SUSPENDED", "DEACTIVATED"}
	for _, state := range all {
		f.configure(edit("state-reasons", "other"+state, &casm.StateReason{State: state}))
	}
	n := 0
	for _, from := range all {
		for _, to := range all {
			for _, when := range []string{"now", "past", "future", "pending"} {
				n++
				name := fmt.Sprintf("x%d", n)
				start := from
				if from == "DEACTIVATED" {
					start = "ACTIVE"
				}
				f.do("createCustomer", fmt.Sprintf(`{"externalId":%q,"state":{"state":%q,"stateReason":%q}}`, name, start, dflt[start]))
				if from == "DEACTIVATED" {
					f.setStateOf(name, from)
				}
				body := map[string]string{
					"now": "", "past": `,"stateValidFrom":"2001-01-01T00:00:00Z"`,
					"future": "," + validFrom(f.in(time.Hour)), "pending": "," + validFrom(f.in(time.Hour)) + ",\"pending\":true",
				}[when]
				body = fmt.Sprintf(`{"customer":{"externalId":%q},"state":{"state":%q,"stateReason":"other%s"%s}}`, name, to, to, body)
				switch {
				case from == "DEACTIVATED":
					f.refused("updateCustomerState", body, "deactivated /customer")
				case contains(" "+allowed[from]+" ", " "+to+" "):
					a := f.do("updateCustomerState", body)
					member := "state"
					if when == "future" || when == "pending" {
						member = "plannedState"
					}
					f.want(a.Payload, member+".state", to, member+".stateReason", "other"+to, member+".pending", when == "pending")
				default:
					f.refused("updateCustomerState", body, "transition_not_allowed /state/state")
				}
			}
		}
	}
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.refused("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"INACTIVE","stateReason":"debt","pending":true}}`,
		"pending_needs_future_date /state/pending", "transition_not_allowed /state/state", "state_reason_not_for_state /state/stateReason")
	f.refused("updateCustomerState", stateBody(casm.KindCustomer, "c", "SUSPENDED", pending, validFrom(f.in(-time.Hour))), "pending_needs_future_date /state/pending")
}

func TestRule18BackdatedChangesOvertake(t *testing.T) {
	f := newFixture(t, true)
	day := func(n int) string { return fmt.Sprintf(`"stateValidFrom":"2024-01-%02dT00:00:00Z"`, n) }
	instant := func(n int) string { return fmt.Sprintf("2024-01-%02dT00:00:00.000000Z", n) }
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b","state":{`+day(10)+`}}`)
	set := func(state string, n int) *answer {
		return f.do("updateCustomerState", stateBody(casm.KindCustomer, "c", state, day(n)))
	}
	a := set("SUSPENDED", 15)
	f.want(a.Payload, "state.stateValidFrom", instant(15))
	set("ACTIVE", 20)
	set("SUSPENDED", 12) // overtakes 15 and 20, ends 10
	doc := f.read(casm.KindCustomer, "c", 0, "stateHistory")
	f.length(doc, "stateHistory", 4)
	f.want(doc, "state.state", "SUSPENDED", "state.stateValidFrom", instant(12),
		"stateHistory.0.validFrom", instant(12), "stateHistory.0.validTo", nil, "stateHistory.0.overtaken", false,
		"stateHistory.1.validFrom", instant(20), "stateHistory.1.overtaken", true,
		"stateHistory.2.validFrom", instant(15), "stateHistory.2.overtaken", true,
		"stateHistory.3.validFrom", instant(10), "stateHistory.3.validTo", instant(12), "stateHistory.3.overtaken", false,
		"stateHistory.3.state", "ACTIVE", "stateHistory.3.stateReason", "dfltActive")
	// it may precede the creation, too; one of the same date overtakes
	between := f.in(0)
	last := set("ACTIVE", 12)
	set("SUSPENDED", 1)
	doc = f.read(casm.KindCustomer, "c", 0, "stateHistory")
	f.want(doc, "stateHistory.0.validFrom", instant(1), "stateHistory.1.overtaken", true, "stateHistory.2.overtaken", true, "stateHistory.5.overtaken", true,
		"stateHistory.1.transactionId", last.TransactionID, "stateHistory.1.recordedAt", last.Timestamp)
	// what was recorded then, as it looked then
	doc = f.read(casm.KindCustomer, "c", between, "stateHistory")
	f.length(doc, "stateHistory", 4)
	f.want(doc, "stateHistory.3.overtaken", false, "stateHistory.0.validTo", nil)
}

func TestRule19PlanConfirmCancel(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	ref := `{"customer":{"externalId":"c"}`
	soon, later := f.in(time.Hour), f.in(2*time.Hour)
	f.refused("confirmCustomerState", ref+`}`, "no_planned_state_change /customer")
	f.refused("cancelCustomerState", ref+`}`, "no_planned_state_change /customer")
	p := f.setState("c", "SUSPENDED", pending, validFrom(soon))
	f.want(p.Payload, "plannedState.pending", true, "state.state", "ACTIVE", "version", 2)
	f.refused("updateCustomerState", stateBody(casm.KindCustomer, "c", "INACTIVE", validFrom(later)), "state_change_already_planned /state", "transition_not_allowed /state/state")
	// a pending one never takes effect by itself
	f.advance(90 * time.Minute)
	f.want(f.read(casm.KindCustomer, "c", 0), "state.state", "ACTIVE", "version", 2, "plannedState.state", "SUSPENDED")
	// confirmed with its date gone by it takes effect at once, from its date
	a := f.do("confirmCustomerState", ref+`}`)
	f.want(a.Payload, "state.state", "SUSPENDED", "state.stateValidFrom", soon, "state.pending", false, "plannedState", nil, "version", 3, "updatedAt", a.Timestamp)
	// firm, moved, confirmed again without effect
	f.setState("c", "ACTIVE", validFrom(f.in(time.Hour)))
	moved := f.in(3 * time.Hour)
	a = f.do("confirmCustomerState", ref+`,`+validFrom(moved)+`}`)
	f.want(a.Payload, "plannedState.stateValidFrom", moved, "plannedState.pending", false)
	f.unchanged("confirmCustomerState", ref+`}`)
	f.unchanged("confirmCustomerState", ref+`,"stateValidFrom":null}`)
	a = f.do("cancelCustomerState", ref+`}`)
	f.want(a.Payload, "plannedState", nil, "state.state", "SUSPENDED")
	// an override that is not in the future: at once
	f.setState("c", "ACTIVE", pending, validFrom(f.in(time.Hour)))
	a = f.do("confirmCustomerState", ref+`,"stateValidFrom":"2024-05-01T00:00:00Z"}`)
	f.want(a.Payload, "state.state", "ACTIVE", "state.stateValidFrom", "2024-05-01T00:00:00.000000Z", "plannedState", nil)
	// pending becomes firm at its date
	f.setState("c", "SUSPENDED", pending, validFrom(f.in(time.Hour)))
	a = f.do("confirmCustomerState", ref+`}`)
	f.want(a.Payload, "plannedState.pending", false, "state.state", "ACTIVE")
}

func TestRule19ImmediateChangeBesideAPlan(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	soon := f.in(time.Hour)
	f.setState("c", "SUSPENDED", validFrom(soon))
	a := f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"ACTIVE","stateReason":"active"}}`)
	f.want(a.Payload, "plannedState.state", "SUSPENDED", "state.stateReason", "active")
	a = f.setState("c", "SUSPENDED") // the plan may follow: same state, other date
	f.want(a.Payload, "plannedState.state", "SUSPENDED")
	f.do("cancelCustomerState", `{"customer":{"externalId":"c"}}`)
	f.do("createCustomer", `{"externalId":"i","state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`)
	f.do("updateCustomerState", stateBody(casm.KindCustomer, "i", "INACTIVE", validFrom(soon)))
	a = f.setStateOf("i", "ACTIVE") // no way back to INACTIVE
	f.want(a.Payload, "plannedState", nil, "state.state", "ACTIVE", "version", 3)
	// becoming DEACTIVATED drops all plans
	f.setState("a", "SUSPENDED", validFrom(soon))
	f.do("updateAccountBillCycle", `{"account":{"externalId":"a"},"billCycle":"own-day","billingDay":3,`+`"validFrom":"`+soon.String()+`"}`)
	a = f.setState("a", "DEACTIVATED")
	f.want(a.Payload, "plannedState", nil, "plannedBillCycle", nil)
	f.refused("cancelAccountBillCycleChange", `{"account":{"externalId":"a"}}`, "deactivated /account")
}

func TestRule20DueChanges(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	due := f.in(time.Hour)
	plan := f.do("updateSubscriberState", `{"requestId":"planning","comment":"why",`+stateBody(casm.KindSubscriber, "s", "DEACTIVATED", validFrom(due))[1:])
	f.do("updateAccountBillCycle", `{"requestId":"cycle","account":{"externalId":"b"},"billCycle":"own-day","billingDay":5,"validFrom":"`+due.String()+`"}`)
	f.want(f.read(casm.KindAccount, "b", 0), "plannedBillCycle.billCycle", "own-day", "plannedBillCycle.billingDay", 5, "plannedBillCycle.validFrom", due)
	before := f.in(0)
	f.advance(2 * time.Hour)
	// a read shows it at once, with the version it will have; the resource is ended and free
	doc := f.read(casm.KindSubscriber, "s", 0, "stateHistory", "resources")
	f.want(doc, "state.state", "DEACTIVATED", "version", 3, "updatedAt", due, "plannedState", nil, "stateHistory.0.validFrom", due, "stateHistory.0.recordedAt", due)
	f.length(doc, "resources", 0)
	f.want(f.resources("s", true, 0), "0.validTo", due, "0.version", 2)
	if name, err := f.byResource("msisdn", "491700000001", 0); err == nil {
		t.Errorf("the resource still leads to %s", name)
	}
	f.want(f.read(casm.KindAccount, "b", 0, "billCycleHistory"), "billCycle", "own-day", "billingDay", 5, "plannedBillCycle", nil,
		"billCycleHistory.0.billCycle", "own-day", "billCycleHistory.0.billingDay", 5, "billCycleHistory.0.validFrom", due)
	// a write records it first, also for the holder of a contested key
	f.do("createSubscriber", `{"externalId":"n","subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000001"}`)
	f.refused("updateSubscriberCustomName", `{"subscriber":{"externalId":"s"},"customName":"x"}`, "deactivated /subscriber")
	item := f.recorded(casm.KindSubscriber, "s", "applyPlannedState")
	f.want(item, "requestId", "planning", "actor", "test", "timestamp", due, "version", 3)
	if at(item, "transactionId") == plan.TransactionID || at(item, "transactionId") != at(doc, "stateHistory.0.transactionId") {
		t.Error(item)
	}
	item = f.recorded(casm.KindAccount, "b", "applyPlannedBillCycle")
	f.want(item, "requestId", "cycle", "actor", "test", "timestamp", due)
	// as it was
	past := f.read(casm.KindSubscriber, "s", before, "resources", "stateHistory")
	f.want(past, "version", 2, "plannedState.state", "DEACTIVATED", "resources.0.resource", "491700000001", "resources.0.validTo", nil)
	f.want(f.read(casm.KindSubscriber, "s", due, "stateHistory"), "version", 3, "state.state", "DEACTIVATED")
	f.want(f.read(casm.KindSubscriber, "s", due-1), "version", 2, "state.state", "ACTIVE")
}

func TestRule20TheWorkerRecordsInOrder(t *testing.T) {
	f := newFixture(t, true)
	const n = 300 // several jobs of the worker
	soon := f.in(time.Hour)
	var pairs []string
	for i := range n {
		pairs = append(pairs, "createCustomer", fmt.Sprintf(`{"externalId":"c%d","customerProfile":"b2b"}`, i),
			"updateCustomerState", stateBody(casm.KindCustomer, fmt.Sprint("c", i), "SUSPENDED", validFrom(soon.Add(time.Duration(n-i)*time.Millisecond))))
	}
	f.batch(operations("plans", true, pairs...))
	f.advance(2 * time.Hour)
	began := time.Now()
	f.recorded(casm.KindCustomer, "c0", "applyPlannedState") // the last
	if d := time.Since(began); d > time.Duration(2*slow)*time.Second {
		t.Errorf("%v until all was recorded", d)
	}
	var last casm.Time
	count := 0
	for _, e := range f.feed() {
		if e.Transaction.Operation != "applyPlannedState" {
			continue
		}
		count++
		if e.At < last {
			t.Fatalf("%v after %v", e.At, last)
		}
		last = e.At
		if e.Event != "stateChanged" || e.Transaction.RequestID != "plans" || e.Transaction.Claim.Key != "" {
			t.Fatal(e)
		}
	}
	if count != n {
		t.Errorf("%d recorded, want %d", count, n)
	}
}

func TestRule19PlanThatIsDueIsCheckedAgain(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	// codes retired meanwhile do not stop it
	due := f.in(time.Hour)
	f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"debt",`+validFrom(due)+`}}`)
	f.retire("state-reasons", "debt", true)
	f.advance(2 * time.Hour)
	f.want(f.read(casm.KindCustomer, "c", 0), "state.stateReason", "debt")
	f.recorded(casm.KindCustomer, "c", "applyPlannedState")
}

func TestRule21CascadeAtOnce(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.setState("os", "SUSPENDED")
	f.setState("t", "DEACTIVATED") // what is below it is reached all the same
	f.setState("oa", "DEACTIVATED")
	f.setState("b", "SUSPENDED")
	a := f.do("updateCustomerState", stateBody(casm.KindCustomer, "c", "SUSPENDED", cascade))
	f.wantStates("a=SUSPENDED b=SUSPENDED c=SUSPENDED oa=DEACTIVATED oc=SUSPENDED os=SUSPENDED ot=SUSPENDED s=SUSPENDED t=DEACTIVATED")
	if a.ImpactedTotal != 5 { // c a s oc ot; b and os are so already
		t.Error(a.raw)
	}
	for _, name := range []string{"b", "os"} {
		f.want(f.read(treeKinds[name], name, 0), "version", 2)
	}
	one := f.historyOf(casm.KindSubscriber, "s")
	f.want(one, "0.transactionId", a.TransactionID, "0.operation", "updateCustomerState")
	// a part of the tree only
	f.setState("a", "ACTIVE", cascade)
	f.wantStates("a=ACTIVE b=ACTIVE c=SUSPENDED oa=DEACTIVATED oc=SUSPENDED os=ACTIVE ot=ACTIVE s=ACTIVE t=DEACTIVATED")
	f.setState("s", "SUSPENDED", cascade)
	f.wantStates("a=ACTIVE b=ACTIVE c=SUSPENDED oa=DEACTIVATED oc=SUSPENDED os=SUSPENDED ot=ACTIVE s=SUSPENDED t=DEACTIVATED")
	f.refused("updateSubscriptionState", stateBody(casm.KindOfferSubscription, "os", "ACTIVE", cascade), "unknown_member /subordinateUpdated")
	// the top is so already, what is below is not
	f.setState("a", "ACTIVE", cascade)
	f.wantStates("a=ACTIVE b=ACTIVE c=SUSPENDED oa=DEACTIVATED oc=SUSPENDED os=ACTIVE ot=ACTIVE s=ACTIVE t=DEACTIVATED")
	// one that cannot is left
	f.do("createCustomer", `{"externalId":"i","state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`)
	f.do("createAccount", `{"externalId":"ia","accountProfile":"postpaid","customer":{"externalId":"i"},"state":{"state":"SUSPENDED","stateReason":"debt"}}`)
	f.do("createAccount", `{"externalId":"ib","accountProfile":"postpaid","parent":{"externalId":"ia"},"state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`)
	f.setStateOf("i", "ACTIVE")
	f.do("updateAccountState", stateBody(casm.KindAccount, "ia", "SUSPENDED", cascade))
	f.want(f.read(casm.KindAccount, "ib", 0), "state.state", "INACTIVE")
	// deactivating frees the resources below
	f.setState("c", "DEACTIVATED", cascade)
	f.wantStates("a=DEACTIVATED b=DEACTIVATED c=DEACTIVATED oa=DEACTIVATED oc=DEACTIVATED os=DEACTIVATED ot=DEACTIVATED s=DEACTIVATED t=DEACTIVATED")
	f.do("createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"491700000001"}`)
}

func TestRule21CascadePlanned(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	due := f.in(time.Hour)
	f.setState("s", "DEACTIVATED", validFrom(due.Add(time.Hour)))
	f.setState("oa", "SUSPENDED")
	f.setState("b", "DEACTIVATED")
	a := f.setState("c", "SUSPENDED", pending, validFrom(due), cascade)
	f.wantStates("a=ACTIVE>SUSPENDED b=DEACTIVATED c=ACTIVE>SUSPENDED oa=SUSPENDED oc=ACTIVE>SUSPENDED os=ACTIVE>SUSPENDED ot=ACTIVE>SUSPENDED s=ACTIVE>DEACTIVATED t=ACTIVE>SUSPENDED")
	if a.ImpactedTotal != 6 {
		t.Error(a.raw)
	}
	// those that carry another plan by now do not follow
	f.do("cancelSubscriptionState", `{"subscription":{"externalId":"os"}}`)
	f.do("cancelSubscriberState", `{"subscriber":{"externalId":"t"}}`)
	f.setState("t", "SUSPENDED", pending, validFrom(due))
	sub := f.do("confirmSubscriptionState", `{"subscription":{"externalId":"ot"}}`)
	f.want(sub.Payload, "plannedState.pending", false)
	moved := due.Add(10 * time.Minute)
	f.do("confirmCustomerState", `{"customer":{"externalId":"c"},`+validFrom(moved)+`}`)
	for name, want := range map[string][2]any{
		"c": {moved.String(), false}, "a": {moved.String(), false}, "oc": {moved.String(), false}, "ot": {moved.String(), false},
		"t": {due.String(), true}, "os": {nil, nil}, "s": {due.Add(time.Hour).String(), false},
	} {
		f.want(f.read(treeKinds[name], name, 0), "plannedState.stateValidFrom", want[0], "plannedState.pending", want[1])
	}
	f.advance(75 * time.Minute)
	f.wantStates("a=SUSPENDED b=DEACTIVATED c=SUSPENDED oa=SUSPENDED oc=SUSPENDED os=ACTIVE ot=SUSPENDED s=ACTIVE>DEACTIVATED t=ACTIVE>SUSPENDED")
	f.recorded(casm.KindOfferSubscription, "ot", "applyPlannedState")
	// cancel of the top follows as well
	f.setState("c", "ACTIVE", validFrom(f.in(time.Hour)), cascade)
	f.do("cancelCustomerState", `{"customer":{"externalId":"c"}}`)
	f.wantStates("a=SUSPENDED b=DEACTIVATED c=SUSPENDED oa=SUSPENDED oc=SUSPENDED os=ACTIVE ot=SUSPENDED s=ACTIVE>DEACTIVATED t=ACTIVE>SUSPENDED")
	// confirm at once follows
	f.setState("c", "ACTIVE", pending, validFrom(f.in(time.Hour)), cascade)
	f.do("confirmCustomerState", `{"customer":{"externalId":"c"},"stateValidFrom":"2024-01-01T00:00:00Z"}`)
	f.wantStates("a=ACTIVE b=DEACTIVATED c=ACTIVE oa=ACTIVE oc=ACTIVE os=ACTIVE ot=ACTIVE s=ACTIVE>DEACTIVATED t=ACTIVE>SUSPENDED")
}

func TestRule22SegmentHistory(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	one := f.do("updateCustomerSegment", `{"customer":{"externalId":"c"},"customerSegment":"b2c"}`)
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x"}`)
	two := f.do("updateCustomer", `{"customer":{"externalId":"c"},"customerSegment":null}`)
	doc := f.read(casm.KindCustomer, "c", 0, "segmentHistory", "stateHistory")
	f.length(doc, "segmentHistory", 3)
	f.length(doc, "stateHistory", 1)
	f.want(doc, "segmentHistory.0.customerSegment", nil, "segmentHistory.0.validFrom", two.Timestamp, "segmentHistory.0.validTo", nil, "segmentHistory.0.transactionId", two.TransactionID,
		"segmentHistory.1.customerSegment", "b2c", "segmentHistory.1.validFrom", one.Timestamp, "segmentHistory.1.validTo", two.Timestamp,
		"segmentHistory.2.customerSegment", "b2b", "segmentHistory.2.overtaken", false)
	items := f.historyOf(casm.KindCustomer, "c")
	f.want(items, "0.changes.0.pointer", "/customerSegment", "0.changes.0.from", "b2c", "0.changes.0.to", nil, "0.operation", "updateCustomer", "1.changes.0.to", "x", "3.operation", "createCustomer")
}
