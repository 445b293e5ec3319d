package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"casm"
	"casm/command"
	"casm/engine"
)

func TestRule01RepeatOfEveryKindOfWrite(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	for n := range 110 { // more than an answer names
		externalID := ""
		if n%2 == 0 {
			externalID = fmt.Sprintf(`"externalId":"%d \"<ä😀>",`, n)
		}
		f.do("createAccount", `{`+externalID+`"accountProfile":"postpaid","parent":{"externalId":"b"}}`)
	}
	limits := `"grantedBalance":100,"unitOfMeasure":"EVENT","threshold1":500000,"threshold2":800000`
	for n, x := range []struct{ operation, body string }{
		{"createBalanceSubscription", strings.Replace(own(casm.KindBalanceService, limits), "{", `{"externalId":"b",`, 1)},
		{"updateSubscriptionBalance", updateOf("DEDUCT", 90, "")}, // crosses two
		{"updateSubscriptionBalances", `{"subscription":{"externalId":"b"},"balances":[{"service":"balance","action":"ADD","amount":5}]}`},
		{"updateSubscriptionBalance", updateOf("SET", 15, "")}, // changes nothing
		{"updateAccountState", stateBody(casm.KindAccount, "b", "SUSPENDED", cascade)},
		{"createCustomer", `{"externalId":"n1","customerProfile":"b2b"}`},
		{"createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"491700000099"}`},
		{"createSubscriptionOnAccount", `{"account":{"externalId":"a"},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`},
		{"updateSubscriberState", stateBody(casm.KindSubscriber, "s", "DEACTIVATED", cascade)},
		{"createSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"imsi","resource":"262011234567890"}`},
		{"swapSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"imsi","swapResource":"262011234567890","resource":"262011234567891"}`},
		{"endSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"imsi","resource":"262011234567891"}`},
	} {
		body := fmt.Sprintf(`{"requestId":"rep%d",%s`, n, x.body[1:])
		first := f.do(x.operation, body)
		f.do("updateCustomerCustomName", fmt.Sprintf(`{"customer":{"externalId":"c"},"customName":"n%d"}`, n))
		again := f.do(x.operation, strings.ReplaceAll(body, ",", " ,\n\t"))
		if !again.replayed || again.raw != first.raw || again.etag != first.etag {
			t.Errorf("%s: replayed %v etag %d\n%s\nfirst, etag %d\n%s", x.operation, again.replayed, again.etag, again.raw, first.etag, first.raw)
		}
	}
}

func TestRule01OnlySuccessUsesTheRequestID(t *testing.T) {
	f := newFixture(t, true)
	f.refused("createCustomer", `{"requestId":"x","customerProfile":"nope"}`, "not_configured /customerProfile")
	f.refusedWith(ifMatch(7), "createCustomer", `{"requestId":"x","customerProfile":"b2b"}`, "invalid_value If-Match")
	f.do("createCustomer", `{"requestId":"x","customerProfile":"b2b","externalId":"c"}`)
	f.refused("updateCustomerCustomName", `{"requestId":"x","customer":{"externalId":"gone"},"customName":"n"}`, "request_id_reused /requestId")
	f.refused("updateCustomerCustomName", `{"requestId":"x","customer":{"externalId":"gone"},"customName":7}`, "wrong_type /customName")
	// a repeat is known whatever changed meanwhile: headers do not count, nor what is refused by now
	f.setStateOf("c", "DEACTIVATED")
	f.do("createCustomer", `{"requestId":"y","customerProfile":"b2b","externalId":"d"}`)
	f.do("updateCustomerCustomName", `{"requestId":"z","customer":{"externalId":"d"},"customName":"n"}`)
	f.setStateOf("d", "DEACTIVATED")
	f.retire("customer-profiles", "b2b", true)
	for _, x := range []struct{ operation, body string }{
		{"createCustomer", `{"requestId":"y","customerProfile":"b2b","externalId":"d"}`},
		{"updateCustomerCustomName", `{"requestId":"z","customer":{"externalId":"d"},"customName":"n"}`},
	} {
		if a := f.do(x.operation, x.body, ifMatch(99)); !a.replayed {
			t.Errorf("%s was not replayed: %s", x.operation, a.raw)
		}
	}
}

func (f *fixture) setStateOf(customer, state string) *answer {
	f.Helper()
	return f.do("updateCustomerState", stateBody(casm.KindCustomer, customer, state))
}

func TestRule01RequestIDShape(t *testing.T) {
	f := newFixture(t, true)
	for id, want := range map[string]string{
		"": "invalid_value /requestId", strings.Repeat("x", 65): "too_long /requestId",
		"a\u00e4": "invalid_value /requestId", "a\\nb": "invalid_value /requestId", "a\x7f": "invalid_value /requestId",
	} {
		f.refused("createCustomer", fmt.Sprintf(`{"requestId":"%s","customerProfile":"b2b"}`, id), want)
	}
	f.refused("createCustomer", `{"requestId":null,"customerProfile":"b2b"}`, "required /requestId")
	f.do("createCustomer", `{"requestId":"`+strings.Repeat("~", 63)+` ","customerProfile":"b2b","transactionId":{"any":[1]},"comment":"why\n\there"}`)
	// of a batch 60, and bodies carry none
	f.batchRefused(operations(strings.Repeat("x", 61), true, "createCustomer", `{"customerProfile":"b2b"}`), "too_long /requestId")
	f.batchRefused(operations("b", true, "createCustomer", `{"requestId":"x","customerProfile":"b2b"}`), "unknown_member /operations/0/body/requestId")
}

func TestRule02AllErrorsOfShapeTogether(t *testing.T) {
	f := newFixture(t, true)
	for body, want := range map[string][]string{
		`{"requestId":"a","customer":{},"nope":1,"customName":""}`: {
			"one_of_required /customer", "invalid_value /customName", "unknown_member /nope",
		},
		`{"requestId":"a","customer":{"refId":"x"},"nope":1}`:                     {"invalid_value /customer/refId", "unknown_member /nope", "one_of_required "},
		`{"requestId":"a","nope":1,"customAttributes":{"a/b":null,"c":1}}`:        {"required /customer", "wrong_type /customAttributes/a~1b", "wrong_type /customAttributes/c", "unknown_member /nope"},
		`{"requestId":"a","customer":{"externalId":"c","refId":7},"merge":"yes"}`: {"one_of_required ", "wrong_type /customer/refId", "wrong_type /merge"},
	} {
		sorted(want)
		f.refused("updateCustomer", body, want...)
	}
	f.refused("createSubscriber", `{"requestId":"a","primaryResourceType":"msisdn","nope":1}`, "unknown_member /nope", "required /primaryResource")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"},"nope":1,"state":{}}`,
		"unknown_member /nope", "required /state/state", "required /state/stateReason")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"},"state":{"state":"GONE","stateReason":7,"pending":"no","stateValidFrom":"2026-01-01"}}`,
		"wrong_type /state/pending", "invalid_value /state/state", "wrong_type /state/stateReason", "invalid_value /state/stateValidFrom")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"},"state":{"state":"ACTIVE","stateReason":7}}`, "wrong_type /state/stateReason")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"}}`, "required /state")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"},"state":null}`, "required /state")
	f.refused("updateCustomerState", `{"requestId":"a","customer":{"externalId":"c"},"state":{"state":"ACTIVE","stateReason":"dfltActive","transactionId":"01990000-0000-7000-8000-000000000000"}}`,
		"unknown_member /state/transactionId")
	f.refused("createSubscriptionOnCustomer", `{"requestId":"a","customer":{"externalId":"c"},"offer":"offer_code","state":{},"priority":-1}`,
		"out_of_range /priority", "required /state/state", "required /state/stateReason")
	f.refused("createSubscriptionOnCustomer", `{"requestId":"a","customer":{"externalId":"c"},"customName":7}`,
		"wrong_type /customName", "required /offer", "required /state")
}

