// Package demo holds the demonstration configuration: a small operator's, on
// which the examples of the reference and of the README work.
package demo

import (
	_ "embed"
	"fmt"
	"slices"

	"casm"
	"casm/command"
	"casm/configdoc"
)

//go:embed demo.yaml
var document []byte

// Document returns the demonstration as a configuration document, in YAML.
func Document() []byte { return slices.Clone(document) }

// Item is an item of the demonstration and the collection it belongs to.
type Item struct {
	Collection *casm.Collection
	casm.ConfigItem
}

// Items returns the items of the demonstration, collection by collection. What
// every installation holds is not among them, though they refer to it.
func Items() ([]Item, error) {
	doc, v := configdoc.Parse(document, true)
	if len(v) > 0 {
		return nil, fmt.Errorf("demonstration: %w", v)
	}
	var items []Item
	for _, c := range casm.Collections {
		for _, item := range doc[c.Path] {
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
