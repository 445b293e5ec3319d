package acceptance

import "strings"

// collections are all collections of configuration, with an item, what it is
// replaced by, and one that is refused.
var collections = []struct{ path, item, changed, bad, refusal string }{
	{"account-types", `"paymentResponsible": true`, `"paymentResponsible": false`, `"paymentResponsible": "yes"`, "wrong_type /paymentResponsible"},
	{"resource-types", `"pattern": "[0-9]+"`, `"pattern": "[0-9]{4}"`, `"pattern": "["`, "invalid_value /pattern"},
	{"customer-segments", `"description": "One"`, `"description": "Two\nlines"`, `"description": 1`, "wrong_type /description"},
	{"account-segments", `"description": "One"`, `"retired": true`, `"retired": 1`, "wrong_type /retired"},
	{"subscriber-segments", `"description": "One"`, `"retired": true`, `"colour": "red"`, "unknown_member /colour"},
	{"state-reasons", `"state": "ACTIVE", "charged": true`, `"state": "ACTIVE", "charged": false`, `"state": "GONE"`, "invalid_value /state"},
	{"customer-profiles", `"customerSegment": "b2b", "state": "ACTIVE", "stateReason": "active"`, `"customerSegment": "b2c"`, `"state": "ACTIVE", "stateReason": "debt"`, "state_reason_not_for_state /stateReason"},
	{
		"account-profiles", `"accountType": "postpaid", "accountSegment": "standard", "billCycle": "monthly", "currency": "EUR", "state": "ACTIVE", "stateReason": "active", "customerProfile": "b2b"`,
		`"accountType": "prepaid"`, `"billCycle": "none"`, "not_configured /billCycle",
	},
	{"subscriber-profiles", `"subscriberSegment": "voice", "state": "INACTIVE", "stateReason": "ordered", "accountProfile": "postpaid"`, `"subscriberSegment": "data"`, `"accountProfile": "none"`, "not_configured /accountProfile"},
	{"bill-cycles", `"duration": 2, "period": "WEEK", "billingDay": 7, "anchor": "2026-01-05T00:00:00.000000Z"`, `"duration": 2, "period": "WEEK", "billingDay": 1`, `"duration": 1, "period": "WEEK", "billingDay": 8`, "out_of_range /billingDay"},
	{"currencies", `"virtual": true, "symbol": "★", "precision": 0`, `"virtual": true, "symbol": "☆", "precision": 0`, `"precision": 2`, "invalid_value /code"},
	{"taxes", `"values": [{"rate": 200000, "glCode": "3500"}, {"rate": 210000, "validFrom": "2027-01-01T00:00:00.000000Z"}]`, `"values": []`, `"values": [{"rate": 1000001}]`, "out_of_range /values/0/rate"},
	{"gl-codes", `"description": "One"`, `"description": "Two"`, `"name": ""`, "invalid_value /name"},
	{"charging-classes", `"parent": "fees"`, `"description": "At the top"`, `"parent": "none"`, "not_configured /parent"},
	{"products", `"services": [{"code": "fee", "name": "Fee", "kind": "one-time-fee"}]`, `"services": [{"code": "b", "kind": "balance"}]`, `"services": [{"code": "fee", "kind": "lottery"}]`, "invalid_value /services/0/kind"},
	{"pub-sub-endpoints", `"type": "WEBHOOK", "url": "https://receiver.example/hook", "paused": true`, `"type": "WEBHOOK", "url": "https://receiver.example/hook", "paused": true, "messages": ["customer"]`, `"type": "WEBHOOK", "url": "ftp://receiver.example"`, "invalid_value /url"},
	{
		"offers", `"product": "anyOneTimeFee", "versions": [{"version": 1, "currency": "EUR", "services": [{"service": "fee", "attributes": {"charge": 1000000}}]}]`,
		`"product": "anyOneTimeFee", "priority": 9, "versions": []`, `"product": "anyOneTimeFee", "versions": [{"version": 1, "currency": "EUR", "services": [{"service": "fee", "attributes": {}}]}]`, "attribute_required /versions/0/services/0/attributes/charge",
	},
}

