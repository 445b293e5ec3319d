package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"casm"
	"casm/command"

	"github.com/google/uuid"
)

// param is a query parameter: parsing, the reference and OpenAPI follow from it.
type param struct {
	Name, Doc string
	Type      casm.Type // TypeString, TypeInteger, TypeBoolean, TypeTime or TypeID
	Min, Max  int64     // of an integer
	Default   int64     // of an integer
	Enum      []string
	Required  bool
	Repeated  bool   // may stand several times: any of its values will do
	Prefix    string // stands for all names that begin so
}

// maxRepeats is how often a parameter may stand in a query.
const maxRepeats = 100

// values are the query parameters of a request, by name.
type values map[string]value

type value struct {
	text    string
	integer int64
	boolean bool
	time    casm.Time
	id      uuid.UUID
	more    []value // of a repeated parameter
}

func (v values) has(name string) bool { _, ok := v[name]; return ok }

// integer returns an integer parameter or its default.
func (x *exchange) integer(v values, name string) int64 {
	if given, ok := v[name]; ok {
		return given.integer
	}
	for _, p := range x.endpoint.Params {
		if p.Name == name {
			return p.Default
		}
	}
	return 0
}

// Bounds of a query: longer ones are refused before they are taken apart.
const (
	maxQuery      = 16 << 10
	maxViolations = 100
)

// readQuery takes the query apart by the endpoint's parameters and adds what
// is wrong. (contract 4: unknown parameters and repeated ones are refused).
func (x *exchange) readQuery(v *casm.Violations) values {
	raw := x.r.URL.RawQuery
	if raw == "" {
		return nil
	}
	if len(raw) > maxQuery {
		v.Add(casm.TooLong, "", "the query has %d bytes; at most %d are allowed", len(raw), maxQuery)
		return nil
	}
	out := values{}
	seen := map[string]int{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		if len(*v) >= maxViolations {
			break
		}
		rawName, rawText, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(rawName)
		text, err2 := url.QueryUnescape(rawText)
		p := x.endpoint.param(name)
		switch {
		case err1 != nil || p == nil || !utf8.ValidString(name):
			x.unknownParam(name, rawName, v)
		case seen[name] > 0 && !p.Repeated:
			v.Add(casm.InvalidValue, name, "the parameter %s stands twice; give it once", name)
		case seen[name] == maxRepeats:
			v.Add(casm.TooMany, clip(name), "the parameter stands more than %d times", maxRepeats)
		case seen[name] > maxRepeats:
		case err2 != nil || !utf8.ValidString(text):
			v.Add(casm.InvalidValue, clip(name), "the value is not percent-encoded UTF-8")
		default:
			out.parse(p, name, text, v)
		}
		seen[name]++
	}
	return out
}

// param returns the query parameter with the name, or nil.
func (e *endpoint) param(name string) *param {
	i := slices.IndexFunc(e.Params, func(p param) bool {
		return p.Name == name && p.Prefix == "" || p.Prefix != "" && strings.HasPrefix(name, p.Prefix)
	})
	if i < 0 {
		return nil
	}
	return &e.Params[i]
}

// parse reads one value of a parameter.
func (v values) parse(p *param, name, text string, violations *casm.Violations) {
	got, ok := p.parse(text, violations)
	if !ok {
		return
	}
	if first, stands := v[name]; stands {
		first.more = append(first.more, got)
		got = first
	}
	v[name] = got
}

func (x *exchange) unknownParam(name, raw string, v *casm.Violations) {
	if name == "" || !utf8.ValidString(name) {
		name = strings.ToValidUTF8(raw, "?")
	}
	known := "it takes none"
	if len(x.endpoint.Params) > 0 {
		names := make([]string, len(x.endpoint.Params))
		for i, p := range x.endpoint.Params {
			names[i] = p.Name
		}
		known = "it takes " + strings.Join(names, ", ")
	}
	v.Add(casm.UnknownMember, clip(name), "%s has no query parameter %s; %s", x.endpoint.ID, clip(name), known)
}

