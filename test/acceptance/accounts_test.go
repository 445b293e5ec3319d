package acceptance

var accountCases = []Case{
	{"create account below a customer by profile (rules 9, 10)", steps(aCustomer,
		post("/accounts/create", `{"externalId": "{{a}}", "accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).
			ok(`{"operation": "createAccount", "impactedTotal": 1, "payload": {"externalId": "{{a}}", "customer": {"refId": "{{customerId}}", "externalId": "{{customer}}"}, "parent": "<none>",
				"accountType": "postpaid", "accountSegment": "standard", "billCycle": "monthly", "currency": "EUR", "paymentResponsible": true,
				"taxExemption": false, "testAccount": false, "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}}`).save("id", "payload.refId"),
		get("/accounts/read?externalId={{a}}").ok(`{"refId": "{{id}}", "version": 1}`),
	)},
	{"create account: all attributes given (rules 9, 13)", steps(aCustomer,
		post("/accounts/create", `{"customer": {"refId": "{{customerId}}"}, "accountType": "prepaid", "accountSegment": "keyAccount", "billCycle": "monthlyIndividual", "billingDay": 15,
				"currency": "USD", "paymentResponsible": true, "testAccount": true, "customName": "Branch", "customAttributes": {"a": "b"}, "taxExemption": true, "taxResidence": "AT", `+active+`}`).
			ok(`{"payload": {"billCycle": "monthlyIndividual", "billingDay": 15, "currency": "USD", "testAccount": true, "taxExemption": true, "taxResidence": "AT"}}`),
	)},
	{"create account: the profile creates the customer too (rule 10)", steps(
		post("/accounts/create", `{"accountProfile": "postpaidBusiness", "testAccount": true, "state": {"stateValidFrom": "2024-01-01T00:00:00Z"}}`).
			ok(`{"impactedTotal": 2, "impacted": [{"type": "Customer", "version": 1}, {"type": "Account", "version": 1}], "payload": {"testAccount": true}}`).save("customer", "payload.customer.refId"),
		get("/customers/read?refId={{customer}}&accounts=true").
			ok(`{"customerSegment": "b2b", "testCustomer": true, "state": {"stateValidFrom": "2024-01-01T00:00:00.000000Z"}, "accounts": [{"accountSegment": "keyAccount"}]}`),
	)},
	{"create account: what is needed and missing (rules 9, 10)", steps(aCustomer,
		post("/accounts/create", `{"accountProfile": "department"}`).refused("required /customer", "parent_required /parent"),
		post("/accounts/create", `{"customer": {"externalId": "{{customer}}"}}`).
			refused("required /accountType", "required /billCycle", "required /currency", "required /state"),
	)},
	{"create account: payment responsible is what the type says (rule 12)", steps(anAccount,
		post("/accounts/create", `{"accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}, "paymentResponsible": false}`).refused("payment_responsible_mismatch /paymentResponsible"),
		post("/accounts/create", `{"accountProfile": "department", "customer": {"externalId": "{{customer}}"}}`).refused("parent_required /parent"),
		post("/accounts/create", `{"accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).
			ok(`{"payload": {"paymentResponsible": false, "parent": {"refId": "{{accountId}}", "externalId": "{{account}}"}, "customer": {"externalId": "{{customer}}"}}}`),
	)},
	{"update account: several attributes at once", steps(anAccount,
		post("/accounts/update", `{"account": {"externalId": "{{account}}"}, "externalId": "{{new}}", "customName": "Main", "accountSegment": "keyAccount", "customAttributes": {"k": "v"}, "merge": true, "taxExemption": true, "taxResidence": "DE"}`).
			ok(`{"impactedTotal": 1, "payload": {"version": 2, "externalId": "{{new}}", "customName": "Main", "accountSegment": "keyAccount", "customAttributes": {"k": "v"}, "taxExemption": true, "taxResidence": "DE"}}`),
		post("/accounts/update", `{"account": {"externalId": "{{new}}"}, "taxResidence": null, "accountSegment": null, "customName": null}`).
			ok(`{"payload": {"version": 3, "taxResidence": "<none>", "accountSegment": "<none>", "customName": "<none>"}}`),
		post("/accounts/update", `{"account": {"externalId": "{{new}}"}}`).refused("one_of_required"),
	)},
	{"tax exemption of an account", steps(anAccount,
		post("/accounts/tax-exemption/update", `{"account": {"externalId": "{{account}}"}, "taxExemption": true, "taxResidence": "AT"}`).
			ok(`{"operation": "updateAccountTaxExemption", "payload": {"taxExemption": true, "taxResidence": "AT", "version": 2}}`),
		post("/accounts/tax-exemption/update", `{"account": {"externalId": "{{account}}"}, "taxExemption": true}`).ok(`{"impactedTotal": 0, "payload": {"taxResidence": "AT", "version": 2}}`),
		post("/accounts/tax-exemption/update", `{"account": {"externalId": "{{account}}"}, "taxExemption": false, "taxResidence": null}`).ok(`{"payload": {"taxExemption": false, "taxResidence": "<none>"}}`),
		post("/accounts/tax-exemption/update", `{"account": {"externalId": "{{account}}"}, "taxResidence": "AT"}`).refused("required /taxExemption"),
	)},
	{"subscribe an offer on an account", steps(anAccount,
		post("/accounts/subscriptions/create", `{"account": {"externalId": "{{account}}"}, "offer": "welcome_credit", "priority": 3, `+active+`}`).
			ok(`{"operation": "createSubscriptionOnAccount", "payload": {"account": {"externalId": "{{account}}"}, "customer": "<none>", "priority": 3,
				"balances": [{"service": "credit", "currency": "EUR", "unitOfMeasure": "<none>", "grantedBalance": 10000000, "validTo": "<any>"}]}}`),
		post("/accounts/subscriptions/create", `{"account": {"externalId": "{{account}}"}, "offer": "individual_balance", `+active+`}`).refused("individual_required /offer"),
	)},
}

var parentCases = []Case{
	{"parents: move below, to the top, and read who stood where (rules 12, 22)", steps(anAccount,
		post("/accounts/create", `{"externalId": "{{child}}", "accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}}`).ok(``).save("childId", "payload.refId"),
		post("/accounts/parent/update", `{"account": {"externalId": "{{child}}"}, "parent": {"externalId": "{{account}}"}}`).
			ok(`{"impactedTotal": 1, "payload": {"version": 2, "parent": {"refId": "{{accountId}}", "externalId": "{{account}}"}}}`),
		get("/accounts/read?externalId={{account}}&subordinates=true").ok(`{"subordinates": [{"refId": "{{childId}}"}]}`),
		post("/accounts/parent/update", `{"account": {"externalId": "{{child}}"}, "parent": null}`).ok(`{"payload": {"version": 3, "parent": "<none>"}}`),
		get("/accounts/read?externalId={{child}}&parentHistory=true").
			ok(`{"parentHistory": [{"parent": "<none>", "validTo": "<none>", "overtaken": false}, {"parent": {"refId": "{{accountId}}"}, "validTo": "<any>"}, {"parent": "<none>", "validTo": "<any>"}]}`),
	)},
	{"parents: no circle, same customer, who needs one keeps one (rule 12)", steps(anAccount,
		post("/accounts/create", `{"externalId": "{{child}}", "accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).ok(``),
		post("/accounts/create", `{"externalId": "{{grandchild}}", "accountProfile": "department", "parent": {"externalId": "{{child}}"}}`).ok(``),
		post("/accounts/parent/update", `{"account": {"externalId": "{{account}}"}, "parent": {"externalId": "{{grandchild}}"}}`).refused("hierarchy_cycle /parent"),
		post("/accounts/parent/update", `{"account": {"externalId": "{{account}}"}, "parent": {"externalId": "{{account}}"}}`).refused("hierarchy_cycle /parent"),
		post("/accounts/parent/update", `{"account": {"externalId": "{{child}}"}, "parent": null}`).refused("parent_required /parent"),
		post("/accounts/parent/update", `{"account": {"externalId": "{{child}}"}}`).refused("required /parent"),
		post("/accounts/create", `{"externalId": "{{stranger}}", "accountProfile": "postpaid"}`).ok(``),
		post("/accounts/parent/update", `{"account": {"externalId": "{{child}}"}, "parent": {"externalId": "{{stranger}}"}}`).refused("other_customer /parent"),
		post("/accounts/create", `{"accountProfile": "postpaid", "customer": {"externalId": "{{customer}}"}, "parent": {"externalId": "{{stranger}}"}}`).refused("other_customer /parent"),
	)},
	{"parents: what moves below a test account is test data from then on (section 1)", steps(aSubscription,
		post("/accounts/create", `{"externalId": "{{child}}", "accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).ok(`{"payload": {"testAccount": false}}`).save("childId", "payload.refId"),
		post("/accounts/create", `{"externalId": "{{tests}}", "accountProfile": "postpaid", "testAccount": true, "customer": {"externalId": "{{customer}}"}}`).ok(``).save("testsId", "payload.refId"),
		get("/subscribers?account={{accountId}}&test=true").ok(`{"items": []}`),
		post("/accounts/parent/update", `{"account": {"externalId": "{{account}}"}, "parent": {"externalId": "{{tests}}"}}`).
			ok(`{"impactedTotal": 6, "payload": {"version": 2, "testAccount": true, "parent": {"externalId": "{{tests}}"}}, "impacted": [{"type": "Account"},
				{"type": "Account", "refId": "{{childId}}", "version": 2}, {"type": "Subscriber", "version": 2}, {"type": "SubscriberResource"}, {"type": "OfferSubscription"}, {"type": "Balance"}]}`),
		get("/accounts/read?externalId={{child}}").ok(`{"testAccount": true, "version": 2}`),
		get("/subscribers?account={{accountId}}&test=true").ok(`{"items": [{"externalId": "{{subscriber}}"}]}`),
		get("/subscriptions?account={{accountId}}&test=false").ok(`{"items": []}`),
		get("/subscribers/history?externalId={{subscriber}}").ok(`{"items": [{"operation": "updateAccountParent", "version": 2, "changes": []}, {"version": 1}]}`),
		post("/accounts/parent/update", `{"account": {"externalId": "{{account}}"}, "parent": null}`).ok(`{"impactedTotal": 1, "payload": {"testAccount": true}}`),
		get("/subscriptions?account={{accountId}}&test=true").ok(`{"items": [{"externalId": "{{subscription}}"}]}`),
	)},
	{"parents: at most 20 levels (rule 12)", steps(anAccount, levels(19),
		post("/accounts/create", `{"accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).ok(``),
		post("/accounts/create", `{"accountProfile": "department", "parent": {"refId": "{{lowest}}"}}`).refused("too_many /parent"),
	)},
}

// levels puts n accounts below {{account}}, one below the other; {{lowest}} is
// the refId of the last.
func levels(n int) []*step {
	list := steps(post("/accounts/create", `{"accountProfile": "department", "parent": {"externalId": "{{account}}"}}`).ok(``).save("lowest", "payload.refId"))
	for range n - 1 {
		list = append(list, post("/accounts/create", `{"accountProfile": "department", "parent": {"refId": "{{lowest}}"}}`).ok(``).save("lowest", "payload.refId"))
	}
	return list
}

var billCycleCases = []Case{
	{"bill cycle: at once, with its day (rules 13, 25)", steps(anAccount,
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "monthlyIndividual", "billingDay": 7, "validFrom": null}`).
			ok(`{"operation": "updateAccountBillCycle", "payload": {"version": 2, "billCycle": "monthlyIndividual", "billingDay": 7, "plannedBillCycle": "<none>"}}`),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "yearlyIndividual", "billingDay": null, "billingMonth": 4}`).
			ok(`{"payload": {"billCycle": "yearlyIndividual", "billingDay": 7, "billingMonth": 4}}`),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "monthly"}`).
			ok(`{"payload": {"billCycle": "monthly", "billingDay": "<none>", "billingMonth": "<none>"}}`),
		get("/accounts/read?externalId={{account}}&billCycleHistory=true").
			ok(`{"billCycleHistory": [{"billCycle": "monthly", "billingDay": "<none>"}, {"billCycle": "yearlyIndividual", "billingDay": 7}, {"billCycle": "monthlyIndividual"}, {"billCycle": "monthly"}]}`),
	)},
	{"bill cycle: the days that a cycle needs and refuses (rule 13)", steps(anAccount,
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "monthlyIndividual"}`).refused("required /billingDay"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "yearlyIndividual"}`).refused("required /billingDay", "required /billingMonth"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "yearly", "billingDay": 3}`).refused("not_individual /billingDay"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "monthlyIndividual", "billingDay": 29}`).refused("out_of_range /billingDay"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "sometimes"}`).refused("not_configured /billCycle"),
	)},
	{"bill cycle: planned, refused twice, brought forward (rule 25)", steps(anAccount,
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "quarterly", "validFrom": "2099-01-01T00:00:00Z"}`).
			ok(`{"payload": {"billCycle": "monthly", "plannedBillCycle": {"billCycle": "quarterly", "validFrom": "2099-01-01T00:00:00.000000Z"}}}`),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "weekly", "validFrom": "2098-01-01T00:00:00Z"}`).refused("bill_cycle_change_already_planned /validFrom"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "weekly"}`).ok(`{"payload": {"billCycle": "weekly", "plannedBillCycle": {"billCycle": "quarterly"}}}`),
		post("/accounts/bill-cycle/perform", `{"account": {"externalId": "{{account}}"}}`).
			ok(`{"operation": "performAccountBillCycleChange", "payload": {"billCycle": "quarterly", "plannedBillCycle": "<none>"}}`),
		post("/accounts/bill-cycle/perform", `{"account": {"externalId": "{{account}}"}}`).refused("no_planned_bill_cycle_change /account"),
	)},
	{"bill cycle: a plan is dropped (rule 25)", steps(anAccount,
		post("/accounts/bill-cycle/cancel", `{"account": {"externalId": "{{account}}"}}`).refused("no_planned_bill_cycle_change /account"),
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "quarterly", "validFrom": "{{$now+1h}}"}`).ok(``),
		post("/accounts/bill-cycle/cancel", `{"account": {"externalId": "{{account}}"}}`).
			ok(`{"operation": "cancelAccountBillCycleChange", "payload": {"billCycle": "monthly", "plannedBillCycle": "<none>", "version": 3}}`),
	)},
	{"bill cycle: a plan takes effect by itself (rules 20, 25)", steps(anAccount,
		post("/accounts/bill-cycle/update", `{"account": {"externalId": "{{account}}"}, "billCycle": "quarterly", "validFrom": "{{$now+1s}}"}`).ok(`{"payload": {"billCycle": "monthly"}}`),
		get("/accounts/read?externalId={{account}}").ok(`{"billCycle": "quarterly", "plannedBillCycle": "<none>", "version": 3}`).eventually(),
		get("/accounts/history?externalId={{account}}&limit=1").
			ok(`{"items": [{"operation": "applyPlannedBillCycle", "version": 3}]}`).eventually(),
	)},
}
