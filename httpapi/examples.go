package httpapi

import (
	"strconv"
	"strings"

	"casm"

	"github.com/go-json-experiment/json/jsontext"
)

// exampleID stands for {{$guid}} in examples.
const exampleID = "5e0f7b9c-2c0d-4b54-8f6e-0d4a6f1f6f10"

// example returns an example body as JSON.
func example(s string) jsontext.Value {
	return jsontext.Value(strings.ReplaceAll(s, "{{$guid}}", exampleID))
}

// configExamples are items of configuration that can be added to the
// demonstration, by collection.
var configExamples = map[string]string{
	"account-types":       `{"code": "example", "name": "Hybrid", "description": "Pays by invoice, and in advance.", "paymentResponsible": true}`,
	"resource-types":      `{"code": "example", "name": "Calling Card", "primary": false, "pattern": "[0-9]{12}"}`,
	"customer-segments":   `{"code": "example", "name": "Public Sector"}`,
	"account-segments":    `{"code": "example", "name": "Branch Office"}`,
	"subscriber-segments": `{"code": "example", "name": "Roaming"}`,
	"state-reasons":       `{"code": "example", "name": "Fraud", "state": "SUSPENDED", "charged": false}`,
	"customer-profiles":   `{"code": "example", "name": "Small Business", "customerSegment": "b2b", "state": "ACTIVE", "stateReason": "dfltActive"}`,
	"account-profiles":    `{"code": "example", "name": "Prepaid Account", "accountType": "prepaid", "accountSegment": "standard", "billCycle": "monthly", "currency": "EUR", "state": "ACTIVE", "stateReason": "dfltActive", "customerProfile": "b2c"}`,
	"subscriber-profiles": `{"code": "example", "name": "Data Stick", "subscriberSegment": "data", "state": "INACTIVE", "stateReason": "ordered", "accountProfile": "postpaid"}`,
	"bill-cycles":         `{"code": "example", "name": "Every Two Weeks", "duration": 2, "period": "WEEK", "billingDay": 1, "anchor": "2026-01-05T00:00:00Z"}`,
	"currencies":          `{"code": "example", "name": "Bonus Points", "virtual": true, "symbol": "BP", "precision": 0}`,
	"taxes":               `{"code": "example", "name": "Value Added Tax 19 %", "values": [{"rate": 190000, "glCode": "3500"}]}`,
	"gl-codes":            `{"code": "example", "name": "Roaming"}`,
	"charging-classes":    `{"code": "example", "name": "Roaming Fees", "parent": "fees"}`,
	"products":            `{"code": "example", "name": "Roaming", "services": [{"code": "fee", "name": "Daily Fee", "kind": "recurrent-fee"}, {"code": "data", "name": "Data Abroad", "kind": "balance"}]}`,
	"offers": `{"code": "example", "name": "Installation", "product": "anyOneTimeFee", "priority": 50, "versions": [
  {"version": 1, "currency": "EUR", "services": [{"service": "fee", "attributes": {"charge": 49900000, "tax": "vat20", "taxIncluded": true, "glCode": "4010"}}]}]}`,
	casm.PubSubEndpoints: `{"code": "example", "name": "CRM", "type": "WEBHOOK", "url": "https://crm.example/casm", "messages": ["customer", "account"], "secretEnv": "CASM_ENDPOINT_CRM"}`,
}

const (
	importExample = `{"gl-codes": [{"code": "4000", "name": "Recurrent Fees"}, {"code": "4010", "name": "One-Time Fees"}, {"code": "4090", "name": "Discounts"}, {"code": "3500", "name": "Value Added Tax"}, {"code": "4020", "name": "Roaming"}]}`
	batchExample  = `{"requestId": "{{$guid}}", "operations": [
  {"operation": "createCustomer", "body": {"externalId": "customer_external_id", "customerProfile": "b2b"}},
  {"operation": "updateCustomerCustomName", "body": {"customer": {"externalId": "customer_external_id"}, "customName": "Demo"}}]}`
)

// paramExamples are values of parameters, by name.
var paramExamples = map[string]string{
	"code": "example", "file": "customer.json", "refId": "019a0b7e-5c00-7d6e-8a51-0c7e6f0f1a01", "asOf": "2026-05-01T00:00:00Z",
	"state": casm.Active, "stateReason": "dfltActive", "segment": "b2b", "customName": "Demo", "customer": "019a0b7e-5c00-7d6e-8a51-0c7e6f0f1a01",
	"account": "019a0b7e-5c01-7d6e-8a51-0c7e6f0f1a02", "subscriber": "019a0b7e-5c02-7d6e-8a51-0c7e6f0f1a03", "offer": "offer_code",
	"resourceType": "msisdn", "resource": "491701234567", "updatedSince": "2026-05-01T00:00:00Z", "plannedBefore": "2027-01-01T00:00:00Z",
	"service": "data", "after": "1-0", "messageCode": "customer", "actor": "key:crm", "act": "listCustomers", "outcome": "denied", ifMatchHeader: `"3"`, lastEventID: "1-0",
}

