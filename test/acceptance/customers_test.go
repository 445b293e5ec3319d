package acceptance

// What many cases begin with: a customer, its account, a subscriber with an
// MSISDN, and a subscription on the subscriber. Their external ids are
// {{customer}}, {{account}}, {{subscriber}} and {{subscription}}, their refIds
// {{customerId}} and so on.
var (
	aCustomer = steps(
		post("/customers/create", `{"externalId": "{{customer}}", "customerProfile": "b2b"}`).ok(``).save("customerId", "payload.refId"),
	)
	anAccount = steps(aCustomer,
		post("/accounts/create", `{"externalId": "{{account}}", "accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).
			ok(``).save("accountId", "payload.refId"),
	)
	aSubscriber = steps(anAccount,
		post("/subscribers/create", `{"externalId": "{{subscriber}}", "subscriberProfile": "mobile", "account": {"externalId": "{{account}}"}, "primaryResource": "{{msisdn}}"}`).
			ok(``).save("subscriberId", "payload.refId"),
	)
	aSubscription = steps(aSubscriber,
		post("/subscribers/subscriptions/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "externalId": "{{subscription}}", "offer": "offer_code", "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}`).
			ok(``).save("subscriptionId", "payload.refId"),
	)
)

const active = `"state": {"state": "ACTIVE", "stateReason": "dfltActive"}`

var customerCases = []Case{
	{"create customer: the profile gives segment and state (rule 9)", steps(
		post("/customers/create", `{"externalId": "{{c}}", "customerProfile": "b2b", "customName": "Größe & Söhne", "customAttributes": {"street": "1 Main Street", "note": ""}, "comment": "from the shop"}`).
			ok(`{"transactionId": "<any>", "operation": "createCustomer", "timestamp": "<any>", "dryRun": "<none>", "impactedTotal": 1,
				"impacted": [{"type": "Customer", "refId": "<any>", "externalId": "{{c}}", "version": 1}],
				"payload": {"refId": "<any>", "externalId": "{{c}}", "version": 1, "customerSegment": "b2b", "customName": "Größe & Söhne",
					"customAttributes": {"street": "1 Main Street", "note": ""}, "testCustomer": false,
					"state": {"state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "<any>", "pending": false}, "plannedState": "<none>"}}`).
			header("Etag", `"1"`).save("id", "payload.refId"),
		get("/customers/read?refId={{id}}").ok(`{"refId": "{{id}}", "externalId": "{{c}}", "createdAt": "<any>", "updatedAt": "<any>", "accounts": "<none>"}`).header("Etag", `"1"`),
	)},
	{"create customer: what the request gives goes before the profile (rule 9)", steps(
		post("/customers/create", `{"customerProfile": "b2b", "customerSegment": "b2c", "testCustomer": true, "state": {"state": "INACTIVE", "stateReason": "ordered"}}`).
			ok(`{"payload": {"externalId": "<none>", "customerSegment": "b2c", "testCustomer": true, "state": {"state": "INACTIVE", "stateReason": "ordered"}}}`),
	)},
	{"create customer: a date in the past holds, pending is ignored (rule 11)", steps(
		post("/customers/create", `{"state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2024-05-01T00:00:00+02:00", "pending": true}}`).
			ok(`{"payload": {"customerSegment": "<none>", "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "2024-04-30T22:00:00.000000Z", "pending": false}}}`),
	)},
	{"create customer: a date in the future makes a firm plan (rule 11)", steps(
		post("/customers/create", `{"customerProfile": "b2b", "state": {"stateValidFrom": "2099-01-01T00:00:00Z", "pending": true}}`).
			ok(`{"payload": {"state": {"state": "INACTIVE", "stateReason": "dfltInactive"},
				"plannedState": {"state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "2099-01-01T00:00:00.000000Z", "pending": false}}}`),
	)},
	{"create customer: neither DEACTIVATED nor a future SUSPENDED (rule 11)", steps(
		post("/customers/create", `{"state": {"state": "DEACTIVATED", "stateReason": "dfltDeactivated"}}`).refused("transition_not_allowed /state/state"),
		post("/customers/create", `{"state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": "{{$now+1h}}"}}`).refused("transition_not_allowed /state/state"),
	)},
	{"create customer: codes must be configured and not retired, all said at once (rules 2, 6)", steps(
		post("/customers/create", `{"customerProfile": "nobody", "customerSegment": "b3b", "state": {"state": "ACTIVE", "stateReason": "x"}}`).
			refused("not_configured /customerProfile", "not_configured /customerSegment", "not_configured /state/stateReason"),
		post("/customers/create", `{"customerProfile": "b2b", "state": {"state": "ACTIVE", "stateReason": "debt"}}`).refused("state_reason_not_for_state /state/stateReason"),
		post("/v1/config/customer-segments", `{"code": "{{code}}", "name": "Old", "retired": true}`).is(201, ``),
		post("/customers/create", `{"customerProfile": "b2b", "customerSegment": "{{code}}"}`).refused("retired /customerSegment"),
	)},
	{"create customer: without a profile a state is needed, with its reason (rule 9)", steps(
		post("/customers/create", `{"externalId": "{{c}}"}`).refused("required /state"),
		post("/customers/create", `{"state": {"state": "ACTIVE"}}`).refused("required /state/stateReason"),
		post("/customers/create", `{"state": {"stateReason": "dfltActive"}}`).refused("required /state/state"),
	)},
	{"create customer: an external id is unique, also against one deactivated (rules 1, 24)", steps(aCustomer,
		post("/customers/create", `{"externalId": "{{customer}}", "customerProfile": "b2b"}`).refused("duplicate_external_id /externalId"),
		post("/customers/state/update", `{"customer": {"refId": "{{customerId}}"}, "state": {"state": "DEACTIVATED", "stateReason": "dfltDeactivated"}}`).ok(``),
		post("/customers/create", `{"externalId": "{{customer}}", "customerProfile": "b2b"}`).refused("duplicate_external_id /externalId"),
		post("/accounts/create", `{"externalId": "{{customer}}", "accountProfile": "postpaid"}`).ok(``), // of another type it is free
	)},
	{"subscribe an offer on a customer (rule 15)", steps(aCustomer,
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "offer": "offer_code", "externalId": "{{s}}", `+active+`}`).
			ok(`{"operation": "createSubscriptionOnCustomer", "impactedTotal": 2,
				"payload": {"customer": {"refId": "{{customerId}}", "externalId": "{{customer}}"}, "account": "<none>", "subscriber": "<none>",
					"offer": "offer_code", "offerVersion": 1, "priority": 100, "individual": false, "version": 1,
					"balances": [{"service": "data", "grantedBalance": 100000000000, "actualBalance": 100000000000, "unitOfMeasure": "OCTET", "version": 1}]}}`),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "offer": "nothing", `+active+`}`).refused("not_configured /offer"),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{nobody}}"}, "offer": "offer_code", `+active+`}`).refused("not_found /customer"),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}}`).refused("required /offer", "required /state"),
	)},
}
