package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

var requestCases = []Case{
	{"a repeat has one effect and gets the same answer (rule 1)", steps(
		does(remember("when")),
		post("/customers/create", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2b"}`).ok(``).header("Idempotent-Replayed", "").
			save("t", "transactionId").save("at", "timestamp").save("id", "payload.refId"),
		post("/customers/create", ` {"customerProfile":"b2b", "externalId":"{{c}}", "requestId":"{{r}}"} `).
			ok(`{"transactionId": "{{t}}", "timestamp": "{{at}}", "requestId": "{{r}}", "payload": {"refId": "{{id}}", "version": 1}}`).header("Idempotent-Replayed", "true").header("Etag", `"1"`),
		post("/customers/custom-name/update", `{"customer": {"refId": "{{id}}"}, "customName": "Later"}`).ok(`{"payload": {"version": 2}}`),
		post("/customers/create", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2b"}`).
			ok(`{"payload": {"version": 1, "customName": "<none>"}}`).header("Idempotent-Replayed", "true").header("Etag", `"1"`),
		post("/customers/create", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2c"}`).refused("request_id_reused /requestId"),
		post("/customers/update", `{"requestId": "{{r}}", "customer": {"refId": "{{id}}"}, "customName": "x"}`).refused("request_id_reused /requestId"),
	)},
	{"a refusal does not use the requestId up (rule 1)", steps(
		post("/customers/create", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "nobody"}`).refused("not_configured /customerProfile"),
		post("/customers/create", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2b"}`).ok(``).header("Idempotent-Replayed", ""),
	)},
	{"a requestId is 1 to 64 printable characters (rule 1)", steps(
		post("/customers/create", `{"customerProfile": "b2b"}`).exactly().refused("required /requestId"),
		post("/customers/create", `{"requestId": "", "customerProfile": "b2b"}`).refused("invalid_value /requestId"),
		post("/customers/create", `{"requestId": "é", "customerProfile": "b2b"}`).refused("invalid_value /requestId"),
		post("/customers/create", `{"requestId": "`+strings.Repeat("x", 65)+`", "customerProfile": "b2b"}`).refused("too_long /requestId"),
		post("/customers/create", `{"requestId": 7, "customerProfile": "b2b"}`).refused("wrong_type /requestId"),
	)},
	{"a dry run answers as the real call would and does nothing (rule 3)", steps(
		post("/customers/create?dryRun=true", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2b"}`).
			ok(`{"dryRun": true, "transactionId": "<none>", "requestId": "{{r}}", "impactedTotal": 1, "payload": {"refId": "<any>", "externalId": "{{c}}", "version": 1}}`).save("id", "payload.refId"),
		get("/customers/read?externalId={{c}}").refused("not_found externalId"),
		get("/customers/read?refId={{id}}").refused("not_found refId"),
		post("/customers/create?dryRun=true", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "x"}`).refused("not_configured /customerProfile"),
		post("/customers/create?dryRun=false", `{"requestId": "{{r}}", "externalId": "{{c}}", "customerProfile": "b2b"}`).ok(`{"dryRun": "<none>"}`).header("Idempotent-Replayed", ""),
		post("/customers/create?dryRun=yes", `{"customerProfile": "b2b"}`).refused("invalid_value dryRun"),
	)},
	{"If-Match makes a write conditional (rule 4)", steps(anAccount,
		post("/accounts/custom-name/update", `{"account": {"externalId": "{{account}}"}, "customName": "A"}`).with("If-Match", `"1"`).ok(`{"payload": {"version": 2}}`).header("Etag", `"2"`),
		post("/accounts/custom-name/update", `{"account": {"externalId": "{{account}}"}, "customName": "B"}`).with("If-Match", `"1"`).refusedWith(412, "version_mismatch If-Match"),
		post("/accounts/custom-name/update?dryRun=true", `{"account": {"externalId": "{{account}}"}, "customName": "B"}`).with("If-Match", `"1"`).refusedWith(412, "version_mismatch If-Match"),
		post("/accounts/create", `{"customer": {"externalId": "{{customer}}"}, "accountProfile": "postpaid"}`).with("If-Match", `"2"`).refusedWith(412, "version_mismatch If-Match"),
		post("/accounts/create", `{"customer": {"externalId": "{{customer}}"}, "accountProfile": "postpaid"}`).with("If-Match", `"1"`).ok(``),
		post("/customers/create", `{"customerProfile": "b2b"}`).with("If-Match", `"1"`).refused("invalid_value If-Match"),
		post("/accounts/custom-name/update", `{"account": {"externalId": "{{account}}"}, "customName": "B"}`).with("If-Match", `*`).refused("invalid_value If-Match"),
	)},
	{"what is checked first is said first (rule 2)", steps(aCustomer,
		post("/customers/update", `{"requestId": "{{r}}", "customer": {"externalId": "{{customer}}"}, "customName": "N"}`).ok(``),
		// shape, before a known requestId
		post("/customers/update", `{"requestId": "{{r}}", "customer": {"externalId": "{{nobody}}"}, "customName": 1}`).refused("wrong_type /customName"),
		// a known requestId, before references
		post("/customers/update", `{"requestId": "{{r}}", "customer": {"externalId": "{{nobody}}"}, "customName": "N"}`).refused("request_id_reused /requestId"),
		// references, before If-Match
		post("/customers/update", `{"customer": {"externalId": "{{nobody}}"}, "customName": "N"}`).with("If-Match", `"9"`).refused("not_found /customer"),
		// If-Match, before rules
		post("/customers/update", `{"customer": {"externalId": "{{customer}}"}, "customerSegment": "none"}`).with("If-Match", `"9"`).refusedWith(412, "version_mismatch If-Match"),
		// all references together
		post("/accounts/create", `{"accountProfile": "none", "customer": {"externalId": "{{nobody}}"}, "parent": {"externalId": "{{nobody}}"}}`).refused("not_found /customer", "not_found /parent"),
		// all rules together
		post("/customers/update", `{"customer": {"externalId": "{{customer}}"}, "externalId": "{{customer}}", "customerSegment": "none"}`).refused("not_configured /customerSegment"),
	)},
	{"a reference with both ids must agree (rule 8)", steps(aCustomer,
		post("/customers/create", `{"externalId": "{{other}}", "customerProfile": "b2b"}`).ok(``),
		post("/customers/custom-name/update", `{"customer": {"refId": "{{customerId}}", "externalId": "{{customer}}"}, "customName": "A"}`).ok(``),
		post("/customers/custom-name/update", `{"customer": {"refId": "{{customerId}}", "externalId": "{{other}}"}, "customName": "A"}`).refused("ambiguous_reference /customer"),
		post("/customers/custom-name/update", `{"customer": {}, "customName": "A"}`).refused("one_of_required /customer"),
		get("/customers/read?refId={{customerId}}&externalId={{other}}").refused("ambiguous_reference refId"),
	)},
	{"a comment is recorded in transaction and history", steps(aCustomer,
		post("/customers/custom-name/update", `{"customer": {"externalId": "{{customer}}"}, "customName": "A", "comment": "asked for\nby mail"}`).ok(``),
		get("/customers/history?externalId={{customer}}&limit=1").ok(`{"items": [{"comment": "asked for\nby mail", "actor": "dev"}]}`),
		post("/customers/custom-name/update", `{"customer": {"externalId": "{{customer}}"}, "customName": "A", "comment": "`+strings.Repeat("x", 256)+`"}`).refused("too_long /comment"),
	)},
	{"size and media type (rule 2)", steps(
		post("/customers/create", `{"requestId": "{{r}}", "customerProfile": "b2b"}`).with("Content-Type", "text/plain").refusedWith(415, "not_json Content-Type"),
		post("/customers/create", `{"requestId": "{{r}}", "customName": "`+strings.Repeat("x", 1<<20)+`"}`).refusedWith(413, "too_large"),
		put("/v1/casm/customers/create", `{}`).refusedWith(405, "method_not_allowed").header("Allow", "POST"),
		get("/v1/casm/nothing").refusedWith(404, "not_found"),
	)},
}

// shapeCases are what a body can be that it must not (rules 2 and 8).
var shapeCases = []Case{
	{"malformed JSON is said alone (rule 2)", steps(
		post("/customers/create", `{"requestId": "a", "requestId": "b"}`).refused("malformed_json"),
		post("/customers/create", `{"requestId": "a", "customName": "`+"\xff"+`"}`).refused("malformed_json"),
		post("/customers/create", `{"requestId": "a"`).exactly().refused("malformed_json"),
		post("/customers/create", `{"requestId": "a"} {}`).exactly().refused("malformed_json"),
	)},
	{"a body is an object; numbers are integers; attribute values are texts (rule 8)", steps(
		post("/customers/create", `[]`).exactly().refused("wrong_type"),
		post("/customers/create", `null`).exactly().refused("wrong_type"),
		post("/accounts/create", `{"billingDay": 1.5, "billingMonth": 13, "billingYear": "2024", "customAttributes": {"a": true}, "parent": []}`).
			refused("wrong_type /billingDay", "out_of_range /billingMonth", "wrong_type /billingYear", "wrong_type /customAttributes/a", "wrong_type /parent"),
		post("/accounts/create", `{"billingDay": 99999999999999999999}`).refused("out_of_range /billingDay"),
	)},
	{"all errors of shape together, with the nearest known member (rule 2)", steps(
		post("/customers/create", `{"custmerProfile": "b2b", "customName": "", "testCustomer": "no", "state": {"state": "ALIVE", "stateReason": "x", "stateValidFrom": "2024-05-01", "since": 1}}`).
			refused("unknown_member /custmerProfile", "invalid_value /customName", "unknown_member /state/since", "invalid_value /state/state", "invalid_value /state/stateValidFrom", "wrong_type /testCustomer"),
	)},
	{"custom attributes have limits (rule 23)", steps(
		post("/customers/create", `{"customerProfile": "b2b", "customAttributes": {`+manyAttributes(100, 10)+`}}`).ok(``),
		post("/customers/create", `{"customerProfile": "b2b", "customAttributes": {`+manyAttributes(101, 10)+`}}`).refused("too_long /customAttributes"),
		post("/customers/create", `{"customerProfile": "b2b", "customAttributes": {"k": "`+strings.Repeat("x", 4001)+`"}}`).refused("too_long /customAttributes/k"),
	)},
	{"null in a create is as absent (rule 8)", steps(
		post("/customers/create", `{"customerProfile": "b2b", "externalId": null, "customName": null, "customAttributes": null, "state": null, "testCustomer": null, "comment": null, "customerSegment": null}`).
			ok(`{"payload": {"customerSegment": "b2b", "externalId": "<none>"}}`),
		post("/customers/create", `{"customerProfile": null}`).refused("required /state"),
	)},
}

func manyAttributes(n, length int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"key%d": %q`, i, strings.Repeat("v", length))
	}
	return strings.Join(list, ", ")
}

var batchCases = []Case{
	{"batch: a family in one transaction; later ones name what earlier ones create", steps(
		post("/batch", `{"requestId": "{{r}}", "comment": "an order", "operations": [
				{"operation": "createCustomer", "body": {"externalId": "{{c}}", "customerProfile": "b2c"}},
				{"operation": "createAccount", "body": {"externalId": "{{a}}", "accountProfile": "postpaid", "customer": {"externalId": "{{c}}"}}},
				{"operation": "createSubscriber", "body": {"externalId": "{{s}}", "subscriberProfile": "mobile", "account": {"externalId": "{{a}}"}, "primaryResource": "{{msisdn}}"}},
				{"operation": "updateCustomerCustomName", "ifMatch": "\"1\"", "body": {"customer": {"externalId": "{{c}}"}, "customName": "Family"}}]}`).
			ok(`{"requestId": "{{r}}", "results": [
				{"status": 200, "transaction": {"transactionId": "<any>", "operation": "createCustomer", "payload": {"version": 1}}},
				{"status": 200, "transaction": {"operation": "createAccount"}}, {"status": 200, "transaction": {"operation": "createSubscriber", "payload": {"resources": [{"resource": "{{msisdn}}"}]}}},
				{"status": 200, "transaction": {"operation": "updateCustomerCustomName", "payload": {"customName": "Family", "version": 2}}}]}`).
			save("t", "results.0.transaction.transactionId").save("id", "results.0.transaction.payload.refId"),
		get("/customers/history?refId={{id}}").ok(`{"items": [{"version": 2, "transactionId": "{{t}}", "comment": "an order"}, {"version": 1, "transactionId": "{{t}}"}]}`),
		post("/batch", `{"requestId": "{{r}}", "operations": [{"operation": "createCustomer", "body": {"customerProfile": "b2b"}}]}`).refused("request_id_reused /requestId"),
	)},
	{"batch: any error refuses all (atomic)", steps(
		post("/batch", `{"operations": [{"operation": "createCustomer", "body": {"externalId": "{{c}}", "customerProfile": "b2c"}}, {"operation": "createAccount", "body": {"accountProfile": "none", "customer": {"externalId": "{{c}}"}}}]}`).
			refused("not_configured /operations/1/body/accountProfile"),
		get("/customers/read?externalId={{c}}").refused("not_found externalId"),
		post("/batch", `{"requestId": "{{r}}", "operations": [{"operation": "createCustomer", "body": {"customName": 1}}, {"operation": "readCustomer", "body": {}}, {"operation": "createCustomer"}, {"operation": "batch", "body": {"operations": []}}, {"operation": "createCustomer", "body": {"requestId": "x", "customerProfile": "b2b"}}]}`).
			refused("wrong_type /operations/0/body/customName", "invalid_value /operations/1/operation", "required /operations/2/body", "invalid_value /operations/3/operation", "unknown_member /operations/4/body/requestId"),
		post("/batch", `{"operations": []}`).refused("required /operations"),
		post("/batch", `{"requestId": "`+strings.Repeat("x", 61)+`", "operations": [{"operation": "createCustomer", "body": {"customerProfile": "b2b"}}]}`).refused("too_long /requestId"),
	)},
	{"batch: not atomic, each by itself; a repeat tries again what was refused", steps(
		post("/batch", `{"requestId": "{{r}}", "atomic": false, "operations": [
				{"operation": "createCustomer", "body": {"externalId": "{{c}}", "customerProfile": "{{code}}"}},
				{"operation": "createCustomer", "body": {"externalId": "{{d}}", "customerProfile": "b2b"}},
				{"operation": "createCustomer", "body": {"customName": 1}}]}`).
			ok(`{"results": [{"status": 400, "transaction": "<none>", "problem": {"errors": [{"code": "not_configured", "pointer": "/customerProfile"}]}},
				{"status": 200, "transaction": {"payload": {"externalId": "{{d}}"}}}, {"status": 400, "problem": {"errors": [{"code": "wrong_type", "pointer": "/customName"}]}}]}`).
			save("d", "results.1.transaction.payload.refId"),
		post("/v1/config/customer-profiles", `{"code": "{{code}}", "name": "New", "state": "ACTIVE", "stateReason": "active"}`).is(201, ``),
	)},
	{"batch: a dry run does nothing (rule 3)", steps(
		post("/batch?dryRun=true", `{"operations": [{"operation": "createCustomer", "body": {"externalId": "{{c}}", "customerProfile": "b2b"}}, {"operation": "createAccount", "body": {"accountProfile": "postpaid", "customer": {"externalId": "{{c}}"}}}]}`).
			ok(`{"results": [{"status": 200, "transaction": {"dryRun": true, "transactionId": "<none>"}}, {"status": 200}]}`),
		get("/customers/read?externalId={{c}}").refused("not_found externalId"),
	)},
	{"batch: If-Match is given with each operation (rule 4)", steps(aCustomer,
		post("/batch", `{"operations": [{"operation": "updateCustomerCustomName", "ifMatch": 7, "body": {"customer": {"externalId": "{{customer}}"}, "customName": "x"}}]}`).refusedWith(412, "version_mismatch /operations/0/ifMatch"),
		post("/batch", `{"operations": [{"operation": "updateCustomerCustomName", "body": {"customer": {"externalId": "{{customer}}"}, "customName": "x"}}]}`).with("If-Match", `"1"`).refused("invalid_value If-Match"),
		post("/batch", `{"operations": [{"operation": "createCustomer", "ifMatch": "\"1\"", "body": {"customerProfile": "b2b"}}]}`).refused("invalid_value /operations/0/ifMatch"),
		post("/batch", `{"atomic": false, "operations": [{"operation": "createCustomer", "ifMatch": "\"1\"", "body": {"customerProfile": "b2b"}}, {"operation": "updateCustomerCustomName", "ifMatch": 1, "body": {"customer": {"externalId": "{{customer}}"}, "customName": "x"}}]}`).
			ok(`{"results": [{"status": 400, "problem": {"errors": [{"code": "invalid_value", "pointer": "If-Match"}]}}, {"status": 200}]}`),
	)},
	{"batch: repeated after what was missing is there", steps(does(batchAgain))},
}

// batchAgain repeats a batch that is not atomic: what was done is replayed,
// what was refused is tried again.
func batchAgain(t *testing.T, s *scene) {
	body := s.fill(`{"requestId": "{{r}}", "atomic": false, "operations": [{"operation": "createCustomer", "body": {"externalId": "{{c}}", "customerProfile": "{{code}}"}}, {"operation": "createCustomer", "body": {"externalId": "{{d}}", "customerProfile": "b2b"}}]}`)
	s.step(t, 0, post("/batch", body).ok(`{"results": [{"status": 400}, {"status": 200}]}`).save("first", "results.1.transaction.payload.refId"))
	s.step(t, 1, post("/v1/config/customer-profiles", `{"code": "{{code}}", "name": "New", "state": "ACTIVE", "stateReason": "active"}`).is(201, ``))
	s.step(t, 2, post("/batch", body).ok(`{"results": [{"status": 200, "transaction": {"payload": {"externalId": "{{c}}"}}}, {"status": 200, "transaction": {"payload": {"refId": "{{first}}"}}}]}`))
}
