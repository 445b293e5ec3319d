package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casm"
)

func TestRule09ProfilesAndOverrides(t *testing.T) {
	f := newFixture(t, true)
	c := f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b","customerSegment":"b2c","state":{"state":"SUSPENDED","stateReason":"debt"}}`)
	f.want(c.Payload, "customerSegment", "b2c", "state.state", "SUSPENDED", "state.stateReason", "debt")
	c = f.do("createCustomer", `{"customerProfile":"b2b","state":{"stateValidFrom":"2020-05-01T02:00:00+02:00"}}`)
	f.want(c.Payload, "state.state", "ACTIVE", "state.stateValidFrom", "2020-05-01T00:00:00.000000Z", "state.pending", false)
	f.refused("createCustomer", `{"customerProfile":"b2b","state":{"state":"SUSPENDED"}}`, "required /state/stateReason")
	f.refused("createCustomer", `{"customerProfile":"b2b","state":{"stateReason":"debt"}}`, "required /state/state")
	f.refused("createCustomer", `{"state":{"stateValidFrom":"2020-05-01T02:00:00+02:00"}}`, "required /state")
	a := f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"},"accountType":"payer","billCycle":"own-day","billingDay":28,"state":{"state":"INACTIVE","stateReason":"dfltInactive"}}`)
	f.want(a.Payload, "billCycle", "own-day", "billingDay", 28, "state.state", "INACTIVE", "currency", "EUR", "accountSegment", "standard", "paymentResponsible", true)
	a = f.do("createAccount", `{"customer":{"externalId":"c"},"accountType":"payer","billCycle":"monthly","currency":"EUR","state":{"state":"ACTIVE","stateReason":"active"}}`)
	f.want(a.Payload, "accountSegment", nil)
	f.configure(edit("account-profiles", "bare", &casm.AccountProfile{}), edit("subscriber-profiles", "bare", &casm.SubscriberProfile{}),
		edit("customer-profiles", "bare", &casm.CustomerProfile{}))
	f.refused("createAccount", `{"accountProfile":"bare","customer":{"externalId":"c"}}`,
		"required /accountType", "required /billCycle", "required /currency", "required /state")
	f.refused("createSubscriber", `{"subscriberProfile":"bare","account":{"externalId":"a"}}`, "required /state")
	f.refused("createCustomer", `{"customerProfile":"bare"}`, "required /state")
	s := f.do("createSubscriber", `{"subscriberProfile":"bare","account":{"externalId":"a"},"subscriberSegment":"mobile","state":{"state":"ACTIVE","stateReason":"active"}}`)
	f.want(s.Payload, "subscriberSegment", "mobile", "account.externalId", "a", "customer.externalId", "c")
	f.refused("createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"x"},"offer":"offer_code"}`, "required /state")
	// the profile acts at creation only
	f.configure(edit("customer-profiles", "b2b", &casm.CustomerProfile{CustomerSegment: "b2c"}))
	f.want(f.read(casm.KindCustomer, "c", 0), "customerSegment", "b2c", "version", 1)
}

func TestRule10ChainsOfProfiles(t *testing.T) {
	f := newFixture(t, true)
	from := "2021-01-01T00:00:00.000000Z"
	s := f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","primaryResource":"491700000001","state":{"stateValidFrom":"`+from+`"}}`)
	if got := s.impactedTypes(); got != "Customer Account Subscriber SubscriberResource" {
		t.Error(got)
	}
	customer, account := f.readRef(casm.KindCustomer, at(s.Payload, "customer.refId")), f.readRef(casm.KindAccount, at(s.Payload, "account.refId"))
	f.want(customer, "state.stateValidFrom", from, "customerSegment", "b2b")
	f.want(account, "state.stateValidFrom", from, "customer.refId", customer["refId"], "billCycle", "monthly")
	future := f.in(time.Hour)
	a := f.do("createAccount", `{"accountProfile":"postpaid","testAccount":true,"state":{`+validFrom(future)+`}}`)
	f.want(a.Payload, "testAccount", true, "state.state", "INACTIVE", "plannedState.state", "ACTIVE")
	customer = f.readRef(casm.KindCustomer, at(a.Payload, "customer.refId"))
	f.want(customer, "testCustomer", true, "state.state", "INACTIVE", "state.stateReason", "dfltInactive", "plannedState.stateValidFrom", future, "plannedState.pending", false)
	// a given superior wins over the profile's
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	if a := f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"}}`); a.ImpactedTotal != 1 {
		t.Error(a.raw)
	}
	if s := f.do("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"a"}}`); s.ImpactedTotal != 1 {
		t.Error(s.raw)
	}
	// what the chain lacks
	f.configure(edit("account-profiles", "alone", &casm.AccountProfile{AccountType: "payer", BillCycle: "monthly", Currency: "EUR", InitialState: casm.InitialState{State: "ACTIVE", StateReason: "active"}}),
		edit("subscriber-profiles", "alone", &casm.SubscriberProfile{InitialState: casm.InitialState{State: "ACTIVE", StateReason: "active"}, AccountProfile: "alone"}))
	f.refused("createAccount", `{"accountProfile":"alone"}`, "required /customer")
	f.refused("createSubscriber", `{"subscriberProfile":"alone"}`, "required /account")
	f.refused("createSubscriber", `{"state":{"state":"ACTIVE","stateReason":"active"}}`, "required /account")
	f.refused("createSubscriber", `{"subscriberProfile":"nope"}`, "not_configured /subscriberProfile")
	// what a profile brings with it is told by its collection
	f.configure(edit("customer-segments", "old", &casm.Segment{}),
		edit("customer-profiles", "old", &casm.CustomerProfile{CustomerSegment: "old", InitialState: casm.InitialState{State: "ACTIVE", StateReason: "active"}}))
	f.configure(edit("customer-segments", "old", &casm.Segment{Item: casm.Item{Retired: true}}))
	if _, err := f.try("createCustomer", `{"customerProfile":"old"}`); err == nil || !strings.Contains(err.Error(), `"old" of /v1/config/customer-segments is retired`) {
		t.Error(err)
	}
	// a superior's state can only come from its profile
	f.configure(edit("customer-profiles", "stateless", &casm.CustomerProfile{}),
		edit("account-profiles", "stateless", &casm.AccountProfile{AccountType: "payer", BillCycle: "monthly", Currency: "EUR", CustomerProfile: "stateless"}),
		edit("subscriber-profiles", "stateless", &casm.SubscriberProfile{AccountProfile: "stateless"}))
	const active = `"state":{"state":"ACTIVE","stateReason":"active"}`
	f.refused("createAccount", `{"accountProfile":"stateless",`+active+`}`, "required /accountProfile")
	f.refused("createAccount", `{"accountProfile":"stateless"}`, "required /accountProfile", "required /state")
	f.refused("createSubscriber", `{"subscriberProfile":"stateless",`+active+`}`, "required /subscriberProfile")
	// nothing of a refused chain stands
	f.refused("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","primaryResource":"491700000001"}`, "duplicate_external_id /externalId", "resource_taken /primaryResource")
}

func (f *fixture) readRef(kind casm.Kind, id any) map[string]any {
	f.Helper()
	doc, err := f.tryReadRef(kind, fmt.Sprint(id))
	if err != nil {
		f.Fatal(err)
	}
	return doc
}

func TestRule10ParentOrCustomer(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("createCustomer", `{"externalId":"c2","customerProfile":"b2b","testCustomer":true}`)
	f.want(f.read(casm.KindAccount, "b", 0), "customer.externalId", "c", "parent.externalId", "a", "parent.refId", f.read(casm.KindAccount, "a", 0)["refId"])
	f.do("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"parent":{"externalId":"a"}}`)
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c2"},"parent":{"externalId":"a"}}`, "other_customer /parent")
	a := f.do("createAccount", `{"externalId":"ta","accountProfile":"postpaid","customer":{"externalId":"c2"}}`)
	f.want(a.Payload, "testAccount", true)
}

