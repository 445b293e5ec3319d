// Package configdoc reads and writes the whole configuration as one document
// (contract 5): YAML or JSON, a member per collection under its path name,
// each a list of items by code, without versions and times.
package configdoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"casm"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Document is the items of the collections that a document has, by path.
type Document map[string][]casm.ConfigItem

// itemObjects describe items as a document has them.
var itemObjects = func() map[string]*casm.Object {
	m := map[string]*casm.Object{}
	for _, c := range casm.Collections {
		if !c.Internal {
			m[c.Path] = casm.Compose(c.Path, casm.Part{Object: c.Object, Pick: func(f *casm.Field) bool { return f.Create }})
		}
	}
	return m
}()

// Parse reads a document and returns everything that is wrong with its shape:
// malformed_json alone, else all with pointers such as /offers/3/name.
func Parse(data []byte, isYAML bool) (Document, casm.Violations) {
	if isYAML {
		var err error
		if data, err = fromYAML(data); err != nil {
			return nil, casm.Violations{{Code: casm.MalformedJSON, Detail: "not well-formed YAML: " + err.Error()}}
		}
	}
	if bad := wellFormed(data); bad != nil {
		return nil, casm.Violations{{Code: casm.MalformedJSON, Detail: "not well-formed: " + bad.Error()}}
	}
	var sections map[string]jsontext.Value
	if err := json.Unmarshal(data, &sections); err != nil || sections == nil {
		return nil, casm.Violations{{Code: casm.WrongType, Detail: "the document must be an object with a member for each collection"}}
	}
	doc := Document{}
	var v casm.Violations
	for path, section := range sections {
		at := "/" + casm.EscapePointer(path)
		object := itemObjects[path]
		if object == nil {
			v.Add(casm.UnknownMember, at, "there is no collection of this name; /docs lists them")
			continue
		}
		doc[path] = parseSection(path, section, object, at, &v)
	}
	v.Sort()
	return doc, v[:min(len(v), casm.MaxViolations)]
}

func wellFormed(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if err := d.SkipValue(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after the document")
	}
	return nil
}

func parseSection(path string, section jsontext.Value, object *casm.Object, at string, v *casm.Violations) []casm.ConfigItem {
	c := casm.CollectionByPath(path)
	items := []casm.ConfigItem{}
	var raw []jsontext.Value
	if err := json.Unmarshal(section, &raw); err != nil || section.Kind() == 'n' {
		v.Add(casm.WrongType, at, "a list of items is expected; [] removes all")
		return nil
	}
	seen := map[string]bool{}
	for i, value := range raw {
		pointer := at + "/" + strconv.Itoa(i)
		item := c.New()
		_, violations := object.Decode(value, pointer, item)
		*v = append(*v, violations...)
		code := item.Base().Code
		if code != "" && seen[code] {
			v.Add(casm.InvalidValue, pointer+"/code", "the code %s stands twice; give each once", code)
		}
		seen[code] = true
		items = append(items, item)
		if len(*v) > casm.MaxViolations {
			break
		}
	}
	return items
}

// Format writes a configuration as a document, in the order of the collections
// and of the codes.
func Format(s *casm.Snapshot, asYAML bool) ([]byte, error) {
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out, jsontext.Multiline(true), jsontext.WithIndent("  "))
	write := func(err error, token jsontext.Token) error {
		if err != nil {
			return err
		}
		return e.WriteToken(token)
	}
	err := e.WriteToken(jsontext.BeginObject)
	for _, c := range casm.Collections {
		if c.Internal {
			continue
		}
		err = write(err, jsontext.String(c.Path))
		err = write(err, jsontext.BeginArray)
		for _, item := range s.Items(c.Path) {
			if err != nil {
				return nil, err
			}
			var doc []byte
			if doc, err = formatItem(c.Object, item); err == nil {
				err = e.WriteValue(doc)
			}
		}
		err = write(err, jsontext.EndArray)
	}
	if err = write(err, jsontext.EndObject); err != nil {
		return nil, fmt.Errorf("configdoc: %w", err)
	}
	if asYAML {
		return toYAML(out.Bytes())
	}
	return out.Bytes(), nil
}

// formatItem writes an item without its version and without what says nothing:
// false and empty lists, where the member may be left out.
func formatItem(object *casm.Object, item casm.ConfigItem) ([]byte, error) {
	doc, err := casm.EncodeItem(item)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	in, e := jsontext.NewDecoder(bytes.NewReader(doc)), jsontext.NewEncoder(&out)
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		member := name.String()
		value, err := in.ReadValue()
		if err != nil {
			return nil, err
		}
		mandatory := slices.ContainsFunc(object.Fields, func(f *casm.Field) bool { return f.Name == member && f.Required })
		if member == "version" || !mandatory && slices.Contains([]string{"false", "[]", "{}"}, string(value)) {
			continue
		}
		if err := e.WriteToken(jsontext.String(member)); err != nil {
			return nil, err
		}
		if err := e.WriteValue(value); err != nil {
			return nil, err
		}
	}
	if err := e.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
