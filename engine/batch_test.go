package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"casm"
)

const aCustomer = `{"externalId":"%s","customerProfile":"b2b"}`

func customer(name string) string { return fmt.Sprintf(aCustomer, name) }

func rename(from, to string) string {
	return fmt.Sprintf(`{"customer":{"externalId":%q},"externalId":%q}`, from, to)
}

func name(customer, to string) string {
	return fmt.Sprintf(`{"customer":{"externalId":%q},"customName":%q}`, customer, to)
}

func TestBatchAtomic(t *testing.T) {
	f := newFixture(t, true)
	body := operations("b", true,
		"createCustomer", customer("c"),
		"createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"}}`,
		"createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000001"}`,
		"createSubscriptionOnSubscriber", `{"subscriber":{"externalId":"s"},"externalId":"o","offer":"offer_code","state":{"state":"ACTIVE","stateReason":"active"}}`,
		"updateCustomerExternalId", rename("c", "d"),
		"createCustomer", customer("c"),
		"updateAccountCustomName", `{"account":{"externalId":"a"},"customName":"n"}`,
		"updateCustomerCustomName", name("d", "n"))
	b := f.batch(body)
	first := b.Results[0].Transaction
	for n, r := range b.Results {
		if r.Status != 200 || r.Transaction.TransactionID != first.TransactionID || r.Transaction.RequestID != "b" {
			t.Errorf("%d: %s", n, b.raw)
		}
	}
	f.want(b.Results[6].Transaction.Payload, "customer.externalId", "d", "version", 2)
	f.want(b.Results[7].Transaction.Payload, "version", 3)
	if b.Results[3].Transaction.ImpactedTotal != 2 {
		t.Error(b.raw)
	}
	again := f.batch(strings.ReplaceAll(body, `,"operation`, ` , "operation`))
	if !again.replayed || again.raw != b.raw {
		t.Errorf("%v\n%s\n%s", again.replayed, again.raw, b.raw)
	}
	f.batchRefused(strings.Replace(body, `"n"`, `"m"`, 1), "request_id_reused /requestId")
	f.batchRefused(operations("b", true, "createCustomer", customer("c")), "request_id_reused /requestId")
	f.batchRefused(operations("b", false, "createCustomer", customer("c")))
	// a single request has a space of its own
	f.do("createCustomer", `{"requestId":"b",`+customer("e")[1:])
	f.do("createCustomer", `{"requestId":"b",`+customer("e")[1:])
	items := f.historyOf(casm.KindCustomer, "d")
	f.want(items, "0.requestId", "b", "0.version", 3, "1.operation", "updateCustomerExternalId")
}

func TestBatchAtomicRefused(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	f.batchRefused(operations("b", true, "createCustomer", customer("x"), "updateCustomerCustomName", name("c", "n"),
		"createCustomer", `{"externalId":"c","customerProfile":"nope"}`, "createCustomer", customer("c")),
		"not_configured /operations/2/body/customerProfile", "duplicate_external_id /operations/2/body/externalId")
	f.batchRefused(operations("b", true, "createCustomer", customer("x"), "updateCustomerCustomName", name("y", "n")), "not_found /operations/1/body/customer")
	f.batchRefused(`{"requestId":"b","operations":[{"operation":"updateCustomerCustomName","body":`+name("c", "n")+`,"ifMatch":"4"}]}`, "version_mismatch /operations/0/ifMatch")
	f.batchRefused(`{"requestId":"b","operations":[{"operation":"createCustomer","body":`+customer("x")+`,"ifMatch":1}]}`, "invalid_value /operations/0/ifMatch")
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 1)
	if _, err := f.tryRead(casm.KindCustomer, "x", 0); err == nil {
		t.Error("a part of a refused batch stands")
	}
	// the requestId was not used up; If-Match sees what earlier ones changed
	f.batch(`{"requestId":"b","comment":"all","operations":[{"operation":"updateCustomerCustomName","body":` + name("c", "n") + `,"ifMatch":"1"},
		{"operation":"updateCustomerCustomName","body":` + name("c", "m") + `,"ifMatch":2},{"operation":"updateCustomerCustomName","body":` + name("c", "o") + `,"ifMatch":null}]}`)
	f.want(f.historyOf(casm.KindCustomer, "c"), "0.version", 4, "0.comment", "all")
}

func TestBatchShape(t *testing.T) {
	f := newFixture(t, true)
	f.batchRefused(`{}`, "required /operations", "required /requestId")
	f.batchRefused(`{"requestId":"b","operations":[],"nope":1}`, "unknown_member /nope", "required /operations")
	f.batchRefused(`{"requestId":"b","operations":{}}`, "wrong_type /operations")
	f.batchRefused(operations("b", true, strings.Split(strings.Repeat(`createCustomer|{"customerProfile":"b2b"}|`, 1001), "|")[:2002]...), "too_many /operations")
	f.batchRefused(operations("b", true, "batch", `{}`, "readCustomer", `{}`, "createCustomer", `{"externalId":7}`, "updateCustomerCustomName", `[]`),
		"invalid_value /operations/0/operation", "invalid_value /operations/1/operation", "wrong_type /operations/2/body/externalId", "wrong_type /operations/3/body")
	f.batchRefused(`{"requestId":"b","operations":[{"body":{}},{"operation":"createCustomer"},{"operation":"createCustomer","body":{},"ifMatch":"x","nope":1}]}`,
		"required /operations/0/operation", "required /operations/1/body", "invalid_value /operations/2/ifMatch", "unknown_member /operations/2/nope")
	f.batchRefused(`{"requestId":"b","operations":[{"operation":"createCustomer","body":{"a":1,"a":2}}]}`, "malformed_json ")
}

