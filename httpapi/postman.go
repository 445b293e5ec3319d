package httpapi

import (
	"net/http"
	"regexp"
	"strings"

	"casm"
	"casm/command"
)

// PostmanCollection returns the API as a Postman collection (v2.1), made of
// the tables that the server runs on: each operation with its example, in an
// order in which all succeed on the demonstration, again and again. Its
// variables are baseUrl, apiKey and run, which the first request sets anew.
func PostmanCollection() []byte {
	byID := map[string]*endpoint{}
	for _, e := range endpoints {
		byID[e.ID] = e
	}
	var folders []any
	for _, f := range postmanFolders() {
		var items []any
		for _, r := range f.requests {
			e := byID[r.id]
			if e == nil {
				panic("httpapi: the Postman collection has no endpoint " + r.id)
			}
			items = append(items, r.item(e))
		}
		folders = append(folders, obj("name", f.name, "item", items))
	}
	variable := func(key, value, doc string) *object {
		return obj("key", key, "value", value, "type", "string", "description", doc)
	}
	return indented(obj(
		"info", obj("name", "casm", "schema", "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
			"description", "Customer, account and subscription management. Run it from top to bottom against a server with the demonstration; every request answers 200, 201 or 204. Without --dev, set apiKey."),
		"auth", obj("type", "bearer", "bearer", []any{obj("key", "token", "value", "{{apiKey}}", "type", "string")}),
		"event", []any{obj("listen", "test", "script", obj("type", "text/javascript", "exec", []string{
			"pm.test('answers with success', () => pm.expect(pm.response.code).to.be.oneOf([200, 201, 204]));",
		}))},
		"variable", []any{
			variable("baseUrl", "http://127.0.0.1:8080", "Where the server is."),
			variable("apiKey", "", "API key; none for a server with --dev."),
			variable("run", "", "Told apart by this, runs do not get in each other's way: digits."),
		},
		"item", folders,
	))
}

// postmanFolder is a folder of requests.
type postmanFolder struct {
	name     string
	requests []postmanRequest
}

// postmanRequest is an operation, with what differs from its example.
type postmanRequest struct {
	id, name string
	body     string // instead of the example
	query    string
	first    bool // begins a run
}

// postmanFolders are all requests in their order. What a later one needs, an
// earlier one makes.
func postmanFolders() []postmanFolder {
	order := postmanFolder{name: "An order", requests: []postmanRequest{
		{id: "createCustomer", first: true},
		{id: "createAccount"},
		{id: "createAccount", name: "Another account, to be the parent", body: `{"requestId": "{{$guid}}", "externalId": "parent_external_id", "accountProfile": "postpaid", "customer": {"externalId": "customer_external_id"}}`},
		{id: "createSubscriber"},
		{id: "createSubscriptionOnCustomer"},
		{id: "createSubscriptionOnAccount"},
		{id: "createSubscriptionOnSubscriber", body: `{"requestId": "{{$guid}}", "subscriber": {"externalId": "subscriber_external_id"}, "externalId": "subscription_external_id", "offer": "offer_code", "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}`},
		{id: "batch", body: strings.ReplaceAll(batchExample, "customer_external_id", "batch_external_id")},
	}}
	folders := []postmanFolder{order}
	last := postmanFolder{name: "New external ids"}
	done := map[string]bool{}
	for _, f := range folders {
		for _, r := range f.requests {
			done[r.id] = true
		}
	}
	for _, tag := range []string{"Subscriptions", "Subscribers", "Accounts", "Customers"} {
		folder := postmanFolder{name: tag}
		for _, op := range command.Operations {
			if tagOf(op.Path) != tag || done[op.ID] {
				continue
			}
			switch {
			case strings.HasSuffix(op.ID, "ExternalId"):
				last.requests = append(last.requests, postmanRequest{id: op.ID})
			case strings.HasPrefix(op.ID, "confirm"):
				plan := "update" + strings.TrimPrefix(op.ID, "confirm")
				folder.requests = append(folder.requests,
					postmanRequest{id: plan, name: "Plan a change of state, to be confirmed", body: named(op) + `, "state": {"state": "DEACTIVATED", "stateReason": "terminated", "stateValidFrom": "2099-01-01T00:00:00Z", "pending": true}}`},
					postmanRequest{id: op.ID})
			case op.ID == "cancelAccountBillCycleChange", op.ID == "performAccountBillCycleChange":
				folder.requests = append(folder.requests,
					postmanRequest{id: "updateAccountBillCycle", name: "Plan a change of bill cycle", body: named(op) + `, "billCycle": "quarterly", "validFrom": "2099-01-01T00:00:00Z"}`},
					postmanRequest{id: op.ID})
			case op.ID == "endSubscriberResource": // what the swap has assigned
				folder.requests = append(folder.requests, postmanRequest{id: op.ID, body: strings.Replace(op.Example, "10.0.0.1", "10.0.0.2", 1)})
			default:
				folder.requests = append(folder.requests, postmanRequest{id: op.ID})
			}
		}
		for _, id := range []string{"createSubscriberResource", "swapSubscriberResource", "endSubscriberResource"} {
			folder.move(id) // to the end, in the order in which they succeed
		}
		for _, e := range endpoints {
			if e.Tag == tag && e.Method == http.MethodGet {
				folder.requests = append(folder.requests, postmanRequest{id: e.ID, query: postmanQuery(e)})
			}
		}
		folders = append(folders, folder)
	}
	return append(folders, last, postmanConfig(), postmanAccess(), postmanOthers())
}

