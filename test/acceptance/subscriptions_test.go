package acceptance

var subscriptionCases = []Case{
	{"update subscription: several attributes at once", steps(aSubscription,
		post("/subscriptions/update", `{"subscription": {"externalId": "{{subscription}}"}, "priority": 5, "customName": "First", "customAttributes": {"a": "1"}}`).
			ok(`{"operation": "updateSubscription", "impactedTotal": 1, "payload": {"version": 2, "priority": 5, "customName": "First", "balances": [{"service": "data", "version": 1}]}}`),
		post("/subscriptions/update", `{"subscription": {"externalId": "{{subscription}}"}, "offer": "mobile_m", "priority": -1}`).refused("unknown_member /offer", "out_of_range /priority"),
		post("/subscriptions/update", `{"subscription": {"externalId": "{{nothing}}"}, "priority": 1}`).refused("not_found /subscription"),
	)},
	{"a subscription that is part of another, of the same customer (rule 15)", steps(aSubscription,
		post("/accounts/subscriptions/create", `{"account": {"externalId": "{{account}}"}, "offer": "loyalty", "parentOfferSubscription": {"externalId": "{{subscription}}"}, `+active+`}`).
			ok(`{"payload": {"parentOfferSubscription": {"refId": "{{subscriptionId}}", "externalId": "{{subscription}}"}, "balances": [], "services": [{"service": "discount", "kind": "percentage-discount", "attributes": {"discount": 100000}}, {"service": "billing"}]}}`),
		post("/customers/create", `{"externalId": "{{stranger}}", "customerProfile": "b2b"}`).ok(``),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{stranger}}"}, "offer": "loyalty", "parentOfferSubscription": {"externalId": "{{subscription}}"}, `+active+`}`).
			refused("other_customer /parentOfferSubscription"),
		post("/subscriptions/state/update", `{"subscription": {"externalId": "{{subscription}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(``),
		post("/accounts/subscriptions/create", `{"account": {"externalId": "{{account}}"}, "offer": "loyalty", "parentOfferSubscription": {"externalId": "{{subscription}}"}, `+active+`}`).
			refused("deactivated /parentOfferSubscription"),
	)},
	{"an offer's version is the one sold when it begins (rule 15)", steps(aCustomer,
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "offer": "mobile_project", `+active+`}`).refused("individual_required /offer"),
		post("/v1/config/offers", `{"code": "{{code}}", "name": "Dear later", "product": "discounts", "versions": [
				{"version": 1, "currency": "EUR", "validFrom": "2020-01-01T00:00:00Z", "services": [{"service": "discount", "attributes": {"discount": 1}}, {"service": "billing", "attributes": {"discount": 1}}]},
				{"version": 2, "currency": "EUR", "validFrom": "2098-01-01T00:00:00Z", "services": [{"service": "discount", "attributes": {"discount": 2}}, {"service": "billing", "attributes": {"discount": 2}}]}]}`).is(201, ``),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "offer": "{{code}}", `+active+`}`).ok(`{"payload": {"offerVersion": 1}}`),
		post("/customers/subscriptions/create", `{"customer": {"externalId": "{{customer}}"}, "offer": "{{code}}", "state": {"state": "ACTIVE", "stateReason": "active", "stateValidFrom": "2099-01-01T00:00:00Z"}}`).ok(`{"payload": {"offerVersion": 2}}`),
	)},
}

// typedCases are the operations for an offer with one individual service.
var individualCases = append([]Case{
	{"individual offer: attributes given with the subscription (rule 16)", steps(aSubscriber,
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", "externalId": "{{s}}", `+active+`,
				"services": [{"service": "fee", "attributes": {"charge": 7500000, "repetitions": 12}}]}`).
			ok(`{"operation": "createIndividualOfferSubscription", "impactedTotal": 2, "payload": {"individual": true, "externalId": "{{s}}",
				"services": [{"service": "fee", "kind": "recurrent-fee", "attributes": {"charge": 7500000, "repetitions": 12, "chargeAt": "MONTH_START", "tax": "vat20"}}, {"service": "data"}],
				"balances": [{"service": "data", "grantedBalance": 50000000000}]}}`),
	)},
	{"individual offer: what may be given, and what must (rule 16)", steps(aSubscriber,
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": []}`).refused("attribute_required /services"),
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": [{"service": "fee", "attributes": {}}]}`).
			refused("attribute_required /services/0/attributes/charge"),
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": [{"service": "data", "attributes": {}}, {"service": "fee", "attributes": {"charge": 1}}]}`).
			refused("not_individual /services/0/service"),
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": [{"service": "fee", "attributes": {"charge": 1}}, {"service": "fee", "attributes": {"charge": 1}}]}`).
			refused("invalid_value /services/1/service"),
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": [{"service": "fee", "attributes": {"charge": "1", "colour": "red", "tax": "none"}}]}`).
			refused("wrong_type /services/0/attributes/charge", "unknown_member /services/0/attributes/colour", "not_configured /services/0/attributes/tax"),
		post("/subscriptions/individual/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "loyalty", `+active+`, "services": []}`).refused("not_individual /offer"),
		post("/subscriptions/individual/create", `{"offer": "mobile_project", `+active+`, "services": []}`).refused("one_of_required"),
		post("/subscriptions/individual/create", `{"customer": {"externalId": "{{customer}}"}, "subscriber": {"externalId": "{{subscriber}}"}, "offer": "mobile_project", `+active+`, "services": []}`).refused("one_of_required"),
	)},
}, typedCases()...)

