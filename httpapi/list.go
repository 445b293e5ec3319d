package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"casm"
	"casm/engine"
	"casm/store"

	"github.com/google/uuid"
)

// attributeFilter is how the parameters customAttributes.<key> begin.
const attributeFilter = "customAttributes."

// filterParams describe the filters of lists, by name (contract 6).
var filterParams = map[string]param{
	"state":         {Type: casm.TypeString, Enum: []string{casm.Inactive, casm.Active, casm.Suspended, casm.Deactivated}, Doc: "The state."},
	"stateReason":   {Type: casm.TypeString, Doc: "Code of the state reason."},
	"segment":       {Type: casm.TypeString, Doc: "Code of the segment."},
	"customName":    {Type: casm.TypeString, Doc: "How the name begins."},
	"externalId":    {Type: casm.TypeString, Doc: "How the external id begins."},
	"customer":      {Type: casm.TypeID, Doc: "refId of a customer: all below it."},
	"account":       {Type: casm.TypeID, Doc: "refId of an account: all below it."},
	"subscriber":    {Type: casm.TypeID, Doc: "refId of a subscriber: all below it."},
	"offer":         {Type: casm.TypeString, Doc: "Code of the offer."},
	"resourceType":  {Type: casm.TypeString, Doc: "Code of the type of a resource that the subscriber has."},
	"resource":      {Type: casm.TypeString, Doc: "Value of a resource that the subscriber has."},
	"updatedSince":  {Type: casm.TypeTime, Doc: "What changed at or after the instant, in the order of change."},
	"plannedBefore": {Type: casm.TypeTime, Doc: "What has a plan for before the instant, also one that waits for a confirm."},
	"test":          {Type: casm.TypeBoolean, Doc: "Only test entities, or none."},
}

// listParams are those of the list of a kind.
func listParams(kind casm.Kind) []param {
	var params []param
	for _, name := range engine.ListFilters(kind) {
		p, ok := filterParams[name]
		if !ok {
			panic("httpapi: the filter " + name + " is not described")
		}
		p.Name, p.Repeated = name, true
		params = append(params, p)
	}
	return append(params,
		param{Name: attributeFilter + "<key>", Prefix: attributeFilter, Type: casm.TypeString, Repeated: true, Doc: "The value of a custom attribute; one key a query."},
		limitParam, cursorParam)
}

// list serves a page of entities.
func list(kind casm.Kind) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		query := engine.ListQuery{Kind: kind}
		var asked uint64
		if _, ok := x.query(func(q values, v *casm.Violations) {
			query.Limit = int(x.integer(q, "limit"))
			readFilters(&query, q, v)
			asked = fingerprint(kind.String(), q)
			if !q.has("cursor") {
				return
			}
			var ok bool
			if query.After, ok = readListCursor(q["cursor"].text, asked); !ok {
				v.Add(casm.InvalidValue, "cursor", "this is no cursor of this list; give nextCursor of the page before as it is, with the same filters")
			}
		}); !ok {
			return
		}
		items, next, err := s.engine.List(x.context(), query)
		if err != nil {
			x.fail(err)
			return
		}
		x.listPage(items, next, asked)
	}
}

// listPage answers with a page.
func (x *exchange) listPage(items []byte, next *store.Cursor, asked uint64) {
	body := make([]byte, 0, len(items)+128)
	body = append(append(body, `{"items":`...), items...)
	if next != nil {
		body = append(append(append(body, `,"nextCursor":"`...), writeListCursor(*next, asked)...), '"')
	}
	x.json(http.StatusOK, append(body, '}'))
}

// readFilters puts filters into a query. Repeated values are alternatives,
// also of times and of test.
func readFilters(query *engine.ListQuery, q values, v *casm.Violations) {
	query.States, query.Reasons = q.texts("state"), q.texts("stateReason")
	query.Segments, query.Offers = q.texts("segment"), q.texts("offer")
	query.CustomNames, query.ExternalIDs = q.texts("customName"), q.texts("externalId")
	query.Customers, query.Accounts, query.Subscribers = q.ids("customer"), q.ids("account"), q.ids("subscriber")
	query.ResourceTypes, query.Resources = q.texts("resourceType"), q.texts("resource")
	for _, since := range q.all("updatedSince") {
		if query.UpdatedSince == 0 || since.time < query.UpdatedSince {
			query.UpdatedSince = since.time
		}
	}
	for _, before := range q.all("plannedBefore") {
		query.PlannedBefore = max(query.PlannedBefore, before.time)
	}
	tests := q.all("test")
	for i := range tests {
		if query.Test = &tests[i].boolean; *query.Test != tests[0].boolean {
			query.Test = nil // either is all
			break
		}
	}
	for name := range q {
		key, ok := strings.CutPrefix(name, attributeFilter)
		switch {
		case !ok:
		case query.Attributes != nil:
			v.Add(casm.TooMany, attributeFilter, "several custom attributes are asked for; one key a query is allowed")
		case key == "" || utf8.RuneCountInString(key) > 100 || strings.ContainsFunc(key, unicode.IsControl):
			v.Add(casm.InvalidValue, clip(name), "the key of a custom attribute has 1 to 100 characters, none of them a control character")
		default:
			query.AttributeKey, query.Attributes = key, q.texts(name)
		}
	}
}

func (v values) all(name string) []value {
	first, ok := v[name]
	if !ok {
		return nil
	}
	return append([]value{first}, first.more...)
}

func (v values) texts(name string) []string {
	var out []string
	for _, x := range v.all(name) {
		out = append(out, x.text)
	}
	return out
}

func (v values) ids(name string) []uuid.UUID {
	var out []uuid.UUID
	for _, x := range v.all(name) {
		out = append(out, x.id)
	}
	return out
}

// fingerprint tells what a list was asked for: of what and by which filters, however
// they were ordered. A cursor carries it, because a page that follows under
// other filters would leave things out without anybody noticing.
func fingerprint(of string, q values) uint64 {
	h := fnv.New64a()
	write := func(s string) { h.Write(append([]byte(s), 0)) } // a hash never fails; no text holds 0
	write(of)
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if name == "cursor" || name == "limit" {
			continue
		}
		write(name)
		for _, text := range slices.Sorted(slices.Values(q.texts(name))) {
			write(text)
		}
	}
	return h.Sum64()
}

// The cursor of a list is opaque to clients: what was asked for, the last row's
// time of change, with updatedSince, and its refId.
func writeListCursor(c store.Cursor, asked uint64) string {
	b := binary.BigEndian.AppendUint64([]byte{'l'}, asked)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Updated))
	return base64.RawURLEncoding.EncodeToString(append(b, c.RefID[:]...))
}

func readListCursor(s string, asked uint64) (c store.Cursor, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 1+8+8+len(c.RefID) || b[0] != 'l' || binary.BigEndian.Uint64(b[1:]) != asked {
		return c, false
	}
	c.Updated = casm.Time(binary.BigEndian.Uint64(b[9:]))
	copy(c.RefID[:], b[17:])
	return c, c.Updated >= 0 && c.Updated < casm.MaxTime
}