var configCases = func() []Case {
	var list []Case
	for _, c := range collections {
		path := "/v1/config/" + c.path
		named := func(more string) string {
			if strings.HasPrefix(more, `"name"`) {
				return `{"code": "{{code}}", ` + more + `}`
			}
			return `{"code": "{{code}}", "name": "Name", ` + more + `}`
		}
		list = append(list, Case{"configuration: " + c.path + ", from creation to deletion (section 5)", steps(
			post(path, named(c.bad)).refused(c.refusal),
			post(path, named(c.item)).is(201, `{"code": "{{code}}", "name": "Name", "version": 1, "retired": false, `+c.item+`}`).header("Etag", `"1"`).header("Location", path+"/{{code}}"),
			post(path, named(c.item)).refusedWith(409, "duplicate_code /code"),
			get(path+"/{{code}}").ok(`{"version": 1, `+c.item+`}`).header("Etag", `"1"`),
			put(path+"/{{code}}", named(c.changed)).with("If-Match", `"2"`).refusedWith(412, "version_mismatch If-Match"),
			put(path+"/{{code}}", named(c.bad)).refused(c.refusal),
			put(path+"/{{code}}", named(c.changed)).with("If-Match", `"1"`).ok(`{"version": 2}`).header("Etag", `"2"`),
			put(path+"/{{code}}", named(c.changed)).ok(`{"version": 2}`),
			put(path+"/{{code}}", strings.Replace(named(c.changed), "{{code}}", "{{code2}}", 1)).refused("code_immutable /code"),
			put(path+"/{{code3}}", strings.Replace(named(c.item), "{{code}}", "{{code3}}", 1)).refusedWith(404, "not_found"),
			get(path+"?colour=red").refused("unknown_member colour"),
			get(path+"/{{code}}?colour=red").refused("unknown_member colour"),
			get(path).ok(`{"items": "<any>"}`),
			del(path+"/{{code}}").with("If-Match", `"1"`).refusedWith(412, "version_mismatch If-Match"),
			del(path+"/{{code}}?colour=red").refused("unknown_member colour"),
			del(path+"/{{code}}").is(204, ``),
			get(path+"/{{code}}").refusedWith(404, "not_found"),
			del(path+"/{{code}}").refusedWith(404, "not_found"),
			get(path+"/{{code}}/history").ok(`{"items": [{"version": 3, "deleted": true, "actor": "dev"}, {"version": 2, "deleted": false, "item": "<any>"}, {"version": 1, "timestamp": "<any>"}]}`),
			get(path+"/{{code}}/history?limit=0").refused("out_of_range limit"),
		)})
	}
	return list
}()

