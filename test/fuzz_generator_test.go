package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"casm/internal/testkit"

	"github.com/google/uuid"
)

// generator makes requests.
type generator struct {
	*rand.Rand
	api     *testkit.OpenAPI
	pool    *pool
	hostile float64 // how likely each value is wrong
}

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) wrong() bool { return g.chance(g.hostile) }

// fuzzed is one request.
type fuzzed struct {
	op      *testkit.APIOperation
	path    string
	headers http.Header
	body    []byte
}

func (g *generator) request(op *testkit.APIOperation) *fuzzed {
	g.hostile = pick(g, []float64{0, 0, 0, 0.02, 0.1, 0.4})
	r := &fuzzed{op: op, headers: http.Header{}}
	r.path = op.Path
	query := url.Values{}
	named := false
	for _, p := range op.Params {
		switch p.In {
		case "path":
			r.path = strings.Replace(r.path, "{"+p.Name+"}", url.PathEscape(g.pathValue(op, p.Name)), 1)
		case "header":
			if g.chance(0.1) {
				r.headers.Set(p.Name, pick(g, []string{`"1"`, `"2"`, "1", "", `"`, "x", `W/"1"`, "0", "-1", "99999999999999999999", "1-0", "9-9"}))
			}
		case "query":
			given := p.Required || g.chance(0.15)
			if (p.Name == "refId" || p.Name == "externalId") && !named {
				given = given || g.chance(0.6)
				named = named || given
			}
			if given && !g.wrong() {
				query.Set(p.Name, g.queryValue(op, p))
			}
		}
	}
	if g.wrong() {
		query.Add(pick(g, []string{"colour", "refId", "limit", "\x00", "", "customAttributes.", "é"}), g.text(20))
	}
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	if op.Request != nil {
		r.body = g.body(op)
		r.headers.Set("Content-Type", "application/json")
		if g.wrong() && g.chance(0.2) {
			r.headers.Set("Content-Type", pick(g, []string{"text/plain", "application/json; charset=utf-8", "application/json; charset=latin1", "", "application/yaml", "x/"}))
		}
	}
	return r
}

func (g *generator) pathValue(op *testkit.APIOperation, name string) string {
	if g.wrong() {
		return g.text(30) + "x"
	}
	if name == "file" {
		return pick(g, []string{"customer.json", "balance.json", "fax.json", "customer"})
	}
	collection := strings.Split(op.Path, "/")[3]
	known := g.pool.codes[collection]
	if strings.HasPrefix(op.Path, "/v1/streams/") && op.ID != "pauseStream" {
		known = []string{"stream"} // the built-in one
	}
	if g.chance(0.5) && len(known) > 0 && (op.Method == http.MethodGet || strings.HasPrefix(op.Path, "/v1/streams/")) {
		return pick(g, known)
	}
	return fmt.Sprintf("fuzz%d", g.IntN(20))
}

