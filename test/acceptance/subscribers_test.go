package acceptance

var subscriberCases = []Case{
	{"create subscriber below an account with its primary resource (rule 14)", steps(anAccount,
		post("/subscribers/create", `{"externalId": "{{s}}", "subscriberProfile": "mobile", "account": {"externalId": "{{account}}"}, "primaryResource": "{{msisdn}}", "primaryResourceType": "msisdn"}`).
			ok(`{"operation": "createSubscriber", "impactedTotal": 2, "payload": {"externalId": "{{s}}", "customer": {"externalId": "{{customer}}"}, "account": {"externalId": "{{account}}"},
				"subscriberSegment": "voice", "resources": [{"resourceType": "msisdn", "resource": "{{msisdn}}", "primary": true, "validFrom": "<any>", "validTo": "<none>", "version": 1}]}}`),
		get("/subscribers/read?resourceType=msisdn&resource={{msisdn}}&resources=true").ok(`{"externalId": "{{s}}", "version": 1, "resources": [{"resource": "{{msisdn}}"}]}`),
	)},
	{"create subscriber: profiles create account and customer (rule 10)", steps(
		post("/subscribers/create", `{"subscriberProfile": "m2m"}`).
			ok(`{"impactedTotal": 3, "payload": {"state": {"state": "INACTIVE", "stateReason": "ordered"}, "resources": []}}`),
	)},
	{"create subscriber: what is missing, taken, or not primary (rules 10, 14)", steps(aSubscriber,
		post("/subscribers/create", `{`+active+`}`).refused("required /account"),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "primaryResource": "{{msisdn}}"}`).refused("resource_taken /primaryResource"),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "primaryResource": "abc"}`).refused("invalid_value /primaryResource"),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "primaryResource": "{{imsi}}", "primaryResourceType": "imsi"}`).refused("not_primary_resource_type /primaryResourceType"),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "primaryResourceType": "msisdn"}`).refused("required /primaryResource"),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "account": {"externalId": "{{nobody}}"}}`).refused("not_found /account"),
	)},
	{"create subscriber: nothing below what is deactivated (rule 5)", steps(anAccount,
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(`{"impactedTotal": 1}`),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "account": {"externalId": "{{account}}"}}`).refused("deactivated /account"),
		post("/accounts/create", `{"accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).refused("deactivated /customer"),
	)},
	{"update subscriber: several attributes at once", steps(aSubscriber,
		post("/subscribers/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "subscriberSegment": "data", "customName": "SIM 2"}`).
			ok(`{"impactedTotal": 1, "payload": {"version": 2, "subscriberSegment": "data", "customName": "SIM 2", "resources": [{"resource": "{{msisdn}}"}]}}`),
		post("/subscribers/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "subscriberSegment": "none"}`).refused("not_configured /subscriberSegment"),
	)},
	{"subscribe an offer on a subscriber: the version sold now (rule 15)", steps(aSubscriber,
		post("/subscribers/subscriptions/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_m", `+active+`}`).
			ok(`{"operation": "createSubscriptionOnSubscriber", "payload": {"subscriber": {"externalId": "{{subscriber}}"}, "offerVersion": 2, "priority": 200}}`),
		post("/subscribers/subscriptions/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_m", "priority": 1000001, `+active+`}`).refused("out_of_range /priority"),
	)},
}

