package command

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"casm"
)

// ConfigEdit asks for one item of configuration to be made, replaced or
// deleted.
type ConfigEdit struct {
	Collection *casm.Collection
	Code       string
	// Item is the item as it is to be; nil deletes it.
	Item casm.ConfigItem
	// Create refuses an item that stands already, Replace one that does not;
	// with neither both are fine.
	Create, Replace bool
	// Overrule lifts what protects items in use: for what the system does itself.
	Overrule bool
	// IfMatch is the version that must stand; 0 for any.
	IfMatch int64
	// Pointer is put before the pointers of what is wrong.
	Pointer string
	// Check, unless nil, is a rule of the caller's about the configuration as
	// it stands and as it would be; it adds what is wrong.
	Check func(before, after *casm.Snapshot, v *casm.Violations)
}

// ConfigChange is a new version of an item; After is nil when it was deleted.
type ConfigChange struct {
	casm.CodeRef
	Before, After casm.ConfigItem
}

// ConfigOutcome is what an edit of configuration comes to.
type ConfigOutcome struct {
	Changes  []ConfigChange
	Snapshot *casm.Snapshot
}

// DecideConfig applies edits to a configuration, all or none. uses tells how
// many references entities hold to a code; lastVersion the version of an item
// that was deleted before, from which it goes on. What stands already as asked
// is no change.
func DecideConfig(s *casm.Snapshot, edits []ConfigEdit, uses func(casm.CodeRef) int64, lastVersion func(casm.CodeRef) int64) (ConfigOutcome, casm.Violations) {
	var v casm.Violations
	edits = slices.Clone(edits)
	changed := map[casm.CodeRef]casm.ConfigItem{}
	primaries := map[string]string{}
	for i := range edits {
		e := &edits[i]
		ref := casm.CodeRef{Collection: e.Collection.Path, Code: e.Code}
		e.check(s, &v)
		if _, twice := changed[ref]; twice {
			v.Add(casm.DuplicateCode, e.Pointer+"/code", "%s stands twice in %s; give each code once", e.Code, e.Collection.Path)
		}
		if err := e.settle(); err != nil {
			v.Add(casm.InvalidValue, e.Pointer, "%s cannot be kept: %v", e.Code, err)
		}
		if p := primary(e.Item); p != nil && *p {
			if other, twice := primaries[ref.Collection]; twice {
				v.Add(casm.InvalidValue, e.Pointer+"/primary", "%s is to be primary, too; only one of %s can be", other, ref.Collection)
			}
			primaries[ref.Collection] = e.Code
		}
		changed[ref] = e.Item
	}
	if len(v) > 0 {
		v.Sort()
		return ConfigOutcome{}, v
	}
	for _, e := range edits {
		if p := primary(e.Item); p != nil && *p {
			clearPrimary(s, e, changed)
		}
	}
	next := s.With(s.Version+1, changed)
	refs := configReferences(next)
	for _, e := range edits {
		ref := casm.CodeRef{Collection: e.Collection.Path, Code: e.Code}
		before := s.Item(ref.Collection, ref.Code)
		checkPrimary(next, e, before, &v)
		if e.Item == nil {
			if before != nil && !e.Overrule {
				checkDelete(e, ref, refs, uses, &v)
			}
			continue
		}
		checkItem(next, e, before, &v)
		if before != nil && !e.Overrule {
			checkFrozen(e, before, ref, refs, uses, &v)
		}
	}
	for _, e := range edits {
		if e.Check != nil && len(v) == 0 {
			e.Check(s, next, &v)
		}
	}
	if len(v) > 0 {
		v.Sort()
		return ConfigOutcome{}, v
	}
	out := ConfigOutcome{Snapshot: next}
	for _, ref := range slices.SortedFunc(maps.Keys(changed), compareRef) {
		before, after := s.Item(ref.Collection, ref.Code), changed[ref]
		switch {
		case before == nil && after == nil:
			continue
		case after == nil:
		case before != nil:
			after.Base().Version = before.Base().Version
			if reflect.DeepEqual(before, after) {
				continue
			}
			after.Base().Version++
		default:
			after.Base().Version = lastVersion(ref) + 1
		}
		out.Changes = append(out.Changes, ConfigChange{ref, before, after})
	}
	return out, nil
}

func compareRef(a, b casm.CodeRef) int {
	if c := slices.Compare([]string{a.Collection}, []string{b.Collection}); c != 0 {
		return c
	}
	return slices.Compare([]string{a.Code}, []string{b.Code})
}

// settle takes a copy of the item as it is read from a store: so it can be
// compared with what stands, and is nobody else's.
func (e *ConfigEdit) settle() error {
	if e.Item == nil {
		return nil
	}
	doc, err := casm.EncodeItem(e.Item)
	if err == nil {
		e.Item, err = e.Collection.Decode(doc)
	}
	return err
}