// paramExample is a value of a parameter of an endpoint; "" for none.
func paramExample(e *endpoint, name string) string {
	if name == "externalId" {
		return externalIDOf(e.Tag)
	}
	return paramExamples[name]
}

// externalIDOf is the external id that examples give what a section is about.
func externalIDOf(tag string) string {
	return strings.ToLower(strings.TrimSuffix(tag, "s")) + "_external_id"
}

// What entities of examples share.
const (
	exampleState = `"state": {"pending": false, "state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "2026-05-01T09:00:00.000000Z"}`
	exampleTimes = `"createdAt": "2026-05-01T09:00:00.000000Z", "updatedAt": "2026-05-01T09:00:00.000000Z"`
	customerRef  = `{"refId": "019a0b7e-5c00-7d6e-8a51-0c7e6f0f1a01", "externalId": "customer_external_id"}`
	accountRef   = `{"refId": "019a0b7e-5c01-7d6e-8a51-0c7e6f0f1a02", "externalId": "account_external_id"}`
	subscrRef    = `{"refId": "019a0b7e-5c02-7d6e-8a51-0c7e6f0f1a03", "externalId": "subscriber_external_id"}`
	offerSubRef  = `{"refId": "019a0b7e-5c03-7d6e-8a51-0c7e6f0f1a04", "externalId": "subscription_external_id"}`
)

// entityExamples are entities as they are answered.
var entityExamples = map[casm.Kind]string{
	casm.KindCustomer:           `{"refId": "019a0b7e-5c00-7d6e-8a51-0c7e6f0f1a01", "version": 1, "externalId": "customer_external_id", "customerSegment": "b2b", "testCustomer": false, "customName": "Demo Customer", "customAttributes": {"key1": "value 1"}, ` + exampleState + `, ` + exampleTimes + `}`,
	casm.KindAccount:            `{"refId": "019a0b7e-5c01-7d6e-8a51-0c7e6f0f1a02", "version": 1, "externalId": "account_external_id", "customer": ` + customerRef + `, "accountType": "postpaid", "accountSegment": "standard", "billCycle": "monthly", "currency": "EUR", "paymentResponsible": true, "taxExemption": false, "testAccount": false, ` + exampleState + `, ` + exampleTimes + `}`,
	casm.KindSubscriber:         `{"refId": "019a0b7e-5c02-7d6e-8a51-0c7e6f0f1a03", "version": 1, "externalId": "subscriber_external_id", "customer": ` + customerRef + `, "account": ` + accountRef + `, "subscriberSegment": "voice", ` + exampleState + `, ` + exampleTimes + `}`,
	casm.KindSubscriberResource: `{"refId": "019a0b7e-5c02-7d6e-8a51-0c7e6f0f1a05", "version": 1, "subscriber": ` + subscrRef + `, "resourceType": "ipV4", "resource": "10.0.0.1", "primary": false, "validFrom": "2026-05-01T09:00:00.000000Z"}`,
	casm.KindOfferSubscription:  `{"refId": "019a0b7e-5c03-7d6e-8a51-0c7e6f0f1a04", "version": 1, "externalId": "subscription_external_id", "subscriber": ` + subscrRef + `, "offer": "offer_code", "offerVersion": 1, "priority": 100, "individual": false, "services": [{"service": "fee", "kind": "recurrent-fee", "attributes": {"charge": 19900000, "chargeAt": "BILL_CYCLE_START"}}], ` + exampleState + `, ` + exampleTimes + `}`,
	casm.KindBalance:            `{"refId": "019a0b7e-5c04-7d6e-8a51-0c7e6f0f1a06", "version": 2, "offerSubscription": ` + offerSubRef + `, "service": "data", "unitOfMeasure": "OCTET", "grantedBalance": 100000000000, "actualBalance": 60000000000, "validFrom": "2026-05-01T09:00:00.000000Z"}`,
}

// answerOf is an example of what an endpoint answers when all is well; "" for none.
func answerOf(e *endpoint) string {
	if c := collectionOf(e); c != nil {
		return configAnswer(e, c)
	}
	return answerExample(e, e.Payload)
}

