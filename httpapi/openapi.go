package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/engine"

	"github.com/go-json-experiment/json/jsontext"
)

// OpenAPI returns the description of the whole API, OpenAPI 3.1, as
// /openapi.json serves it; version is the product's.
func OpenAPI(version string) []byte { return indented(openAPIDocument(version)) }

const componentPrefix = "#/components/schemas/"

func openAPIDocument(version string) *object {
	s := newSchemas(componentPrefix)
	paths := obj()
	for _, e := range endpoints {
		item, ok := find(paths, e.Path)
		if !ok {
			item = obj()
			paths.set(e.Path, item)
		}
		item.(*object).set(strings.ToLower(e.Method), operationObject(s, e))
	}
	answerSchemas(s)
	var tagList []any
	for _, t := range tags {
		tagList = append(tagList, obj("name", t))
	}
	return obj(
		"openapi", "3.1.0",
		"info", obj("title", "casm", "version", version, "license", obj("name", "Apache-2.0", "identifier", "Apache-2.0"),
			"description", "Customer, account and subscription management: the system of record for charging. Times are RFC 3339 with offset, stored and returned in UTC with microseconds; money is an integer in millionths of the currency's unit. Answers and messages may gain members, and codes are only ever added."),
		"jsonSchemaDialect", dialect,
		"servers", []any{obj("url", "/")},
		"tags", tagList,
		"paths", paths,
		"components", obj(
			"schemas", s.named,
			"responses", problemResponses(),
			"headers", headerComponents(),
			"securitySchemes", obj("apiKey", obj("type", "http", "scheme", "bearer",
				"description", "Authorization: Bearer <API key>, or an access token of the OIDC provider, where one is set. The roles of an operation's security are the permissions it needs."),
				"session", obj("type", "apiKey", "in", "cookie", "name", auth.CookieName,
					"description", "The session of a person who signed in, with POST /v1/session or at the OIDC provider.")),
		),
	)
}

func find(o *object, name string) (any, bool) {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil, false
	}
	return o.members[i].value, true
}

// operationObject describes an endpoint.
func operationObject(s *schemas, e *endpoint) *object {
	op := obj("operationId", e.ID, "tags", []string{e.Tag}, "summary", e.Summary)
	var params []any
	for _, p := range e.PathParams {
		params = append(params, parameter(e, "path", p, true))
	}
	for _, p := range e.Params {
		params = append(params, parameter(e, "query", p, p.Required))
	}
	if e.IfMatch {
		params = append(params, parameter(e, "header", param{Name: ifMatchHeader, Type: casm.TypeString, Doc: `The version, such as "3", that the named entity or item must have.`}, false))
	}
	for _, p := range e.Headers {
		params = append(params, parameter(e, "header", p, false))
	}
	if len(params) > 0 {
		op.set("parameters", params)
	}
	if e.Request != nil {
		name := requestName(e)
		media := obj("schema", s.name(name, e.Request, request))
		if e.Tag == tagConfig {
			s.acceptVersion(name)
		}
		if e.Example != "" {
			media.set("example", example(e.Example))
		}
		op.set("requestBody", obj("required", !e.OptionalBody, "content", obj("application/json", media)))
	}
	if e.Document != "" {
		schema := obj("schema", s.ref(e.Document))
		op.set("requestBody", obj("required", true, "content", obj(
			"application/json", obj("schema", s.ref(e.Document), "example", example(e.Example)), yamlType, schema)))
	}
	op.set("responses", responses(s, e))
	switch {
	case e.Open:
		op.set("security", []any{})
	case e.Permission == "":
		op.set("security", []any{obj("apiKey", []string{}), obj("session", []string{})})
	default:
		permission := []string{string(e.Permission)}
		op.set("security", []any{obj("apiKey", permission), obj("session", permission)})
	}
	return op
}

