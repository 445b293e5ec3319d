package casm

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/google/uuid"
)

// Type is the JSON type of a field, as far as a client must know it.
type Type uint8

// The types of fields.
const (
	TypeString    Type = iota + 1
	TypeInteger        // within ±(2^53−1), without fraction or exponent
	TypeBoolean        //
	TypeTime           // RFC 3339 with offset
	TypeID             // a UUID
	TypeReference      // {"refId", "externalId"}
	TypeMap            // string to string
	TypeObject         //
	TypeList           // of objects
	TypeScalars        // string to any scalar: the attributes of a service
	TypeStrings        // a list of texts
	TypeRaw            // any JSON value
)

// MaxInteger is the largest amount; the smallest is -MaxInteger (contract, preamble).
const MaxInteger = 1<<53 - 1

// Field is one member of an object, read from a struct field and its tags:
//
//	json  name and omission
//	in    the requests that take it: create, update; none: given by the system
//	is    required, max=, min=, enum=A|B, pattern=, multiline, nullable, personal,
//	      frozen, fixed, derived
//	code  the configuration collection whose code it is
//	ref   the kind of the entity it refers to
//	line  the time line it belongs to
//	doc   what it is, for a CRM developer
//	label what people call it; else it is made of the name
//	order where a form has it: -1 before those without, 1 behind them
//	as    what the value means beyond its type: percentage (in millionths),
//	      serviceKind, productService, serviceAttributes
//	same  the member that the item behind a code must have in common with this
//	      object: the reason's state with the given state
type Field struct {
	Name, Doc  string
	Type       Type
	Create     bool
	Update     bool
	Required   bool // must be there
	Nullable   bool // null means something (contract rule 8), else it is as absent
	Omitted    bool // left out of documents when it has no value
	Multiline  bool // may be empty and hold line breaks and tabs
	Personal   bool
	Frozen     bool // cannot change while the item is referred to (contract 5)
	Fixed      bool // cannot change after the creation
	Derived    bool // may be given, but what holds the system decides
	Label      string
	Order      int
	As         string
	Same       string
	MaxLength  int // in code points
	Min, Max   int64
	Enum       []string
	Pattern    string
	Collection string // of the configuration code
	Ref        Kind
	Line       string
	Object     *Object // of TypeObject and of the elements of TypeList

	part  int // which of the structs given to Decode
	index []int
}

// Object describes a JSON object: the members in their order.
type Object struct {
	Name   string
	Fields []*Field
	byName map[string]*Field
	check  bool // the struct implements ShapeChecker

	references []*Field // those of TypeReference
	inputs     []*Field
}

// ShapeChecker is implemented by structs with rules of shape between members.
type ShapeChecker interface {
	// CheckShape adds violations below the pointer.
	CheckShape(pointer string, v *Violations)
}

// Field returns the member with the name, or nil.
func (o *Object) Field(name string) *Field { return o.byName[name] }

// Value returns the member's value in a struct of the described type, or, of
// an object made by Compose, in the part the member came from.
func (f *Field) Value(part reflect.Value) reflect.Value { return part.FieldByIndex(f.index) }

// Part returns which part of a composed object the member belongs to.
func (f *Field) Part() int { return f.part }

var described sync.Map // reflect.Type → *Object

// Describe reads the descriptor of a struct type from its tags, once. It
// panics when a tag is wrong: that is a mistake in the program.
func Describe[T any]() *Object { return describe(reflect.TypeFor[T]()) }

// DescribeValue is Describe for the type of v, a struct or a pointer to one.
func DescribeValue(v any) *Object {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return describe(t)
}

func describe(t reflect.Type) *Object {
	if o, ok := described.Load(t); ok {
		return o.(*Object)
	}
	o := newObject(t.Name())
	o.check = reflect.PointerTo(t).Implements(reflect.TypeFor[ShapeChecker]())
	o.addFields(t, nil)
	o.inputs = o.Fields
	if slices.ContainsFunc(o.Fields, (*Field).given) {
		o.inputs = slices.DeleteFunc(slices.Clone(o.Fields), func(f *Field) bool { return !f.given() })
	}
	actual, _ := described.LoadOrStore(t, o)
	return actual.(*Object)
}

func newObject(name string) *Object { return &Object{Name: name, byName: map[string]*Field{}} }

func (o *Object) add(f *Field) {
	if o.byName[f.Name] != nil {
		panic("casm: member " + f.Name + " stands twice in " + o.Name)
	}
	o.Fields = append(o.Fields, f)
	o.byName[f.Name] = f
	if f.Type == TypeReference {
		o.references = append(o.references, f)
	}
}

// Inputs returns the members that a request may give where the object stands
// within another: all, unless some are marked as given by clients; then those.
func (o *Object) Inputs() []*Field { return o.inputs }

// given reports whether clients give the member.
func (f *Field) given() bool { return f.Create || f.Update }

