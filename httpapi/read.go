package httpapi

import (
	"encoding/base64"
	"net/http"
	"strconv"

	"casm"
	"casm/command"
	"casm/engine"
)

// Parameters that several reads share.
var (
	refIDParam      = param{Name: "refId", Type: casm.TypeID, Doc: "The id that the system gave."}
	externalIDParam = param{Name: "externalId", Type: casm.TypeString, Doc: "The id that the client gave."}
	asOfParam       = param{Name: "asOf", Type: casm.TypeTime, Doc: "The instant whose view is wanted; none: now."}
	cursorParam     = param{Name: "cursor", Type: casm.TypeString, Doc: "nextCursor of the page before."}
	limitParam      = param{Name: "limit", Type: casm.TypeInteger, Min: 1, Max: 500, Default: 50, Doc: "How many at most."}
)

// readParams are those of a read.
func readParams(r *engine.Read) []param {
	params := []param{refIDParam, externalIDParam}
	if r.ByResource {
		params = append(params,
			param{Name: "resourceType", Type: casm.TypeString, Doc: "With resource: names the subscriber by one of its resources."},
			param{Name: "resource", Type: casm.TypeString, Doc: "The resource's value."})
	}
	for _, flag := range r.Flags {
		params = append(params, param{Name: flag, Type: casm.TypeBoolean, Doc: flagDocs[flag]})
	}
	return append(params, asOfParam)
}

// flagDocs say what the views of reads are.
var flagDocs = map[string]string{
	"stateHistory":     "Includes the history of the state, last recorded first.",
	"segmentHistory":   "Includes the history of the segment, last recorded first.",
	"billCycleHistory": "Includes the history of the bill cycle, last recorded first.",
	"parentHistory":    "Includes the history of the parent, last recorded first.",
	"accounts":         "Includes all accounts of the customer, up to 1,000.",
	"subordinates":     "Includes the accounts directly below, up to 1,000.",
	"subscribers":      "Includes the subscribers directly below, up to 1,000.",
	"offers":           "Includes the subscriptions directly below, up to 1,000.",
	"resources":        "Includes the valid resources.",
	"balances":         "Includes the valid balances.",
}

func ref(q values) casm.Ref {
	return casm.Ref{RefID: q["refId"].id, ExternalID: q["externalId"].text}
}

// checkNamed adds a violation when a query names nothing.
func checkNamed(q values, v *casm.Violations) {
	if !q.has("refId") && !q.has("externalId") && !hasAt(*v, "refId", "externalId") {
		v.Add(casm.OneOfRequired, "refId", "give refId or externalId")
	}
}

// checkNamedOrResource is checkNamed for what resourceType and resource can name, too.
func checkNamedOrResource(q values, v *casm.Violations) {
	byID := q.has("refId") || q.has("externalId")
	switch typ, resource := q.has("resourceType"), q.has("resource"); {
	case hasAt(*v, "refId", "externalId", "resourceType", "resource"):
	case byID && (typ || resource):
		v.Add(casm.OneOfRequired, "resource", "give refId or externalId, or resourceType with resource, not both")
	case typ && !resource:
		v.Add(casm.Required, "resource", "resource is missing; it must be given together with resourceType")
	case resource && !typ:
		v.Add(casm.Required, "resourceType", "resourceType is missing; it must be given together with resource")
	case !byID && !resource:
		v.Add(casm.OneOfRequired, "refId", "give refId or externalId, or resourceType with resource")
	}
}

func hasAt(v casm.Violations, pointers ...string) bool {
	for _, x := range v {
		for _, p := range pointers {
			if x.Pointer == p {
				return true
			}
		}
	}
	return false
}

// read serves a read of one entity.
func read(r *engine.Read) func(*Server, *exchange) {
	check := checkNamed
	if r.ByResource {
		check = checkNamedOrResource
	}
	return func(s *Server, x *exchange) {
		q, ok := x.query(check)
		if !ok {
			return
		}
		query := engine.Query{
			Read: r, Ref: ref(q), AsOf: q["asOf"].time, Flags: map[string]bool{},
			Resource: command.ResourceKey{Type: q["resourceType"].text, Value: q["resource"].text},
		}
		for _, flag := range r.Flags {
			query.Flags[flag] = q[flag].boolean
		}
		x.answerRead(s.engine.Read(x.context(), query))
	}
}

func (x *exchange) answerRead(a *engine.Answer, err error) {
	if err != nil {
		x.fail(err)
		return
	}
	x.etag(a.ETag)
	x.json(http.StatusOK, a.Body)
}

var resourceParams = []param{
	refIDParam, externalIDParam,
	{Name: "resourceType", Type: casm.TypeString, Doc: "Code of the resource type; none: all."},
	{Name: "historyIncluded", Type: casm.TypeBoolean, Doc: "Includes ended resources."},
	asOfParam,
}

// readResources serves the resources of a subscriber.
func readResources(s *Server, x *exchange) {
	q, ok := x.query(checkNamed)
	if !ok {
		return
	}
	x.answerRead(s.engine.ReadResources(x.context(), engine.ResourceQuery{
		Ref: ref(q), ResourceType: q["resourceType"].text, HistoryIncluded: q["historyIncluded"].boolean, AsOf: q["asOf"].time,
	}))
}

// balanceParams are those of the reads of balances, of which that of one needs
// the service.
func balanceParams(list bool) []param {
	doc := "Code of the product's service that granted the balance"
	if list {
		doc += "; none: all"
	}
	service := param{Name: "service", Type: casm.TypeString, Required: !list, Doc: doc + "."}
	return []param{refIDParam, externalIDParam, service, asOfParam}
}

// readBalances serves a list of the balances of a subscription, or that of one
// service.
func readBalances(list bool) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		q, ok := x.query(checkNamed)
		if !ok {
			return
		}
		x.answerRead(s.engine.ReadBalances(x.context(), engine.BalanceQuery{
			Ref: ref(q), Service: q["service"].text, List: list, AsOf: q["asOf"].time,
		}))
	}
}

var historyParams = []param{refIDParam, externalIDParam, limitParam, cursorParam}

// history serves the business transactions of an entity.
func history(kind casm.Kind) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		var before int64
		q, ok := x.query(func(q values, v *casm.Violations) {
			checkNamed(q, v)
			if q.has("cursor") {
				before, _ = readCursor(q["cursor"].text)
				if before == 0 {
					v.Add(casm.InvalidValue, "cursor", "this is no cursor of this list; give nextCursor of the page before as it is")
				}
			}
		})
		if !ok {
			return
		}
		items, next, err := s.engine.History(x.context(), engine.HistoryQuery{
			Kind: kind, Ref: ref(q), Limit: int(x.integer(q, "limit")), Before: before,
		})
		if err != nil {
			x.fail(err)
			return
		}
		body := make([]byte, 0, len(items)+64)
		body = append(append(body, `{"items":`...), items...)
		if next > 0 {
			body = append(append(append(body, `,"nextCursor":"`...), writeCursor(next)...), '"')
		}
		x.json(http.StatusOK, append(body, '}'))
	}
}

// A cursor is opaque to clients: the version below which to go on.
func writeCursor(version int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt([]byte("v"), version, 10))
}

func readCursor(s string) (int64, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 2 || b[0] != 'v' {
		return 0, false
	}
	return command.ParseVersion(string(b[1:]))
}