var configRuleCases = []Case{
	{"configuration: what is referred to cannot be deleted (section 5)", steps(
		post("/v1/config/customer-segments", `{"code": "{{code}}", "name": "Used"}`).is(201, ``),
		post("/v1/config/customer-profiles", `{"code": "{{codeP}}", "name": "P", "customerSegment": "{{code}}", "state": "ACTIVE", "stateReason": "active"}`).is(201, ``),
		del("/v1/config/customer-segments/{{code}}").refusedWith(409, "in_use"),
		post("/customers/create", `{"externalId": "{{c}}", "customerProfile": "{{codeP}}"}`).ok(`{"payload": {"customerSegment": "{{code}}"}}`),
		del("/v1/config/customer-profiles/{{codeP}}").is(204, ``), // profiles act at creation only
		del("/v1/config/customer-segments/{{code}}").refusedWith(409, "in_use"),
		post("/customers/segment/update", `{"customer": {"externalId": "{{c}}"}, "customerSegment": null}`).ok(``),
		del("/v1/config/customer-segments/{{code}}").is(204, ``),
	)},
	{"configuration: a plan refers, too (section 5)", steps(aCustomer,
		post("/v1/config/state-reasons", `{"code": "{{code}}", "name": "Fraud", "state": "SUSPENDED"}`).is(201, ``),
		post("/customers/state/update", `{"customer": {"externalId": "{{customer}}"}, "state": {"state": "SUSPENDED", "stateReason": "{{code}}", "stateValidFrom": "2099-01-01T00:00:00Z"}}`).ok(``),
		del("/v1/config/state-reasons/{{code}}").refusedWith(409, "in_use"),
		put("/v1/config/state-reasons/{{code}}", `{"code": "{{code}}", "name": "Fraud", "state": "ACTIVE"}`).refusedWith(409, "in_use /state"),
		put("/v1/config/state-reasons/{{code}}", `{"code": "{{code}}", "name": "Fraud!", "state": "SUSPENDED", "retired": true}`).ok(`{"retired": true}`),
		post("/customers/state/confirm", `{"customer": {"externalId": "{{customer}}"}, "stateValidFrom": "{{$now-1h}}"}`).ok(`{"payload": {"state": {"stateReason": "{{code}}"}}}`),
		post("/customers/create", `{"state": {"state": "SUSPENDED", "stateReason": "{{code}}"}}`).refused("retired /state/stateReason"),
	)},
	{"configuration: what cannot change while it is used (section 5)", steps(aSubscription,
		put("/v1/config/account-types/postpaid", `{"code": "postpaid", "name": "Postpaid", "paymentResponsible": false}`).refusedWith(409, "in_use /paymentResponsible"),
		put("/v1/config/bill-cycles/monthly", `{"code": "monthly", "name": "Monthly", "duration": 2, "period": "MONTH", "individual": true}`).refusedWith(409, "in_use /duration", "in_use /individual"),
		put("/v1/config/currencies/EUR", `{"code": "EUR", "name": "Euro", "primary": true, "precision": 3}`).refusedWith(409, "in_use /precision"),
		put("/v1/config/products/internet", `{"code": "internet", "name": "Internet", "services": []}`).refusedWith(409, "in_use /services"),
		put("/v1/config/offers/offer_code", `{"code": "offer_code", "name": "O", "product": "internet", "versions": []}`).refusedWith(409, "in_use /versions"),
		del("/v1/config/offers/offer_code").refusedWith(409, "in_use"),
	)},
	{"configuration: what every installation holds (section 5)", steps(
		del("/v1/config/state-reasons/dfltActive").refusedWith(409, "in_use"),
		del("/v1/config/bill-cycles/monthly").refusedWith(409, "in_use"),
		del("/v1/config/currencies/EUR").refusedWith(409, "in_use"),
		get("/v1/config/state-reasons/dfltDeactivated").ok(`{"state": "DEACTIVATED"}`),
		get("/v1/config/currencies/EUR").ok(`{"primary": true}`),
	)},
	{"configuration: how many decimals a currency has by itself (section 5)", steps(
		post("/v1/config/currencies", `{"code": "KWD", "name": "Kuwaiti Dinar"}`).is(201, `{"precision": 3}`),
		put("/v1/config/currencies/KWD", `{"code": "KWD", "name": "Kuwaiti Dinar", "precision": 0}`).ok(`{"precision": 0, "version": 2}`),
		del("/v1/config/currencies/KWD").is(204, ``),
		post("/v1/config/currencies", `{"code": "JPY", "name": "Yen"}`).is(201, `{"precision": 0}`),
		del("/v1/config/currencies/JPY").is(204, ``),
		post("/v1/config/currencies", `{"code": "{{code}}", "name": "Miles", "virtual": true}`).is(201, `{"precision": 0}`),
		post("/v1/config/currencies", `{"code": "{{code2}}", "name": "Miles", "virtual": true, "precision": 7}`).refused("out_of_range /precision"),
		get("/v1/config/currencies/EUR").ok(`{"precision": 2}`),
	)},
	{"configuration: money of a version without a currency is in the primary one (section 5)", steps(
		post("/v1/config/offers", `{"code": "{{code}}", "name": "Credit", "product": "anyMonetaryBalance", "versions": [{"version": 1, "services": [{"service": "balance", "individual": true}]}]}`).is(201, ``),
		aSubscriber,
		post("/subscriptions/individual/monetary-balance/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "{{code}}", `+active+`, "attributes": {"grantedBalance": 5000000}}`).ok(`{"payload": {"balances": [{"currency": "EUR", "actualBalance": 5000000}]}}`),
	)},
	{"configuration: the code, and trees without circles", steps(
		post("/v1/config/gl-codes", `{"code": "a b", "name": "x"}`).refused("invalid_value /code"),
		post("/v1/config/gl-codes", `{"code": "`+strings.Repeat("x", 65)+`", "name": "x"}`).refused("too_long /code"),
		post("/v1/config/gl-codes", `{"name": "x"}`).refused("required /code"),
		post("/v1/config/gl-codes", `{"code": "{{code}}"}`).refused("required /name"),
		post("/v1/config/charging-classes", `{"code": "{{codeA}}", "name": "A"}`).is(201, ``),
		post("/v1/config/charging-classes", `{"code": "{{codeB}}", "name": "B", "parent": "{{codeA}}"}`).is(201, ``),
		put("/v1/config/charging-classes/{{codeA}}", `{"code": "{{codeA}}", "name": "A", "parent": "{{codeB}}"}`).refused("hierarchy_cycle /parent"),
	)},
	{"configuration as one document (section 5)", steps( // others are at work on it: a dry run
		get("/v1/config/export").with("Accept", "application/json").ok(`{"customer-segments": "<any>", "offers": "<any>"}`),
		get("/v1/config/export").ok(``).header("Content-Type", "application/yaml"),
		get("/v1/config/demonstration").ok(``).header("Content-Type", "application/yaml"),
		get("/v1/config/demonstration?format=json").refused("unknown_member format"),
		get("/v1/config/export?format=json").refused("unknown_member format"),
		post("/v1/config/import?dryRun=true", `{"charging-classes": [{"code": "fees", "name": "Charges"}, {"code": "fees.recurrent", "name": "Recurrent Fees", "parent": "fees"}, {"code": "fees.oneTime", "name": "One-Time Fees", "parent": "fees"}]}`).ok(`{"dryRun": true, "changes": "<any>"}`),
		post("/v1/config/import?dryRun=true", "charging-classes:\n  - {code: fees, name: Charges}\n  - {code: fees.recurrent, name: R}\n  - {code: fees.oneTime, name: O}\n").with("Content-Type", "application/yaml").ok(``),
		post("/v1/config/import", `{}`).ok(`{"changes": [], "dryRun": "<none>"}`),
		post("/v1/config/import", `{"charging-classes": [{"code": "fees", "name": "Charges", "parent": "none"}]}`).refusedWith(409, "in_use /charging-classes", "not_configured /charging-classes/0/parent"),
		post("/v1/config/import", `{"lotteries": []}`).refused("unknown_member /lotteries"),
		get("/v1/config/charging-classes/fees").ok(`{"name": "Fees"}`),
	)},
	{"the service catalogue (section 5)", steps(
		get("/v1/config/services").ok(`{"items": "<any>"}`),
		get("/v1/config/services?kind=balance").refused("unknown_member kind"),
	)},
}
