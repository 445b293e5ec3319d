package command

import (
	"slices"
	"strings"

	"casm"
)

// Operations are all writes of contract 2 on entities. Routes, decoding,
// batches, documentation and the tests that every operation has a case follow
// from it.
var Operations = build()

// OperationByID returns the operation, or nil.
func OperationByID(id string) *Operation { return operationsByID[id] }

var operationsByID = func() map[string]*Operation {
	m := make(map[string]*Operation, len(Operations))
	for _, op := range Operations {
		if m[op.ID] != nil {
			panic("command: operation " + op.ID + " stands twice")
		}
		m[op.ID] = op
	}
	return m
}()

func isCreate(f *casm.Field) bool { return f.Create }
func isUpdate(f *casm.Field) bool { return f.Update }

func isCreateBut(names ...string) func(*casm.Field) bool {
	except := casm.Named(names...)
	return func(f *casm.Field) bool { return f.Create && !except(f) }
}

// managed are the kinds with a life cycle, as the contract words them.
var managed = []struct {
	kind       casm.Kind
	noun, path string
	article    string
}{
	{casm.KindCustomer, "Customer", "/customers", "a customer"},
	{casm.KindAccount, "Account", "/accounts", "an account"},
	{casm.KindSubscriber, "Subscriber", "/subscribers", "a subscriber"},
	{casm.KindOfferSubscription, "Subscription", "/subscriptions", "a subscription"},
}

func build() []*Operation {
	ops := []*Operation{
		newOperation("createCustomer", "/customers/create", "Creates a customer, by profile or with all attributes.",
			`{"requestId": "{{$guid}}", "externalId": "customer_external_id", "customerProfile": "b2b"}`,
			casm.KindCustomer, shape{entity: casm.KindCustomer, pick: isCreate, args: createCustomerArgs{}}, createCustomer),
		newOperation("createAccount", "/accounts/create", "Creates an account below a customer or another account; a profile may create the customer, too.",
			`{"requestId": "{{$guid}}", "externalId": "account_external_id", "accountProfile": "postpaid", "customer": {"externalId": "customer_external_id"}}`,
			casm.KindAccount, shape{entity: casm.KindAccount, pick: isCreate, args: createAccountArgs{}}, createAccount),
		newOperation("createSubscriber", "/subscribers/create", "Creates a subscriber with its primary resource; profiles may create account and customer, too.",
			`{"requestId": "{{$guid}}", "externalId": "subscriber_external_id", "subscriberProfile": "mobile", "account": {"externalId": "account_external_id"}, "primaryResource": "491701234567"}`,
			casm.KindSubscriber, shape{entity: casm.KindSubscriber, pick: isCreate, args: createSubscriberArgs{}}, createSubscriber),
	}
	for _, m := range managed {
		ops = append(ops, managedOperations(m.kind, m.noun, m.path, m.article)...)
		if m.kind != casm.KindOfferSubscription {
			ops = append(ops, subscribeOperation(m.kind, m.noun, m.path, m.article))
		}
	}
	return slices.Concat(ops, accountOperations(), resourceOperations(), individualOperations(), balanceOperations())
}

// named is an example's member that names an entity.
func named(kind casm.Kind) string {
	return `{"requestId": "{{$guid}}", "` + kind.Member() + `": {"externalId": "` + kind.Member() + `_external_id"}`
}

// managedOperations are those that customers, accounts, subscribers and
// subscriptions share.
func managedOperations(kind casm.Kind, noun, path, article string) []*Operation {
	member := kind.Member()
	one := func(suffix, segment, summary, example string, args any, pick string) *Operation {
		return newOperation("update"+noun+suffix, path+segment, summary+" of "+article+".", named(kind)+example+"}", kind,
			shape{subject: kind, entity: kind, pick: casm.Named(pick), required: []string{pick}, args: args}, updateAttributes)
	}
	several := newOperation("update"+noun, path+"/update", "Changes several attributes of "+article+" at once.",
		named(kind)+`, "customName": "Demo", "customAttributes": {"key1": "value 1"}, "merge": true}`, kind,
		shape{subject: kind, entity: kind, pick: isUpdate, args: updateArgs{}}, updateAttributes)
	var state any = stateArgs{}
	if kind == casm.KindOfferSubscription {
		state = subscriptionStateArgs{}
	}
	ops := []*Operation{
		several,
		one("ExternalId", "/external-id/update", "Changes the external id", `, "externalId": "new_external_id"`, nil, "externalId"),
		one("CustomName", "/custom-name/update", "Changes the name", `, "customName": "Demo"`, nil, "customName"),
		one("CustomAttributes", "/custom-attributes/update", "Replaces or merges the custom attributes", `, "customAttributes": {"key1": "value 1"}`, mergeArgs{}, "customAttributes"),
		newOperation("update"+noun+"State", path+"/state/update", "Changes the state of "+article+", at once or planned.",
			named(kind)+`, "state": {"state": "SUSPENDED", "stateReason": "dfltSuspended"}}`, kind,
			shape{subject: kind, args: state}, updateState),
		newOperation("confirm"+noun+"State", path+"/state/confirm", "Makes a planned state change of "+article+" firm, or moves it.",
			named(kind)+`}`, kind, shape{subject: kind, args: confirmArgs{}}, confirmState),
		newOperation("cancel"+noun+"State", path+"/state/cancel", "Drops a planned state change of "+article+".",
			named(kind)+`}`, kind, shape{subject: kind, args: cancelArgs{}}, cancelState),
	}
	if kind != casm.KindOfferSubscription {
		segment := member + "Segment"
		code := map[casm.Kind]string{casm.KindCustomer: "b2b", casm.KindAccount: "keyAccount", casm.KindSubscriber: "data"}[kind]
		ops = append(ops, one("Segment", "/segment/update", "Changes the segment", `, "`+segment+`": "`+code+`"`, nil, segment))
	}
	return ops
}