func typedCases() []Case {
	var list []Case
	for _, typed := range []struct{ name, operation, segment, offer, attributes, holds, missing string }{
		{"balance", "createBalanceSubscription", "balance", "individual_balance", `{"grantedBalance": 500, "unitOfMeasure": "EVENT", "validity": 30, "validityUnit": "DAY"}`, `{"grantedBalance": 500}`, "grantedBalance"},
		{"monetary balance", "createMonetaryBalanceSubscription", "monetary-balance", "individual_monetary_balance", `{"grantedBalance": 20000000}`, `{"grantedBalance": 20000000}`, "grantedBalance"},
		{"one-time fee", "createOneTimeFeeSubscription", "one-time-fee", "individual_one_time_fee", `{"charge": 4990000, "tax": "vat20", "taxIncluded": true}`, `{"charge": 4990000, "taxIncluded": true}`, "charge"},
		{"recurrent fee", "createRecurrentFeeSubscription", "recurrent-fee", "individual_recurrent_fee", `{"charge": 9990000, "chargeAt": "MONTH_END"}`, `{"charge": 9990000, "every": 1}`, "charge"},
		{"absolute discount", "createAbsoluteDiscountSubscription", "absolute-discount", "individual_absolute_discount", `{"discount": 1000000, "chargeMin": 5000000}`, `{"discount": 1000000}`, "discount"},
		{"percentage discount", "createPercentageDiscountSubscription", "percentage-discount", "individual_percentage_discount", `{"discount": 100000}`, `{"discount": 100000}`, "discount"},
		{"absolute billing discount", "createAbsoluteBillingDiscountSubscription", "absolute-billing-discount", "individual_absolute_billing_discount", `{"discount": 1000000, "level": "INVOICE"}`, `{"level": "INVOICE"}`, "discount"},
		{"percentage billing discount", "createPercentageBillingDiscountSubscription", "percentage-billing-discount", "individual_percentage_billing_discount", `{"discount": 1000000, "level": "ACCOUNT"}`, `{"level": "ACCOUNT"}`, "discount"},
	} {
		other := "individual_one_time_fee"
		if typed.offer == other {
			other = "individual_balance"
		}
		path := "/subscriptions/individual/" + typed.segment + "/create"
		list = append(list, Case{"individual " + typed.name + " (rule 16)", steps(aSubscriber,
			post(path, `{"subscriber": {"externalId": "{{subscriber}}"}, "offer": "`+typed.offer+`", "attributes": `+typed.attributes+`, `+active+`}`).
				ok(`{"operation": "`+typed.operation+`", "payload": {"individual": true, "offer": "`+typed.offer+`", "services": [{"kind": "`+typed.segment+`", "attributes": `+typed.holds+`}]}}`),
			post(path, `{"account": {"refId": "{{accountId}}"}, "offer": "`+typed.offer+`", "attributes": `+typed.attributes+`, `+active+`}`).ok(`{"payload": {"account": {"externalId": "{{account}}"}}}`),
			post(path, `{"customer": {"refId": "{{customerId}}"}, "offer": "`+other+`", "attributes": `+typed.attributes+`, `+active+`}`).refused("service_kind_mismatch /offer"),
			post(path, `{"customer": {"refId": "{{customerId}}"}, "offer": "loyalty", "attributes": {}, `+active+`}`).refused("not_individual /offer"),
			post(path, `{"customer": {"refId": "{{customerId}}"}, "offer": "`+typed.offer+`", `+active+`}`).refused("required /attributes"),
			missing(path, typed.offer, typed.missing),
		)})
	}
	return list
}