// named is how a body begins that names the operation's entity.
func named(op *command.Operation) string {
	return `{"requestId": "{{$guid}}", "` + op.SubjectMember + `": {"externalId": "` + op.SubjectMember + `_external_id"}`
}

// move moves a request to the end, if it is there.
func (f *postmanFolder) move(id string) {
	for i, r := range f.requests {
		if r.id == id {
			f.requests = append(append(f.requests[:i:i], f.requests[i+1:]...), r)
			return
		}
	}
}

// postmanQuery is the query of a read.
func postmanQuery(e *endpoint) string {
	switch {
	case strings.HasPrefix(e.ID, "list"):
		return "state=ACTIVE&limit=10"
	case e.ID == "readSubscriptionBalance":
		return "externalId=subscription_external_id&service=data"
	}
	query := "externalId=" + externalIDOf(e.Tag)
	for _, p := range e.Params {
		if p.Type == casm.TypeBoolean {
			query += "&" + p.Name + "=true"
		}
	}
	return query
}

func postmanConfig() postmanFolder {
	folder := postmanFolder{name: tagConfig}
	var ends []postmanRequest
	for _, e := range endpoints {
		switch {
		case ofEndpoint(e): // while there is one
			folder.requests = append(folder.requests, postmanRequest{id: e.ID})
		case e.Tag != tagConfig:
		case e.Method == http.MethodDelete:
			ends = append(ends, postmanRequest{id: e.ID})
		case e.ID == "importConfiguration":
			folder.requests = append(folder.requests, postmanRequest{id: e.ID, query: "dryRun=true", body: `{"resource-types": [{"code": "msisdn", "name": "MSISDN"}, {"code": "imsi", "name": "IMSI"}, {"code": "ipV4", "name": "IPv4 Address"}, {"code": "example", "name": "Calling Card"}]}`})
		default:
			folder.requests = append(folder.requests, postmanRequest{id: e.ID})
		}
	}
	folder.requests = append(folder.requests, ends...)
	return folder
}

// ofEndpoint reports whether it is about one pub-sub endpoint.
func ofEndpoint(e *endpoint) bool { return strings.HasPrefix(e.Path, "/v1/streams/{code}/") }

// postmanAccess leaves keys out: their codes are the server's, and one that is
// made would stay.
func postmanAccess() postmanFolder {
	folder := postmanFolder{name: tagAccess}
	for _, id := range []string{"createRole", "createUser", "listSignInMethods", "signIn", "readSession", "listKeys", "listRoles", "listUsers", "readRole", "readUser", "replaceRole", "replaceUser", "signOut", "endSessions", "deleteUser", "deleteRole"} {
		r := postmanRequest{id: id}
		switch id {
		case "signIn":
			r.body = `{"user": "example-{{run}}", "password": "correct horse battery staple"}`
		case "endSessions":
			r.query = "user=example-{{run}}"
		}
		folder.requests = append(folder.requests, r)
	}
	return folder
}

func postmanOthers() postmanFolder {
	folder := postmanFolder{name: "Business transactions, warehouse, system"}
	for _, e := range endpoints {
		if !ofEndpoint(e) && (e.Tag == tagStream || e.Tag == tagWarehouse || e.ID == "listAudit" || e.Tag == tagSystem) && e.ID != streamID { // which does not end
			r := postmanRequest{id: e.ID}
			if e.ID == "listBusinessTransactions" {
				r.query = "after=0&limit=10"
			}
			folder.requests = append(folder.requests, r)
		}
	}
	return folder
}

// Examples name what there is by fixed ids; in the collection each run has its own.
var (
	ownID     = regexp.MustCompile(`\b(\w+)_external_id\b`)
	ownCode   = regexp.MustCompile(`"code": "example"`)
	ownNumber = regexp.MustCompile(`"primaryResource": "\d+"`)
)

func ofRun(s string) string {
	s = ownID.ReplaceAllString(s, "$1-{{run}}")
	s = ownCode.ReplaceAllString(s, `"code": "example-{{run}}"`)
	return ownNumber.ReplaceAllString(s, `"primaryResource": "4{{run}}"`)
}

// item is a request as Postman has it.
func (r postmanRequest) item(e *endpoint) *object {
	path := strings.NewReplacer("{code}", "example-{{run}}", "{file}", "customer.json").Replace(e.Path)
	raw := "{{baseUrl}}" + path
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		segments = append(segments, segment)
	}
	address := obj("raw", raw, "host", []string{"{{baseUrl}}"}, "path", segments)
	if r.query != "" {
		query := ofRun(r.query)
		address.set("raw", raw+"?"+query)
		var pairs []any
		for pair := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(pair, "=")
			pairs = append(pairs, obj("key", key, "value", value))
		}
		address.set("query", pairs)
	}
	request := obj("method", e.Method, "url", address, "description", e.Summary)
	body := r.body
	if body == "" {
		body = e.Example
	}
	if body != "" {
		request.set("header", []any{obj("key", "Content-Type", "value", "application/json")})
		request.set("body", obj("mode", "raw", "raw", pretty(ofRun(body)), "options", obj("raw", obj("language", "json"))))
	}
	name := e.ID
	if r.name != "" {
		name += ": " + r.name
	}
	out := obj("name", name)
	if r.first {
		out.set("event", []any{obj("listen", "prerequest", "script", obj("type", "text/javascript", "exec", []string{
			"pm.collectionVariables.set('run', Date.now().toString());",
		}))})
	}
	return out.set("request", request)
}