// updateArgs are those of an update of several attributes.
type updateArgs struct{ mergeArgs }

func subscribeOperation(kind casm.Kind, noun, path, article string) *Operation {
	return newOperation("createSubscriptionOn"+noun, path+"/subscriptions/create", "Subscribes an offer on "+article+".",
		named(kind)+`, "offer": "offer_code", "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}`,
		casm.KindOfferSubscription, shape{
			subject: kind, entity: casm.KindOfferSubscription,
			pick: isCreateBut("customer", "account", "subscriber"), required: []string{"offer", "state"}, args: subscribeArgs{},
		}, createSubscription)
}

// subscribeArgs has no members of its own, only a rule.
type subscribeArgs struct{}

func (*subscribeArgs) checkArgs(in *Input, prefix string, v *casm.Violations) {
	checkStateArgs(in.Entity.Top().State, prefix, v)
}

func accountOperations() []*Operation {
	const kind = casm.KindAccount
	return []*Operation{
		newOperation("updateAccountParent", "/accounts/parent/update", "Puts an account below another of the same customer, or (null) at the top.",
			named(kind)+`, "parent": {"externalId": "parent_external_id"}}`, kind,
			shape{subject: kind, entity: kind, pick: casm.Named("parent"), required: []string{"parent"}}, updateParent),
		newOperation("updateAccountBillCycle", "/accounts/bill-cycle/update", "Changes the bill cycle of an account, at once or planned.",
			named(kind)+`, "billCycle": "monthly", "validFrom": null}`, kind,
			shape{
				subject: kind, entity: kind, pick: casm.Named("billCycle", "billingDay", "billingMonth", "billingYear"),
				required: []string{"billCycle"}, args: billCycleArgs{},
			}, updateBillCycle),
		newOperation("cancelAccountBillCycleChange", "/accounts/bill-cycle/cancel", "Drops a planned change of bill cycle.",
			named(kind)+`}`, kind, shape{subject: kind}, cancelBillCycle),
		newOperation("performAccountBillCycleChange", "/accounts/bill-cycle/perform", "Brings a planned change of bill cycle forward to now.",
			named(kind)+`}`, kind, shape{subject: kind}, performBillCycle),
		newOperation("updateAccountTaxExemption", "/accounts/tax-exemption/update", "Changes whether an account is exempt from tax, and where it is liable.",
			named(kind)+`, "taxExemption": true, "taxResidence": "AT"}`, kind,
			shape{subject: kind, entity: kind, pick: casm.Named("taxExemption", "taxResidence"), required: []string{"taxExemption"}}, updateAttributes),
	}
}

func resourceOperations() []*Operation {
	const kind = casm.KindSubscriber
	resource := func(id, verb, summary, example string, args any, decide func(*Decision, *Input) *Record) *Operation {
		return newOperation(id, "/subscribers/resources/"+verb, summary, named(kind)+`, "resourceType": "ipV4", `+example+`}`,
			casm.KindSubscriberResource, shape{
				subject: kind, entity: casm.KindSubscriberResource, pick: isCreate,
				required: []string{"resourceType", "resource"}, args: args,
			}, decide)
	}
	return []*Operation{
		resource("createSubscriberResource", "create", "Assigns a resource to a subscriber.", `"resource": "10.0.0.1"`, nil, createResource),
		resource("endSubscriberResource", "end", "Ends a resource of a subscriber.", `"resource": "10.0.0.1"`, nil, endResource),
		resource("swapSubscriberResource", "swap", "Swaps a resource of a subscriber for another of the same type.", `"swapResource": "10.0.0.1", "resource": "10.0.0.2"`, swapArgs{}, swapResource),
	}
}

// checkArgs implements "at least one" of an update of several attributes
// (contract 2).
func (*updateArgs) checkArgs(in *Input, prefix string, v *casm.Violations) {
	var names []string
	for _, f := range in.Operation.Object.Fields {
		if f.Part() != 2 {
			continue
		}
		if in.Given.Has(f.Name) {
			return
		}
		names = append(names, f.Name)
	}
	v.Add(casm.OneOfRequired, prefix, "nothing is to change; give at least one of %s", strings.Join(names, ", "))
}
