package httpapi

import "casm"

// schemas builds JSON Schemas (2020-12) from descriptors. Objects get names,
// under which others refer to them.
type schemas struct {
	prefix string // of references, such as "#/components/schemas/"
	named  *object
}

func newSchemas(prefix string) *schemas { return &schemas{prefix: prefix, named: obj()} }

func (s *schemas) ref(name string) *object { return obj("$ref", s.prefix+name) }

// Requests and answers differ: a request is closed and may give null for what
// it need not give; an answer may gain members.
type direction bool

const (
	request direction = true
	reply   direction = false
)

// object describes an object in full.
func (s *schemas) object(o *casm.Object, dir direction) *object {
	properties := obj()
	var required []string
	for _, f := range o.Fields {
		if dir == request && !given(o, f) {
			continue
		}
		properties.set(f.Name, s.field(f, dir))
		if dir == request && f.Required || dir == reply && !f.Omitted {
			required = append(required, f.Name)
		}
	}
	out := obj("type", "object", "properties", properties)
	if len(required) > 0 {
		out.set("required", required)
	}
	if dir == request {
		out.set("additionalProperties", false)
	}
	return out
}

// given reports whether a client may give the member. Where any member of a
// struct says which requests take it, one that does not is the system's.
func given(o *casm.Object, f *casm.Field) bool {
	if f.Create || f.Update {
		return true
	}
	for _, other := range o.Fields {
		if (other.Create || other.Update) && other.Part() == f.Part() {
			return false
		}
	}
	return true
}

// name describes an object under its name and returns a reference to it.
func (s *schemas) name(name string, o *casm.Object, dir direction) *object {
	if !s.named.has(name) {
		s.named.set(name, nil) // holds the place, should it refer to itself
		s.named.set(name, s.object(o, dir))
	}
	return s.ref(name)
}

// field describes a member.
func (s *schemas) field(f *casm.Field, dir direction) *object {
	out := s.value(f, dir)
	if dir == request && (!f.Required || f.Nullable) {
		out = nullable(out)
	}
	if f.Doc != "" {
		out.set("description", f.Doc)
	}
	if dir == request {
		hints(out, f)
	}
	if f.Collection != "" {
		out.set("x-casm-collection", f.Collection)
	}
	if f.Ref != 0 {
		out.set("x-casm-entity", f.Ref.String())
	}
	if f.Personal {
		out.set("x-personal-data", true)
	}
	return out
}

// hints are what a form needs to know beside the shape.
func hints(out *object, f *casm.Field) {
	out.set("title", f.Label)
	if f.Type == casm.TypeBoolean && !f.Required {
		out.set("default", false)
	}
	if f.Derived {
		out.set("readOnly", true)
	}
	if f.Order != 0 {
		out.set("x-casm-order", f.Order)
	}
	for _, hint := range []struct {
		name  string
		holds bool
	}{{"x-casm-multiline", f.Multiline}, {"x-casm-fixed", f.Fixed}, {"x-casm-frozen", f.Frozen}} {
		if hint.holds {
			out.set(hint.name, true)
		}
	}
	if f.As != "" {
		out.set("x-casm-as", f.As)
	}
	if f.Same != "" {
		out.set("x-casm-same", f.Same)
	}
}