// check finds what is wrong with the edit against what stands.
func (e ConfigEdit) check(s *casm.Snapshot, v *casm.Violations) {
	before := s.Item(e.Collection.Path, e.Code)
	version := int64(0)
	if before != nil {
		version = before.Base().Version
	}
	switch {
	case e.Create && before != nil:
		v.Add(casm.DuplicateCode, e.Pointer+"/code", "%s is configured already; replace it with PUT", e.Code)
	case before == nil && (e.Replace || e.Item == nil):
		v.Add(casm.NotFound, e.Pointer, "%s has no item %q", e.Collection.Path, e.Code)
	case e.Item != nil && e.Item.Base().Code != e.Code:
		v.Add(casm.CodeImmutable, e.Pointer+"/code", "the code %s cannot be changed to %s; create another item", e.Code, e.Item.Base().Code)
	case e.IfMatch != 0 && version != e.IfMatch:
		v.Add(casm.VersionMismatch, "If-Match", "the version is %d, not %d; read it again", version, e.IfMatch)
	}
}

// primary returns where an item says that it is the primary one, or nil.
func primary(item casm.ConfigItem) *bool {
	switch t := item.(type) {
	case *casm.ResourceType:
		return &t.Primary
	case *casm.Currency:
		return &t.Primary
	}
	return nil
}

func clearPrimary(s *casm.Snapshot, e ConfigEdit, changed map[casm.CodeRef]casm.ConfigItem) {
	for _, other := range s.Items(e.Collection.Path) {
		ref := casm.CodeRef{Collection: e.Collection.Path, Code: other.Base().Code}
		if _, also := changed[ref]; also || !*primary(other) {
			continue
		}
		c := reflect.New(reflect.TypeOf(other).Elem())
		c.Elem().Set(reflect.ValueOf(other).Elem())
		cleared := c.Interface().(casm.ConfigItem)
		*primary(cleared) = false
		changed[ref] = cleared
	}
}

// checkPrimary refuses an edit that would leave no currency primary: there is
// always one, while of resource types there is at most one (contract 5).
func checkPrimary(next *casm.Snapshot, e ConfigEdit, before casm.ConfigItem, v *casm.Violations) {
	old, ok := before.(*casm.Currency)
	if !ok || !old.Primary || slices.ContainsFunc(next.Items(e.Collection.Path), func(c casm.ConfigItem) bool { return *primary(c) }) {
		return
	}
	if e.Item == nil {
		v.Add(casm.InUse, e.Pointer, "%s is the primary currency; make another one primary first", e.Code)
	} else {
		v.Add(casm.InvalidValue, e.Pointer+"/primary", "%s is the primary currency, and there must be one; set primary of another, which clears this one's", e.Code)
	}
}

// Import returns the edits that make the collections given equal to the items
// given, leaving what every installation holds and collections not given
// (contract 5).
func Import(s *casm.Snapshot, document map[string][]casm.ConfigItem) []ConfigEdit {
	var edits []ConfigEdit
	for _, c := range casm.Collections {
		items, given := document[c.Path]
		if !given || c.Internal {
			continue
		}
		keep := map[string]bool{}
		for i, item := range items {
			keep[item.Base().Code] = true
			edits = append(edits, ConfigEdit{
				Collection: c, Code: item.Base().Code, Item: item, Pointer: "/" + c.Path + "/" + strconv.Itoa(i),
			})
		}
		for _, item := range s.Items(c.Path) {
			if code := item.Base().Code; !keep[code] && !slices.Contains(c.Builtin, code) {
				edits = append(edits, ConfigEdit{Collection: c, Code: code, Pointer: "/" + c.Path})
			}
		}
	}
	return edits
}

// checkItem finds what is wrong with an item within the configuration that
// would hold with it.
func checkItem(next *casm.Snapshot, e ConfigEdit, before casm.ConfigItem, v *casm.Violations) {
	var own casm.Violations
	old := map[casm.CodeRef]bool{}
	if before != nil {
		for _, c := range itemCodes(next, before) {
			old[c.CodeRef] = true
		}
	}
	for _, c := range itemCodes(next, e.Item) {
		switch item := next.Item(c.Collection, c.Code); {
		case item == nil:
			own.Add(casm.NotConfigured, c.Pointer, "%q is not configured; %s lists the codes", c.Code, listOf(c.Collection))
		case item.Base().Retired && !old[c.CodeRef]:
			own.Add(casm.Retired, c.Pointer, "%s is retired: existing uses stand, new ones are refused", c.Code)
		}
	}
	if c, ok := e.Item.(casm.ItemChecker); ok {
		c.CheckItem(next, &own)
	}
	for _, x := range own {
		x.Pointer = e.Pointer + x.Pointer
		*v = append(*v, x)
	}
}

