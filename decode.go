package casm

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// MaxViolations bounds the answer to a hostile body.
const MaxViolations = 100

// Decode reads a JSON object into parts, pointers to the structs that o was
// described or composed from, and returns every violation of shape (contract
// rules 2 and 8), or malformed_json alone. Pointers start with prefix.
func (o *Object) Decode(data []byte, prefix string, parts ...any) (Given, Violations) {
	d := decoder{in: jsontext.NewDecoder(bytes.NewBuffer(data)), given: Given{members: make(map[string]Presence, len(o.Fields))}}
	values := make([]reflect.Value, len(parts))
	for i, p := range parts {
		values[i] = reflect.ValueOf(p).Elem()
	}
	d.object(o, prefix, values, true)
	if d.err == nil {
		if _, err := d.in.ReadToken(); !errors.Is(err, io.EOF) {
			d.fail(err)
		}
	}
	if d.err != nil {
		return d.given, Violations{{MalformedJSON, prefix, malformed(d.err, d.in.InputOffset())}}
	}
	d.v.Sort()
	return d.given, d.v[:min(len(d.v), MaxViolations)]
}

func malformed(err error, offset int64) string {
	var syntactic *jsontext.SyntacticError
	where := "near byte " + strconv.FormatInt(offset, 10)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		if errors.As(err, &syntactic) && syntactic.JSONPointer != "" {
			return "a member stands twice: " + clip(string(syntactic.JSONPointer)) + "; give each member once"
		}
		return "a member stands twice " + where + "; give each member once"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the JSON ends too early, " + where
	case errors.As(err, &syntactic) && syntactic.Err != nil:
		return "not well-formed JSON in UTF-8 " + where + ": " + syntactic.Err.Error()
	}
	return "not well-formed JSON in UTF-8 " + where
}

type decoder struct {
	in    *jsontext.Decoder
	v     Violations
	given Given
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		if err == nil {
			err = errors.New("something follows after the JSON value")
		}
		d.err = err
	}
}

func (d *decoder) add(code Code, pointer, detail string, args ...any) {
	if len(d.v) < MaxViolations {
		d.v.Add(code, pointer, detail, args...)
	}
}

// skip passes over the next value, checking its syntax.
func (d *decoder) skip() {
	if err := d.in.SkipValue(); err != nil {
		d.fail(err)
	}
}

// expect reports whether the next value is of the JSON kind; if not it is
// passed over, as a violation unless it is null.
func (d *decoder) expect(kind jsontext.Kind, pointer, want string) bool {
	got := d.in.PeekKind()
	if got == kind {
		return true
	}
	at := len(d.v)
	d.add(WrongType, pointer, "found %s where %s is expected", kindName(got), want)
	d.skip()
	if d.err != nil {
		d.v = d.v[:min(at, len(d.v))]
	}
	return false
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "something else"
}

// object reads members into parts. Only the members of the top one are noted
// in given.
func (d *decoder) object(o *Object, pointer string, parts []reflect.Value, top bool) {
	if !d.expect('{', pointer, "an object") {
		return
	}
	if _, err := d.in.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	fields := o.Fields
	if !top {
		fields = o.inputs
	}
	var present [64]Presence
	for d.in.PeekKind() != '}' {
		token, err := d.in.ReadToken()
		if err != nil {
			d.fail(err)
			return
		}
		name := token.String()
		n := slices.IndexFunc(fields, func(f *Field) bool { return f.Name == name })
		if n < 0 {
			d.unknown(fields, pointer, name)
			d.skip()
		} else {
			present[n] = d.member(fields[n], pointer+"/"+name, parts[fields[n].part])
		}
		if d.err != nil {
			return
		}
	}
	if _, err := d.in.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	for n, f := range fields {
		if top {
			d.given.members[f.Name] = present[n]
		}
		if f.Required && present[n] == Absent {
			d.add(Required, pointer+"/"+f.Name, "%s is missing; it must be given: %s", f.Name, f.Doc)
		}
	}
	if o.check && len(parts) == 1 {
		parts[0].Addr().Interface().(ShapeChecker).CheckShape(pointer, &d.v)
	}
}

func (d *decoder) unknown(fields []*Field, pointer, name string) {
	d.add(UnknownMember, pointer+"/"+EscapePointer(clip(name)), "%s is not known here%s", clip(name), nearest(name, fields))
}

// member reads one value into its place in the part.
func (d *decoder) member(f *Field, pointer string, part reflect.Value) Presence {
	if d.in.PeekKind() == 'n' && f.Type != TypeRaw {
		d.skip()
		if !f.Nullable {
			return Absent
		}
		if o, ok := f.Value(part).Addr().Interface().(*OptionalTime); ok {
			o.Presence = Null
		}
		return Null
	}
	d.value(f, pointer, f.Value(part))
	return Value
}

