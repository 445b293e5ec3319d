package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"casm"
)

func TestRule05DeactivatedIsFinal(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"n"}`)
	for _, name := range []string{"c", "a", "s", "oc"} {
		f.setState(name, "DEACTIVATED")
	}
	noun := map[string]string{"customer": "Customer", "account": "Account", "subscriber": "Subscriber", "subscription": "Subscription"}
	for member, name := range map[string]string{"customer": "c", "account": "a", "subscriber": "s", "subscription": "oc"} {
		ref := fmt.Sprintf(`"%s":{"externalId":%q}`, member, name)
		for operation, rest := range map[string]string{
			"updateX": `"customName":"n"`, "updateXCustomName": `"customName":"n"`, "updateXCustomAttributes": `"customAttributes":null`,
			"updateXExternalId": `"externalId":"` + name + `"`, "updateXState": `"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated"}`,
			"confirmXState": `"comment":""`, "cancelXState": `"comment":""`,
		} {
			f.refused(strings.Replace(operation, "X", noun[member], 1), "{"+ref+","+rest+"}", "deactivated /"+member)
		}
	}
	for operation, rest := range map[string]string{
		"updateAccountParent": `"parent":null`, "updateAccountBillCycle": `"billCycle":"monthly"`, "cancelAccountBillCycleChange": `"comment":""`,
		"performAccountBillCycleChange": `"comment":""`, "updateAccountTaxExemption": `"taxExemption":false`, "updateAccountSegment": `"accountSegment":null`,
	} {
		f.refused(operation, `{"account":{"externalId":"a"},`+rest+"}", "deactivated /account")
	}
	// reads go on
	f.want(f.read(casm.KindCustomer, "c", 0), "state.state", "DEACTIVATED")
}

func TestRule05NothingIsCreatedBelowADeactivatedEntity(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	const active = `"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}`
	f.setState("oc", "DEACTIVATED")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"parentOfferSubscription":{"externalId":"oc"},`+active+`}`, "deactivated /parentOfferSubscription")
	f.setState("a", "DEACTIVATED")
	f.refused("createAccount", `{"accountProfile":"postpaid","parent":{"externalId":"b"}}`, "deactivated /parent")
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"parent":{"externalId":"a"}}`, "deactivated /parent")
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"b"}}`, "deactivated /account")
	f.refused("createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"t"},`+active+`}`, "deactivated /subscriber")
	f.refused("createSubscriptionOnAccount", `{"account":{"externalId":"b"},`+active+`}`, "deactivated /account")
	f.refused("createSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"ipV4","resource":"10.0.0.1"}`, "deactivated /subscriber")
	f.refused("swapSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"msisdn","swapResource":"491700000002","resource":"491700000009"}`, "deactivated /subscriber")
	// what exists may still change, and end
	f.do("updateSubscriberCustomName", `{"subscriber":{"externalId":"t"},"customName":"n"}`)
	f.do("endSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"msisdn","resource":"491700000002"}`)
	f.do("updateAccountParent", `{"account":{"externalId":"b"},"parent":null}`)
	f.setState("c", "DEACTIVATED")
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"}}`, "deactivated /customer")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},`+active+`}`, "deactivated /customer")
	// inactive or suspended above restricts nothing
	f.do("createCustomer", `{"externalId":"i","state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`)
	f.do("createAccount", `{"externalId":"ia","accountProfile":"postpaid","customer":{"externalId":"i"}}`)
	f.do("updateAccountState", stateBody(casm.KindAccount, "ia", "SUSPENDED"))
	f.do("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"ia"}}`)
}

func TestRule06NotConfiguredAndRetired(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.refused("createAccount", `{"customer":{"externalId":"c"},"accountType":"x","accountSegment":"x","billCycle":"x","currency":"x","state":{"state":"ACTIVE","stateReason":"x"}}`,
		"not_configured /accountSegment", "not_configured /accountType", "not_configured /billCycle", "not_configured /currency", "not_configured /state/stateReason")
	f.refused("createSubscriber", `{"account":{"externalId":"a"},"subscriberProfile":"x","primaryResourceType":"x","primaryResource":"1","subscriberSegment":"x"}`,
		"not_configured /primaryResourceType", "not_configured /subscriberProfile", "not_configured /subscriberSegment")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"x","state":{"state":"SUSPENDED","stateReason":"active"}}`,
		"not_configured /offer", "state_reason_not_for_state /state/stateReason")
	f.refused("updateAccountBillCycle", `{"account":{"externalId":"a"},"billCycle":"x"}`, "not_configured /billCycle")
	f.refused("createSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"x","resource":"1"}`, "not_configured /resourceType")
	f.refused("endSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"x","resource":"1"}`, "not_configured /resourceType")
	f.refused("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"x"}}`, "not_configured /state/stateReason")
	for collection, code := range map[string]string{
		"customer-segments": "b2b", "account-segments": "standard", "account-types": "payer", "bill-cycles": "monthly", "currencies": "EUR",
		"customer-profiles": "b2b", "account-profiles": "postpaid", "subscriber-profiles": "mobile", "offers": "offer_code",
		"resource-types": "msisdn", "state-reasons": "dfltActive",
	} {
		f.retire(collection, code, true)
	}
	f.refused("createCustomer", `{"customerProfile":"b2b"}`, "retired /customerProfile")
	f.refused("createCustomer", `{"customerSegment":"b2b","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`, "retired /customerSegment", "retired /state/stateReason")
	f.refused("createAccount", `{"customer":{"externalId":"c"},"accountType":"payer","accountSegment":"standard","billCycle":"monthly","currency":"EUR","state":{"state":"ACTIVE","stateReason":"active"}}`,
		"retired /accountSegment", "retired /accountType", "retired /billCycle", "retired /currency")
	f.refused("createSubscriber", `{"account":{"externalId":"a"},"primaryResource":"491700000003","state":{"state":"ACTIVE","stateReason":"active"}}`, "retired /primaryResourceType")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"active"}}`, "retired /offer")
	f.refused("updateCustomerState", stateBody(casm.KindCustomer, "c", "ACTIVE", cascade), "retired /state/stateReason")
	// existing uses stand: what does not change is not judged (rule 7)
	f.unchanged("updateCustomerSegment", `{"customer":{"externalId":"c"},"customerSegment":"b2b"}`)
	f.unchanged("updateAccountBillCycle", `{"account":{"externalId":"a"},"billCycle":"monthly"}`)
	f.unchanged("updateCustomerState", stateBody(casm.KindCustomer, "c", "ACTIVE"))
	f.do("endSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"msisdn","resource":"491700000001"}`)
	// what a profile gives may not be retired either, at the profile's place
	f.retire("customer-profiles", "b2b", false)
	f.refused("createCustomer", `{"customerProfile":"b2b"}`, "retired /customerProfile")
	f.do("createCustomer", `{"customerProfile":"b2b","customerSegment":"b2c","state":{"state":"ACTIVE","stateReason":"active"}}`)
}