// collectionOf is the collection of configuration that an endpoint is about, or nil.
func collectionOf(e *endpoint) *casm.Collection {
	path, _, _ := strings.Cut(strings.TrimPrefix(e.Path, "/v1/config/"), "/")
	return casm.CollectionByPath(path)
}

// acceptVersion lets the input of an item have the version that a read gave.
func (s *schemas) acceptVersion(name string) {
	schema, _ := find(s.named, name)
	properties, _ := find(schema.(*object), "properties")
	properties.(*object).set("version", obj("type", []string{"integer", "null"}, "title", "Version", "readOnly", true, "description", "Accepted and ignored: the system counts versions."))
}

// requestName is the name of the schema of a body.
func requestName(e *endpoint) string {
	if e.Tag == tagConfig {
		return e.Request.Name + "Input"
	}
	return strings.ToUpper(e.ID[:1]) + e.ID[1:] + "Request"
}

func parameter(e *endpoint, in string, p param, required bool) *object {
	schema := obj("type", "string")
	switch p.Type {
	case casm.TypeInteger:
		schema = obj("type", "integer", "minimum", p.Min, "maximum", p.Max, "default", p.Default)
	case casm.TypeBoolean:
		schema = obj("type", "boolean", "default", false)
	case casm.TypeTime:
		schema.set("format", "date-time")
	case casm.TypeID:
		schema.set("format", "uuid")
	default:
		if in == "query" {
			schema.set("minLength", 1).set("maxLength", 255)
		}
		if p.Enum != nil {
			schema = obj("type", "string", "enum", p.Enum)
		}
	}
	if p.Repeated {
		schema = obj("type", "array", "items", schema, "maxItems", maxRepeats)
	}
	out := obj("name", p.Name, "in", in, "description", p.Doc)
	if required {
		out.set("required", true)
	}
	out.set("schema", schema)
	switch text := paramExample(e, p.Name); {
	case text == "":
	case p.Repeated:
		out.set("example", []string{text})
	default:
		out.set("example", text)
	}
	return out
}

// responses are those of an endpoint, by status.
func responses(s *schemas, e *endpoint) *object {
	status, kind := cmp.Or(e.Answer.Status, http.StatusOK), cmp.Or(e.Answer.Type, "application/json")
	good := obj("description", "Done.")
	headers := obj("X-Request-Id", headerRef("X-Request-Id"))
	if e.Answer.ETag {
		headers.set("ETag", headerRef("ETag"))
	}
	if e.Answer.Replays {
		headers.set("Idempotent-Replayed", headerRef("Idempotent-Replayed"))
	}
	if status == http.StatusCreated || status == http.StatusFound {
		headers.set("Location", headerRef("Location"))
	}
	good.set("headers", headers)
	if e.Answer.Schema != "" {
		media := obj("schema", s.ref(e.Answer.Schema))
		content := obj(kind, media)
		if e.Answer.AsJSON {
			media = obj("schema", s.ref(e.Answer.Schema))
			content.set("application/json", media)
		}
		if text := answerOf(e); text != "" {
			media.set("example", jsontext.Value(text))
		}
		good.set("content", content)
	}
	out := obj(strconv.Itoa(status), good)
	for _, status := range e.problems() {
		out.set(strconv.Itoa(status), obj("$ref", "#/components/responses/"+responseNames[status]))
	}
	if e.ID == "ready" {
		out.set("503", obj("description", "Not able to serve: what is missing.", "content", obj("application/json", obj("schema", s.ref("Readiness"),
			"example", obj("ready", false, "missing", []string{"the store cannot be reached"})))))
	}
	return out
}

