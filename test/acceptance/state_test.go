package acceptance

import (
	"strings"
	"testing"
	"time"
)

// stateCases are the same for each kind of entity with a life cycle.
var stateCases = append([]Case{
	{"state: recorded later holds from its date on; what it overtakes whole is marked (rule 18)", steps(
		post("/customers/create", `{"externalId": "{{c}}", "state": {"state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "2024-01-01T00:00:00Z"}}`).ok(``),
		post("/customers/state/update", `{"customer": {"externalId": "{{c}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2024-03-01T00:00:00Z"}}`).ok(``),
		post("/customers/state/update", `{"customer": {"externalId": "{{c}}"}, "state": {"state": "ACTIVE", "stateReason": "active", "stateValidFrom": "2024-02-01T00:00:00Z"}}`).ok(``),
		get("/customers/read?externalId={{c}}&stateHistory=true").
			ok(`{"stateHistory": [
				{"state": "ACTIVE", "stateReason": "active", "validFrom": "2024-02-01T00:00:00.000000Z", "validTo": "<none>", "overtaken": false, "recordedAt": "<any>", "transactionId": "<any>"},
				{"state": "SUSPENDED", "validFrom": "2024-03-01T00:00:00.000000Z", "overtaken": true},
				{"state": "ACTIVE", "stateReason": "dfltActive", "validFrom": "2024-01-01T00:00:00.000000Z", "validTo": "2024-02-01T00:00:00.000000Z", "overtaken": false}]}`),
	)},
	{"state: an immediate change beside a plan; a plan that is no longer allowed is dropped (rule 19)", steps(aCustomer,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2099-01-01T00:00:00Z"}}`).ok(``),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "ACTIVE", "stateReason": "active"}}`).ok(`{"payload": {"plannedState": {"state": "SUSPENDED"}}}`),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(`{"impactedTotal": 1, "payload": {"plannedState": "<none>"}}`),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "ACTIVE", "stateReason": "active"}}`).refused("deactivated /customer"),
	)},
	{"state: a pending plan never takes effect by itself (rule 18)", steps(aCustomer,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1s}}", "pending": true}}`).
			ok(`{"payload": {"state": {"state": "ACTIVE"}, "plannedState": {"state": "SUSPENDED", "pending": true}}}`),
		does(pause(1100*time.Millisecond)),
		get("/customers/read?externalId={{customer}}").ok(`{"state": {"state": "ACTIVE"}, "plannedState": {"pending": true}, "version": 2}`),
		post("/customers/state/confirm", `{"customer": {"externalId": "{{customer}}"}}`).ok(`{"payload": {"state": {"state": "SUSPENDED", "pending": false}, "plannedState": "<none>"}}`),
	)},
	{"state: a firm plan takes effect and is published by itself (rules 18, 20)", steps(aCustomer,
		post("/customers/state/update", `{"requestId": "{{plan}}", "customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1s}}"}}`).ok(`{"payload": {"version": 2, "state": {"state": "ACTIVE"}}}`),
		get("/customers/read?externalId={{customer}}").ok(`{"state": {"state": "SUSPENDED"}, "plannedState": "<none>", "version": 3}`).eventually(),
		get("/v1/business-transactions?customer={{customerId}}").
			ok(`{"items": [{"event": "created"}, {"event": "stateChangePlanned"}, {"event": "stateChanged", "operation": "applyPlannedState", "requestId": "{{plan}}", "actor": "dev"}]}`).eventually(),
	)},
	{"state: a due plan is refused where its transition is not allowed (rule 17)", steps(aCustomer,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "INACTIVE", "stateReason": "ordered"}}`).refused("transition_not_allowed /state/state"),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "active"}}`).refused("state_reason_not_for_state /state/stateReason"),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "debt", "pending": true}}`).refused("pending_needs_future_date /state/pending"),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "GONE", "stateReason": "debt", "stateValidFrom": "yesterday"}}`).refused("invalid_value /state/state", "invalid_value /state/stateValidFrom"),
	)},
}, lifeCycles()...)

