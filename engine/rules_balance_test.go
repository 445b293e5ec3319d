package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/store"
)

const activeState = `"state":{"state":"ACTIVE","stateReason":"dfltActive"}`

// own is the body of a typed operation on the customer c.
func own(kind, attributes string) string {
	return `{"customer":{"externalId":"c"},"offer":"own-` + kind + `","attributes":{` + attributes + `},` + activeState + `}`
}

func TestRule16TypedOperations(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	for operation, x := range map[string]struct{ kind, attributes string }{
		"createBalanceSubscription":                   {casm.KindBalanceService, `"grantedBalance":10,"unitOfMeasure":"SECOND"`},
		"createMonetaryBalanceSubscription":           {casm.KindMonetaryBalance, `"grantedBalance":20000000,"validity":3,"validityUnit":"MONTH"`},
		"createOneTimeFeeSubscription":                {casm.KindOneTimeFee, `"charge":4990000,"tax":"vat"`},
		"createRecurrentFeeSubscription":              {casm.KindRecurrentFee, `"charge":1,"chargeAt":"MONTH_END"`},
		"createAbsoluteDiscountSubscription":          {casm.KindAbsoluteDiscount, `"discount":1`},
		"createPercentageDiscountSubscription":        {casm.KindPercentageDiscount, `"discount":1000000`},
		"createAbsoluteBillingDiscountSubscription":   {casm.KindAbsoluteBillingDiscount, `"discount":0,"level":"INVOICE"`},
		"createPercentageBillingDiscountSubscription": {casm.KindPercentageBillingDiscount, `"discount":5`},
	} {
		a := f.do(operation, own(x.kind, x.attributes))
		if at(a.Payload, "individual") != true || at(a.Payload, "services.0.kind") != x.kind || at(a.Payload, "customer.externalId") != "c" {
			t.Errorf("%s: %s", operation, a.raw)
		}
		if balances := at(a.Payload, "balances").([]any); (len(balances) == 1) != strings.HasSuffix(x.kind, "balance") {
			t.Errorf("%s: %s", operation, a.raw)
		}
		other := casm.KindOneTimeFee
		if x.kind == other {
			other = casm.KindBalanceService
		}
		f.refused(operation, own(other, `"anything":1`), "service_kind_mismatch /offer")
		f.refused(operation, own("everything", x.attributes), "service_kind_mismatch /offer")
	}
	money := f.do("createMonetaryBalanceSubscription", own(casm.KindMonetaryBalance, `"grantedBalance":7`))
	if at(money.Payload, "balances.0.currency") != "EUR" || at(money.Payload, "balances.0.unitOfMeasure") != nil || at(money.Payload, "balances.0.validTo") != nil {
		t.Error(money.raw)
	}
}

func TestRule16Individual(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile"}`)
	body := func(owner, offer, services string) string {
		return `{` + owner + `"offer":"` + offer + `","services":[` + services + `],` + activeState + `}`
	}
	c, s := `"customer":{"externalId":"c"},`, `"subscriber":{"externalId":"s"},`
	balance := `{"service":"balance","attributes":{"grantedBalance":5,"unitOfMeasure":"EVENT"}}`
	fee := `{"service":"recurrent-fee","attributes":{"charge":1,"chargeAt":"SUBSCRIBER_ANNIVERSARY"}}`
	f.do("createIndividualOfferSubscription", body(c, "own-balance", balance))
	f.do("createIndividualOfferSubscription", body(s, "own-recurrent-fee", fee))
	for _, x := range []struct {
		body string
		want []string
	}{
		{body(c, "own-recurrent-fee", fee), []string{"invalid_value /services/0/attributes/chargeAt"}},
		{body("", "own-balance", balance), []string{"one_of_required "}},
		{body(c+s, "own-balance", balance), []string{"one_of_required "}},
		{body(c, "offer_code", balance), []string{"not_individual /offer"}},
		{body(c, "own-balance", balance+`,`+balance), []string{"invalid_value /services/1/service"}},
		{body(c, "own-balance", balance+`,`+fee), []string{"not_individual /services/1/service"}},
		{body(c, "own-balance", ``), []string{"attribute_required /services"}},
		{
			body(c, "own-balance", `{"service":"balance","attributes":{"grantedBalance":-1,"unitOfMeasure":"MILE","validity":"x","colour":1}}`),
			[]string{
				"unknown_member /services/0/attributes/colour", "out_of_range /services/0/attributes/grantedBalance",
				"invalid_value /services/0/attributes/unitOfMeasure", "wrong_type /services/0/attributes/validity",
			},
		},
		{body(c, "own-balance", `{"service":"balance","attributes":{"grantedBalance":1.5,"unitOfMeasure":null}}`), []string{
			"wrong_type /services/0/attributes/grantedBalance", "attribute_required /services/0/attributes/unitOfMeasure",
		}},
		{body(c, "own-balance", `{"service":"balance","attributes":{"grantedBalance":9007199254740992,"unitOfMeasure":"EVENT"}}`), []string{"out_of_range /services/0/attributes/grantedBalance"}},
		{body(c, "own-one-time-fee", `{"service":"one-time-fee","attributes":{"charge":1,"tax":"none"}}`), []string{"not_configured /services/0/attributes/tax"}},
		{body(c, "nothing", balance), []string{"not_configured /offer"}},
	} {
		f.refused("createIndividualOfferSubscription", x.body, x.want...)
	}
	f.refused("createSubscriptionOnCustomer", `{`+c+`"offer":"own-balance",`+activeState+`}`, "individual_required /offer")
}

