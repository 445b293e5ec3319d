package httpapi

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object whose members keep the order in which they were set.
type object struct{ members []member }

type member struct {
	name  string
	value any
}

// obj makes an object of names and values, in turn.
func obj(namesAndValues ...any) *object {
	o := &object{}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		o.set(namesAndValues[i].(string), namesAndValues[i+1])
	}
	return o
}

// set adds a member, or replaces it where it stands.
func (o *object) set(name string, value any) *object {
	for i := range o.members {
		if o.members[i].name == name {
			o.members[i].value = value
			return o
		}
	}
	o.members = append(o.members, member{name, value})
	return o
}

// has reports whether the member is set.
func (o *object) has(name string) bool {
	for _, m := range o.members {
		if m.name == name {
			return true
		}
	}
	return false
}

// MarshalJSONTo implements json.MarshalerTo.
func (o *object) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range o.members {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(e, m.value); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// indented returns the JSON of a value that this package made, for people too.
// It panics when there is none: that is a mistake in the program.
func indented(v any) []byte {
	b, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		panic("httpapi: " + err.Error())
	}
	return append(bytes.TrimSpace(b), '\n')
}
