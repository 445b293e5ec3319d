package httpapi

import (
	"net/http"
	"strings"

	"casm"
	"casm/command"
	"casm/engine"
)

// endpoint is one method at one path. Routes, checks of the query, metrics,
// permissions, OpenAPI and the reference page follow from it.
type endpoint struct {
	Method, Path string
	ID           string // the OpenAPI operationId
	Tag          string // the section of the reference
	Summary      string
	// Permission is what a caller must have; "": any valid credential.
	Permission command.Permission
	// Open endpoints need no credential.
	Open bool
	// Params are the query parameters; PathParams describe those of the path.
	Params, PathParams []param
	// Request describes the body; nil: none. Example is one.
	Request *casm.Object
	Example string
	// OptionalBody: a request may have none.
	OptionalBody bool
	// Document is the schema of a body that is a document, YAML or JSON.
	Document string
	// Payload is the kind of the entities of the answer; 0 for none.
	Payload casm.Kind
	// IfMatch: the header makes it conditional.
	IfMatch bool
	// Headers are other request headers that it knows.
	Headers []param
	Answer  answer
	// Refusals are statuses that it may answer beside those of its sort.
	Refusals []int

	serve func(*Server, *exchange)
}

// answer describes what an endpoint answers when all is well.
type answer struct {
	Status  int    // 0: 200
	Schema  string // a component of OpenAPI, or "" for none
	Type    string // "": application/json
	AsJSON  bool   // beside Type, where Accept asks for it
	ETag    bool
	Replays bool // may carry Idempotent-Replayed
}

// The sections of the reference.
const (
	tagConfig = "Configuration"
	tagStream = "Business transactions"
	tagSystem = "System"
	tagBatch  = "Batch"
)

// Tags are the sections in their order.
var tags = []string{"Customers", "Accounts", "Subscribers", "Subscriptions", tagBatch, tagConfig, tagStream, tagWarehouse, tagAccess, tagSystem}

// endpoints is everything that the server answers.
var endpoints = buildEndpoints()

func buildEndpoints() []*endpoint {
	var list []*endpoint
	for _, op := range command.Operations {
		list = append(list, writeEndpoint(op))
	}
	list = append(list, &endpoint{
		Method: http.MethodPost, Path: "/v1/casm/batch", ID: "batch", Tag: tagBatch,
		Summary: "Runs 1 to 1,000 writes in order, all or none, or each by itself.",
		Params:  []param{dryRunParam}, Request: command.BatchObject(), Example: batchExample,
		Answer: answer{Schema: "BatchAnswer", Replays: true}, serve: writeBatch,
	})
	for _, r := range engine.Reads {
		list = append(list, &endpoint{
			Method: http.MethodGet, Path: "/v1/casm" + r.Path, ID: r.ID, Tag: tagOf(r.Path), Summary: r.Summary,
			Permission: command.ReadEntities, Params: readParams(r), Payload: r.Kind,
			Answer: answer{Schema: r.Kind.String() + "Read", ETag: true}, serve: read(r),
		}, historyEndpoint(r), listEndpoint(r))
	}
	list = append(list, &endpoint{
		Method: http.MethodGet, Path: "/v1/casm/subscribers/resources/read", ID: "readSubscriberResource", Tag: "Subscribers",
		Summary: "Reads the resources of a subscriber.", Permission: command.ReadEntities, Params: resourceParams, Payload: casm.KindSubscriberResource,
		Answer: answer{Schema: "SubscriberResourceItems", ETag: true}, serve: readResources,
	})
	for _, b := range []struct {
		path, id, summary, schema string
		list                      bool
	}{
		{"/balance/read", "readSubscriptionBalance", "Reads the balance of one service of a subscription.", "Balance", false},
		{"/balances/read", "readSubscriptionBalances", "Reads the balances of a subscription, expired ones included.", "BalanceItems", true},
	} {
		list = append(list, &endpoint{
			Method: http.MethodGet, Path: "/v1/casm/subscriptions" + b.path, ID: b.id, Tag: "Subscriptions", Summary: b.summary,
			Permission: command.ReadEntities, Params: balanceParams(b.list), Payload: casm.KindBalance, Answer: answer{Schema: b.schema, ETag: true}, serve: readBalances(b.list),
		})
	}
	for _, c := range casm.Collections {
		if !c.Internal {
			list = append(list, configEndpoints(c)...)
		}
	}
	list = append(list, documentEndpoints()...)
	list = append(list, streamEndpoints()...)
	list = append(list, warehouseEndpoints()...)
	list = append(list, auditEndpoint())
	list = append(list, sessionEndpoints()...)
	list = append(list, oidcEndpoints()...)
	list = append(list, peopleEndpoints()...)
	return append(list, otherEndpoints()...)
}