// answerExample is an example of an answer with entities of a kind, or of no collection.
func answerExample(e *endpoint, payload casm.Kind) string {
	entity := entityExamples[payload]
	items := func(item string) string { return `{"items": [` + item + `]}` }
	transaction := func(operation string) string {
		return `{"transactionId": "019a0b7e-5c00-7c1d-9f6e-3b1f0a5d7e11", "requestId": "` + exampleID + `", "operation": "` + operation +
			`", "timestamp": "2026-05-01T09:00:00.000000Z", "impactedTotal": 1, "impacted": [{"type": "` + payload.String() + `", "refId": "` + idOf(entity) + `", "version": ` + versionOf(entity) + `}], "payload": ` + entity + `}`
	}
	switch schema := e.Answer.Schema; {
	case e.ID == "batch":
		payload = casm.KindCustomer
		entity = entityExamples[payload]
		return `{"requestId": "` + exampleID + `", "results": [{"status": 200, "transaction": ` + transaction("createCustomer") + `}]}`
	case payload == 0:
	case strings.HasSuffix(schema, "Transaction"):
		return transaction(e.ID)
	case strings.HasSuffix(schema, "List"), strings.HasSuffix(schema, "Items"):
		return items(entity)
	case schema == "History":
		return items(`{"transactionId": "019a0b7e-5c00-7c1d-9f6e-3b1f0a5d7e11", "requestId": "` + exampleID + `", "operation": "update` + e.Tag[:len(e.Tag)-1] + `CustomName", "timestamp": "2026-05-01T09:00:00.000000Z", "actor": "key:crm", "comment": "asked for by mail", "version": 2, "changes": [{"pointer": "/customName", "from": "Demo", "to": "Demo Customer"}]}`)
	default:
		return entity
	}
	if text, ok := accessExamples[strings.TrimSuffix(e.Answer.Schema, "Items")]; ok {
		if strings.HasSuffix(e.Answer.Schema, "Items") {
			return items(text)
		}
		return text
	}
	switch e.ID {
	case "listStreams":
		return items(streamExample)
	case "pauseStream", "resumeStream", "replayStream":
		return streamExample
	case "listStreamBehind":
		return items(`{"customer": ` + customerRef + `, "position": "4710-0", "parked": true, "since": "2026-05-01T09:00:00.000000Z", "attempts": 160, "error": "the receiver answered 500 Internal Server Error"}`)
	case "listBusinessTransactions":
		return items(`{"position": "1-0", "transactionId": "019a0b7e-5c00-7c1d-9f6e-3b1f0a5d7e11", "requestId": "` + exampleID + `", "operation": "createCustomer", "messageCode": "customer", "event": "created", "timestamp": "2026-05-01T09:00:00.000000Z", "actor": "key:crm", "payload": ` +
			strings.TrimSuffix(entityExamples[casm.KindCustomer], "}") + `, "transactionId": "019a0b7e-5c00-7c1d-9f6e-3b1f0a5d7e11", "operation": "createCustomer"}}`)
	case "exportConfiguration", "readDemonstration":
		return importExample
	case "importConfiguration":
		return `{"changes": [{"collection": "gl-codes", "code": "4020", "change": "created", "differences": [{"pointer": "/name", "to": "Roaming"}]}]}`
	case "readJournalChecksum":
		return `{"epoch": 1, "types": [{"type": "Customer", "count": 2, "checksum": "00c0ffee00c0ffee", "versions": 3, "versionsChecksum": "0badcafe0badcafe"}]}`
	case "readWarehouseMetrics":
		return `{"customersByState": {"ACTIVE": 2}, "customersBySegment": {"b2b": 2}, "accountsByState": {"ACTIVE": 2}, "subscribersByState": {}, "subscriptionsByState": {"ACTIVE": 1}, "subscriptionsByOffer": {"offer_code": 1},
			"perDay": [{"date": "2026-05-01", "type": "Customer", "created": 2, "activated": 2, "suspended": 0, "deactivated": 0}],
			"balances": [{"service": "data", "unitOfMeasure": "OCTET", "count": 1, "granted": 100000000000, "actual": 60000000000}], "lag": {"messages": 0, "seconds": 0}}`
	case "readWarehouseReconciliation":
		side := `{"count": 2, "checksum": "00c0ffee00c0ffee", "versions": 3, "versionsChecksum": "0badcafe0badcafe"}`
		return `{"equal": true, "differences": [], "epoch": 1, "position": "3-0", "at": "2026-05-01T09:00:00.000000Z", "seconds": 0.1, "deadLetters": 0, "types": [{"type": "Customer", "equal": true, "journal": ` + side + `, "warehouse": ` + side + `, "altered": 0}]}`
	case "listAudit":
		return items(`{"id": "019a0b7e-5c00-712c-9f6e-3b1f0a5d7e11", "at": "2026-05-01T09:00:00.000300Z", "actor": "local:anna", "act": "key.create", "outcome": "done", "remote": "socket", "count": 1, "details": {"name": "crm", "permissions": "[crm-integration]", "key": "aaaaaaaaaaaaaaaa"}}`)
	case "health":
		return `{"status": "ok"}`
	case "ready":
		return `{"ready": true, "missing": []}`
	}
	return ""
}

