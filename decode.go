package casm

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Presence says how a member was given.
type Presence uint8

// The ways a member can be given.
const (
	Absent Presence = iota
	Null
	Value
)

// OptionalTime is a time of a request of which null means something.
type OptionalTime struct {
	Presence Presence
	Time     Time
}

// Given tells which top-level members a request had.
type Given struct {
	members map[string]Presence
	// NullKeys are the keys that a map of strings gave as null, to be removed.
	NullKeys []string
}

// IsObject reports whether the request was an object, read to its end.
func (g Given) IsObject() bool { return len(g.members) > 0 }

// Of returns how the member was given.
func (g Given) Of(name string) Presence { return g.members[name] }

// Has reports whether the member was given with a value, or, where null has a
// meaning, as null.
func (g Given) Has(name string) bool { return g.members[name] != Absent }

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

// checkString applies the rules of contract rule 8 and the field's own.
func (f *Field) checkString(s, pointer string, add func(Code, string, string, ...any)) bool {
	switch n := utf8.RuneCountInString(s); {
	case f.Enum != nil && !slices.Contains(f.Enum, s):
		add(InvalidValue, pointer, "%q is none of %s", clip(s), strings.Join(f.Enum, ", "))
	case s == "" && !f.Multiline:
		add(InvalidValue, pointer, "%s is empty; give a value or leave the member out", f.Name)
	case n > f.MaxLength:
		add(TooLong, pointer, "%s has %d characters; at most %d are allowed", f.Name, n, f.MaxLength)
	case hasControl(s, f.Multiline):
		add(InvalidValue, pointer, "%s holds a control character", f.Name)
	case f.Pattern != "" && !pattern(f.Pattern).MatchString(s):
		add(InvalidValue, pointer, "%q does not fit %s", clip(s), f.Pattern)
	default:
		return true
	}
	return false
}

// hasControl reports whether s holds a control character (Unicode Cc), line
// breaks and tabs aside where they are allowed.
func hasControl(s string, multiline bool) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		if multiline && (r == '\n' || r == '\r' || r == '\t') {
			return false
		}
		return unicode.Is(unicode.Cc, r)
	})
}

// Bounds of custom attributes (contract rule 23).
const (
	maxAttributes     = 100
	maxAttributeKey   = 100
	maxAttributeValue = 4000
	maxAttributeBytes = 512 << 10
)

// CheckAttributes applies contract rule 23's bounds to custom attributes.
func CheckAttributes(m map[string]string, pointer string, v *Violations) {
	if len(m) > maxAttributes {
		v.Add(TooLong, pointer, "%d attributes; at most %d are allowed", len(m), maxAttributes)
		return
	}
	total := 0
	for key, value := range m {
		total += len(key) + len(value)
		at := pointer + "/" + EscapePointer(clip(key))
		if n := utf8.RuneCountInString(key); n > maxAttributeKey {
			v.Add(TooLong, at, "the key has %d characters; at most %d are allowed", n, maxAttributeKey)
		} else if key == "" || hasControl(key, false) {
			v.Add(InvalidValue, at, "a key must not be empty nor hold control characters")
		}
		if n := utf8.RuneCountInString(value); n > maxAttributeValue {
			v.Add(TooLong, at, "the value has %d characters; at most %d are allowed", n, maxAttributeValue)
		} else if hasControl(value, true) {
			v.Add(InvalidValue, at, "the value holds a control character other than line breaks and tabs")
		}
	}
	if total > maxAttributeBytes {
		v.Add(TooLong, pointer, "the attributes have %d bytes together; at most %d are allowed", total, maxAttributeBytes)
	}
}

var patterns sync.Map // expression → *regexp.Regexp

// pattern compiles an RE2 expression that must match the whole value, once.
func pattern(expr string) *regexp.Regexp {
	if re, ok := patterns.Load(expr); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(`\A(?:` + expr + `)\z`)
	patterns.Store(expr, re)
	return re
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// EscapePointer makes a name part of a JSON pointer.
func EscapePointer(name string) string {
	return pointerEscapes.Replace(name)
}

// clip shortens what a client sent for use in a message.
func clip(s string) string {
	const most = 120
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// nearest ends a sentence about an unknown member with the known one whose
// name is nearest (contract 4); where that is none that a slip of the pen would
// explain, it does not ask whether it was meant.
func nearest(name string, fields []*Field) string {
	const most = 64 // longer names are compared by their beginnings
	name = name[:min(len(name), most)]
	best, bestDistance := "", math.MaxInt
	for _, f := range fields {
		if d := distance(strings.ToLower(name), strings.ToLower(f.Name)); d < bestDistance {
			best, bestDistance = f.Name, d
		}
	}
	switch {
	case best == "":
		return ""
	case bestDistance <= 1+len(name)/3:
		return "; did you mean " + best + "?"
	}
	return "; the nearest known member is " + best
}

// distance is the edit distance of two short ASCII names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