var dryRunParam = param{Name: "dryRun", Type: casm.TypeBoolean, Doc: "Answers as the real call would, and does nothing."}

func writeEndpoint(op *command.Operation) *endpoint {
	e := &endpoint{
		Method: http.MethodPost, Path: "/v1/casm" + op.Path, ID: op.ID, Tag: tagOf(op.Path), Summary: op.Summary,
		Permission: op.Permission, Params: []param{dryRunParam}, Request: op.Object, Example: op.Example, Payload: op.Payload,
		Answer: answer{Schema: op.Payload.String() + "Transaction", ETag: true, Replays: true}, serve: write(op),
	}
	for _, f := range op.Object.References() {
		switch f.Name {
		case "customer", "account", "subscriber", "subscription":
			e.IfMatch = true
		}
	}
	return e
}

func historyEndpoint(r *engine.Read) *endpoint {
	base := strings.TrimSuffix(r.Path, "/read")
	return &endpoint{
		Method: http.MethodGet, Path: "/v1/casm" + base + "/history", ID: r.ID + "History", Tag: tagOf(base),
		Summary:    "Lists the business transactions of one of the " + strings.TrimPrefix(base, "/") + ", newest first.",
		Permission: command.ReadEntities, Params: historyParams, Payload: r.Kind,
		Answer: answer{Schema: "History"}, serve: history(r.Kind),
	}
}

func listEndpoint(r *engine.Read) *endpoint {
	base := strings.TrimSuffix(r.Path, "/read")
	return &endpoint{
		Method: http.MethodGet, Path: "/v1/casm" + base, ID: "list" + tagOf(base), Tag: tagOf(base),
		Summary:    "Lists " + strings.TrimPrefix(base, "/") + ". Repeated filters are alternatives, different ones hold together. A page may hold fewer than limit; only a missing nextCursor is the end.",
		Permission: command.ReadEntities, Params: listParams(r.Kind), Payload: r.Kind,
		Answer: answer{Schema: r.Kind.String() + "List"}, serve: list(r.Kind),
	}
}

// tagOf is the section of a path such as /customers/create.
func tagOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.ToUpper(first[:1]) + first[1:]
}

var codeParam = []param{{Name: "code", Type: casm.TypeString, Doc: "The item's code."}}

func configEndpoints(c *casm.Collection) []*endpoint {
	base := "/v1/config/" + c.Path
	many, schema := configName(c), c.Object.Name
	name := singular(many)
	one := func(method, path, id, summary string, permission command.Permission, a answer, serve func(*Server, *exchange)) *endpoint {
		e := &endpoint{
			Method: method, Path: base + path, ID: id, Tag: tagConfig, Summary: summary,
			Permission: permission, Answer: a, serve: serve,
		}
		if strings.Contains(path, "{code}") {
			e.PathParams = codeParam
		}
		return e
	}
	const item = "/{code}"
	list := one(http.MethodGet, "", "list"+many, "Lists the "+c.Title+", by code.", command.ReadConfig, answer{Schema: schema + "Items"}, listConfig(c))
	create := one(http.MethodPost, "", "create"+name, "Adds one of the "+c.Title+".", command.WriteConfig, answer{Status: http.StatusCreated, Schema: schema, ETag: true}, createConfig(c))
	get := one(http.MethodGet, item, "read"+name, "Reads one of the "+c.Title+".", command.ReadConfig, answer{Schema: schema, ETag: true}, getConfig(c))
	replace := one(http.MethodPut, item, "replace"+name, "Replaces one of the "+c.Title+" as a whole.", command.WriteConfig, answer{Schema: schema, ETag: true}, replaceConfig(c))
	remove := one(http.MethodDelete, item, "delete"+name, "Deletes one of the "+c.Title+" that nothing refers to.", command.WriteConfig, answer{Status: http.StatusNoContent}, deleteConfig(c))
	past := one(http.MethodGet, item+"/history", "read"+name+"History", "Lists the versions of one of the "+c.Title+", newest first, also when it was deleted.", command.ReadConfig, answer{Schema: "ConfigHistory"}, configHistory(c))
	create.Request, replace.Request = c.Object, c.Object
	create.Example, replace.Example = configExamples[c.Path], configExamples[c.Path]
	replace.IfMatch, remove.IfMatch = true, true
	past.Params = configHistoryParams
	return []*endpoint{list, create, get, replace, remove, past}
}