func sorted(want []string) {
	at := func(s string) string { return s[strings.Index(s, " ")+1:] }
	for i := range want {
		for j := range i {
			if at(want[i]) < at(want[j]) {
				want[i], want[j] = want[j], want[i]
			}
		}
	}
}

func TestRule02MalformedStandsAlone(t *testing.T) {
	for _, body := range []string{
		``, `{`, `{"requestId":"a","requestId":"b"}`, "{\"requestId\":\"\xff\"}", `{"requestId":"a"} x`, `{"requestId":01}`,
		`{"requestId":7,"customAttributes":{"a":"1","a":"2"}}`, `{"nope":{"x":1,"x":2}}`, `{"requestId":7,"state":{"state":7,}}`, `{"a":[1,}`,
	} {
		_, v := command.OperationByID("createCustomer").Decode([]byte(body), "", false)
		if got := codes(v); len(got) != 1 || got[0] != "malformed_json " {
			t.Errorf("%q: %v", body, v)
		}
	}
	for body, want := range map[string]string{`[]`: "wrong_type ", `"x"`: "wrong_type ", `null`: "wrong_type ", `7`: "wrong_type "} {
		_, v := command.OperationByID("createCustomer").Decode([]byte(body), "", false)
		if got := codes(v); len(got) == 0 || got[0] != want {
			t.Errorf("%q: %v", body, v)
		}
	}
}