// nullable allows null beside a value.
func nullable(o *object) *object {
	for i, m := range o.members {
		switch m.name {
		case "$ref":
			return obj("anyOf", []any{o, obj("type", "null")})
		case "type":
			o.members[i].value = []string{m.value.(string), "null"}
		case "enum":
			o.members[i].value = append(append([]any{}, anys(m.value.([]string))...), nil)
		}
	}
	return o
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// nested is the name of the schema of an object within another.
func nested(o *casm.Object, dir direction) string {
	if dir == request {
		return o.Name + "Input"
	}
	return o.Name
}

func (s *schemas) value(f *casm.Field, dir direction) *object {
	switch f.Type {
	case casm.TypeString:
		return text(f, dir)
	case casm.TypeInteger:
		out := obj("type", "integer", "format", "int64")
		if dir == request {
			out.set("minimum", f.Min).set("maximum", f.Max)
		}
		return out
	case casm.TypeBoolean:
		return obj("type", "boolean")
	case casm.TypeTime:
		return obj("type", "string", "format", "date-time")
	case casm.TypeID:
		return obj("type", "string", "format", "uuid")
	case casm.TypeReference:
		return s.reference(dir)
	case casm.TypeMap:
		return stringMap(dir)
	case casm.TypeObject:
		return s.name(nested(f.Object, dir), f.Object, dir)
	case casm.TypeList:
		out := obj("type", "array", "items", s.name(nested(f.Object, dir), f.Object, dir))
		if dir == request {
			out.set("maxItems", 1000)
		}
		return out
	case casm.TypeStrings:
		return obj("type", "array", "items", text(f, dir))
	case casm.TypeScalars:
		types := []string{"string", "integer", "boolean"}
		if dir == request {
			types = append(types, "null")
		}
		return obj("type", "object", "additionalProperties", obj("type", types))
	}
	return obj() // any JSON
}

// text describes a text; what is answered is only narrowed by its values.
func text(f *casm.Field, dir direction) *object {
	out := obj("type", "string")
	if len(f.Enum) > 0 {
		return out.set("enum", f.Enum)
	}
	if dir == request {
		if !f.Multiline {
			out.set("minLength", 1)
		}
		out.set("maxLength", f.MaxLength)
		if f.Pattern != "" {
			out.set("pattern", "^(?:"+f.Pattern+")$")
		}
	}
	return out
}

func stringMap(dir direction) *object {
	if dir == reply {
		return obj("type", "object", "additionalProperties", obj("type", "string"))
	}
	return obj("type", "object", "maxProperties", 100,
		"propertyNames", obj("minLength", 1, "maxLength", 100),
		"additionalProperties", obj("type", []string{"string", "null"}, "maxLength", 4000))
}

// reference describes a reference to an entity.
func (s *schemas) reference(dir direction) *object {
	const reads, writes = "Reference", "ReferenceInput"
	o := casm.Describe[casm.Ref]()
	if dir == request {
		if !s.named.has(writes) {
			schema := s.object(o, request)
			schema.set("anyOf", []any{obj("required", []string{"refId"}), obj("required", []string{"externalId"})})
			s.named.set(writes, schema)
		}
		return s.ref(writes)
	}
	if !s.named.has(reads) {
		s.named.set(reads, s.object(o, reply).set("required", []string{"refId"}))
	}
	return s.ref(reads)
}

// dialect is the version of JSON Schema.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// messageSchemaOf is the schema of the messages about a kind (contract 7).
func messageSchemaOf(kind casm.Kind) *object {
	s := newSchemas("#/$defs/")
	body := s.object(casm.DescribeValue(casm.NewEntity(kind)), reply)
	out := obj("$schema", dialect, "$id", "urn:casm:message:"+kind.MessageCode()+":v1",
		"title", kind.String(), "description", "The body of a message with the code "+kind.MessageCode()+": the "+kind.String()+" after the change, and the business transaction that made it. Messages may gain members.")
	var properties *object
	for _, m := range body.members {
		out.set(m.name, m.value)
		if m.name == "properties" {
			properties = m.value.(*object)
		}
		if m.name == "required" {
			out.set(m.name, append(m.value.([]string), "transactionId", "operation"))
		}
	}
	properties.set("transactionId", obj("type", "string", "format", "uuid", "description", "The business transaction."))
	properties.set("operation", obj("type", "string", "description", "The operation that made it."))
	properties.set("comment", obj("type", "string", "description", "The comment of the request."))
	if kind == casm.KindBalance {
		properties.set("threshold", obj("type", "integer", "minimum", 1, "maximum", 3, "description", "Of the event thresholdReached: which threshold."))
	}
	if len(s.named.members) > 0 {
		out.set("$defs", s.named)
	}
	return out
}

// MessageSchema returns the JSON Schema of the messages about a kind, as
// /v1/schemas/<messageCode>.json serves it.
func MessageSchema(kind casm.Kind) []byte { return indented(messageSchemaOf(kind)) }
