package acceptance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var readCases = []Case{
	{"read a customer with what is below it", steps(aSubscription,
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "externalId": "{{s}}", "offer": "loyalty", `+active+`}`).ok(``),
		get("/customers/read?externalId={{customer}}&accounts=true&offers=true&stateHistory=true&segmentHistory=true").
			ok(`{"refId": "{{customerId}}", "accounts": [{"refId": "{{accountId}}"}], "offers": [{"externalId": "{{s}}", "balances": "<none>"}], "accountsTruncated": "<none>",
				"stateHistory": [{"state": "ACTIVE", "transactionId": "<any>"}], "segmentHistory": [{"customerSegment": "b2b"}]}`),
		get("/accounts/read?refId={{accountId}}&subscribers=true&subordinates=true&offers=true&stateHistory=true&segmentHistory=true&billCycleHistory=true&parentHistory=true").
			ok(`{"subscribers": [{"refId": "{{subscriberId}}", "resources": "<none>"}], "subordinates": [], "offers": [], "billCycleHistory": [{"billCycle": "monthly"}], "parentHistory": [{"parent": "<none>"}]}`),
		get("/subscribers/read?refId={{subscriberId}}&resources=true&offers=true&stateHistory=true&segmentHistory=true").
			ok(`{"resources": [{"resource": "{{msisdn}}"}], "offers": [{"refId": "{{subscriptionId}}"}]}`),
		get("/subscriptions/read?refId={{subscriptionId}}&balances=true&stateHistory=true").ok(`{"balances": [{"service": "data"}], "stateHistory": [{"state": "ACTIVE"}]}`),
	)},
	{"included lists hold the deactivated ones last", steps(anAccount,
		post("/accounts/create", `{"externalId": "{{b}}", "accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).ok(``).save("bId", "payload.refId"),
		post("/accounts/state/update", `{"account": {"externalId": "{{account}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(``),
		get("/customers/read?externalId={{customer}}&accounts=true").ok(`{"accounts": [{"refId": "{{bId}}"}, {"refId": "{{accountId}}"}]}`),
	)},
	{"reads refuse what they do not know, and what is not there", steps(
		get("/customers/read").refused("one_of_required refId"),
		get("/customers/read?refId=7").refused("invalid_value refId"),
		get("/customers/read?externalId={{nobody}}&colour=red").refused("unknown_member colour"),
		get("/customers/read?externalId={{nobody}}&externalId={{nobody}}").refused("invalid_value externalId"),
		get("/customers/read?externalId={{nobody}}&accounts=yes").refused("invalid_value accounts"),
		get("/customers/read?externalId={{nobody}}&asOf=2024-01-01").refused("invalid_value asOf"),
		get("/customers/read?externalId={{nobody}}&asOf={{$now+1h}}").refused("out_of_range asOf"),
		get("/customers/read?externalId={{nobody}}").refused("not_found externalId"),
		get("/accounts/read?refId=01990000-0000-7000-8000-000000000000").refused("not_found refId"),
		get("/subscribers/read?externalId={{nobody}}&resource=1").refused("one_of_required resource"),
		get("/subscribers/read?resource={{msisdn}}").refused("required resourceType"),
		get("/subscribers/read?resourceType=msisdn&resource={{msisdn}}").refused("not_found resource"),
		get("/subscriptions/read?externalId={{nobody}}").refused("not_found externalId"),
	)},
	{"asOf shows what was shown then, included lists likewise (section 6)", steps(
		does(remember("never")),
		anAccount,
		does(remember("then")),
		post("/customers/update", `{"customer": {"externalId": "{{customer}}"}, "customName": "Later", "externalId": "{{new}}"}`).ok(``),
		post("/accounts/create", `{"accountProfile": "postpaid", "customer": {"refId": "{{customerId}}"}}`).ok(``),
		post("/accounts/bill-cycle/update", `{"account": {"refId": "{{accountId}}"}, "billCycle": "weekly"}`).ok(``),
		get("/customers/read?refId={{customerId}}&accounts=true&asOf={{then}}").
			ok(`{"externalId": "{{customer}}", "customName": "<none>", "version": 1, "accounts": [{"refId": "{{accountId}}", "billCycle": "monthly", "version": 1}]}`),
		get("/customers/read?externalId={{new}}&asOf={{then}}").ok(`{"externalId": "{{customer}}"}`), // resolved by the present one
		get("/accounts/read?refId={{accountId}}&asOf={{then}}").ok(`{"customer": {"refId": "{{customerId}}", "externalId": "{{customer}}"}}`),
		get("/accounts/read?refId={{accountId}}").ok(`{"customer": {"externalId": "{{new}}"}, "version": 2}`), // a rename republishes nothing
		get("/customers/read?refId={{customerId}}&asOf={{never}}").refused("not_found refId"),
	)},
	{"asOf between a plan's date and its recording shows it in effect (rule 20)", steps(aCustomer,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1s}}"}}`).ok(``).save("at", "payload.plannedState.stateValidFrom"),
		does(pause(1100*time.Millisecond)),
		get("/customers/read?externalId={{customer}}&asOf={{at}}").ok(`{"state": {"state": "SUSPENDED"}, "version": 3}`),
	)},
	{"asOf of balances", steps(aSubscription,
		does(remember("then")),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "SET", "amount": 1}`).ok(``),
		get("/subscriptions/balance/read?externalId={{subscription}}&service=data&asOf={{then}}").ok(`{"actualBalance": 100000000000, "version": 1}`),
		get("/subscriptions/balances/read?externalId={{subscription}}&asOf={{then}}").ok(`{"items": [{"actualBalance": 100000000000}]}`),
		get("/subscriptions/read?externalId={{subscription}}&balances=true&asOf={{then}}").ok(`{"balances": [{"version": 1}]}`),
	)},
}

var historyCases = []Case{
	{"history: business transactions, newest first, page by page, with what changed (section 6)", steps(aCustomer,
		post("/customers/update", `{"requestId": "{{r}}", "customer": {"externalId": "{{customer}}"}, "customName": "One", "customAttributes": {"a/b": "1"}}`).ok(``).save("t", "transactionId").save("at", "timestamp"),
		post("/customers/custom-name/update", `{"customer": {"externalId": "{{customer}}"}, "customName": "Two"}`).ok(``),
		get("/customers/history?externalId={{customer}}&limit=2").
			ok(`{"items": [{"version": 3, "operation": "updateCustomerCustomName", "changes": [{"pointer": "/customName", "from": "One", "to": "Two"}]},
				{"version": 2, "operation": "updateCustomer", "requestId": "{{r}}", "transactionId": "{{t}}", "timestamp": "{{at}}", "actor": "dev",
					"changes": [{"pointer": "/customAttributes/a~1b", "from": "<none>", "to": "1"}, {"pointer": "/customName", "from": "<none>", "to": "One"}]}], "nextCursor": "<any>"}`).save("next", "nextCursor"),
		get("/customers/history?externalId={{customer}}&limit=2&cursor={{next}}").ok(`{"items": [{"version": 1, "operation": "createCustomer"}], "nextCursor": "<none>"}`),
		get("/customers/history?externalId={{customer}}&cursor=x").refused("invalid_value cursor"),
		get("/customers/history?externalId={{customer}}&limit=501").refused("out_of_range limit"),
		get("/customers/history?externalId={{nobody}}").refused("not_found externalId"),
		get("/customers/history").refused("one_of_required refId"),
	)},
	{"history of account, subscriber and subscription", steps(aSubscription,
		get("/accounts/history?externalId={{account}}").ok(`{"items": [{"version": 1, "operation": "createAccount"}]}`),
		get("/subscribers/history?refId={{subscriberId}}").ok(`{"items": [{"operation": "createSubscriber"}]}`),
		get("/subscriptions/history?refId={{subscriptionId}}").ok(`{"items": [{"operation": "createSubscriptionOnSubscriber"}]}`),
		get("/accounts/history?externalId={{nobody}}").refused("not_found externalId"),
		get("/subscribers/history?refId={{customerId}}").refused("not_found refId"),
		get("/subscriptions/history").refused("one_of_required refId"),
	)},
}

var listCases = []Case{
	{"list customers: by state, reason, segment, name, external id, attribute, test (section 6)", steps(
		post("/customers/create", `{"externalId": "{{mark}}-1", "customerProfile": "b2b", "customName": "{{name}} One", "customAttributes": {"mark": "{{mark}}"}}`).ok(``).save("one", "payload.refId"),
		post("/customers/create", `{"externalId": "{{mark}}-2", "customerProfile": "b2c", "customName": "{{name}} Two", "customAttributes": {"mark": "{{mark}}"}, "testCustomer": true}`).ok(``).save("two", "payload.refId"),
		post("/customers/create", `{"externalId": "{{mark}}-3", "customName": "{{name}} One More", "customAttributes": {"mark": "{{mark}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt"}}`).ok(``).save("three", "payload.refId"),
		get("/customers?externalId={{mark}}").ok(`{"items": [{"refId": "{{one}}", "externalId": "{{mark}}-1", "state": {"state": "ACTIVE"}}, {"refId": "{{two}}"}, {"refId": "{{three}}"}], "nextCursor": "<none>"}`),
		get("/customers?customAttributes.mark={{mark}}&state=ACTIVE").ok(`{"items": [{"refId": "{{one}}"}, {"refId": "{{two}}"}]}`),
		get("/customers?customAttributes.mark={{mark}}&state=ACTIVE&state=SUSPENDED").ok(`{"items": [{}, {}, {}]}`),
		get("/customers?externalId={{mark}}&stateReason=debt").ok(`{"items": [{"refId": "{{three}}"}]}`),
		get("/customers?externalId={{mark}}&segment=b2c").ok(`{"items": [{"refId": "{{two}}"}]}`),
		get("/customers?customName={{name}}%20One").ok(`{"items": [{"refId": "{{one}}"}, {"refId": "{{three}}"}]}`),
		get("/customers?externalId={{mark}}-1&externalId={{mark}}-3").ok(`{"items": [{"refId": "{{one}}"}, {"refId": "{{three}}"}]}`),
		get("/customers?externalId={{mark}}&test=true").ok(`{"items": [{"refId": "{{two}}"}]}`),
		get("/customers?externalId={{mark}}&test=false").ok(`{"items": [{"refId": "{{one}}"}, {"refId": "{{three}}"}]}`),
		get("/customers?externalId={{mark}}&updatedSince={{$now+1h}}").ok(`{"items": []}`),
	)},
	{"list accounts, subscribers, subscriptions: all below (section 6)", steps(aSubscription,
		post("/accounts/create", `{"externalId": "{{child}}", "accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).ok(``).save("childId", "payload.refId"),
		post("/subscribers/create", `{"externalId": "{{s2}}", "subscriberProfile": "mobile", "subscriberSegment": "data", "account": {"externalId": "{{child}}"}}`).ok(``).save("s2Id", "payload.refId"),
		post("/subscribers/subscriptions/create", `{"subscriber": {"externalId": "{{s2}}"}, "offer": "loyalty", `+active+`}`).ok(``).save("o2", "payload.refId"),
		get("/accounts?customer={{customerId}}").ok(`{"items": [{"refId": "{{accountId}}", "customer": {"externalId": "{{customer}}"}}, {"refId": "{{childId}}"}]}`),
		get("/accounts?account={{accountId}}").ok(`{"items": [{"refId": "{{childId}}"}]}`),
		get("/accounts?customer={{customerId}}&segment=standard").ok(`{"items": [{"refId": "{{accountId}}"}]}`),
		get("/subscribers?customer={{customerId}}").ok(`{"items": [{"refId": "{{subscriberId}}"}, {"refId": "{{s2Id}}"}]}`),
		get("/subscribers?account={{accountId}}").ok(`{"items": [{"refId": "{{subscriberId}}"}, {"refId": "{{s2Id}}"}]}`),
		get("/subscribers?account={{childId}}").ok(`{"items": [{"refId": "{{s2Id}}"}]}`),
		get("/subscribers?customer={{customerId}}&segment=data").ok(`{"items": [{"refId": "{{s2Id}}"}]}`),
		get("/subscribers?resourceType=msisdn&resource={{msisdn}}").ok(`{"items": [{"refId": "{{subscriberId}}"}]}`),
		get("/subscribers?resource={{msisdn}}").ok(`{"items": [{"refId": "{{subscriberId}}"}]}`),
		get("/subscribers?customer={{customerId}}&resourceType=msisdn").ok(`{"items": [{"refId": "{{subscriberId}}"}]}`),
		get("/subscriptions?customer={{customerId}}").ok(`{"items": [{"refId": "{{subscriptionId}}"}, {"refId": "{{o2}}"}]}`),
		get("/subscriptions?account={{childId}}").ok(`{"items": [{"refId": "{{o2}}"}]}`),
		get("/subscriptions?subscriber={{subscriberId}}").ok(`{"items": [{"refId": "{{subscriptionId}}", "balances": "<none>"}]}`),
		get("/subscriptions?customer={{customerId}}&offer=loyalty").ok(`{"items": [{"refId": "{{o2}}"}]}`),
		get("/subscriptions?customer={{customerId}}&offer=loyalty&offer=offer_code").ok(`{"items": [{}, {}]}`),
	)},
	{"lists refuse filters that do not fit (section 6)", steps(
		get("/customers?offer=loyalty").refused("unknown_member offer"),
		get("/accounts?resource=1").refused("unknown_member resource"),
		get("/subscribers?subscriber=01990000-0000-7000-8000-000000000000").refused("unknown_member subscriber"),
		get("/subscriptions?segment=b2b").refused("unknown_member segment"),
		get("/customers?state=ALIVE").refused("invalid_value state"),
		get("/customers?limit=0").refused("out_of_range limit"),
		get("/customers?limit=ten").refused("wrong_type limit"),
		get("/customers?cursor=x").refused("invalid_value cursor"),
		get("/customers?customer=x&updatedSince=x").refused("unknown_member customer", "invalid_value updatedSince"),
		get("/customers?customAttributes.a=1&customAttributes.b=2").refused("too_many customAttributes."),
	)},
	{"lists see due plans as taken effect (section 6)", steps(aCustomer,
		post("/accounts/create", `{"externalId": "{{a}}", "accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).ok(``),
		post("/accounts/state/update", `{"account": {"externalId": "{{a}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1s}}"}}`).ok(``),
		get("/accounts?customer={{customerId}}&plannedBefore=2090-01-01T00:00:00Z").ok(`{"items": [{"externalId": "{{a}}"}]}`),
		does(pause(1100*time.Millisecond)),
		get("/accounts?customer={{customerId}}&state=SUSPENDED").ok(`{"items": [{"externalId": "{{a}}", "version": 3, "plannedState": "<none>"}]}`),
		get("/accounts?customer={{customerId}}&state=ACTIVE").ok(`{"items": []}`),
		get("/accounts?customer={{customerId}}&plannedBefore=2090-01-01T00:00:00Z").ok(`{"items": []}`),
	)},
	{"a list is in the order of change with updatedSince (section 6)", steps(
		post("/customers/create", `{"externalId": "{{mark}}-1", "customerProfile": "b2b"}`).ok(``).save("one", "payload.refId").save("since", "payload.updatedAt"),
		post("/customers/create", `{"externalId": "{{mark}}-2", "customerProfile": "b2b"}`).ok(``).save("two", "payload.refId"),
		post("/customers/custom-name/update", `{"customer": {"refId": "{{one}}"}, "customName": "Last"}`).ok(``),
		get("/customers?externalId={{mark}}&updatedSince={{since}}&limit=1").ok(`{"items": [{"refId": "{{two}}"}], "nextCursor": "<any>"}`).save("next", "nextCursor"),
		get("/customers?externalId={{mark}}&updatedSince={{since}}&limit=1&cursor={{next}}").ok(`{"items": [{"refId": "{{one}}", "customName": "Last"}]}`),
		get("/customers?externalId={{mark}}&cursor={{next}}").refused("invalid_value cursor"),
	)},
	{"pages are stable while others write (section 6)", steps(does(pages))},
}

// pages reads a list page by page while customers are added and changed: each
// one that was there at the start comes exactly once.
func pages(t *testing.T, s *scene) {
	create := func(n int) string {
		return fmt.Sprintf(`{"operation": "createCustomer", "body": {"externalId": %q, "customerProfile": "b2b"}}`, fmt.Sprintf("%s-%03d", s.fill("{{mark}}"), n))
	}
	var all []string
	for n := range 40 {
		all = append(all, create(n))
	}
	s.step(t, 0, post("/batch", `{"operations": [`+strings.Join(all, ",")+`]}`).ok(``))
	seen := map[string]int{}
	cursor := ""
	for n := 40; ; n++ {
		status, _, body, err := s.app.Get(t.Context(), s.fill("/v1/casm/customers?limit=7&externalId={{mark}}")+cursor)
		if err != nil || status != 200 {
			t.Fatalf("%d %s %v", status, body, err)
		}
		var page struct {
			Items      []struct{ RefID, ExternalID string }
			NextCursor string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		sorted := slices.IsSortedFunc(page.Items, func(a, b struct{ RefID, ExternalID string }) int { return strings.Compare(a.RefID, b.RefID) })
		if !sorted || len(page.Items) > 7 {
			t.Errorf("the page is not in order, or too long: %s", body)
		}
		for _, item := range page.Items {
			seen[item.ExternalID]++
		}
		if page.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + page.NextCursor
		s.step(t, 1, post("/batch", fmt.Sprintf(`{"operations": [%s, {"operation": "updateCustomerCustomName", "body": {"customer": {"externalId": "%s-%03d"}, "customName": "New %d"}}]}`, create(n), s.fill("{{mark}}"), n%40, n)).ok(``))
	}
	for n := range 40 {
		if id := fmt.Sprintf("%s-%03d", s.fill("{{mark}}"), n); seen[id] != 1 {
			t.Errorf("%s came %d times", id, seen[id])
		}
	}
}