func TestRule11FutureAndForbiddenStates(t *testing.T) {
	f := newFixture(t, true)
	future := f.in(time.Hour)
	c := f.do("createCustomer", `{"externalId":"c","state":{"state":"ACTIVE","stateReason":"active","pending":true,`+validFrom(future)+`}}`)
	f.want(c.Payload, "state.state", "INACTIVE", "state.stateReason", "dfltInactive", "state.stateValidFrom", at(c.Payload, "createdAt"),
		"plannedState.state", "ACTIVE", "plannedState.stateReason", "active", "plannedState.pending", false, "plannedState.stateValidFrom", future)
	c = f.do("createCustomer", `{"state":{"state":"INACTIVE","stateReason":"dfltInactive",`+validFrom(future)+`}}`)
	f.want(c.Payload, "state.state", "INACTIVE", "plannedState.state", "INACTIVE")
	c = f.do("createCustomer", `{"state":{"state":"SUSPENDED","stateReason":"debt","pending":true,"stateValidFrom":"1970-01-01T00:00:00Z"}}`)
	f.want(c.Payload, "state.state", "SUSPENDED", "state.pending", false, "plannedState", nil)
	f.refused("createCustomer", `{"state":{"state":"SUSPENDED","stateReason":"debt",`+validFrom(future)+`}}`, "transition_not_allowed /state/state")
	f.refused("createCustomer", `{"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated"}}`, "transition_not_allowed /state/state")
	f.refused("createCustomer", `{"state":{"state":"DEACTIVATED","stateReason":"debt",`+validFrom(future)+`}}`, "transition_not_allowed /state/state", "state_reason_not_for_state /state/stateReason")
	f.configure(edit("customer-profiles", "late", &casm.CustomerProfile{InitialState: casm.InitialState{State: "SUSPENDED", StateReason: "debt"}}))
	f.refused("createCustomer", `{"customerProfile":"late","state":{`+validFrom(future)+`}}`, "transition_not_allowed /customerProfile")
}