func TestRule07NothingChanges(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("updateCustomer", `{"customer":{"externalId":"c"},"customName":"n","customAttributes":{"a":"1"}}`)
	before := f.read(casm.KindCustomer, "c", 0)
	for operation, rest := range map[string]string{
		"updateCustomerCustomName": `"customName":"n"`, "updateCustomerExternalId": `"externalId":"c"`,
		"updateCustomerSegment": `"customerSegment":"b2b"`, "updateCustomerCustomAttributes": `"customAttributes":{"a":"1"},"merge":false`,
		"updateCustomer":      `"customAttributes":{"a":"1","zz":null},"merge":true,"externalId":"c"`,
		"updateCustomerState": `"state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2020-01-01T00:00:00Z"}`,
	} {
		a := f.unchanged(operation, `{"customer":{"externalId":"c"},`+rest+`}`)
		f.want(a.Payload, "version", 2, "updatedAt", at(before, "updatedAt"))
		if a.etag != 2 || a.TransactionID == "" {
			t.Error(a.raw)
		}
	}
	f.unchanged("updateAccountParent", `{"account":{"externalId":"a"},"parent":null}`)
	f.unchanged("updateAccountParent", `{"account":{"externalId":"b"},"parent":{"externalId":"a"}}`)
	f.unchanged("updateAccountTaxExemption", `{"account":{"externalId":"b"},"taxExemption":false,"taxResidence":null}`)
	f.unchanged("swapSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"msisdn","swapResource":"491700000001","resource":"491700000001"}`)
	f.unchanged("updateSubscription", `{"subscription":{"externalId":"oc"},"priority":7}`)
	// below a deactivated one, too, where nothing could be created
	f.setState("a", "DEACTIVATED")
	f.unchanged("updateAccountParent", `{"account":{"externalId":"b"},"parent":{"externalId":"a"}}`)
	if got := fmt.Sprint(f.read(casm.KindCustomer, "c", 0)); got != fmt.Sprint(before) {
		t.Errorf("%s\nwas %v", got, before)
	}
	f.do("updateCustomerCustomName", `{"requestId":"k","customer":{"externalId":"c"},"customName":"n"}`)
	f.refused("updateCustomerCustomName", `{"requestId":"k","customer":{"externalId":"c"},"customName":"m"}`, "request_id_reused /requestId")
	// an empty map is none, also within one batch
	b := f.batch(operations("e", true, "createCustomer", `{"externalId":"e","customerProfile":"b2b","customAttributes":{}}`,
		"updateCustomerCustomAttributes", `{"customer":{"externalId":"e"},"customAttributes":null}`,
		"updateCustomerCustomAttributes", `{"customer":{"externalId":"e"},"customAttributes":{}}`))
	f.want(b.Results[2].Transaction.Payload, "version", 1)
}

func TestRule08NullInCreate(t *testing.T) {
	f := newFixture(t, true)
	c := f.do("createCustomer", `{"customerProfile":"b2b","externalId":null,"customName":null,"customAttributes":null,"customerSegment":null,"state":null,"testCustomer":null}`)
	f.want(c.Payload, "customerSegment", "b2b", "state.state", "ACTIVE", "testCustomer", false, "customName", nil, "externalId", nil)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	a := f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c","refId":null},"parent":null,"billingDay":null,"billingMonth":null,"billingYear":null,
		"paymentResponsible":null,"taxExemption":null,"taxResidence":null,"accountType":null,"currency":null,"billCycle":null}`)
	f.want(a.Payload, "accountType", "payer", "currency", "EUR", "billCycle", "monthly")
	f.do("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":null,"primaryResourceType":null}`)
	o := f.do("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"offer_code","priority":null,"parentOfferSubscription":null,"state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":null,"pending":null}}`)
	f.want(o.Payload, "priority", 7)
}

