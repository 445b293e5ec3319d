// Package command holds the operations of the contract and their rules, as
// pure functions: what is, what is asked for and what time it is go in; what
// changes, or everything that is wrong, comes out. It knows no store, no HTTP
// and no clock.
package command

import (
	"cmp"
	"iter"
	"reflect"
	"slices"

	"casm"

	"github.com/google/uuid"
)

// Record is an entity with what is known of it beside its document. Records
// are shared and never change; Decision.Edit gives a copy to change.
type Record struct {
	casm.Entity
	// Customer is the customer at the top; of a customer itself.
	Customer uuid.UUID
	// Test marks what stands below a test customer or test account.
	Test bool
	// Created is when the entity was created.
	Created casm.Time
}

// ID returns the entity's refId.
func (r *Record) ID() uuid.UUID { return r.Base().RefID }

// Above returns the refId of the entity directly above, or the zero id.
func (r *Record) Above() uuid.UUID {
	if ref, _ := r.Superior(); ref != nil {
		return ref.RefID
	}
	return uuid.Nil
}

// ExternalID returns the present external id, or "".
func (r *Record) ExternalID() string {
	if top := r.Top(); top != nil {
		return top.ExternalID
	}
	return ""
}

// Deactivated reports whether the entity's life is over.
func (r *Record) Deactivated() bool {
	top := r.Top()
	return top != nil && top.State.State == casm.Deactivated
}

// Due returns when the entity next changes by itself, or zero.
func (r *Record) Due() casm.Time {
	due, _ := r.plans()
	return due
}

// Planned returns the earliest date of any plan, also of one that waits for a
// confirm, or zero.
func (r *Record) Planned() casm.Time {
	_, planned := r.plans()
	return planned
}

func (r *Record) plans() (due, planned casm.Time) {
	earliest := func(a, b casm.Time) casm.Time {
		if a == 0 || b < a {
			return b
		}
		return a
	}
	if top := r.Top(); top != nil && top.PlannedState != nil {
		planned = top.PlannedState.StateValidFrom
		if !top.PlannedState.Pending {
			due = planned
		}
	}
	if a, ok := r.Entity.(*casm.Account); ok && a.PlannedBillCycle != nil {
		planned = earliest(planned, a.PlannedBillCycle.ValidFrom)
		due = earliest(due, a.PlannedBillCycle.ValidFrom)
	}
	return due, planned
}

// ResourceKey returns what a valid resource occupies, and whether r is one.
func (r *Record) ResourceKey() (ResourceKey, bool) {
	res, ok := r.Entity.(*casm.SubscriberResource)
	if !ok {
		return ResourceKey{}, false
	}
	return ResourceKey{res.ResourceType, res.Resource}, res.ValidTo == 0
}

// Copy returns a copy of the record and its entity. Maps and pointers in it are
// shared: replace them, do not change them.
func (r *Record) Copy() *Record {
	v := reflect.ValueOf(r.Entity).Elem()
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	return &Record{Entity: c.Interface().(casm.Entity), Customer: r.Customer, Test: r.Test, Created: r.Created}
}

// ResourceKey names a resource value.
type ResourceKey struct{ Type, Value string }

type externalKey struct {
	kind casm.Kind
	id   string
}

// View is the state that a decision looks at: what holds now, due plans
// included. What cannot be read is as if it were not there; the owner of the
// view knows of the failure.
type View interface {
	// Get returns the entity, or nil.
	Get(kind casm.Kind, id uuid.UUID) *Record
	// ByExternalID returns the entity that has the external id, or nil.
	ByExternalID(kind casm.Kind, externalID string) *Record
	// ByResource returns the valid resource with the value, or nil.
	ByResource(key ResourceKey) *Record
	// Children gives what is directly below, by refId, reading on as it is asked
	// for more: there may be more than fits into memory. It may leave out what
	// has ended, but not deactivated accounts and subscribers: below them may be
	// what has not.
	Children(of uuid.UUID, kind casm.Kind) iter.Seq[*Record]
}