// parse reads the value of a parameter.
func (p *param) parse(text string, v *casm.Violations) (out value, ok bool) {
	out.text = text
	var err error
	switch p.Type {
	case casm.TypeInteger:
		out.integer, err = strconv.ParseInt(text, 10, 64)
		switch {
		case strings.Trim(text, "-0123456789") != "" || text == "":
			v.Add(casm.WrongType, p.Name, "%q is not an integer", clip(text))
			return out, false
		case err != nil || out.integer < p.Min || out.integer > p.Max:
			v.Add(casm.OutOfRange, p.Name, "%s is outside of %d to %d", clip(text), p.Min, p.Max)
			return out, false
		}
	case casm.TypeBoolean:
		if text != "true" && text != "false" {
			v.Add(casm.InvalidValue, p.Name, "%q is neither true nor false", clip(text))
			return out, false
		}
		out.boolean = text == "true"
	case casm.TypeTime:
		// In a query + stands for a space: an offset such as +02:00 is often
		// sent so, and can mean nothing else.
		if out.time, err = casm.ParseTime(strings.Replace(text, " ", "+", 1)); err != nil {
			v.Add(casm.InvalidValue, p.Name, "%s", err)
			return out, false
		}
	case casm.TypeID:
		if out.id, err = uuid.Parse(text); err != nil || len(text) != 36 {
			v.Add(casm.InvalidValue, p.Name, "%q is not a refId; those are UUIDs such as 01990000-0000-7000-8000-000000000000", clip(text))
			return out, false
		}
	default:
		return out, p.checkText(text, v)
	}
	return out, true
}

// checkText applies contract rule 8 to a text.
func (p *param) checkText(text string, v *casm.Violations) bool {
	switch n := utf8.RuneCountInString(text); {
	case text == "" && p.Prefix == "":
		v.Add(casm.InvalidValue, p.Name, "%s is empty; give a value or leave it out", p.Name)
	case n > 255 && p.Prefix == "" || n > 4000:
		v.Add(casm.TooLong, p.Name, "%s has %d characters; at most 255 are allowed, and 4,000 of a custom attribute", p.Name, n)
	case p.Prefix == "" && strings.ContainsFunc(text, unicode.IsControl):
		v.Add(casm.InvalidValue, p.Name, "%s holds a control character", p.Name)
	case p.Enum != nil && !slices.Contains(p.Enum, text):
		v.Add(casm.InvalidValue, p.Name, "%q is none of %s", clip(text), strings.Join(p.Enum, ", "))
	default:
		return true
	}
	return false
}

// query reads the query of a request without a body, and answers when it is
// wrong; check may add what is wrong between parameters.
func (x *exchange) query(check func(values, *casm.Violations)) (values, bool) {
	var v casm.Violations
	got := x.readQuery(&v)
	for _, p := range x.endpoint.Params {
		if p.Required && !got.has(p.Name) && !hasAt(v, p.Name) {
			v.Add(casm.Required, p.Name, "%s is missing: %s", p.Name, p.Doc)
		}
	}
	if check != nil {
		check(got, &v)
	}
	if len(v) > 0 {
		v.Sort()
		x.refuse(v)
		return nil, false
	}
	return got, true
}

// ifMatch reads the header If-Match: a version in quotes, or a bare integer; 0
// for none (contract rule 4).
func (x *exchange) ifMatch(v *casm.Violations) int64 {
	headers := x.r.Header["If-Match"]
	if len(headers) == 0 {
		return 0
	}
	version, ok := int64(0), false
	if len(headers) == 1 {
		version, ok = command.ParseVersion(headers[0])
	}
	if !ok {
		v.Add(casm.InvalidValue, ifMatchHeader, `give one version such as "3", as the ETag of a read or write has it`)
		return 0
	}
	return version
}

const ifMatchHeader = "If-Match"

// etag sets the header ETag; 0 is none.
func (x *exchange) etag(version int64) {
	if version > 0 {
		x.Header()["Etag"] = []string{`"` + strconv.FormatInt(version, 10) + `"`}
	}
}

// isRead reports whether the request asks without changing anything.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// clip bounds what of a client's text is sent back, and keeps it UTF-8.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
