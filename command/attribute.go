package command

import (
	"maps"
	"reflect"

	"casm"
)

type mergeArgs struct {
	Merge bool `json:"merge" doc:"Keys given are set, keys given as null removed, others stay; else the whole map is replaced."`
}

func (a *mergeArgs) merging() bool { return a.Merge }

// updateAttributes sets the attributes that the body gives: one or several
// (contract rules 8, 23, 24).
func updateAttributes(d *Decision, in *Input) *Record {
	r := in.SubjectRecord()
	source := reflect.ValueOf(in.Entity).Elem()
	after := d.edit(r)
	target := reflect.ValueOf(after.Entity).Elem()
	for _, f := range in.Operation.Object.Fields {
		if f.Part() != 2 || !in.Given.Has(f.Name) {
			continue
		}
		value := f.Value(source)
		switch {
		case f.Name == "externalId":
			d.uniqueExternalID(r.Kind(), value.String(), r.ID())
		case f.Collection != "" && value.String() != "" && value.String() != f.Value(target).String():
			d.configured(f.Collection, value.String(), "/"+f.Name)
		}
		if f.Type == casm.TypeMap {
			value = reflect.ValueOf(d.attributes(in, f.Value(target).Interface().(map[string]string), value.Interface().(map[string]string), "/"+f.Name))
		}
		f.Value(target).Set(value)
	}
	return after
}

// attributes returns the map that holds after an update. An empty one is nil,
// as it is when it was never given.
func (d *Decision) attributes(in *Input, old, given map[string]string, pointer string) map[string]string {
	if in.merging() {
		merged := maps.Clone(old)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, given)
		for _, key := range in.Given.NullKeys {
			delete(merged, key)
		}
		casm.CheckAttributes(merged, pointer, &d.Violations)
		given = merged
	}
	if len(given) == 0 {
		return nil
	}
	return given
}
