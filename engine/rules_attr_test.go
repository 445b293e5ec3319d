package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casm"
)

func TestRule23CustomAttributes(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	set := func(rest string) *answer {
		return f.do("updateCustomerCustomAttributes", `{"customer":{"externalId":"c"},`+rest+`}`)
	}
	set(`"customAttributes":{"a":"1","b":"2","c":"3"}`)
	a := set(`"customAttributes":{"b":"x","c":null,"d":"4","zz":null},"merge":true`)
	f.want(a.Payload, "customAttributes.a", "1", "customAttributes.b", "x", "customAttributes.c", nil, "customAttributes.d", "4")
	a = set(`"customAttributes":{"e":"5"},"merge":false`)
	f.want(a.Payload, "customAttributes.a", nil, "customAttributes.e", "5")
	a = f.do("updateSubscriber", `{"subscriber":{"externalId":"s"},"customName":"n","merge":true}`)
	f.want(a.Payload, "customName", "n")
	f.refused("updateSubscriber", `{"subscriber":{"externalId":"s"},"merge":true}`, "one_of_required ")
	a = set(`"customAttributes":{"e":null},"merge":true`)
	f.want(a.Payload, "customAttributes", nil)
}

func TestRule23Limits(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	set := func(attributes, rest string) string {
		return `{"customer":{"externalId":"c"},"customAttributes":{` + attributes + `}` + rest + `}`
	}
	const op = "updateCustomerCustomAttributes"
	f.do(op, set(many(100, `"k%d":"v"`), ""))
	f.refused(op, set(many(101, `"k%d":"v"`), ""), "too_long /customAttributes")
	f.refused(op, set(`"one":"more"`, `,"merge":true`), "too_long /customAttributes")
	f.do(op, set(`"one":"more","k0":null`, `,"merge":true`))
	f.do(op, set(`"`+strings.Repeat("ä", 100)+`":"`+strings.Repeat("ä", 4000)+`"`, ""))
	f.refused(op, set(`"`+strings.Repeat("ä", 101)+`":"x"`, ""), "too_long /customAttributes/"+strings.Repeat("ä", 101))
	f.refused(op, set(`"a/b~c":"`+strings.Repeat("ä", 4001)+`"`, ""), "too_long /customAttributes/a~1b~0c")
	// 512 KiB together: 131 values of 4,000 bytes would be more, 66 of 8,000
	big := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"k%02d":"%s"`, i, strings.Repeat("ä", 4000)))
		}
		return strings.Join(parts, ",")
	}
	f.do(op, set(big(65), ""))
	f.refused(op, set(big(66), ""), "too_long /customAttributes")
	f.refused(op, set(`"last":"`+strings.Repeat("x", 4000)+`","last2":"`+strings.Repeat("x", 4000)+`"`, `,"merge":true`), "too_long /customAttributes")
	f.refused("createCustomer", `{"customerProfile":"b2b","externalId":"`+strings.Repeat("x", 256)+`"}`, "too_long /externalId")
	f.refused("createSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"ipV4","resource":"`+strings.Repeat("x", 256)+`"}`, "too_long /resource")
	f.do("createSubscriberResource", `{"subscriber":{"externalId":"s"},"resourceType":"ipV4","resource":"`+strings.Repeat("ä", 255)+`"}`)
}