func TestRule02HostileBodiesAreBounded(t *testing.T) {
	for name, body := range map[string]string{
		"null keys":    `{"requestId":"a","customer":{"externalId":"c"},"customAttributes":{` + many(50_000, `"k%d":null`) + `}}`,
		"wrong values": `{"requestId":"a","customer":{"externalId":"c"},"customAttributes":{` + many(50_000, `"k%d":1`) + `}}`,
		"unknown":      `{"requestId":"a",` + many(50_000, `"k%d":1`) + `}`,
		"deep":         `{"requestId":"a","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	} {
		_, v := command.OperationByID("updateCustomer").Decode([]byte(body), "", false)
		if len(v) == 0 || len(v) > 110 {
			t.Errorf("%s: %d violations", name, len(v))
		}
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestRule02OrderOfChecks(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("updateCustomerCustomName", `{"requestId":"used","customer":{"externalId":"c"},"customName":"n"}`)
	// shape before a known requestId before references before If-Match before rules
	f.refusedWith(ifMatch(9), "updateAccountParent", `{"requestId":"used","account":{"externalId":"x"},"parent":{"externalId":7}}`, "wrong_type /parent/externalId")
	f.refusedWith(ifMatch(9), "updateAccountParent", `{"requestId":"used","account":{"externalId":"x"},"parent":{"externalId":"y"}}`, "request_id_reused /requestId")
	f.refusedWith(ifMatch(9), "updateAccountParent", `{"requestId":"new","account":{"externalId":"x"},"parent":{"externalId":"y"}}`, "not_found /account", "not_found /parent")
	f.refusedWith(ifMatch(9), "updateAccountParent", `{"requestId":"new","account":{"externalId":"a"},"parent":{"externalId":"b"}}`, "version_mismatch If-Match")
	f.refusedWith(ifMatch(1), "updateAccountParent", `{"requestId":"new","account":{"externalId":"a"},"parent":{"externalId":"b"}}`, "hierarchy_cycle /parent")
	// rules all together, with what a deactivated entity allows to judge
	f.setState("s", "DEACTIVATED")
	f.refused("updateSubscriber", `{"subscriber":{"externalId":"s"},"externalId":"t","subscriberSegment":"nope"}`,
		"duplicate_external_id /externalId", "deactivated /subscriber", "not_configured /subscriberSegment")
}

func TestRule02References(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	c, a := f.read(casm.KindCustomer, "c", 0), f.read(casm.KindAccount, "a", 0)
	both := func(ref any, external string) string {
		return fmt.Sprintf(`{"customer":{"refId":%q,"externalId":%q},"customName":"x"}`, ref, external)
	}
	f.do("createCustomer", `{"externalId":"c2","customerProfile":"b2b"}`)
	f.do("updateCustomerCustomName", both(c["refId"], "c"))
	f.refused("updateCustomerCustomName", both(c["refId"], "c2"), "ambiguous_reference /customer")
	f.refused("updateCustomerCustomName", both(c["refId"], "nobody"), "ambiguous_reference /customer")
	f.refused("updateCustomerCustomName", both(a["refId"], "c"), "ambiguous_reference /customer")
	f.refused("updateCustomerCustomName", both(a["refId"], "nobody"), "not_found /customer")
	// an entity of another kind is not found
	f.refused("updateCustomerCustomName", fmt.Sprintf(`{"customer":{"refId":%q},"customName":"x"}`, a["refId"]), "not_found /customer")
	f.refused("updateCustomerCustomName", `{"customer":{"refId":"00000000-0000-0000-0000-000000000000"},"customName":"x"}`, "invalid_value /customer/refId")
	f.refused("updateCustomerCustomName", `{"customer":{"externalId":"a"},"customName":"x"}`, "not_found /customer")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"x"},"offer":"nope","parentOfferSubscription":{"externalId":"y"},"state":{"state":"ACTIVE","stateReason":"nope"}}`,
		"not_found /customer", "not_found /parentOfferSubscription")
	if _, err := f.tryRead(casm.KindCustomer, "nobody", 0); codes(err)[0] != "not_found externalId" {
		t.Error(err)
	}
}