// configName is the collection's name in identifiers, such as AccountTypes.
func configName(c *casm.Collection) string {
	var b strings.Builder
	for part := range strings.SplitSeq(c.Path, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "xes"), strings.HasSuffix(name, "sses"):
		return strings.TrimSuffix(name, "es")
	}
	return strings.TrimSuffix(name, "s")
}

func otherEndpoints() []*endpoint {
	get := func(path, id, tag, summary string, permission command.Permission, a answer, serve func(*Server, *exchange)) *endpoint {
		return &endpoint{Method: http.MethodGet, Path: path, ID: id, Tag: tag, Summary: summary, Permission: permission, Answer: a, serve: serve}
	}
	pages := get("/v1/business-transactions", "listBusinessTransactions", tagStream,
		"Pages through all business transactions, from the first; an empty page is the end for now.", command.ReadStream, answer{Schema: "Feed"}, feed)
	pages.Params = feedParams
	follow := get("/v1/business-transactions/stream", streamID, tagStream,
		"Follows the business transactions live, as server-sent events whose data are items of the feed and whose ids are positions.",
		command.ReadStream, answer{Schema: "EventStream", Type: "text/event-stream"}, stream)
	follow.Params = streamParams
	follow.Headers = []param{{Name: lastEventID, Type: casm.TypeString, Doc: "The position behind which to go on; wins over after. Without either the stream begins at the present end."}}
	schema := get("/v1/schemas/{file}", "readMessageSchema", tagStream, "The JSON Schema of a message: customer.json and so on.",
		command.ReadStream, answer{Schema: "JSONSchema", Type: "application/schema+json"}, messageSchema)
	schema.PathParams = []param{{Name: "file", Type: casm.TypeString, Doc: "Message code with .json behind it."}}
	health := get("/healthz", "health", tagSystem, "Whether the server is alive.", "", answer{Schema: "Health"}, healthz)
	ready := get("/readyz", "ready", tagSystem, "Whether the server is able to serve: 200, else 503 with what is missing.", "", answer{Schema: "Readiness"}, readyz)
	page := get("/", "start", tagSystem, "The web console.", "", answer{Schema: "Text", Type: "text/html"}, start)
	health.Open, ready.Open, page.Open = true, true, true
	metrics := get("/metrics", "metrics", tagSystem, "Metrics in Prometheus' text format, for whoever has a permission.", "", answer{Schema: "Text", Type: "text/plain"}, serveMetrics)
	metrics.Refusals = []int{403}
	return []*endpoint{
		get("/v1/config/services", "listServices", tagConfig, "The service catalogue: kinds of service and their attributes.", command.ReadConfig, answer{Schema: "Services"}, serviceCatalogue),
		pages, follow, schema, health, ready, metrics,
		get("/openapi.json", "openAPI", tagSystem, "This description, as OpenAPI 3.1.", "", answer{Schema: "JSONSchema"}, openAPI),
		get("/docs", "docs", tagSystem, "The API reference, for people.", "", answer{Schema: "Text", Type: "text/html"}, docs),
		page,
	}
}
