// Package demo holds the demonstration configuration: a small operator's, on
// which the examples of the reference and of the README work.
package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"

	"casm"
	"casm/command"

	"go.yaml.in/yaml/v3"
)

//go:embed demo.yaml
var document []byte

// Item is an item of the demonstration and the collection it belongs to.
type Item struct {
	Collection *casm.Collection
	casm.ConfigItem
}

// Items returns the items of the demonstration, collection by collection. What
// every installation holds is not among them, though they refer to it.
func Items() ([]Item, error) {
	return parse(document)
}

// parse reads a configuration document: a member per collection under its path
// name, each a list of items.
func parse(document []byte) ([]Item, error) {
	var sections map[string][]map[string]any
	if err := yaml.Unmarshal(document, &sections); err != nil {
		return nil, fmt.Errorf("demonstration: %w", err)
	}
	for path := range sections {
		if c := casm.CollectionByPath(path); c == nil || c.Internal {
			return nil, fmt.Errorf("demonstration: there is no collection %q", path)
		}
	}
	var items []Item
	for _, c := range casm.Collections {
		object := casm.Compose(c.Path, casm.Part{Object: c.Object, Pick: func(f *casm.Field) bool { return f.Create }})
		for i, members := range sections[c.Path] {
			doc, err := json.Marshal(members)
			if err != nil {
				return nil, fmt.Errorf("demonstration: %s: %w", c.Path, err)
			}
			item := c.New()
			if _, v := object.Decode(doc, "/"+c.Path+"/"+strconv.Itoa(i), item); len(v) > 0 {
				return nil, fmt.Errorf("demonstration: %w", v.Err())
			}
			items = append(items, Item{c, item})
		}
	}
	return items, nil
}

// Missing returns the edits that add to a configuration what it never held of
// the items: what is there stays as it is, and what was deleted stays deleted.
// ever tells whether there was an item with the code at any time. A resource
// type does not take over as the primary one.
func Missing(items []Item, s *casm.Snapshot, ever func(casm.CodeRef) (bool, error)) ([]command.ConfigEdit, error) {
	var edits []command.ConfigEdit
	for _, item := range items {
		ref := casm.CodeRef{Collection: item.Collection.Path, Code: item.Base().Code}
		if s.Item(ref.Collection, ref.Code) != nil {
			continue
		}
		if known, err := ever(ref); err != nil {
			return nil, err
		} else if known {
			continue
		}
		if t, ok := item.ConfigItem.(*casm.ResourceType); ok && s.PrimaryResourceType() != nil {
			t.Primary = false
		}
		edits = append(edits, command.ConfigEdit{
			Collection: item.Collection, Code: ref.Code, Item: item.ConfigItem, Create: true,
			Pointer: "/" + ref.Collection + "/" + ref.Code,
		})
	}
	return edits, nil
}
