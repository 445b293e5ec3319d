package casm

import (
	"cmp"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// Snapshot is the whole configuration at one version. It never changes.
type Snapshot struct {
	Version int64
	items   map[string]map[string]ConfigItem
	matches map[string]*regexp.Regexp // by resource type
	primary *ResourceType
}

// NewSnapshot makes a snapshot of items by collection path.
func NewSnapshot(version int64, items map[string][]ConfigItem) *Snapshot {
	s := &Snapshot{Version: version, items: map[string]map[string]ConfigItem{}}
	for path, list := range items {
		m := make(map[string]ConfigItem, len(list))
		for _, item := range list {
			m[item.Base().Code] = item
		}
		s.items[path] = m
	}
	s.index()
	return s
}

func (s *Snapshot) index() {
	s.matches = map[string]*regexp.Regexp{}
	s.primary = nil
	for code, item := range s.items["resource-types"] {
		t := item.(*ResourceType)
		if t.Pattern != "" {
			if re, err := regexp.Compile(`\A(?:` + t.Pattern + `)\z`); err == nil {
				s.matches[code] = re
			}
		}
		if t.Primary {
			s.primary = t
		}
	}
}

// With returns a snapshot in which the items stand, a nil one being deleted.
func (s *Snapshot) With(version int64, changed map[CodeRef]ConfigItem) *Snapshot {
	next := &Snapshot{Version: version, items: maps.Clone(s.items)}
	if next.items == nil {
		next.items = map[string]map[string]ConfigItem{}
	}
	cloned := map[string]bool{}
	for key, item := range changed {
		if !cloned[key.Collection] {
			cloned[key.Collection] = true
			m := maps.Clone(next.items[key.Collection])
			if m == nil {
				m = map[string]ConfigItem{}
			}
			next.items[key.Collection] = m
		}
		if item == nil {
			delete(next.items[key.Collection], key.Code)
		} else {
			next.items[key.Collection][key.Code] = item
		}
	}
	next.index()
	return next
}

// At returns the same configuration as that of a version.
func (s *Snapshot) At(version int64) *Snapshot {
	same := *s
	same.Version = version
	return &same
}

// Item returns the item with the code, or nil.
func (s *Snapshot) Item(path, code string) ConfigItem {
	if item, ok := s.items[path][code]; ok {
		return item
	}
	return nil
}

// Items returns a collection's items by code.
func (s *Snapshot) Items(path string) []ConfigItem {
	return slices.SortedFunc(maps.Values(s.items[path]), func(a, b ConfigItem) int {
		return cmp.Compare(a.Base().Code, b.Base().Code)
	})
}

func get[T ConfigItem](s *Snapshot, path, code string) (T, bool) {
	item, ok := s.items[path][code].(T)
	return item, ok
}

// AccountType returns the account type with the code.
func (s *Snapshot) AccountType(code string) (*AccountType, bool) {
	return get[*AccountType](s, "account-types", code)
}

// ResourceType returns the resource type with the code.
func (s *Snapshot) ResourceType(code string) (*ResourceType, bool) {
	return get[*ResourceType](s, "resource-types", code)
}

// PrimaryResourceType returns the resource type that is primary, or nil.
func (s *Snapshot) PrimaryResourceType() *ResourceType { return s.primary }

// PrimaryCurrency returns the code of the primary currency, of which there is
// always one.
func (s *Snapshot) PrimaryCurrency() string {
	for code, item := range s.items["currencies"] {
		if item.(*Currency).Primary {
			return code
		}
	}
	return ""
}

// ResourceFits reports whether a value matches its type's pattern.
func (s *Snapshot) ResourceFits(resourceType, value string) bool {
	re := s.matches[resourceType]
	return re == nil || re.MatchString(value)
}

// StateReason returns the state reason with the code.
func (s *Snapshot) StateReason(code string) (*StateReason, bool) {
	return get[*StateReason](s, "state-reasons", code)
}

// BillCycle returns the bill cycle with the code.
func (s *Snapshot) BillCycle(code string) (*BillCycle, bool) {
	return get[*BillCycle](s, "bill-cycles", code)
}

// CustomerProfile returns the profile with the code.
func (s *Snapshot) CustomerProfile(code string) (*CustomerProfile, bool) {
	return get[*CustomerProfile](s, "customer-profiles", code)
}

// AccountProfile returns the profile with the code.
func (s *Snapshot) AccountProfile(code string) (*AccountProfile, bool) {
	return get[*AccountProfile](s, "account-profiles", code)
}

// SubscriberProfile returns the profile with the code.
func (s *Snapshot) SubscriberProfile(code string) (*SubscriberProfile, bool) {
	return get[*SubscriberProfile](s, "subscriber-profiles", code)
}

// Product returns the product with the code.
func (s *Snapshot) Product(code string) (*Product, bool) { return get[*Product](s, "products", code) }

// Offer returns the offer with the code.
func (s *Snapshot) Offer(code string) (*Offer, bool) { return get[*Offer](s, "offers", code) }

// CodeRef is a reference to an item of configuration.
type CodeRef struct {
	Collection, Code string
}

// PlacedCode is a CodeRef with where it stands.
type PlacedCode struct {
	CodeRef
	Pointer string
}

// Codes returns the configuration codes that a value of a described struct
// (an entity or an item) holds, with where they stand.
func Codes(v any) []PlacedCode {
	rv := reflect.ValueOf(v).Elem()
	return appendCodes(nil, describe(rv.Type()), rv, "")
}

func appendCodes(out []PlacedCode, o *Object, v reflect.Value, pointer string) []PlacedCode {
	for _, f := range o.Fields {
		if f.Collection == "" && f.Object == nil {
			continue
		}
		fv := f.Value(v)
		at := pointer + "/" + f.Name
		if fv.Kind() == reflect.Pointer {
			if fv.IsNil() {
				continue
			}
			fv = fv.Elem()
		}
		switch {
		case f.Collection != "" && f.Type == TypeStrings:
			for i := range fv.Len() {
				out = append(out, PlacedCode{CodeRef{f.Collection, fv.Index(i).String()}, at + "/" + strconv.Itoa(i)})
			}
		case f.Collection != "":
			if code := fv.String(); code != "" {
				out = append(out, PlacedCode{CodeRef{f.Collection, code}, at})
			}
		case f.Type == TypeList:
			for i := range fv.Len() {
				out = appendCodes(out, f.Object, fv.Index(i), at+"/"+strconv.Itoa(i))
			}
		default:
			out = appendCodes(out, f.Object, fv, at)
		}
	}
	return out
}

// ServiceCodes returns the configuration codes that a service's attributes hold.
func (s *ServiceSpec) ServiceCodes(given Scalars, pointer string) []PlacedCode {
	var out []PlacedCode
	for _, a := range s.Attributes {
		if a.Ref != "" && given.Text(a.Name) != "" {
			out = append(out, PlacedCode{CodeRef{a.Ref, given.Text(a.Name)}, pointer + "/" + a.Name})
		}
	}
	return out
}

// OfferVersionRef is the reference that a subscription holds to its offer's version.
func OfferVersionRef(offer string, version int64) CodeRef {
	return CodeRef{"offers", offer + "@" + strconv.FormatInt(version, 10)}
}