var resourceCases = []Case{
	{"resources: assign, read, end, assign to another (rule 14)", steps(aSubscriber,
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "ipV4", "resource": "{{ip}}"}`).
			ok(`{"operation": "createSubscriberResource", "impactedTotal": 1, "impacted": [{"type": "SubscriberResource"}],
				"payload": {"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "ipV4", "resource": "{{ip}}", "primary": false, "version": 1}}`).header("Etag", `"1"`),
		get("/subscribers/resources/read?externalId={{subscriber}}&resourceType=ipV4").ok(`{"items": [{"resource": "{{ip}}"}]}`).header("Etag", `"1"`),
		post("/subscribers/resources/end", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "ipV4", "resource": "{{ip}}"}`).
			ok(`{"operation": "endSubscriberResource", "payload": {"resource": "{{ip}}", "validTo": "<any>", "version": 2}}`),
		get("/subscribers/resources/read?externalId={{subscriber}}&resourceType=ipV4").ok(`{"items": []}`),
		get("/subscribers/resources/read?externalId={{subscriber}}&resourceType=ipV4&historyIncluded=true").ok(`{"items": [{"resource": "{{ip}}", "validTo": "<any>"}]}`),
		post("/subscribers/create", `{"externalId": "{{other}}", "subscriberProfile": "mobile", "account": {"externalId": "{{account}}"}}`).ok(``),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{other}}"}, "resourceType": "ipV4", "resource": "{{ip}}"}`).ok(``),
	)},
	{"resources: one per type, one holder, a pattern (rule 14)", steps(aSubscriber,
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "msisdn", "resource": "{{msisdn2}}"}`).refused("resource_type_already_assigned /resourceType"),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "imsi", "resource": "12"}`).refused("invalid_value /resource"),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "fax", "resource": "12"}`).refused("not_configured /resourceType"),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}}`).refused("required /resource", "required /resourceType"),
		post("/subscribers/create", `{"externalId": "{{other}}", "subscriberProfile": "mobile"}`).ok(``),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{other}}"}, "resourceType": "msisdn", "resource": "{{msisdn}}"}`).refused("resource_taken /resource"),
		post("/subscribers/resources/end", `{"subscriber": {"externalId": "{{other}}"}, "resourceType": "msisdn", "resource": "{{msisdn}}"}`).refused("resource_not_assigned /resource"),
	)},
	{"resources: a swap, at one instant, and who had it then (rule 14)", steps(aSubscriber,
		does(remember("before")),
		post("/subscribers/resources/swap", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "msisdn", "swapResource": "{{msisdn}}", "resource": "{{msisdnNew}}", "transactionId": "{{$guid}}"}`).
			ok(`{"operation": "swapSubscriberResource", "impactedTotal": 2, "payload": {"resource": "{{msisdnNew}}", "primary": true, "version": 1}}`).save("from", "payload.validFrom"),
		get("/subscribers/resources/read?externalId={{subscriber}}&historyIncluded=true").
			ok(`{"items": [{"resource": "{{msisdnNew}}", "validTo": "<none>"}, {"resource": "{{msisdn}}", "validTo": "{{from}}"}]}`),
		get("/subscribers/read?resourceType=msisdn&resource={{msisdn}}").refused("not_found resource"),
		get("/subscribers/read?resourceType=msisdn&resource={{msisdn}}&asOf={{before}}&resources=true").ok(`{"refId": "{{subscriberId}}", "resources": [{"resource": "{{msisdn}}"}]}`),
		get("/subscribers/resources/read?externalId={{subscriber}}&asOf={{before}}").ok(`{"items": [{"resource": "{{msisdn}}", "validTo": "<none>"}]}`),
		post("/subscribers/resources/swap", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "msisdn", "swapResource": "{{msisdn}}", "resource": "{{msisdn3}}"}`).refused("resource_not_assigned /swapResource"),
	)},
	{"resources: deactivating frees them in the same write (rule 14)", steps(aSubscriber,
		post("/subscribers/state/update", `{"subscriber": {"externalId": "{{subscriber}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).
			ok(`{"impactedTotal": 2, "payload": {"state": {"state": "DEACTIVATED"}, "resources": []}}`),
		post("/subscribers/create", `{"subscriberProfile": "mobile", "primaryResource": "{{msisdn}}"}`).ok(``),
		post("/subscribers/resources/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "resourceType": "imsi", "resource": "{{imsi}}"}`).refused("deactivated /subscriber"),
	)},
	{"resources are read of a subscriber that exists, of a type that is configured", steps(aSubscriber,
		get("/subscribers/resources/read").refused("one_of_required refId"),
		get("/subscribers/resources/read?externalId={{nobody}}").refused("not_found externalId"),
		get("/subscribers/resources/read?externalId={{subscriber}}&resourceType=fax").refused("not_configured resourceType"),
	)},
}