func TestRule24RenameAndReuse(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	before := f.in(0)
	c := f.do("updateCustomerExternalId", `{"customer":{"externalId":"c"},"externalId":"d"}`)
	f.want(c.Payload, "externalId", "d", "version", 2)
	if c.ImpactedTotal != 1 { // what refers to it is not changed
		t.Error(c.raw)
	}
	f.refused("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x"}`, "not_found /customer")
	if _, err := f.tryRead(casm.KindCustomer, "c", 0); codes(err)[0] != "not_found externalId" {
		t.Error(err)
	}
	// reads of the present give the present external id, the past what was recorded
	f.want(f.read(casm.KindAccount, "a", 0), "customer.externalId", "d", "version", 1)
	f.want(f.read(casm.KindAccount, "a", before), "customer.externalId", "c")
	f.want(f.read(casm.KindCustomer, "d", 0, "accounts"), "accounts.0.customer.externalId", "d")
	f.want(f.do("updateAccountCustomName", `{"account":{"externalId":"a"},"customName":"x"}`).Payload, "customer.externalId", "d")
	f.want(f.read(casm.KindAccount, "a", 0, "parentHistory"), "parentHistory.1", nil)
	// asOf resolves by the present one
	f.want(f.read(casm.KindCustomer, "d", before), "externalId", "c", "version", 1)
	if _, err := f.tryRead(casm.KindCustomer, "c", before); codes(err)[0] != "not_found externalId" {
		t.Error(err)
	}
	n := f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.refused("updateCustomerExternalId", `{"customer":{"externalId":"c"},"externalId":"d"}`, "duplicate_external_id /externalId")
	_, err := f.try("updateCustomerExternalId", `{"customer":{"externalId":"d"},"externalId":"c"}`)
	if id := refID(t, n.Payload).String(); err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("%v does not name the holder %s", err, id)
	}
	// a deactivated entity keeps its own
	f.setStateOf("d", "DEACTIVATED")
	f.refused("createCustomer", `{"externalId":"d","customerProfile":"b2b"}`, "duplicate_external_id /externalId")
	// each type has its own
	f.do("createAccount", `{"externalId":"d","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
}

func TestRule25BillCycle(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.configure(edit("bill-cycles", "week", &casm.BillCycle{Duration: 1, Period: casm.PeriodWeek, Individual: true}),
		edit("bill-cycles", "year2", &casm.BillCycle{Duration: 2, Period: casm.PeriodYear, Individual: true}))
	ref := `{"account":{"externalId":"a"}`
	for _, op := range []string{"cancelAccountBillCycleChange", "performAccountBillCycleChange"} {
		f.refused(op, ref+`}`, "no_planned_bill_cycle_change /account")
	}
	f.refused("updateAccountBillCycle", ref+`,"billCycle":"own-day"}`, "required /billingDay")
	f.refused("updateAccountBillCycle", ref+`,"billCycle":"monthly","billingDay":3}`, "not_individual /billingDay")
	a := f.do("updateAccountBillCycle", ref+`,"billCycle":"own-day","billingDay":20,"validFrom":null}`)
	f.want(a.Payload, "billCycle", "own-day", "billingDay", 20)
	f.unchanged("updateAccountBillCycle", ref+`,"billCycle":"own-day","billingDay":null}`) // null stays
	f.do("updateAccountBillCycle", ref+`,"billCycle":"own-day","billingDay":21,"validFrom":"2024-01-01T00:00:00Z"}`)
	f.length(f.read(casm.KindAccount, "a", 0, "billCycleHistory"), "billCycleHistory", 3)
	// what stays must fit the new cycle
	f.refused("updateAccountBillCycle", ref+`,"billCycle":"week"}`, "out_of_range /billingDay")
	f.refused("updateAccountBillCycle", ref+`,"billCycle":"year2"}`, "required /billingMonth")
	a = f.do("updateAccountBillCycle", ref+`,"billCycle":"year2","billingMonth":2,"billingYear":2024}`)
	f.want(a.Payload, "billingDay", 21, "billingMonth", 2, "billingYear", 2024)
	// what the new cycle does not take is cleared
	a = f.do("updateAccountBillCycle", ref+`,"billCycle":"own-day"}`)
	f.want(a.Payload, "billingDay", 21, "billingMonth", nil, "billingYear", nil)
	a = f.do("updateAccountBillCycle", ref+`,"billCycle":"monthly"}`)
	f.want(a.Payload, "billingDay", nil)
	// planned, at most one; an immediate change leaves it
	soon := f.in(time.Hour)
	planned := `,"billCycle":"own-day","billingDay":9,"validFrom":"` + soon.String() + `"}`
	f.do("updateAccountBillCycle", ref+planned)
	f.refused("updateAccountBillCycle", ref+planned, "bill_cycle_change_already_planned /validFrom")
	a = f.do("updateAccountBillCycle", ref+`,"billCycle":"week","billingDay":7}`)
	f.want(a.Payload, "billCycle", "week", "plannedBillCycle.billCycle", "own-day")
	a = f.do("performAccountBillCycleChange", ref+`}`)
	f.want(a.Payload, "billCycle", "own-day", "billingDay", 9, "plannedBillCycle", nil)
	f.do("updateAccountBillCycle", ref+strings.Replace(planned, "9", "8", 1))
	a = f.do("cancelAccountBillCycleChange", ref+`}`)
	f.want(a.Payload, "billingDay", 9, "plannedBillCycle", nil)
	// by itself, with a state that is due at the same instant
	f.do("updateAccountBillCycle", ref+strings.Replace(planned, "9", "7", 1))
	f.setState("a", "SUSPENDED", validFrom(soon))
	f.retire("bill-cycles", "own-day", true)
	f.advance(2 * time.Hour)
	doc := f.read(casm.KindAccount, "a", 0, "billCycleHistory")
	f.want(doc, "billingDay", 7, "state.state", "SUSPENDED", "billCycleHistory.0.billingDay", 7, "billCycleHistory.0.validFrom", soon)
	f.recorded(casm.KindAccount, "a", "applyPlannedState")
	f.want(f.read(casm.KindAccount, "a", 0), "version", doc["version"], "updatedAt", doc["updatedAt"])
}