func TestRule03DryRun(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	dry := f.do("createCustomer", `{"requestId":"d","externalId":"n","customerProfile":"b2b"}`, dryRun)
	if !dry.DryRun || dry.TransactionID != "" || dry.ImpactedTotal != 1 {
		t.Fatal(dry.raw)
	}
	real := f.do("createCustomer", `{"requestId":"d","externalId":"n","customerProfile":"b2b"}`)
	if real.replayed || at(real.Payload, "refId") == at(dry.Payload, "refId") || real.TransactionID == "" {
		t.Fatal(real.raw)
	}
	again := f.do("updateCustomerCustomName", `{"requestId":"d","customer":{"externalId":"n"},"customName":"x"}`, dryRun)
	f.want(again.Payload, "version", 2, "customName", "x")
	f.refusedWith(func(w *engine.Write) { w.DryRun, w.IfMatch = true, 4 }, "updateCustomerCustomName",
		`{"requestId":"d","customer":{"externalId":"n"},"customName":"x"}`, "version_mismatch If-Match")
	f.refusedWith(dryRun, "createCustomer", `{"externalId":"c","customerProfile":"b2b"}`, "duplicate_external_id /externalId")
	f.want(f.read(casm.KindCustomer, "n", 0), "version", 1)
	b := f.batch(operations("d", true, "createCustomer", `{"externalId":"m","customerProfile":"b2b"}`,
		"updateCustomerCustomName", `{"customer":{"externalId":"m"},"customName":"x"}`), func(w *engine.BatchWrite) { w.DryRun = true })
	f.want(b.Results[1].Transaction.Payload, "version", 2)
	if !b.Results[0].Transaction.DryRun {
		t.Error(b.raw)
	}
	if _, err := f.tryRead(casm.KindCustomer, "m", 0); err == nil {
		t.Error("a dry run was stored")
	}
}

func TestRule04IfMatchAndETag(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x"}`, ifMatch(1))
	f.refusedWith(ifMatch(1), "updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"y"}`, "version_mismatch If-Match")
	f.refusedWith(ifMatch(1), "createCustomer", `{"customerProfile":"b2b"}`, "invalid_value If-Match")
	f.refusedWith(ifMatch(1), "createAccount", `{"accountProfile":"postpaid"}`, "invalid_value If-Match")
	f.refusedWith(ifMatch(1), "createAccount", `{"accountProfile":"postpaid","parent":{"externalId":"a"}}`, "invalid_value If-Match")
	f.refusedWith(ifMatch(1), "createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"parent":{"externalId":"a"}}`, "version_mismatch If-Match")
	// the ETag is the version that If-Match is compared with: on a create the owner's
	a := f.do("createAccount", `{"externalId":"n","accountProfile":"postpaid","customer":{"externalId":"c"}}`, ifMatch(2))
	if a.etag != 2 {
		t.Errorf("etag %d", a.etag)
	}
	if n := f.do("createCustomer", `{"customerProfile":"b2b"}`); n.etag != 1 {
		t.Errorf("etag %d", n.etag)
	}
	r := f.do("createSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"ipV4","resource":"10.0.0.1"}`, ifMatch(1))
	u := f.do("updateSubscriberCustomName", `{"subscriber":{"externalId":"s"},"customName":"x"}`, ifMatch(r.etag))
	if u.etag != 2 {
		t.Errorf("etag %d", u.etag)
	}
	f.refusedWith(ifMatch(1), "createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"s"},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`, "version_mismatch If-Match")
	f.do("updateSubscriptionCustomName", `{"subscription":{"externalId":"oc"},"customName":"x"}`, ifMatch(1))
}