// balanceFixture has a customer c with the subscription b of a balance of 100.
func balanceFixture(t *testing.T) *fixture {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createBalanceSubscription", strings.Replace(own(casm.KindBalanceService,
		`"grantedBalance":100,"unitOfMeasure":"EVENT","validity":1,"validityUnit":"DAY","threshold1":500000,"threshold2":800000,"threshold3":1000000`), "{", `{"externalId":"b",`, 1))
	return f
}

func updateOf(action string, amount any, more string) string {
	return fmt.Sprintf(`{"subscription":{"externalId":"b"},"service":"balance","action":"%s","amount":%v%s}`, action, amount, more)
}

func TestRule26Balance(t *testing.T) {
	f := balanceFixture(t)
	a := f.do("updateSubscriptionBalance", updateOf("DEDUCT", 30, ""))
	if at(a.Payload, "actualBalance") != 70.0 || at(a.Payload, "grantedBalance") != 100.0 || at(a.Payload, "version") != 2.0 || a.etag != 1 || a.ImpactedTotal != 1 || a.Impacted[0].Type != "Balance" {
		t.Fatal(a.raw)
	}
	if v := at(f.read(casm.KindOfferSubscription, "b", 0, "balances"), "version"); v != 1.0 {
		t.Errorf("the owner's version moved to %v", v)
	}
	f.do("updateSubscriptionBalance", updateOf("ADD", 1000, ""))
	if same := f.do("updateSubscriptionBalance", updateOf("SET", 1070, "")); same.ImpactedTotal != 0 {
		t.Error(same.raw)
	}
	f.refused("updateSubscriptionBalance", updateOf("DEDUCT", 1071, ""), "insufficient_balance /amount")
	f.refused("updateSubscriptionBalance", updateOf("ADD", 0, ""), "out_of_range /amount")
	f.refused("updateSubscriptionBalance", updateOf("ADD", -1, ""), "out_of_range /amount")
	f.refused("updateSubscriptionBalance", updateOf("ADD", "1.5", ""), "wrong_type /amount")
	f.refused("updateSubscriptionBalance", updateOf("ADD", int64(1)<<53, ""), "out_of_range /amount")
	f.refused("updateSubscriptionBalance", updateOf("ADD", int64(1)<<53-1, ""), "out_of_range /amount")
	f.refused("updateSubscriptionBalance", updateOf("STEAL", 1, ""), "invalid_value /action")
	f.refused("updateSubscriptionBalance", updateOf("ADD", 1, `,"validTo":"2020-01-01T00:00:00Z"`), "out_of_range /validTo")
	f.refused("updateSubscriptionBalance", strings.Replace(updateOf("ADD", 1, ""), `"balance"`, `"money"`, 1), "no_such_balance /service")
	f.refused("updateSubscriptionBalance", `{"subscription":{"externalId":"b"},"service":"balance"}`, "required /action", "required /amount")

	f.advance(25 * time.Hour)
	f.refused("updateSubscriptionBalance", updateOf("DEDUCT", 1, ""), "balance_expired /service")
	f.refused("updateSubscriptionBalance", updateOf("ADD", 1, ""), "balance_expired /validTo")
	if n := len(at(f.read(casm.KindOfferSubscription, "b", 0, "balances"), "balances").([]any)); n != 0 {
		t.Errorf("%d valid balances, it expired", n)
	}
	all, err := f.ReadBalances(t.Context(), engine.BalanceQuery{Ref: casm.Ref{ExternalID: "b"}})
	if err != nil || !strings.Contains(string(all.Body), `"actualBalance":1070`) {
		t.Errorf("%s %v", all.Body, err)
	}
	if _, err := f.ReadBalances(t.Context(), engine.BalanceQuery{Ref: casm.Ref{ExternalID: "b"}, Service: "x"}); err == nil || !err.(casm.Violations).Has(casm.NoSuchBalance) {
		t.Error(err)
	}
	end := casm.TimeOf(f.now().Add(time.Hour)).String()
	if a := f.do("updateSubscriptionBalance", updateOf("ADD", 1, `,"validTo":"`+end+`"`)); at(a.Payload, "validTo") != end {
		t.Error(a.raw)
	}
	if a := f.do("updateSubscriptionBalance", updateOf("SET", 5, `,"validTo":null`)); at(a.Payload, "validTo") != nil || at(a.Payload, "actualBalance") != 5.0 {
		t.Error(a.raw)
	}
	f.do("updateSubscriptionState", `{"subscription":{"externalId":"b"},"state":{"state":"SUSPENDED","stateReason":"debt"}}`)
	f.do("updateSubscriptionBalance", updateOf("DEDUCT", 5, ""))
	f.do("updateSubscriptionState", `{"subscription":{"externalId":"b"},"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated"}}`)
	f.refused("updateSubscriptionBalance", updateOf("ADD", 1, ""), "deactivated /subscription")
}