func TestBatchNotAtomic(t *testing.T) {
	f := newFixture(t, true)
	body := operations("b", false,
		"createCustomer", customer("c"),
		"createCustomer", customer("c"),
		"updateCustomerCustomName", name("x", "n"),
		"updateCustomerCustomName", name("c", "n"))
	b := f.batch(body)
	status := func(b *batchAnswer) (s string) {
		for _, r := range b.Results {
			s += fmt.Sprint(r.Status, " ")
		}
		return s
	}
	if status(b) != "200 400 400 200 " || b.replayed {
		t.Fatal(b.raw)
	}
	if b.Results[0].Transaction.TransactionID == b.Results[3].Transaction.TransactionID {
		t.Error(b.raw)
	}
	if p := b.Results[1].Problem; p.RequestID != "b" || p.Errors[0].Pointer != "/externalId" || p.Errors[0].Code != casm.DuplicateExternalID {
		t.Error(b.raw)
	}
	// a repeat replays what was done and tries again what was refused
	f.do("createCustomer", customer("x"))
	again := f.batch(body)
	if status(again) != "200 400 200 200 " || again.replayed {
		t.Fatal(again.raw)
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 2)
	if again.Results[3].Transaction.TransactionID != b.Results[3].Transaction.TransactionID {
		t.Error(again.raw)
	}
	// operation n with another body
	other := f.batch(operations("b", false, "createCustomer", customer("y"), "createCustomer", customer("y")))
	if status(other) != "400 200 " || other.Results[0].Problem.Errors[0].Code != casm.RequestIDReused {
		t.Error(other.raw)
	}
	// the same as one that is atomic: known operations are of another request, whichever they are
	f.batchRefused(operations("b", true, "createCustomer", customer("z")), "request_id_reused /requestId")
	f.batch(operations("late", false, "updateCustomerCustomName", name("z", "n"), "createCustomer", customer("z")))
	f.batchRefused(operations("late", true, "updateCustomerCustomName", name("z", "n"), "createCustomer", customer("q")), "request_id_reused /requestId")
}

func TestBatchRenameFreesAndTakes(t *testing.T) {
	f := newFixture(t, true)
	for _, atomic := range []bool{true, false} {
		id := fmt.Sprint("b", atomic)
		f.batch(operations(id+"1", atomic, "createCustomer", customer("one"), "createCustomer", customer("two")))
		b := f.batch(operations(id+"2", atomic,
			"updateCustomerExternalId", rename("one", "tmp"), "updateCustomerExternalId", rename("two", "one"), "updateCustomerExternalId", rename("tmp", "two"),
			"updateCustomerCustomName", name("one", "was two"), "updateCustomerCustomName", name("two", "was one"),
			"createCustomer", customer("tmp"), "updateCustomerExternalId", rename("tmp", "free"), "createCustomer", customer("tmp"),
		))
		for _, r := range b.Results {
			if r.Status != 200 {
				t.Fatal(b.raw)
			}
		}
		f.want(f.read(casm.KindCustomer, "one", 0), "customName", "was two", "version", 3)
		f.want(f.read(casm.KindCustomer, "two", 0), "customName", "was one", "version", 4)
		for _, c := range []string{"one", "two", "tmp", "free"} {
			f.do("updateCustomerExternalId", rename(c, fmt.Sprint(id, c)))
		}
	}
	// a resource goes from one to another and back within one batch
	f.do("createSubscriber", `{"externalId":"s","subscriberProfile":"mobile","primaryResource":"491700000001"}`)
	f.do("createSubscriber", `{"externalId":"t","subscriberProfile":"mobile"}`)
	move := func(op, s string) []string {
		return []string{op, fmt.Sprintf(`{"subscriber":{"externalId":%q},"resourceType":"msisdn","resource":"491700000001"}`, s)}
	}
	var ops []string
	for _, s := range []string{"s", "t"} {
		ops = append(ops, move("endSubscriberResource", s)...)
		ops = append(ops, move("createSubscriberResource", map[string]string{"s": "t", "t": "s"}[s])...)
	}
	f.batch(operations("move", true, ops...))
	if who, err := f.byResource("msisdn", "491700000001", 0); who != "s" {
		t.Error(who, err)
	}
	f.length(map[string]any{"x": f.resources("s", true, 0)}, "x", 2)
}

func TestBatchOfAThousand(t *testing.T) {
	f := newFixture(t, true)
	var pairs []string
	for i := range 500 {
		pairs = append(pairs, "createCustomer", customer(fmt.Sprint("c", i)), "updateCustomerCustomName", name(fmt.Sprint("c", i/2), fmt.Sprint(i)))
	}
	b := f.batch(operations("k", true, pairs...))
	f.want(b.Results[999].Transaction.Payload, "version", 3)
	again := f.batch(operations("k", true, pairs...))
	if again.raw != b.raw || !again.replayed {
		t.Error("not replayed")
	}
}