func lifeCycles() []Case {
	var list []Case
	for _, kind := range []struct {
		name, noun, path string
		begin            []*step
	}{
		{"customer", "Customer", "/customers", aCustomer},
		{"account", "Account", "/accounts", anAccount},
		{"subscriber", "Subscriber", "/subscribers", aSubscriber},
		{"subscription", "Subscription", "/subscriptions", aSubscription},
	} {
		text := func(s string) string {
			return strings.NewReplacer("ENTITY", `"`+kind.name+`": {"externalId": "{{`+kind.name+`}}"}`, "NOUN", kind.noun, "MEMBER", kind.name).Replace(s)
		}
		list = append(list, Case{kind.name + ": plan, confirm, cancel, change the state (rules 17–19)", steps(kind.begin,
			post(kind.path+"/state/confirm", text(`{ENTITY}`)).refused("no_planned_state_change /"+kind.name),
			post(kind.path+"/state/cancel", text(`{ENTITY}`)).refused("no_planned_state_change /"+kind.name),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2098-01-01T00:00:00Z", "pending": true}}`)).
				ok(text(`{"operation": "updateNOUNState", "impactedTotal": 1, "payload": {"version": 2, "state": {"state": "ACTIVE"},
					"plannedState": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2098-01-01T00:00:00.000000Z", "pending": true}}}`)),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "DEACTIVATED", "stateReason": "terminated", "stateValidFrom": "2099-01-01T00:00:00Z"}}`)).refused("state_change_already_planned /state"),
			post(kind.path+"/state/confirm", text(`{ENTITY}`)).
				ok(text(`{"operation": "confirmNOUNState", "payload": {"version": 3, "plannedState": {"pending": false, "stateValidFrom": "2098-01-01T00:00:00.000000Z"}}}`)),
			post(kind.path+"/state/confirm", text(`{ENTITY, "stateValidFrom": "2097-01-01T00:00:00Z"}`)).ok(`{"payload": {"version": 4, "plannedState": {"stateValidFrom": "2097-01-01T00:00:00.000000Z"}}}`),
			post(kind.path+"/state/cancel", text(`{ENTITY}`)).ok(text(`{"operation": "cancelNOUNState", "payload": {"version": 5, "plannedState": "<none>", "state": {"state": "ACTIVE"}}}`)),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "SUSPENDED", "stateReason": "debt"}}`)).ok(`{"payload": {"version": 6, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "<any>"}}}`),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "SUSPENDED", "stateReason": "debt"}}`)).ok(`{"impactedTotal": 0, "impacted": [], "payload": {"version": 6}}`),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "SUSPENDED", "stateReason": "lost"}}`)).ok(`{"payload": {"version": 7, "state": {"stateReason": "lost"}}}`),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`)).ok(`{"payload": {"state": {"state": "DEACTIVATED"}}}`),
			post(kind.path+"/state/update", text(`{ENTITY, "state": {"state": "ACTIVE", "stateReason": "active"}}`)).refused("deactivated /"+kind.name),
			post(kind.path+"/state/cancel", text(`{ENTITY}`)).refused("deactivated /"+kind.name),
			post(kind.path+"/state/update", text(`{ENTITY}`)).refused("required /state"),
			get(kind.path+"/read?externalId={{"+kind.name+"}}").ok(`{"state": {"state": "DEACTIVATED"}}`),
		)})
	}
	return list
}

var cascadeCases = []Case{
	{"cascade: suspends all below that can be, in one transaction (rule 21)", steps(aSubscription,
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "externalId": "{{s2}}", "offer": "loyalty", "state": {"state": "INACTIVE", "stateReason": "ordered"}}`).ok(``),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "subordinateUpdated": true, "state": {"state": "SUSPENDED", "stateReason": "debt"}}`).
			ok(`{"impactedTotal": 4, "payload": {"state": {"state": "SUSPENDED"}}}`),
		get("/subscriptions/read?externalId={{subscription}}").ok(`{"state": {"state": "SUSPENDED", "stateReason": "debt"}}`),
		get("/subscriptions/read?externalId={{s2}}").ok(`{"state": {"state": "INACTIVE"}, "version": 1}`),
		post("/accounts/state/update", `{"account": {"externalId": "{{account}}"}, "subordinateUpdated": true, "state": {"state": "ACTIVE", "stateReason": "active"}}`).ok(`{"impactedTotal": 3}`),
		post("/subscribers/state/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "subordinateUpdated": true, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(`{"impactedTotal": 3}`), // the resource ends, too
		post("/subscriptions/state/update", `{"subscription": {"externalId": "{{s2}}"}, "subordinateUpdated": true, "state": {"state": "ACTIVE", "stateReason": "active"}}`).refused("unknown_member /subordinateUpdated"),
	)},
	{"cascade: a plan, confirmed and cancelled with the top (rule 21)", steps(aSubscription,
		post("/subscribers/state/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "state": {"state": "SUSPENDED", "stateReason": "lost", "stateValidFrom": "2097-01-01T00:00:00Z"}}`).ok(``),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "subordinateUpdated": true, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2098-01-01T00:00:00Z", "pending": true}}`).
			ok(`{"impactedTotal": 3}`), // the subscriber has a plan of its own
		post("/customers/state/confirm", `{"customer": {"externalId": "{{customer}}"}}`).ok(`{"impactedTotal": 3}`),
		get("/subscriptions/read?externalId={{subscription}}").ok(`{"plannedState": {"state": "SUSPENDED", "pending": false}}`),
		post("/accounts/state/cancel", `{"account": {"externalId": "{{account}}"}}`).ok(``),
		post("/customers/state/cancel", `{"customer": {"externalId": "{{customer}}"}}`).ok(`{"impactedTotal": 2}`), // the subscription follows the top
		get("/subscriptions/read?externalId={{subscription}}").ok(`{"plannedState": "<none>"}`),
		get("/subscribers/read?externalId={{subscriber}}").ok(`{"plannedState": {"stateReason": "lost"}}`),
	)},
	{"cascade: a plan takes effect on all below (rules 20, 21)", steps(aSubscription,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "subordinateUpdated": true, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1s}}"}}`).ok(`{"impactedTotal": 4}`),
		get("/subscriptions/read?externalId={{subscription}}").ok(`{"state": {"state": "SUSPENDED"}, "version": 3}`).eventually(),
		get("/customers/read?externalId={{customer}}&accounts=true").ok(`{"state": {"state": "SUSPENDED"}, "accounts": [{"state": {"state": "SUSPENDED"}}]}`),
	)},
}

// remember keeps the present instant, apart from what was done before and is
// done after it.
func remember(name string) func(*testing.T, *scene) {
	return func(_ *testing.T, s *scene) {
		time.Sleep(3 * time.Millisecond)
		s.vars[name] = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		time.Sleep(3 * time.Millisecond)
	}
}

func pause(d time.Duration) func(*testing.T, *scene) {
	return func(*testing.T, *scene) { time.Sleep(d) }
}