// problems are the statuses, other than that of success, that an endpoint may answer.
func (e *endpoint) problems() []int {
	var list []int
	add := func(when bool, statuses ...int) {
		if when {
			list = append(list, statuses...)
		}
	}
	changes := !isRead(e.Method)
	items := e.Tag == tagConfig || strings.HasPrefix(e.Path, "/v1/admin/") // of configuration
	add(e.Tag != tagSystem, 400)                                           // each refuses query parameters that it does not know
	add(!e.Open, 401)
	add(!e.Open && (e.Permission != "" || e.ID == "batch"), 403)
	add(len(e.PathParams) > 0, 404)
	add(items && changes, 409)
	add(e.IfMatch || e.ID == "batch", 412)
	add(e.Request != nil || e.Document != "", 413, 415)
	add(!e.Open, 429)
	add(!e.Open, 500, 503) // 503 also of a token while nothing is known of the OIDC provider
	add(!e.Open && changes, 504)
	add(true, e.Refusals...)
	slices.Sort(list)
	return list
}

var responseNames = map[int]string{
	400: "BadRequest", 401: "Unauthenticated", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 412: "PreconditionFailed",
	413: "TooLarge", 415: "NotJSON", 429: "RateLimited", 500: "Internal", 503: "Unavailable", 504: "OutcomeUnknown",
}

var responseDocs = map[int]string{
	400: "The request is not valid: its shape, or a business rule; also a read of an entity that does not exist.",
	401: "There is no valid credential.", 403: "The credential does not have the permission, or a page of another site used a session.",
	404: "There is no such item.", 409: "The configuration is in conflict with what stands.",
	412: "If-Match does not hold.", 413: "The body is too large.", 415: "The body is not JSON.",
	429: "More requests than the key or user may make, or too many sign-ins failed; nothing was done.", 500: "An internal error.",
	503: "Overloaded or stopping; nothing was done.", 504: "The outcome is unknown; repeat with the same requestId.",
}

func problemResponses() *object {
	out := obj()
	for _, status := range []int{400, 401, 403, 404, 409, 412, 413, 415, 429, 500, 503, 504} {
		r := obj("description", responseDocs[status])
		headers := obj("X-Request-Id", headerRef("X-Request-Id"))
		if status == 429 || status == 503 {
			headers.set("Retry-After", headerRef("Retry-After"))
		}
		if status == 401 {
			headers.set("WWW-Authenticate", headerRef("WWW-Authenticate"))
		}
		r.set("headers", headers)
		media := obj("schema", obj("$ref", componentPrefix+"Problem"))
		examples := obj()
		for _, c := range codeDocs {
			if c.Code.Status() == status || c.Code == casm.NotFound && status == http.StatusNotFound {
				examples.set(string(c.Code), obj("summary", c.Meaning, "value", problemExample(c.Code, c.Meaning, status)))
			}
		}
		out.set(responseNames[status], r.set("content", obj("application/problem+json", media.set("examples", examples))))
	}
	return out
}

func headerRef(name string) *object { return obj("$ref", "#/components/headers/"+name) }

func headerComponents() *object {
	header := func(doc string, schema *object) *object { return obj("description", doc, "schema", schema) }
	text := obj("type", "string")
	return obj(
		"ETag", header(`The version, such as "3", that a following If-Match would be compared with.`, text),
		"Idempotent-Replayed", header("Stands when the answer repeats that of an earlier request with the same requestId.", obj("type", "string", "const", "true")),
		"Location", header("Where the new item is, or where to go.", text),
		"Retry-After", header("How many seconds to wait.", obj("type", "integer", "minimum", 1)),
		"WWW-Authenticate", header("How to sign in.", text),
		"X-Request-Id", header("The id under which the log has the request: the client's, if it sent a sane one.", text),
	)
}