// Layer is a View of what stands below it with changes on top.
type Layer struct {
	below     View
	records   map[uuid.UUID]*Record
	externals map[externalKey]uuid.UUID // the zero id: set free
	resources map[ResourceKey]uuid.UUID
	children  map[uuid.UUID][]uuid.UUID // put here, by the entity above
	fresh     map[uuid.UUID]bool        // created here: nothing below knows of them
}

// NewLayer returns a layer without changes.
func NewLayer(below View) *Layer { return &Layer{below: below} }

// Below returns the view that the layer stands on.
func (l *Layer) Below() View { return l.below }

// Put makes after hold in the place of before, which is nil for a new entity.
func (l *Layer) Put(before, after *Record) {
	if l.records == nil {
		l.records = map[uuid.UUID]*Record{}
		l.externals = map[externalKey]uuid.UUID{}
		l.resources = map[ResourceKey]uuid.UUID{}
		l.children = map[uuid.UUID][]uuid.UUID{}
		l.fresh = map[uuid.UUID]bool{}
	}
	id := after.ID()
	if before != nil {
		if x := before.ExternalID(); x != "" && x != after.ExternalID() {
			l.externals[externalKey{before.Kind(), x}] = uuid.Nil
		}
		if key, valid := before.ResourceKey(); valid {
			l.resources[key] = uuid.Nil
		}
	} else {
		l.fresh[id] = true
	}
	if x := after.ExternalID(); x != "" {
		l.externals[externalKey{after.Kind(), x}] = id
	}
	if key, valid := after.ResourceKey(); valid {
		l.resources[key] = id
	}
	if above := after.Above(); above != uuid.Nil {
		if _, here := l.records[id]; !here || before == nil || before.Above() != above {
			l.children[above] = append(l.children[above], id)
		}
	}
	l.records[id] = after
}

// Merge puts the changes of a layer that stands on l into l.
func (l *Layer) Merge(changes []Change) {
	for _, c := range changes {
		l.Put(c.Before, c.After)
	}
}

// Get implements View.
func (l *Layer) Get(kind casm.Kind, id uuid.UUID) *Record {
	if r, ok := l.records[id]; ok {
		if r.Kind() != kind {
			return nil
		}
		return r
	}
	return l.below.Get(kind, id)
}

// ByExternalID implements View.
func (l *Layer) ByExternalID(kind casm.Kind, externalID string) *Record {
	if id, ok := l.externals[externalKey{kind, externalID}]; ok {
		if id == uuid.Nil {
			return nil
		}
		return l.Get(kind, id)
	}
	if r := l.below.ByExternalID(kind, externalID); r != nil {
		return l.Get(kind, r.ID())
	}
	return nil
}

// ByResource implements View.
func (l *Layer) ByResource(key ResourceKey) *Record {
	if id, ok := l.resources[key]; ok {
		if id == uuid.Nil {
			return nil
		}
		return l.Get(casm.KindSubscriberResource, id)
	}
	return l.below.ByResource(key)
}

// Children implements View. What is put into the layer meanwhile may be left
// out, but what is given is as it is at that moment.
func (l *Layer) Children(of uuid.UUID, kind casm.Kind) iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		own := slices.Clone(l.children[of])
		slices.SortFunc(own, compareID)
		own = slices.Compact(own)
		give := func(id uuid.UUID, r *Record) bool {
			if here, ok := l.records[id]; ok {
				r = here
			}
			return r.Kind() != kind || r.Above() != of || yield(r)
		}
		if !l.fresh[of] {
			for r := range l.below.Children(of, kind) {
				id := r.ID()
				for ; len(own) > 0 && compareID(own[0], id) <= 0; own = own[1:] {
					if own[0] != id && !give(own[0], nil) {
						return
					}
				}
				if !give(id, r) {
					return
				}
			}
		}
		for _, id := range own {
			if !give(id, nil) {
				return
			}
		}
	}
}

func compareID(a, b uuid.UUID) int { return cmp.Compare(string(a[:]), string(b[:])) }