func TestRule12PaymentResponsibleAndParents(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"paymentResponsible":false}`, "payment_responsible_mismatch /paymentResponsible")
	f.do("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"paymentResponsible":true}`)
	f.refused("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"c"},"accountType":"technical"}`, "parent_required /parent")
	x := f.do("createAccount", `{"externalId":"x","accountProfile":"postpaid","parent":{"externalId":"a"},"accountType":"technical"}`)
	f.want(x.Payload, "paymentResponsible", false)
	f.refused("updateAccountParent", `{"account":{"externalId":"x"},"parent":null}`, "parent_required /parent")
	p := f.do("updateAccountParent", `{"account":{"externalId":"x"},"parent":{"externalId":"b"}}`)
	f.want(p.Payload, "parent.externalId", "b", "customer.externalId", "c")
	f.refused("updateAccountParent", `{"account":{"externalId":"a"},"parent":{"externalId":"x"}}`, "hierarchy_cycle /parent")
	f.refused("updateAccountParent", `{"account":{"externalId":"a"},"parent":{"externalId":"a"}}`, "hierarchy_cycle /parent")
	f.do("createCustomer", `{"externalId":"c2","customerProfile":"b2b"}`)
	f.do("createAccount", `{"externalId":"a2","accountProfile":"postpaid","customer":{"externalId":"c2"}}`)
	f.refused("updateAccountParent", `{"account":{"externalId":"b"},"parent":{"externalId":"a2"}}`, "other_customer /parent")
	top := f.do("updateAccountParent", `{"account":{"externalId":"b"},"parent":null}`)
	f.want(top.Payload, "parent", nil)
	f.setState("a", "DEACTIVATED")
	f.refused("updateAccountParent", `{"account":{"externalId":"b"},"parent":{"externalId":"a"}}`, "deactivated /parent")
	doc := f.read(casm.KindAccount, "b", 0, "parentHistory", "subordinates")
	f.length(doc, "parentHistory", 2)
	f.want(doc, "parentHistory.0.parent", nil, "parentHistory.1.parent.externalId", "a", "parentHistory.1.validTo", at(doc, "parentHistory.0.validFrom"), "subordinates.0.externalId", "x")
}