// answerSchemas names the schemas of answers.
func answerSchemas(s *schemas) {
	for _, k := range casm.Kinds {
		s.name(k.String(), casm.DescribeValue(casm.NewEntity(k)), reply)
	}
	payloads := map[casm.Kind]bool{}
	for _, op := range command.Operations {
		payloads[op.Payload] = true
	}
	s.named.set("Impacted", obj("type", "object", "required", []string{"type", "refId", "version"}, "properties", obj(
		"type", obj("type", "string", "description", "The entity's type."), "refId", obj("type", "string", "format", "uuid"),
		"externalId", obj("type", "string"), "version", obj("type", "integer", "format", "int64", "description", "The new version."))))
	for _, k := range casm.Kinds {
		if payloads[k] {
			s.named.set(k.String()+"Transaction", transactionSchema(s, k))
		}
	}
	for _, r := range engine.Reads {
		properties := obj()
		for _, flag := range r.Flags {
			addView(s, properties, flag)
		}
		s.named.set(r.Kind.String()+"List", obj("type", "object", "required", []string{"items"}, "properties", obj(
			"items", obj("type", "array", "items", s.ref(r.Kind.String())),
			"nextCursor", obj("type", "string", "description", "Give it as cursor for the next page; none: this is the last."))))
		s.named.set(r.Kind.String()+"Read", obj("allOf", []any{s.ref(r.Kind.String()), obj("type", "object", "properties", properties)}))
	}
	s.named.set("TimeLineEntry", timeLineSchema(s))
	items := func(of *object) *object {
		return obj("type", "object", "required", []string{"items"}, "properties", obj("items", obj("type", "array", "items", of)))
	}
	s.named.set("SubscriberResourceItems", items(s.ref("SubscriberResource")))
	s.named.set("BalanceItems", items(s.ref("Balance")))
	for _, c := range casm.Collections {
		if !c.Internal {
			s.named.set(c.Object.Name+"Items", items(s.name(c.Object.Name, c.Object, reply)))
		}
	}
	s.named.set("ConfigurationDocument", obj("type", "object", "description", "A member per collection under its path name, each a list of items by code, without versions."))
	s.name("ImportAnswer", casm.Describe[importAnswer](), reply)
	s.named.set("ConfigHistory", items(s.name("ConfigVersion", casm.Describe[configVersion](), reply)))
	s.named.set("Services", items(s.name("ServiceSpec", casm.Describe[casm.ServiceSpec](), reply)))
	s.named.set("Feed", feedSchema(items(s.name("FeedItem", casm.Describe[feedItem](), reply))))
	streamSchemas(s, items)
	warehouseSchemas(s)
	audit := items(s.name("AuditRecord", casm.Describe[auditItem](), reply))
	properties, _ := find(audit, "properties")
	properties.(*object).set("nextCursor", obj("type", "string", "description", "Give it as cursor for the next page; none: this is the last."))
	s.named.set("Audit", audit)
	s.named.set("KeyItems", items(s.name("Key", keyInput, reply)))
	s.name("NewKey", casm.Describe[madeKey](), reply)
	s.named.set("RoleItems", items(s.name("Role", casm.Describe[auth.Role](), reply)))
	s.named.set("UserItems", items(s.name("User", casm.Describe[auth.User](), reply)))
	s.name("Session", casm.Describe[begunSession](), reply)
	s.name("SignInMethods", casm.Describe[auth.Methods](), reply)
	s.name("Caller", casm.Describe[caller](), reply)
	s.named.set("History", historySchema())
	s.named.set("Problem", problemSchema(s))
	s.named.set("BatchAnswer", batchSchema(s))
	s.named.set("Health", obj("type", "object", "required", []string{"status"}, "properties", obj("status", obj("type", "string"))))
	s.named.set("Readiness", obj("type", "object", "required", []string{"ready", "missing"}, "properties", obj(
		"ready", obj("type", "boolean"), "missing", obj("type", "array", "items", obj("type", "string")),
		"relay", obj("type", "string", "enum", []string{"starting", "running", "standby", "paused", "blocked", "failing"},
			"description", "What this server's relay is about; of several servers on one database one publishes and the others stand by. It does not bear on readiness."))))
	s.named.set("EventStream", obj("type", "string", "description", "Server-sent events; their data are of FeedItem."))
	s.named.set("JSONSchema", obj("type", "object"))
	s.named.set("Text", obj("type", "string"))
}
