package warehouse

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// column is a column of an entity's table and where its value stands in the
// entity's struct.
type column struct {
	sqldb.Column
	value func(entity reflect.Value) (sqldb.Value, error)
}

// reserved are names of flags that SQL keeps for itself.
var reserved = map[string]bool{"primary": true, "default": true, "unique": true}

// columnsOf makes columns of an entity's members: nested objects are taken
// apart, a reference becomes the two ids, lists and maps are JSON.
func columnsOf(o *casm.Object) []column {
	return flatten(o, "", func(v reflect.Value) reflect.Value { return v })
}

// flatten makes columns of an object that stands at a place in the entity; at
// gives an invalid Value where it does not.
func flatten(o *casm.Object, prefix string, at func(reflect.Value) reflect.Value) []column {
	var all []column
	for _, f := range o.Fields {
		inner := func(v reflect.Value) reflect.Value {
			v = at(v)
			if v.IsValid() {
				v = f.Value(v)
			}
			for v.IsValid() && v.Kind() == reflect.Pointer {
				v = v.Elem() // invalid of nil
			}
			return v
		}
		name := join(prefix, snake(f.Name))
		if reserved[name] {
			name = "is_" + name
		}
		add := func(name string, t sqldb.Type, doc string, value func(reflect.Value) (sqldb.Value, error)) {
			all = append(all, column{sqldb.Column{Name: name, Type: t, Doc: doc}, func(v reflect.Value) (sqldb.Value, error) {
				if v = inner(v); !v.IsValid() {
					return sqldb.Null, nil
				}
				return value(v)
			}})
		}
		switch f.Type {
		case casm.TypeString:
			add(name, sqldb.Text, f.Doc, func(v reflect.Value) (sqldb.Value, error) { return sqldb.OptStr(v.String()), nil })
		case casm.TypeInteger:
			omitted := f.Omitted
			add(name, sqldb.Integer, f.Doc, func(v reflect.Value) (sqldb.Value, error) {
				if omitted {
					return optInt(v.Int()), nil
				}
				return sqldb.Int(v.Int()), nil
			})
		case casm.TypeBoolean:
			add(name, sqldb.Boolean, f.Doc, func(v reflect.Value) (sqldb.Value, error) { return sqldb.Bool(v.Bool()), nil })
		case casm.TypeTime:
			add(name, sqldb.Time, f.Doc, func(v reflect.Value) (sqldb.Value, error) { return sqldb.At(casm.Time(v.Int())), nil })
		case casm.TypeID:
			add(name, sqldb.ID, f.Doc, func(v reflect.Value) (sqldb.Value, error) { return sqldb.UUID(*v.Addr().Interface().(*uuid.UUID)), nil })
		case casm.TypeReference:
			add(name+"_ref_id", sqldb.ID, f.Doc, func(v reflect.Value) (sqldb.Value, error) {
				return sqldb.UUID(v.Addr().Interface().(*casm.Ref).RefID), nil
			})
			add(name+"_external_id", sqldb.Text, f.Doc+" Its external id when this was recorded.", func(v reflect.Value) (sqldb.Value, error) {
				return sqldb.OptStr(v.Addr().Interface().(*casm.Ref).ExternalID), nil
			})
		case casm.TypeObject:
			all = append(all, flatten(f.Object, name, inner)...)
		default: // lists, maps, any JSON
			add(name, sqldb.JSON, f.Doc, jsonValue)
		}
	}
	return all
}

func optInt(n int64) sqldb.Value {
	if n == 0 {
		return sqldb.Null
	}
	return sqldb.Int(n)
}

func jsonValue(v reflect.Value) (sqldb.Value, error) {
	if v.Len() == 0 {
		return sqldb.Null, nil
	}
	b, err := json.Marshal(v.Interface(), json.Deterministic(true))
	if err != nil {
		return sqldb.Null, fmt.Errorf("column: %w", err)
	}
	return sqldb.Str(string(b)), nil
}

// snake turns customName into custom_name.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// join puts the name of an object and that of its member together; words in
// which the one ends and the other begins stand once: state and state_reason
// give state_reason, planned_state and state give planned_state.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	head, tail := strings.Split(prefix, "_"), strings.Split(name, "_")
	for n := min(len(head), len(tail)); n > 0; n-- {
		if strings.Join(head[len(head)-n:], "_") == strings.Join(tail[:n], "_") {
			return strings.Join(append(head, tail[n:]...), "_")
		}
	}
	return prefix + "_" + name
}