// listOf is the path at which a collection that items refer to is listed.
func listOf(path string) string {
	if casm.CollectionByPath(path).Internal {
		return "/v1/admin/" + path
	}
	return "/v1/config/" + path
}

// itemCodes are all codes that an item refers to, those in services' attributes included.
func itemCodes(s *casm.Snapshot, item casm.ConfigItem) []casm.PlacedCode {
	out := casm.Codes(item)
	offer, ok := item.(*casm.Offer)
	if !ok {
		return out
	}
	product, ok := s.Product(offer.Product)
	if !ok {
		return out
	}
	for i, version := range offer.Versions {
		for j, service := range version.Services {
			if ps := product.Service(service.Service); ps != nil {
				if kind := casm.ServiceKind(ps.Kind); kind != nil {
					at := "/versions/" + strconv.Itoa(i) + "/services/" + strconv.Itoa(j) + "/attributes"
					out = append(out, kind.ServiceCodes(service.Attributes, at)...)
				}
			}
		}
	}
	return out
}

// configReferences tells by which item each code is referred to.
func configReferences(s *casm.Snapshot) map[casm.CodeRef]string {
	refs := map[casm.CodeRef]string{}
	for _, c := range casm.Collections {
		for _, item := range s.Items(c.Path) {
			for _, code := range itemCodes(s, item) {
				if refs[code.CodeRef] == "" {
					refs[code.CodeRef] = c.Path + "/" + item.Base().Code
				}
			}
		}
	}
	return refs
}

// inUse says who refers to a code, or "".
func inUse(ref casm.CodeRef, refs map[casm.CodeRef]string, uses func(casm.CodeRef) int64) string {
	if by := refs[ref]; by != "" {
		return by + " refers to it"
	}
	switch n := uses(ref); {
	case n == 1:
		return "1 entity refers to it"
	case n > 1:
		return strconv.FormatInt(n, 10) + " entities refer to it"
	}
	return ""
}

func checkDelete(e ConfigEdit, ref casm.CodeRef, refs map[casm.CodeRef]string, uses func(casm.CodeRef) int64, v *casm.Violations) {
	if slices.Contains(e.Collection.Builtin, e.Code) {
		v.Add(casm.InUse, e.Pointer, "%s belongs to every installation and cannot be deleted", e.Code)
	} else if by := inUse(ref, refs, uses); by != "" {
		instead := "retire it instead"
		if e.Collection.Internal {
			instead = "take it away there first"
		}
		v.Add(casm.InUse, e.Pointer, "%s cannot be deleted: %s; %s", e.Code, by, instead)
	}
}

// checkFrozen finds changes of what cannot change while the item is in use
// (contract 5).
func checkFrozen(e ConfigEdit, before casm.ConfigItem, ref casm.CodeRef, refs map[casm.CodeRef]string, uses func(casm.CodeRef) int64, v *casm.Violations) {
	if e.Collection.Sealed && slices.Contains(e.Collection.Builtin, e.Code) {
		v.Add(casm.InUse, e.Pointer, "%s belongs to every installation and cannot be changed; create another one", e.Code)
		return
	}
	bv, av := reflect.ValueOf(before).Elem(), reflect.ValueOf(e.Item).Elem()
	for _, f := range e.Collection.Object.Fields {
		if f.Frozen && !reflect.DeepEqual(f.Value(bv).Interface(), f.Value(av).Interface()) {
			if by := inUse(ref, refs, uses); by != "" {
				v.Add(casm.InUse, e.Pointer+"/"+f.Name, "%s of %s cannot change: %s", f.Name, e.Code, by)
			}
		}
	}
	old, ok := before.(*casm.Offer)
	if !ok {
		return
	}
	offer := e.Item.(*casm.Offer)
	for i := range old.Versions {
		n := old.Versions[i].Version
		if now := offer.Version(n); now == nil || !reflect.DeepEqual(*now, old.Versions[i]) {
			if count := uses(casm.OfferVersionRef(offer.Code, n)); count > 0 {
				v.Add(casm.InUse, e.Pointer+"/versions", "version %d of %s is subscribed (%d) and cannot change; add another version", n, offer.Code, count)
			}
		}
	}
}

// EntityCodes are the references to configuration that an entity holds, for
// counting.
func EntityCodes(e casm.Entity) []casm.CodeRef {
	var out []casm.CodeRef
	for _, c := range casm.Codes(e) {
		out = append(out, c.CodeRef)
	}
	if s, ok := e.(*casm.OfferSubscription); ok {
		out = append(out, casm.OfferVersionRef(s.Offer, s.OfferVersion))
		for _, service := range s.Services {
			if kind := casm.ServiceKind(service.Kind); kind != nil {
				for _, c := range kind.ServiceCodes(service.Attributes, "") {
					out = append(out, c.CodeRef)
				}
			}
		}
	}
	return out
}