func (g *generator) queryValue(op *testkit.APIOperation, p testkit.APIParam) string {
	if g.wrong() {
		return g.text(300)
	}
	kinds := map[string]string{"customers": "Customer", "accounts": "Account", "subscribers": "Subscriber", "subscriptions": "OfferSubscription"}
	kind := kinds[strings.Split(op.Path, "/")[3%len(strings.Split(op.Path, "/"))]]
	switch p.Name {
	case "refId", "customer", "account", "subscriber":
		if p.Name != "refId" {
			kind = kinds[p.Name+"s"]
		}
		return g.id(kind, true)
	case "externalId":
		return g.id(kind, false)
	case "resourceType":
		return pick(g, g.pool.codes["resource-types"])
	case "cursor":
		return pick(g, []string{"x", "bAAAAAAAAAAAGY", "djE", strings.Repeat("A", 34), "==="})
	}
	schema := p.Schema
	if items, ok := schema["items"].(map[string]any); ok {
		schema = items
	}
	switch v := g.value(schema, 0, p.Name).(type) {
	case string:
		return v
	case raw:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// id is an id of an entity of the kind, or of none.
func (g *generator) id(kind string, refID bool) string {
	g.pool.mu.Lock()
	defer g.pool.mu.Unlock()
	for range 4 {
		list := g.pool.ids[kind]
		if len(list) == 0 || g.chance(0.05) {
			break
		}
		id := pick(g, list)
		if _, err := uuid.Parse(id); (err == nil) == refID {
			return id
		}
	}
	if refID {
		return uuid.Must(uuid.NewV7()).String()
	}
	return fmt.Sprintf("fuzz-%d", g.IntN(300))
}

func (g *generator) body(op *testkit.APIOperation) []byte {
	switch {
	case g.wrong() && g.chance(0.3):
		return []byte(pick(g, []string{"", "{", "null", "[]", "7", `"x"`, "{}", `{"requestId":"a","requestId":"b"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}", strings.Repeat("[", 5000), `{"requestId":"x"}x`, "\ufeff{}", strings.Repeat(" ", 1<<20+1)}))
	case op.ID == "importConfiguration": // what it makes of the configuration is tested elsewhere
		return []byte(`{"lotteries": []}`)
	case op.Example != nil && g.chance(0.3):
		var v any
		if json.Unmarshal(op.Example, &v) == nil {
			if m, ok := v.(map[string]any); ok {
				g.adapt(m)
				return g.encode(m)
			}
		}
	}
	v := g.value(op.Request, 0, "")
	if m, ok := v.(map[string]any); ok {
		if _, has := m["requestId"]; has && !g.wrong() {
			m["requestId"] = uuid.NewString()
		}
		if _, has := m["code"]; has && !g.wrong() {
			m["code"] = fmt.Sprintf("fuzz%d", g.IntN(20))
		}
		if op.ID == "batch" && !g.wrong() {
			m["operations"] = g.operations()
		}
	}
	return g.encode(v)
}

// operations are those of a batch.
func (g *generator) operations() []any {
	list := []any{}
	for range 1 + g.IntN(4) {
		op := pick(g, g.api.Operations)
		if op.Method != http.MethodPost || !strings.HasPrefix(op.Path, "/v1/casm/") {
			continue
		}
		body := g.value(op.Request, 1, "")
		if m, ok := body.(map[string]any); ok && !g.wrong() {
			delete(m, "requestId")
		}
		list = append(list, map[string]any{"operation": op.ID, "body": body})
	}
	return list
}

// adapt puts what there is into an example.
func (g *generator) adapt(m map[string]any) {
	m["requestId"] = uuid.NewString()
	kinds := map[string]string{"customer": "Customer", "account": "Account", "parent": "Account", "subscriber": "Subscriber", "subscription": "OfferSubscription"}
	for name, kind := range kinds {
		if _, has := m[name]; has {
			m[name] = map[string]any{"refId": g.id(kind, true)}
		}
	}
	for _, name := range []string{"externalId", "primaryResource", "resource"} {
		if text, ok := m[name].(string); ok {
			m[name] = map[string]string{"externalId": fmt.Sprintf("fuzz-%d", g.IntN(3000)), "primaryResource": fmt.Sprintf("49%08d", g.IntN(1000000)), "resource": fmt.Sprintf("10.0.%d.%d", g.IntN(255), g.IntN(255))}[name]
			_ = text
		}
	}
	if _, has := m["code"]; has {
		m["code"] = fmt.Sprintf("fuzz%d", g.IntN(20))
		delete(m, "requestId")
	}
	if g.wrong() {
		keys := slices.Sorted(maps.Keys(m))
		m[pick(g, keys)] = g.anything()
	}
}

// raw is a JSON text that encoding/json would not write.
type raw string

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func (g *generator) encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"requestId": "unencodable"}`)
	}
	if g.wrong() && len(b) > 2 { // a byte that does not belong there
		b[1+g.IntN(len(b)-1)] ^= byte(1 << g.IntN(8))
	}
	return b
}

// value makes a value of a schema, or a hostile one.
func (g *generator) value(schema map[string]any, depth int, name string) any {
	if g.wrong() {
		return g.anything()
	}
	if ref, ok := schema["$ref"].(string); ok {
		kind := ""
		if e, ok := schema["x-casm-entity"].(string); ok {
			kind = e
		}
		return g.object(g.api.Schema(ref), depth, kind, name)
	}
	if list, ok := schema["anyOf"].([]any); ok && schema["type"] == nil {
		inner, _ := pick(g, list[:1]).(map[string]any)
		out := maps.Clone(inner)
		out["x-casm-entity"] = schema["x-casm-entity"]
		return g.value(out, depth, name)
	}
	if list, ok := schema["enum"].([]any); ok {
		return pick(g, list)
	}
	if collection, ok := schema["x-casm-collection"].(string); ok && len(g.pool.codes[collection]) > 0 && !g.wrong() {
		return pick(g, g.pool.codes[collection])
	}
	kind, _ := schema["type"].(string)
	if list, ok := schema["type"].([]any); ok {
		kind, _ = list[0].(string)
		if kind != "null" && slices.Contains(list, any("null")) && g.chance(0.1) {
			return nil
		}
	}
	switch kind {
	case "string":
		return g.stringOf(schema, name)
	case "integer":
		return g.integerOf(schema)
	case "boolean":
		return g.chance(0.5)
	case "array":
		return g.arrayOf(schema, depth)
	case "object":
		return g.object(schema, depth, "", name)
	}
	return g.anything()
}

func (g *generator) object(schema map[string]any, depth int, entity, name string) any {
	properties, _ := schema["properties"].(map[string]any)
	out := map[string]any{}
	if entity != "" && !g.wrong() { // a reference
		if g.chance(0.7) {
			return map[string]any{"refId": g.id(entity, true)}
		}
		return map[string]any{"externalId": g.id(entity, false)}
	}
	if properties == nil { // a map of what keys there are
		if extra, ok := schema["additionalProperties"].(map[string]any); ok {
			for range g.IntN(3) {
				out[pick(g, []string{"key1", "key2", "grantedBalance", "unitOfMeasure", "charge", "discount", g.text(12)})] = g.value(extra, depth+1, name)
			}
		}
		if name == "attributes" && g.chance(0.7) {
			return map[string]any{"grantedBalance": g.IntN(1000), "unitOfMeasure": "EVENT"}
		}
		return out
	}
	required, _ := schema["required"].([]any)
	for _, member := range slices.Sorted(maps.Keys(properties)) {
		must := slices.Contains(required, any(member))
		if (must && !g.wrong()) || (!must && g.chance(0.25) && depth < 5) {
			inner, _ := properties[member].(map[string]any)
			out[member] = g.value(inner, depth+1, member)
		}
	}
	if state, ok := out["state"].(string); ok && name == "state" && !g.wrong() {
		out["stateReason"] = map[string]string{"INACTIVE": "dfltInactive", "ACTIVE": "dfltActive", "SUSPENDED": "dfltSuspended", "DEACTIVATED": "dfltDeactivated"}[state]
		if g.chance(0.7) {
			delete(out, "pending")
		}
	}
	if g.wrong() {
		out[g.text(20)] = g.anything()
	}
	return out
}

func (g *generator) arrayOf(schema map[string]any, depth int) any {
	items, _ := schema["items"].(map[string]any)
	n := g.IntN(3)
	if g.wrong() && g.chance(0.2) {
		n = 1001
		return slices.Repeat([]any{g.value(items, 5, "")}, n)
	}
	out := make([]any, n)
	for i := range out {
		out[i] = g.value(items, depth+1, "")
	}
	return out
}

func number(v any, otherwise float64) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return otherwise
}

func (g *generator) integerOf(schema map[string]any) any {
	low, high := number(schema["minimum"], -9007199254740991), number(schema["maximum"], 9007199254740991)
	if g.wrong() || g.chance(0.05) {
		return pick(g, []any{int64(low) - 1, int64(high) + 1, raw("1.5"), raw("1e3"), raw("1.0"), raw("-0"), raw("99999999999999999999999"), raw("1e400")})
	}
	switch g.IntN(4) {
	case 0:
		return int64(low)
	case 1:
		return int64(high)
	}
	return int64(low) + g.Int64N(min(int64(high)-int64(low), 1000)+1)
}

func (g *generator) stringOf(schema map[string]any, name string) any {
	switch schema["format"] {
	case "date-time":
		at := time.Now().Add(time.Duration(g.Int64N(int64(48*time.Hour))) - 24*time.Hour)
		if g.wrong() {
			return pick(g, []string{"2024-05-01", "yesterday", "2024-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-05-01T00:00:00", "2024-05-01T24:00:00Z", "2024-05-01t00:00:00z", "2199-12-31T23:59:59.999999999Z"})
		}
		return pick(g, []string{at.Format(time.RFC3339), at.Format(time.RFC3339Nano), at.Add(-100 * 24 * time.Hour).UTC().Format(time.RFC3339), "2199-12-31T00:00:00Z", "1970-01-01T00:00:00Z"})
	case "uuid":
		return uuid.NewString()
	}
	if name == "externalId" {
		return fmt.Sprintf("fuzz-%d", g.IntN(3000))
	}
	longest := int(number(schema["maxLength"], 255))
	switch {
	case g.wrong() && g.chance(0.3):
		return strings.Repeat("é", longest+1)
	case g.chance(0.03):
		return strings.Repeat("x", longest)
	case schema["pattern"] != nil:
		return fmt.Sprintf("fuzz%d", g.IntN(1000))
	}
	return g.text(min(longest, 40))
}

// text is any text: mostly harmless.
func (g *generator) text(longest int) string {
	if g.wrong() {
		return pick(g, []string{"", " ", "\x00", "a\nb", "\u202e", "😀😀", "e\u0301", "\ufeff", "' OR 1=1 --", "%", "_", "<script>", "../../etc", "\\", "\"", "a\tb", "\u2028", strings.Repeat("9", 300), "null", "ｆｕｌｌ", "\U0010ffff"})
	}
	letters := []rune("abcdefghijklmnopqrstuvwxyz0123456789 -_.äß€")
	out := make([]rune, 1+g.IntN(max(1, min(longest, 30))))
	for i := range out {
		out[i] = pick(g, letters)
	}
	return string(out)
}

// anything is a value that is most likely wrong.
func (g *generator) anything() any {
	return pick(g, []any{nil, true, 0, -1, 1.5, "", "x", g.text(10), []any{}, map[string]any{}, []any{nil}, map[string]any{"a": map[string]any{"b": []any{1}}}, raw("1e400"), raw("9007199254740992"), raw("-9223372036854775809"), strings.Repeat("y", 5000), map[string]any{"refId": "x"}, map[string]any{"": ""}})
}
