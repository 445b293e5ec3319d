package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"slices"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// source is a command.View of what a store's reader shows. The first failure
// to read is kept in err; the one who owns the source looks at it before
// anything that was decided is used.
type source struct {
	ctx     context.Context
	reader  store.Reader
	records map[store.Key]*command.Record // nil: known not to exist
	claims  map[store.ClaimKey]uuid.UUID  // the zero id: known to be free
	// children is what was read below entities: it cannot change under a reader.
	children map[childKey][]*command.Record
	levels   map[uuid.UUID]*level
	err      error
}

type childKey struct {
	of   uuid.UUID
	kind casm.Kind
}

func newSource(ctx context.Context, reader store.Reader) *source {
	return &source{
		ctx: ctx, reader: reader,
		records: map[store.Key]*command.Record{}, claims: map[store.ClaimKey]uuid.UUID{},
		children: map[childKey][]*command.Record{}, levels: map[uuid.UUID]*level{},
	}
}

func (s *source) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// take keeps what was loaded for the needs.
func (s *source) take(needs store.Needs, l *store.Loaded) {
	for i := range l.Entities {
		r, err := record(&l.Entities[i])
		if err != nil {
			s.fail(err)
			return
		}
		s.records[l.Entities[i].Key] = r
	}
	for _, k := range needs.Entities {
		if _, ok := s.records[k]; !ok {
			s.records[k] = nil
		}
	}
	for _, k := range needs.Claims {
		s.claims[k] = l.Claims[k]
		s.noteParts(store.Key{Kind: k.Kind(), RefID: l.Claims[k]})
	}
	for _, k := range needs.Entities {
		s.noteParts(k)
	}
	for i := range l.Entities {
		e := &l.Entities[i]
		key := childKey{e.Superior, e.Kind}
		if list, whole := s.children[key]; whole && e.State != casm.Deactivated {
			if r := s.records[e.Key]; !slices.Contains(list, r) {
				s.children[key] = append(list, r)
			}
		}
	}
}

// noteParts notes that the parts of a named entity were loaded with it.
func (s *source) noteParts(k store.Key) {
	if parts := store.PartsOf(k.Kind); parts != 0 && k.RefID != uuid.Nil {
		key := childKey{k.RefID, parts}
		if _, known := s.children[key]; !known {
			s.children[key] = nil
		}
	}
}

func (s *source) load(needs store.Needs) {
	if s.err != nil {
		return
	}
	l, err := s.reader.Load(s.ctx, needs)
	if err != nil {
		s.fail(err)
		return
	}
	s.take(needs, l)
}

func record(e *store.Entity) (*command.Record, error) {
	entity, err := casm.DecodeEntity(e.Kind, e.Doc)
	if err != nil {
		return nil, fmt.Errorf("engine: %v %v: %w", e.Kind, e.RefID, err)
	}
	return &command.Record{Entity: entity, Customer: e.Customer, Test: e.Test, Created: e.Created}, nil
}

// Get implements command.View.
func (s *source) Get(kind casm.Kind, id uuid.UUID) *command.Record {
	key := store.Key{Kind: kind, RefID: id}
	r, known := s.records[key]
	if !known && id != uuid.Nil {
		s.load(store.Needs{Entities: []store.Key{key}})
		r = s.records[key]
	}
	return r
}

func (s *source) holder(key store.ClaimKey) *command.Record {
	id, known := s.claims[key]
	if !known {
		s.load(store.Needs{Claims: []store.ClaimKey{key}})
		id = s.claims[key]
	}
	if id == uuid.Nil {
		return nil
	}
	return s.Get(key.Kind(), id)
}

// ByExternalID implements command.View.
func (s *source) ByExternalID(kind casm.Kind, externalID string) *command.Record {
	return s.holder(store.ExternalID(kind, externalID))
}

// ByResource implements command.View.
func (s *source) ByResource(key command.ResourceKey) *command.Record {
	return s.holder(store.Resource(key.Type, key.Value))
}

// childPage is how many entities below another are read at once.
const childPage = 1000

// Children implements command.View. What fits one page is kept.
func (s *source) Children(of uuid.UUID, kind casm.Kind) iter.Seq[*command.Record] {
	return func(yield func(*command.Record) bool) {
		key := childKey{of, kind}
		list, known := s.children[key]
		if known {
			for _, r := range list {
				if !yield(r) {
					return
				}
			}
			return
		}
		skip := kind != casm.KindAccount && kind != casm.KindSubscriber // below those there may be more
		q := store.ChildQuery{Of: of, Kind: kind, SkipDeactivated: skip, Limit: childPage}
		for first := true; s.err == nil; first = false {
			rows, ahead := []store.Entity(nil), false
			if first {
				rows, ahead = s.ahead(of, kind, skip)
			}
			if !ahead {
				var err error
				if rows, err = s.reader.Children(s.ctx, q); err != nil {
					s.fail(err)
					return
				}
				s.noteLevel(rows)
			}
			last := len(rows) < childPage
			page := s.recordsOf(rows, first && last)
			if first && last {
				s.children[key] = page
			}
			for _, r := range page {
				if !yield(r) {
					return
				}
			}
			if last {
				return
			}
			q.After = rows[len(rows)-1].RefID
		}
	}
}

// recordsOf returns the records of rows, those that are known as they are known.
func (s *source) recordsOf(rows []store.Entity, keep bool) []*command.Record {
	page := make([]*command.Record, len(rows))
	for i := range rows {
		r := s.records[rows[i].Key]
		if r == nil {
			var err error
			if r, err = record(&rows[i]); err != nil {
				s.fail(err)
				return nil
			}
			if keep {
				s.records[rows[i].Key] = r
			}
		}
		page[i] = r
	}
	return page
}

// rowOf returns the row that a store keeps of a record with its document.
func rowOf(r *command.Record, doc []byte) store.Entity {
	row := store.Entity{
		Key:      store.Key{Kind: r.Kind(), RefID: r.ID()},
		Version:  r.Base().Version,
		Customer: r.Customer, Superior: r.Above(), Test: r.Test,
		Created: r.Created, Updated: r.Created,
		Due: r.Due(), Planned: r.Planned(), Doc: doc,
	}
	if code := r.SegmentCode(); code != nil {
		row.Segment = *code
	}
	if top := r.Top(); top != nil {
		row.ExternalID, row.CustomName = top.ExternalID, top.CustomName
		row.State, row.Reason, row.Updated = top.State.State, top.State.StateReason, top.UpdatedAt
	}
	switch e := r.Entity.(type) {
	case *casm.OfferSubscription:
		row.Offer, row.Link = e.Offer, e.ParentOfferSubscription.RefID
	case *casm.SubscriberResource:
		row.LookupKey = e.ResourceType + store.Separator + e.Resource
		if e.ValidTo != 0 {
			row.State = casm.Deactivated // not among what stands below any more
		}
	}
	return row
}

// attributeHash is by what lists find a custom attribute.
func attributeHash(key, value string) int64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, key) // a hash takes everything
	_, _ = io.WriteString(h, store.Separator)
	_, _ = io.WriteString(h, value)
	return int64(h.Sum64())
}

// attributeHashes are those of a record, nil of none.
func attributeHashes(r *command.Record) map[int64]bool {
	if r == nil || r.Top() == nil || len(r.Top().CustomAttributes) == 0 {
		return nil
	}
	m := map[int64]bool{}
	for key, value := range r.Top().CustomAttributes {
		m[attributeHash(key, value)] = true
	}
	return m
}