func TestRule08NullInUpdate(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	fill := func() {
		f.do("updateAccount", `{"account":{"externalId":"a"},"customName":"n","accountSegment":"standard","taxResidence":"AT","taxExemption":true,"customAttributes":{"a":"1"}}`)
	}
	fill()
	// several: null removes where it has a meaning, else it is as absent
	a := f.do("updateAccount", `{"account":{"externalId":"a"},"customName":null,"accountSegment":null,"taxResidence":null,"customAttributes":null,"taxExemption":null,"externalId":null}`)
	f.want(a.Payload, "customName", nil, "accountSegment", nil, "taxResidence", nil, "customAttributes", nil, "taxExemption", true, "externalId", "a")
	f.refused("updateAccount", `{"account":{"externalId":"a"},"externalId":null,"taxExemption":null}`, "one_of_required ")
	f.refused("updateSubscription", `{"subscription":{"externalId":"oc"},"priority":null}`, "one_of_required ")
	fill()
	a = f.unchanged("updateAccount", `{"account":{"externalId":"a"},"customAttributes":null,"merge":true}`)
	f.want(a.Payload, "customAttributes.a", "1")
	// one attribute: it must be there, null included
	for operation, member := range map[string]string{
		"updateAccountCustomName": "customName", "updateAccountSegment": "accountSegment", "updateAccountCustomAttributes": "customAttributes",
	} {
		f.refused(operation, `{"account":{"externalId":"a"}}`, "required /"+member)
		a := f.do(operation, `{"account":{"externalId":"a"},"`+member+`":null}`)
		f.want(a.Payload, member, nil)
	}
	f.refused("updateAccountExternalId", `{"account":{"externalId":"a"},"externalId":null}`, "required /externalId")
	f.refused("updateAccountParent", `{"account":{"externalId":"a"}}`, "required /parent")
	f.refused("updateAccountParent", `{"account":{"externalId":"a"},"parent":{}}`, "one_of_required /parent")
	f.refused("updateAccountTaxExemption", `{"account":{"externalId":"a"},"taxExemption":null}`, "required /taxExemption")
	f.refused("updateAccountTaxExemption", `{"account":null,"taxExemption":true}`, "required /account")
	a = f.do("updateAccountTaxExemption", `{"account":{"externalId":"a"},"taxExemption":false,"taxResidence":null}`)
	f.want(a.Payload, "taxResidence", nil, "taxExemption", false)
	// keys of attributes: null removes with merge only
	f.refused("updateAccountCustomAttributes", `{"account":{"externalId":"a"},"customAttributes":{"a":null}}`, "wrong_type /customAttributes/a")
}