func (d *decoder) value(f *Field, pointer string, into reflect.Value) {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch f.Type {
	case TypeString:
		if s, ok := d.text(pointer); ok && f.checkString(s, pointer, d.add) {
			into.SetString(s)
		}
	case TypeInteger:
		d.integer(f, pointer, into)
	case TypeBoolean:
		switch d.in.PeekKind() {
		case 't', 'f':
			token, err := d.in.ReadToken()
			if err != nil {
				d.fail(err)
				return
			}
			into.SetBool(token.Bool())
		default:
			d.expect('t', pointer, "true or false")
		}
	case TypeTime:
		if s, ok := d.text(pointer); ok {
			t, err := ParseTime(s)
			if err != nil {
				d.add(InvalidValue, pointer, "%s", clip(err.Error()))
			}
			if o, ok := into.Addr().Interface().(*OptionalTime); ok {
				*o = OptionalTime{Value, t}
				break
			}
			into.SetInt(int64(t))
		}
	case TypeID:
		if s, ok := d.text(pointer); ok {
			id, err := parseID(s)
			if err != nil {
				d.add(InvalidValue, pointer, "%q is not a refId; those are UUIDs such as 01990000-0000-7000-8000-000000000000", clip(s))
			}
			into.Set(reflect.ValueOf(id))
		}
	case TypeReference, TypeObject:
		o := f.Object
		if f.Type == TypeReference {
			o = referenceObject()
		}
		d.object(o, pointer, []reflect.Value{into}, false)
	case TypeList:
		d.elements(pointer, into, func(at string, element reflect.Value) {
			d.object(f.Object, at, []reflect.Value{element}, false)
		})
	case TypeStrings:
		d.elements(pointer, into, func(at string, element reflect.Value) {
			if s, ok := d.text(at); ok && f.checkString(s, at, d.add) {
				element.SetString(s)
			}
		})
	case TypeMap:
		d.stringMap(pointer, into)
	case TypeScalars:
		d.scalars(pointer, into)
	case TypeRaw:
		v, err := d.in.ReadValue()
		if err != nil {
			d.fail(err)
			return
		}
		into.SetBytes(bytes.Clone(v))
	}
}

func parseID(s string) (uuid.UUID, error) {
	if len(s) != 36 {
		return uuid.Nil, errors.New("not 36 characters")
	}
	id, err := uuid.Parse(s)
	if err == nil && id == uuid.Nil {
		err = errors.New("no entity has it")
	}
	return id, err
}

func (d *decoder) text(pointer string) (string, bool) {
	if !d.expect('"', pointer, "a text") {
		return "", false
	}
	token, err := d.in.ReadToken()
	if err != nil {
		d.fail(err)
		return "", false
	}
	return token.String(), true
}

func (d *decoder) integer(f *Field, pointer string, into reflect.Value) {
	if !d.expect('0', pointer, "an integer") {
		return
	}
	raw, err := d.in.ReadValue()
	if err != nil {
		d.fail(err)
		return
	}
	if bytes.ContainsAny(raw, ".eE") {
		d.add(WrongType, pointer, "%s is not an integer; write it without fraction and exponent", clip(string(raw)))
		return
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < f.Min || n > f.Max {
		d.add(OutOfRange, pointer, "%s is outside of %d to %d", clip(string(raw)), f.Min, f.Max)
		return
	}
	into.SetInt(n)
}

// maxListLength bounds lists of objects in requests.
const maxListLength = 1000

// elements reads a list, element by element.
func (d *decoder) elements(pointer string, into reflect.Value, element func(at string, element reflect.Value)) {
	if !d.expect('[', pointer, "a list") {
		return
	}
	if _, err := d.in.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	for n := 0; d.err == nil && d.in.PeekKind() != ']'; n++ {
		if n >= maxListLength {
			if n == maxListLength {
				d.add(TooMany, pointer, "the list is longer than %d", maxListLength)
			}
			d.skip()
			continue
		}
		into.Set(reflect.Append(into, reflect.Zero(into.Type().Elem())))
		element(pointer+"/"+strconv.Itoa(n), into.Index(n))
	}
	if d.err == nil {
		if _, err := d.in.ReadToken(); err != nil {
			d.fail(err)
		}
	}
}

// each reads the members of an object one by one.
func (d *decoder) each(pointer string, member func(key, pointer string)) {
	if !d.expect('{', pointer, "an object") {
		return
	}
	if _, err := d.in.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	for d.err == nil && d.in.PeekKind() != '}' {
		token, err := d.in.ReadToken()
		if err != nil {
			d.fail(err)
			return
		}
		key := token.String()
		member(key, pointer+"/"+EscapePointer(clip(key)))
	}
	if d.err == nil {
		if _, err := d.in.ReadToken(); err != nil {
			d.fail(err)
		}
	}
}

func (d *decoder) stringMap(pointer string, into reflect.Value) {
	m := map[string]string{}
	d.each(pointer, func(key, at string) {
		if d.in.PeekKind() == 'n' {
			d.given.NullKeys = append(d.given.NullKeys, key)
			d.skip()
			return
		}
		if s, ok := d.text(at); ok {
			m[key] = s
		}
	})
	CheckAttributes(m, pointer, &d.v)
	if len(m) > 0 { // an empty map is none, as in a document
		into.Set(reflect.ValueOf(m))
	}
}

func (d *decoder) scalars(pointer string, into reflect.Value) {
	m := Scalars{}
	d.each(pointer, func(key, at string) {
		switch d.in.PeekKind() {
		case '{', '[':
			d.add(WrongType, at, "found %s where a text, a number or a boolean is expected", kindName(d.in.PeekKind()))
			d.skip()
		case 'n':
			d.skip()
		default:
			raw, err := d.in.ReadValue()
			if err != nil {
				d.fail(err)
				return
			}
			m[key] = Raw(bytes.Clone(raw))
		}
	})
	into.Set(reflect.ValueOf(m))
}