func TestRule12Levels(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createAccount", `{"externalId":"l1","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	for n := 2; n <= 20; n++ {
		f.do("createAccount", fmt.Sprintf(`{"externalId":"l%d","accountProfile":"postpaid","parent":{"externalId":"l%d"}}`, n, n-1))
	}
	f.refused("createAccount", `{"accountProfile":"postpaid","parent":{"externalId":"l20"}}`, "too_many /parent")
	f.do("createAccount", `{"externalId":"m1","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	f.do("createAccount", `{"externalId":"m2","accountProfile":"postpaid","parent":{"externalId":"m1"}}`)
	f.refused("updateAccountParent", `{"account":{"externalId":"m1"},"parent":{"externalId":"l19"}}`, "too_many /parent")
	f.refused("updateAccountParent", `{"account":{"externalId":"l1"},"parent":{"externalId":"m2"}}`, "too_many /parent")
	// a deactivated account in between counts like any other
	f.do("updateAccountState", stateBody(casm.KindAccount, "l10", "DEACTIVATED"))
	f.refused("updateAccountParent", `{"account":{"externalId":"l1"},"parent":{"externalId":"m1"}}`, "too_many /parent")
	f.do("updateAccountParent", `{"account":{"externalId":"m1"},"parent":{"externalId":"l9"}}`)
	f.refused("updateAccountParent", `{"account":{"externalId":"l1"},"parent":{"externalId":"m1"}}`, "hierarchy_cycle /parent")
}

func TestRule13IndividualBillCycles(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	for period, duration := range map[string]int64{casm.PeriodDay: 1, casm.PeriodWeek: 1, casm.PeriodMonth: 1, casm.PeriodYear: 1} {
		f.configure(edit("bill-cycles", period, &casm.BillCycle{Duration: duration, Period: period, Individual: true}),
			edit("bill-cycles", period+"2", &casm.BillCycle{Duration: 2, Period: period, Individual: true}))
	}
	for _, x := range []struct {
		cycle, members string
		want           []string
	}{
		{"monthly", ``, nil},
		{"monthly", `,"billingDay":1,"billingMonth":1,"billingYear":2020`, []string{"not_individual /billingDay", "not_individual /billingMonth", "not_individual /billingYear"}},
		{"WEEK", ``, []string{"required /billingDay"}},
		{"WEEK", `,"billingDay":7`, nil},
		{"WEEK", `,"billingDay":8`, []string{"out_of_range /billingDay"}},
		{"WEEK", `,"billingDay":1,"billingMonth":1`, []string{"not_individual /billingMonth"}},
		{"MONTH", `,"billingDay":28`, nil},
		{"MONTH", `,"billingDay":29`, []string{"out_of_range /billingDay"}},
		{"MONTH", `,"billingDay":0`, []string{"out_of_range /billingDay"}},
		{"MONTH", ``, []string{"required /billingDay"}},
		{"MONTH", `,"billingDay":1,"billingYear":2020`, []string{"not_individual /billingYear"}},
		{"MONTH2", `,"billingDay":1,"billingYear":2020`, nil},
		{"MONTH2", `,"billingDay":1`, nil},
		{"YEAR", ``, []string{"required /billingDay", "required /billingMonth"}},
		{"YEAR", `,"billingDay":28,"billingMonth":12`, nil},
		{"YEAR", `,"billingDay":28,"billingMonth":13`, []string{"out_of_range /billingMonth"}},
		{"YEAR2", `,"billingDay":28,"billingMonth":2,"billingYear":2020`, nil},
		{"DAY", ``, nil},
		{"DAY", `,"billingDay":1`, []string{"not_individual /billingDay"}},
	} {
		body := `{"accountProfile":"postpaid","customer":{"externalId":"c"},"billCycle":"` + x.cycle + `"` + x.members + `}`
		if x.want == nil {
			f.do("createAccount", body)
		} else {
			f.refused("createAccount", body, x.want...)
		}
	}
	// an account that a subscriber's profile implies cannot give them: they are missed where the chain began
	f.configure(edit("account-profiles", "own", &casm.AccountProfile{AccountType: "payer", BillCycle: "MONTH", Currency: "EUR", CustomerProfile: "b2b", InitialState: casm.InitialState{State: "ACTIVE", StateReason: "active"}}),
		edit("subscriber-profiles", "own", &casm.SubscriberProfile{AccountProfile: "own", InitialState: casm.InitialState{State: "ACTIVE", StateReason: "active"}}))
	f.refused("createSubscriber", `{"subscriberProfile":"own"}`, "required /subscriberProfile")
}

func TestRule14PrimaryResource(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	s := f.do("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000003","primaryResourceType":"msisdn"}`)
	f.want(s.Payload, "resources.0.resourceType", "msisdn", "resources.0.primary", true, "resources.0.validFrom", at(s.Payload, "createdAt"), "resources.0.validTo", nil, "resources.0.version", 1)
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResourceType":"msisdn"}`, "required /primaryResource")
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"491700000003"}`, "resource_taken /primaryResource")
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"0491700000003"}`, "invalid_value /primaryResource")
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResourceType":"imsi","primaryResource":"262011234567890"}`, "not_primary_resource_type /primaryResourceType")
	// another type becomes the primary one: what was assigned keeps what it was
	f.configure(edit("resource-types", "imsi", &casm.ResourceType{Primary: true}))
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResourceType":"msisdn","primaryResource":"491700000004"}`, "not_primary_resource_type /primaryResourceType")
	f.want(f.read(casm.KindSubscriber, "s", 0, "resources"), "resources.0.primary", true)
	f.configure(edit("resource-types", "imsi", &casm.ResourceType{}))
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResource":"491700000004"}`, "not_configured /primaryResourceType")
	f.refused("createSubscriber", `{"subscriberProfile":"mobile","primaryResourceType":"msisdn","primaryResource":"491700000004"}`, "not_primary_resource_type /primaryResourceType")
}