const streamExample = `{"code": "crm", "name": "CRM", "type": "WEBHOOK", "state": "running", "holder": "casm-1/4711/0badcafe", "position": "4711-0", "lagTransactions": 0, "lagSeconds": 0, "customersBehind": 0, "parked": 0}`

// The examples above are our own: where a member is, is known.
func idOf(entity string) string { return textAfter(entity, `"refId": "`, `"`) }

func versionOf(entity string) string { return textAfter(entity, `"version": `, `,`) }

func textAfter(s, before, after string) string {
	_, rest, _ := strings.Cut(s, before)
	out, _, _ := strings.Cut(rest, after)
	return out
}

// configAnswer is an example of what an endpoint of a collection answers; ""
// for none.
func configAnswer(e *endpoint, c *casm.Collection) string {
	if e.Answer.Schema == "" {
		return ""
	}
	item, err := c.Decode([]byte(configExamples[c.Path]))
	if err != nil {
		panic("httpapi: example of " + c.Path + ": " + err.Error())
	}
	item.Base().Version = 1
	doc, err := casm.EncodeItem(item)
	if err != nil {
		panic("httpapi: example of " + c.Path + ": " + err.Error())
	}
	switch {
	case e.Answer.Schema == "ConfigHistory":
		return `{"items": [{"version": 1, "timestamp": "2026-05-01T09:00:00.000000Z", "actor": "anna", "deleted": false, "item": ` + string(doc) + `}]}`
	case strings.HasPrefix(e.ID, "list"):
		return `{"items": [` + string(doc) + `]}`
	}
	return string(doc)
}

// problemExample is an example of a problem with the code.
func problemExample(code casm.Code, meaning string, status int) jsontext.Value {
	p := casm.NewProblem(casm.Violations{{Code: code, Pointer: examplePointers[code], Detail: meaning}}, "")
	if status != p.Status {
		p.Status, p.Title = status, "Not found"
	}
	return jsontext.Value(`{"type": ` + quote(p.Type) + `, "title": ` + quote(p.Title) + `, "status": ` + strconv.Itoa(p.Status) + `, "detail": ` + quote(p.Detail) +
		`, "errors": [{"code": ` + quote(string(code)) + `, "pointer": ` + quote(examplePointers[code]) + `, "detail": ` + quote(meaning) + `}]}`)
}

func quote(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic("httpapi: " + err.Error())
	}
	return string(b)
}

// examplePointers say where a code is typically found.
var examplePointers = map[casm.Code]string{
	casm.Required: "/state", casm.UnknownMember: "/custmerProfile", casm.WrongType: "/testCustomer", casm.InvalidValue: "/externalId",
	casm.TooLong: "/customName", casm.TooMany: "/parent", casm.OutOfRange: "/priority", casm.RequestIDReused: "/requestId", casm.NotFound: "/customer",
	casm.AmbiguousReference: "/customer", casm.IsDeactivated: "/customer", casm.NotConfigured: "/customerProfile", casm.Retired: "/customerSegment",
	casm.StateReasonNotForState: "/state/stateReason", casm.DuplicateExternalID: "/externalId", casm.TransitionNotAllowed: "/state/state",
	casm.StateChangeAlreadyPlanned: "/state", casm.NoPlannedStateChange: "/customer", casm.PendingNeedsFutureDate: "/state/pending",
	casm.OtherCustomer: "/parent", casm.ParentRequired: "/parent", casm.HierarchyCycle: "/parent", casm.PaymentResponsibleMismatch: "/paymentResponsible",
	casm.NotIndividual: "/billingDay", casm.IndividualRequired: "/offer", casm.AttributeRequired: "/attributes/charge", casm.ServiceKindMismatch: "/offer",
	casm.ResourceTaken: "/resource", casm.ResourceTypeAlreadyAssigned: "/resourceType", casm.ResourceNotAssigned: "/swapResource",
	casm.NotPrimaryResourceType: "/primaryResourceType", casm.BillCycleChangeAlreadyPlanned: "/validFrom", casm.NoPlannedBillCycleChange: "/account",
	casm.NoSuchBalance: "/service", casm.InsufficientBalance: "/amount", casm.BalanceExpired: "/validTo", casm.VersionMismatch: ifMatchHeader,
	casm.CodeImmutable: "/code", casm.DuplicateCode: "/code", casm.InUse: "/services", casm.Unauthenticated: "Authorization", casm.Forbidden: "Authorization",
	casm.NotJSON: "Content-Type",
}