func TestRule08Values(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	long := strings.Repeat("\u00e4", 255)
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"`+long+`"}`)
	for value, want := range map[string]string{
		`"` + long + `x"`: "too_long /customName", `""`: "invalid_value /customName", `"a\u0007"`: "invalid_value /customName",
		`"a\nb"`: "invalid_value /customName", `"a\u0085"`: "invalid_value /customName", `7`: "wrong_type /customName", `{}`: "wrong_type /customName",
	} {
		f.refused("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":`+value+`}`, want)
	}
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":" ","comment":""}`)
	f.refused("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x","comment":"`+long+`x"}`, "too_long /comment")
	f.refused("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x","comment":"\u0000"}`, "invalid_value /comment")
	f.do("updateCustomerCustomAttributes", `{"customer":{"externalId":"c"},"customAttributes":{"k":"","l":"a\n\tb\r"}}`)
	f.refused("updateCustomerCustomAttributes", `{"customer":{"externalId":"c"},"customAttributes":{"":"x","k\n":"x","v":"\u0000","w":true}}`,
		"invalid_value /customAttributes/", "invalid_value /customAttributes/k\n", "invalid_value /customAttributes/v", "wrong_type /customAttributes/w")
	for value, want := range map[string]string{
		"1.0": "wrong_type", "1e0": "wrong_type", `"1"`: "wrong_type", "true": "wrong_type", "-1": "out_of_range", "1000001": "out_of_range",
		"99999999999999999999": "out_of_range",
	} {
		f.refused("updateSubscription", `{"subscription":{"externalId":"oc"},"priority":`+value+`}`, want+" /priority")
	}
	f.do("updateSubscription", `{"subscription":{"externalId":"oc"},"priority":0}`)
	for _, value := range []string{"2026-05-01T00:00:00", "2026-05-01", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "now"} {
		f.refused("updateCustomerState", stateBody(casm.KindCustomer, "c", "SUSPENDED", `"stateValidFrom":"`+value+`"`), "invalid_value /state/stateValidFrom")
	}
	// comparison is exact
	f.do("createCustomer", `{"externalId":"C","customerProfile":"b2b"}`)
	f.do("createCustomer", `{"externalId":"c ","customerProfile":"b2b"}`)
	f.do("createCustomer", `{"externalId":"\u00e9","customerProfile":"b2b"}`)
	f.do("createCustomer", `{"externalId":"e\u0301","customerProfile":"b2b"}`)
}