func TestRule26Several(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createIndividualOfferSubscription", `{"externalId":"b","customer":{"externalId":"c"},"offer":"own-everything","services":[
		{"service":"balance","attributes":{"grantedBalance":10,"unitOfMeasure":"EVENT"}},
		{"service":"monetary-balance","attributes":{"grantedBalance":20}},
		{"service":"one-time-fee","attributes":{"charge":1}},
		{"service":"recurrent-fee","attributes":{"charge":1,"chargeAt":"MONTH_END"}},
		{"service":"absolute-discount","attributes":{"discount":1}},
		{"service":"percentage-discount","attributes":{"discount":1}},
		{"service":"absolute-billing-discount","attributes":{"discount":1}},
		{"service":"percentage-billing-discount","attributes":{"discount":1}}],`+activeState+`}`)
	both := func(first, second int) string {
		return fmt.Sprintf(`{"subscription":{"externalId":"b"},"balances":[{"service":"balance","action":"DEDUCT","amount":%d},{"service":"monetary-balance","action":"DEDUCT","amount":%d}]}`, first, second)
	}
	a := f.do("updateSubscriptionBalances", both(1, 2))
	if a.ImpactedTotal != 2 || at(a.Payload, "balances.0.actualBalance") != 9.0 || at(a.Payload, "balances.1.actualBalance") != 18.0 {
		t.Error(a.raw)
	}
	f.refused("updateSubscriptionBalances", both(9, 19), "insufficient_balance /balances/1/amount")
	if a := f.do("updateSubscriptionBalances", both(9, 18)); at(a.Payload, "balances.0.actualBalance") != 0.0 {
		t.Error(a.raw)
	}
	f.refused("updateSubscriptionBalances", `{"subscription":{"externalId":"b"},"balances":[]}`, "required /balances")
	one := `{"service":"balance","action":"ADD","amount":1}`
	f.refused("updateSubscriptionBalances", `{"subscription":{"externalId":"b"},"balances":[`+one+`,`+one+`]}`, "invalid_value /balances/1/service")
}

func TestRule26Thresholds(t *testing.T) {
	f := balanceFixture(t)
	for _, x := range []struct {
		body string
		want []int
	}{
		{updateOf("DEDUCT", 49, ""), nil},
		{updateOf("DEDUCT", 1, ""), []int{1}},
		{updateOf("DEDUCT", 10, ""), nil},
		{updateOf("ADD", 20, ""), nil}, // below: armed again
		{updateOf("DEDUCT", 40, ""), []int{1, 2}},
		{updateOf("SET", 0, ""), []int{3}},
		{updateOf("SET", 500, ""), nil},
		{updateOf("SET", 0, ""), []int{1, 2, 3}},
	} {
		a := f.do("updateSubscriptionBalance", x.body)
		var got []int
		err := f.View(t.Context(), func(r store.Reader) error {
			entries, err := r.Feed(t.Context(), casm.Start, store.FeedFilter{Kind: casm.KindBalance}, 1000)
			for _, e := range entries {
				if e.Transaction.ID.String() == a.TransactionID && e.Threshold != 0 {
					if e.Event != command.EventThresholdReached {
						t.Errorf("event %s", e.Event)
					}
					got = append(got, e.Threshold)
				}
			}
			return err
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(x.want) || a.ImpactedTotal != 1 {
			t.Errorf("%s: crossed %v, want %v; %s %v", x.body, got, x.want, a.raw, err)
		}
		if again := f.do("updateSubscriptionBalance", strings.Replace(x.body, "{", `{"requestId":"`+a.RequestID+`",`, 1)); again.raw != a.raw {
			t.Errorf("the repeat differs: %s\n%s", again.raw, a.raw)
		}
	}
}
