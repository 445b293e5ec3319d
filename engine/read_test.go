package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"casm"
)

func TestReadAsOf(t *testing.T) {
	f := newFixture(t, true)
	before := f.in(0)
	f.tree()
	for when, want := range map[casm.Time]string{before: "not_found externalId", f.in(time.Hour): "out_of_range asOf"} {
		if _, err := f.tryRead(casm.KindCustomer, "c", when); !slices.Equal(codes(err), []string{want}) {
			t.Errorf("%v: %v", when, err)
		}
	}
	if _, err := f.byResource("msisdn", "491700000001", before); !slices.Equal(codes(err), []string{"not_found resource"}) {
		t.Error(err)
	}
	// included lists as they were: the subordinate stood elsewhere then
	then := f.in(0)
	f.do("createAccount", `{"externalId":"d","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	f.do("updateAccountParent", `{"account":{"externalId":"b"},"parent":{"externalId":"d"}}`)
	f.setState("oc", "DEACTIVATED")
	f.want(f.read(casm.KindAccount, "a", then, "subordinates", "subscribers", "parentHistory"), "subordinates.0.externalId", "b", "subscribers.0.externalId", "s", "subscribers.1", nil)
	f.want(f.read(casm.KindAccount, "a", 0, "subordinates"), "subordinates.0", nil)
	f.want(f.read(casm.KindAccount, "d", 0, "subordinates"), "subordinates.0.externalId", "b")
	f.length(f.read(casm.KindCustomer, "c", then, "accounts"), "accounts", 2)
	f.length(f.read(casm.KindCustomer, "c", 0, "accounts"), "accounts", 3)
	f.want(f.read(casm.KindCustomer, "c", then, "offers"), "offers.0.state.state", "ACTIVE")
	f.want(f.read(casm.KindCustomer, "c", 0, "offers"), "offers.0.state.state", "DEACTIVATED")
}

// Lists hold up to 1,000, living ones first, then by refId (contract 2).
func TestReadListsAreBounded(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	account := func(n int) []string {
		return []string{"createAccount", fmt.Sprintf(`{"externalId":"a%d","accountProfile":"postpaid","customer":{"externalId":"c"}}`, n)}
	}
	deactivate := func(n int) []string {
		return []string{"updateAccountState", stateBody(casm.KindAccount, fmt.Sprint("a", n), "DEACTIVATED")}
	}
	const ended, living = 300, 800
	var create, end []string
	for n := range ended + living {
		create = append(create, account(n)...)
		if n < ended {
			end = append(end, deactivate(n)...)
		}
	}
	half := len(create) / 4 * 2
	f.batch(operations("1", true, create[:half]...))
	f.batch(operations("2", true, create[half:]...))
	f.batch(operations("3", true, end...))
	check := func(asOf casm.Time) {
		t.Helper()
		doc := f.read(casm.KindCustomer, "c", asOf, "accounts")
		f.length(doc, "accounts", 1000)
		f.want(doc, "accountsTruncated", true, "accounts.0.externalId", fmt.Sprint("a", ended), "accounts.799.externalId", fmt.Sprint("a", ended+living-1),
			"accounts.800.externalId", "a0", "accounts.999.externalId", "a199", "accounts.999.state.state", "DEACTIVATED")
	}
	check(0)
	then := f.in(0)
	check(then)
	f.batch(operations("4", true, deactivate(ended)...))
	check(then)
	doc := f.read(casm.KindAccount, "a1000", 0, "subordinates", "subscribers", "offers")
	f.want(doc, "subordinatesTruncated", nil)
	f.length(doc, "subordinates", 0)
}