// missing subscribes without any attribute: the first mandatory one is missed.
func missing(path, offer, first string) *step {
	errors := map[string][]string{
		"grantedBalance": {"attribute_required /attributes/grantedBalance"},
		"charge":         {"attribute_required /attributes/charge"},
		"discount":       {"attribute_required /attributes/discount"},
	}[first]
	switch offer {
	case "individual_balance":
		errors = append(errors, "attribute_required /attributes/unitOfMeasure")
	case "individual_recurrent_fee":
		errors = append(errors, "attribute_required /attributes/chargeAt")
	}
	return post(path, `{"customer": {"refId": "{{customerId}}"}, "offer": "`+offer+`", "attributes": {}, `+active+`}`).refused(errors...)
}

var balanceCases = []Case{
	{"balance: add, deduct, set (rule 26)", steps(aSubscription,
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "DEDUCT", "amount": 40000000000}`).
			ok(`{"operation": "updateSubscriptionBalance", "impactedTotal": 1, "impacted": [{"type": "Balance", "version": 2}],
				"payload": {"offerSubscription": {"externalId": "{{subscription}}"}, "service": "data", "grantedBalance": 100000000000, "actualBalance": 60000000000, "version": 2}}`).header("Etag", `"1"`),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 1}`).ok(`{"payload": {"actualBalance": 60000000001}}`),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "SET", "amount": 0, "validTo": "2099-01-01T00:00:00Z"}`).
			ok(`{"payload": {"actualBalance": 0, "validTo": "2099-01-01T00:00:00.000000Z"}}`),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "SET", "amount": 0, "validTo": null}`).ok(`{"payload": {"validTo": "<none>"}}`),
		get("/subscriptions/balance/read?externalId={{subscription}}&service=data").ok(`{"actualBalance": 0, "version": 5}`).header("Etag", `"1"`),
		get("/subscriptions/read?externalId={{subscription}}&balances=true").ok(`{"version": 1, "balances": [{"actualBalance": 0}]}`),
	)},
	{"balance: what is refused (rule 26)", steps(aSubscription,
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "DEDUCT", "amount": 100000000001}`).refused("insufficient_balance /amount"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 9007199254740991}`).refused("out_of_range /amount"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 0}`).refused("out_of_range /amount"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 1.5}`).refused("wrong_type /amount"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 1, "validTo": "2020-01-01T00:00:00Z"}`).refused("out_of_range /validTo"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "fee", "action": "ADD", "amount": 1}`).refused("no_such_balance /service"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "action": "BURN"}`).refused("invalid_value /action", "required /amount", "required /service"),
		get("/subscriptions/balance/read?externalId={{subscription}}&service=fee").refused("no_such_balance service"),
		get("/subscriptions/balance/read?externalId={{subscription}}").refused("required service"),
		get("/subscriptions/balances/read?externalId={{subscription}}&service=fee").refused("no_such_balance service"),
		post("/subscriptions/state/update", `{"subscription": {"externalId": "{{subscription}}"}, "state": {"state": "DEACTIVATED", "stateReason": "terminated"}}`).ok(``),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "ADD", "amount": 1}`).refused("deactivated /subscription"),
	)},
	{"balance: one that has expired needs a new end (rules 16, 26)", steps(aCustomer,
		post("/subscriptions/individual/balance/create", `{"customer": {"externalId": "{{customer}}"}, "externalId": "{{s}}", "offer": "individual_balance",
				"attributes": {"grantedBalance": 10, "unitOfMeasure": "EVENT", "validity": 1, "validityUnit": "MONTH"},
				"state": {"state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "2024-01-31T00:00:00Z"}}`).
			ok(`{"payload": {"balances": []}}`), // valid ones only
		get("/subscriptions/balances/read?externalId={{s}}").ok(`{"items": [{"validFrom": "2024-01-31T00:00:00.000000Z", "validTo": "2024-02-29T00:00:00.000000Z"}]}`),
		get("/subscriptions/balances/read?externalId={{nobody}}").refused("not_found externalId"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{s}}"}, "service": "balance", "action": "DEDUCT", "amount": 1}`).refused("balance_expired /service"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{s}}"}, "service": "balance", "action": "ADD", "amount": 1}`).refused("balance_expired /validTo"),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{s}}"}, "service": "balance", "action": "ADD", "amount": 1, "validTo": null}`).ok(`{"payload": {"actualBalance": 11, "validTo": "<none>"}}`),
	)},
	{"balances: several at once, all or none (rule 26)", steps(aSubscriber,
		post("/subscribers/subscriptions/create", `{"subscriber": {"externalId": "{{subscriber}}"}, "externalId": "{{s}}", "offer": "mobile_m", `+active+`}`).ok(``),
		post("/subscriptions/balances/update", `{"subscription": {"externalId": "{{s}}"}, "balances": [{"service": "sms", "action": "DEDUCT", "amount": 1}, {"service": "voice", "action": "DEDUCT", "amount": 120001}]}`).
			refused("insufficient_balance /balances/1/amount"),
		get("/subscriptions/balance/read?externalId={{s}}&service=sms").ok(`{"actualBalance": 1000, "version": 1}`),
		post("/subscriptions/balances/update", `{"subscription": {"externalId": "{{s}}"}, "balances": [{"service": "sms", "action": "DEDUCT", "amount": 1}, {"service": "voice", "action": "SET", "amount": 60, "validTo": null}]}`).
			ok(`{"operation": "updateSubscriptionBalances", "impactedTotal": 2, "payload": {"externalId": "{{s}}", "version": 1}}`),
		get("/subscriptions/balance/read?externalId={{s}}&service=voice").ok(`{"actualBalance": 60, "validTo": "<none>"}`),
		get("/subscriptions/balances/read?externalId={{s}}&service=voice").ok(`{"items": [{"service": "voice", "actualBalance": 60}]}`),
		post("/subscriptions/balances/update", `{"subscription": {"externalId": "{{s}}"}, "balances": [{"service": "sms", "action": "ADD", "amount": 1}, {"service": "sms", "action": "ADD", "amount": 1}]}`).refused("invalid_value /balances/1/service"),
		post("/subscriptions/balances/update", `{"subscription": {"externalId": "{{s}}"}, "balances": []}`).refused("required /balances"),
	)},
	{"balance: a threshold that is reached is an extra message, once (rule 26)", steps(aSubscription,
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "DEDUCT", "amount": 79999999999}`).ok(``),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "DEDUCT", "amount": 1}`).ok(``),
		post("/subscriptions/balance/update", `{"subscription": {"externalId": "{{subscription}}"}, "service": "data", "action": "DEDUCT", "amount": 1}`).ok(``),
		get("/v1/business-transactions?customer={{customerId}}&messageCode=balance").
			ok(`{"items": [{"event": "created"}, {"event": "updated"}, {"event": "updated"}, {"event": "thresholdReached", "payload": {"threshold": 1}}, {"event": "updated"}]}`),
	)},
}