func TestRule14ResourceTakenSwappedAndEnded(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	on := func(s, more string) string {
		return `{"subscriber":{"externalId":"` + s + `"},"resourceType":"msisdn",` + more + `}`
	}
	f.refused("createSubscriberResource", on("s", `"resource":"491700000005"`), "resource_type_already_assigned /resourceType")
	f.refused("createSubscriberResource", on("s", `"resource":"491700000002"`), "resource_taken /resource", "resource_type_already_assigned /resourceType")
	f.refused("createSubscriberResource", on("s", `"resource":"x"`), "invalid_value /resource", "resource_type_already_assigned /resourceType")
	f.refused("swapSubscriberResource", on("s", `"swapResource":"491700000001","resource":"491700000002"`), "resource_taken /resource")
	f.refused("swapSubscriberResource", on("s", `"swapResource":"491700000002","resource":"491700000005"`), "resource_not_assigned /swapResource")
	f.refused("endSubscriberResource", on("s", `"resource":"491700000002"`), "resource_not_assigned /resource")
	before := f.in(0)
	swap := f.do("swapSubscriberResource", on("s", `"swapResource":"491700000001","resource":"491700000005"`))
	f.want(swap.Payload, "resource", "491700000005", "primary", true, "subscriber.externalId", "s", "version", 1)
	if swap.ImpactedTotal != 2 || swap.Impacted[0].Version+swap.Impacted[1].Version != 3 || swap.etag != 1 {
		t.Error(swap.raw)
	}
	history := f.resources("s", true, 0)
	f.want(history, "1.validTo", at(history, "0.validFrom"), "1.resource", "491700000001", "0.resource", "491700000005", "1.version", 2)
	f.length(map[string]any{"x": f.resources("s", false, 0)}, "x", 1)
	f.want(f.read(casm.KindSubscriber, "s", 0), "version", 1) // the owner's version does not move
	// the old value is free, the new one is not
	f.refused("createSubscriberResource", on("t", `"resource":"491700000005"`), "resource_taken /resource", "resource_type_already_assigned /resourceType")
	end := f.do("endSubscriberResource", on("t", `"resource":"491700000002"`))
	f.want(end.Payload, "validTo", end.Timestamp, "version", 2)
	f.do("createSubscriberResource", on("t", `"resource":"491700000001"`))
	for value, want := range map[string][2]string{
		"491700000001": {"s", "t"}, "491700000002": {"t", ""}, "491700000005": {"", "s"},
	} {
		then, _ := f.byResource("msisdn", value, before)
		now, _ := f.byResource("msisdn", value, 0)
		if then != want[0] || now != want[1] {
			t.Errorf("%s: %s then and %s now; want %v", value, then, now, want)
		}
	}
	// deactivating ends the resources in the same write, and frees them
	dead := f.setState("s", "DEACTIVATED")
	if got := dead.impactedTypes(); got != "Subscriber SubscriberResource" {
		t.Error(got)
	}
	f.length(dead.Payload, "resources", 0)
	f.refused("createSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"ipV4","resource":"10.0.0.1"}`, "deactivated /subscriber")
	f.do("createSubscriber", `{"subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000005"}`)
	if items := f.historyOf(casm.KindSubscriber, "s"); at(items, "0.operation") != "updateSubscriberState" {
		t.Error(items)
	}
	// unique per type only
	f.do("createSubscriberResource", `{"subscriber":{"externalId":"t"},"resourceType":"ipV4","resource":"491700000005"}`)
}

func TestRule15OfferVersions(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	today := f.in(0)
	day := func(n int) casm.Time { return today.Add(time.Duration(n) * 24 * time.Hour) }
	f.configure(edit("products", "plain", &casm.Product{Services: []casm.ProductService{}}),
		edit("offers", "v", &casm.Offer{Product: "plain", Versions: []casm.OfferVersion{
			{Version: 3, ValidFrom: day(-10)}, {Version: 1}, {Version: 2, ValidFrom: day(-10)}, {Version: 5, ValidFrom: day(10)},
		}}), edit("offers", "late", &casm.Offer{Product: "plain", Versions: []casm.OfferVersion{{Version: 1, ValidFrom: day(10)}}}),
		edit("offers", "none", &casm.Offer{Product: "plain"}))
	subscribe := func(offer string, from casm.Time, more string) string {
		return fmt.Sprintf(`{"customer":{"externalId":"c"},"offer":%q,"state":{"state":"ACTIVE","stateReason":"active",%s}%s}`, offer, validFrom(from), more)
	}
	o := f.do("createSubscriptionOnCustomer", subscribe("v", day(0), ``))
	f.want(o.Payload, "offerVersion", 3, "priority", 0, "individual", false)
	o = f.do("createSubscriptionOnCustomer", subscribe("v", day(-20), ``))
	f.want(o.Payload, "offerVersion", 3)
	o = f.do("createSubscriptionOnCustomer", subscribe("v", day(11), `,"externalId":"kept","priority":1000000`))
	f.want(o.Payload, "offerVersion", 5, "priority", 1000000, "state.state", "INACTIVE", "plannedState.state", "ACTIVE")
	f.refused("createSubscriptionOnCustomer", subscribe("late", day(0), ``), "not_configured /offer")
	f.do("createSubscriptionOnCustomer", subscribe("late", day(11), ``))
	f.refused("createSubscriptionOnCustomer", subscribe("none", day(0), ``), "not_configured /offer")
	// it keeps its version
	f.configure(edit("offers", "v", &casm.Offer{Product: "plain", Versions: []casm.OfferVersion{
		{Version: 3, ValidFrom: day(-10)}, {Version: 5, ValidFrom: day(10)}, {Version: 9, ValidFrom: day(-1)},
	}}))
	f.do("updateSubscriptionCustomName", `{"subscription":{"externalId":"kept"},"customName":"x"}`)
	f.want(f.read(casm.KindOfferSubscription, "kept", 0), "offerVersion", 5)
	// a parent subscription of the same customer, wherever it hangs
	p := f.do("createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"t"},"offer":"v","parentOfferSubscription":{"externalId":"oc"},"state":{"state":"ACTIVE","stateReason":"active"}}`)
	f.want(p.Payload, "parentOfferSubscription.externalId", "oc", "subscriber.externalId", "t", "customer", nil, "offerVersion", 9)
	f.do("createCustomer", `{"externalId":"c2","customerProfile":"b2b"}`)
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c2"},"offer":"v","parentOfferSubscription":{"externalId":"oc"},"state":{"state":"ACTIVE","stateReason":"active"}}`, "other_customer /parentOfferSubscription")
}

func TestRule16BalancesAndIndividualServices(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	from := "2024-01-31T12:00:00.000000Z"
	o := f.do("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"active","stateValidFrom":"`+from+`"}}`)
	f.length(o.Payload, "balances", 0) // its month is long over
	future := f.in(time.Hour)
	o = f.do("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"active",`+validFrom(future)+`}}`)
	f.length(o.Payload, "balances", 1)
	f.want(o.Payload, "balances.0.validFrom", future, "balances.0.grantedBalance", 1000, "balances.0.actualBalance", 1000, "balances.0.service", "data", "balances.0.unitOfMeasure", "OCTET",
		"services.0.attributes.every", 1, "services.0.attributes.taxIncluded", false)
	if got := o.impactedTypes(); got != "OfferSubscription Balance" {
		t.Error(got)
	}
	f.configure(edit("offers", "own", &casm.Offer{Product: "mobile", Versions: []casm.OfferVersion{{Version: 1, Currency: "EUR", Services: []casm.OfferService{{Service: "fee", Individual: true}}}}}),
		edit("offers", "anniversary", &casm.Offer{Product: "mobile", Versions: []casm.OfferVersion{{Version: 1, Currency: "EUR", Services: []casm.OfferService{{Service: "fee", Attributes: casm.Scalars{"charge": casm.Raw("1"), "chargeAt": casm.Raw(`"SUBSCRIBER_ANNIVERSARY"`)}}}}}}))
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"own","state":{"state":"ACTIVE","stateReason":"active"}}`, "individual_required /offer")
	f.refused("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"offer":"anniversary","state":{"state":"ACTIVE","stateReason":"active"}}`, "invalid_value /offer")
	f.do("createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"s"},"offer":"anniversary","state":{"state":"ACTIVE","stateReason":"active"}}`)
}