// References returns the members that refer to entities.
func (o *Object) References() []*Field { return o.references }

func (o *Object) addFields(t reflect.Type, index []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch {
		case sf.Anonymous && name == "":
			o.addFields(sf.Type, at)
		case name == "" || name == "-" || options == "embed":
		default:
			f := newField(sf, name, at)
			f.Omitted = strings.Contains(options, "omit")
			o.add(f)
		}
	}
}

func newField(sf reflect.StructField, name string, index []int) *Field {
	f := &Field{
		Name: name, Doc: sf.Tag.Get("doc"), index: index,
		Min: -MaxInteger, Max: MaxInteger, MaxLength: 255,
		Collection: sf.Tag.Get("code"), Line: sf.Tag.Get("line"),
		Label: sf.Tag.Get("label"), As: sf.Tag.Get("as"), Same: sf.Tag.Get("same"),
	}
	if f.Label == "" {
		f.Label = labelOf(name)
	}
	if order := sf.Tag.Get("order"); order != "" {
		n, err := strconv.Atoi(order)
		if err != nil {
			panic("casm: tag order of " + name + ": " + order)
		}
		f.Order = n
	}
	for in := range strings.SplitSeq(sf.Tag.Get("in"), ",") {
		f.Create = f.Create || in == "create"
		f.Update = f.Update || in == "update"
	}
	if ref := sf.Tag.Get("ref"); ref != "" {
		kind, ok := KindByName(ref)
		if !ok {
			panic("casm: tag ref of " + name + " names no kind: " + ref)
		}
		f.Ref = kind
	}
	f.setType(sf.Type)
	if is := sf.Tag.Get("is"); is != "" {
		for rule := range strings.SplitSeq(is, ",") {
			f.setRule(rule)
		}
	}
	return f
}

func (f *Field) setType(t reflect.Type) {
	switch t {
	case reflect.TypeFor[Time]():
		f.Type = TypeTime
		return
	case reflect.TypeFor[OptionalTime]():
		f.Type, f.Nullable = TypeTime, true
		return
	case reflect.TypeFor[uuid.UUID]():
		f.Type = TypeID
		return
	case reflect.TypeFor[Ref]():
		f.Type = TypeReference
		return
	case reflect.TypeFor[Scalars]():
		f.Type = TypeScalars
		return
	case reflect.TypeFor[Raw]():
		f.Type = TypeRaw
		return
	}
	switch t.Kind() {
	case reflect.String:
		f.Type = TypeString
	case reflect.Int, reflect.Int64:
		f.Type = TypeInteger
	case reflect.Bool:
		f.Type = TypeBoolean
	case reflect.Map:
		f.Type = TypeMap
	case reflect.Struct:
		f.Type, f.Object = TypeObject, describe(t)
	case reflect.Pointer:
		f.setType(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			f.Type = TypeStrings
			return
		}
		f.Type, f.Object = TypeList, describe(t.Elem())
	default:
		panic(fmt.Sprintf("casm: member %s has a type without a JSON form: %v", f.Name, t))
	}
}

func (f *Field) setRule(rule string) {
	key, value, _ := strings.Cut(rule, "=")
	number := func() int64 {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			panic("casm: tag is of " + f.Name + ": " + rule)
		}
		return n
	}
	switch key {
	case "required":
		f.Required = true
	case "nullable":
		f.Nullable = true
	case "multiline":
		f.Multiline = true
	case "frozen":
		f.Frozen = true
	case "fixed":
		f.Fixed = true
	case "derived":
		f.Derived = true
	case "personal":
		f.Personal = true
	case "min":
		f.Min = number()
	case "max":
		f.Max = number()
		f.MaxLength = int(f.Max)
	case "enum":
		f.Enum = strings.Split(value, "|")
	case "pattern":
		f.Pattern = value
	default:
		panic("casm: unknown rule in tag is of " + f.Name + ": " + rule)
	}
}

// labelOf makes a label of a member's name: Payment Responsible of
// paymentResponsible.
func labelOf(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case i == 0:
			r = unicode.ToUpper(r)
		case unicode.IsUpper(r):
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Part is one struct of a composed object and the members that it lends.
type Part struct {
	Object *Object
	// Pick says which members are taken; nil takes all.
	Pick func(*Field) bool
	// Change may adapt the copy of a member for this object.
	Change func(*Field)
}

// Compose makes one flat object of members of several structs, which Decode
// then fills side by side.
func Compose(name string, parts ...Part) *Object {
	o := newObject(name)
	for n, p := range parts {
		for _, f := range p.Object.Fields {
			if p.Pick != nil && !p.Pick(f) {
				continue
			}
			c := *f
			c.part = n
			if p.Change != nil {
				p.Change(&c)
			}
			o.add(&c)
		}
	}
	return o
}

// Named returns a Pick of exactly these members.
func Named(names ...string) func(*Field) bool {
	return func(f *Field) bool { return slices.Contains(names, f.Name) }
}
