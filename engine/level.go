package engine

import (
	"slices"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// level is a run of entities that are looked at one after another, as a cascade
// does. What is below one of them is read together with what is below those
// that follow, so a walk through a tree takes a few readings, not one for each
// entity.
type level struct {
	ids   []uuid.UUID
	below map[childKey][]store.Entity // what was read ahead
}

const (
	// aheadOf is below how many entities is read at once, aheadEach how much
	// below each: what has more is read by itself.
	aheadOf   = 256
	aheadEach = 16
)

// noteLevel notes that the entities will be looked at together.
func (s *source) noteLevel(rows []store.Entity) {
	if len(rows) < 2 {
		return
	}
	l := &level{below: map[childKey][]store.Entity{}}
	for i := range rows {
		l.ids = append(l.ids, rows[i].RefID)
		s.levels[rows[i].RefID] = l
	}
}

// ahead gives what is directly below an entity of a level, and whether it knows.
func (s *source) ahead(of uuid.UUID, kind casm.Kind, skipDeactivated bool) ([]store.Entity, bool) {
	l := s.levels[of]
	if l == nil {
		return nil, false
	}
	key := childKey{of, kind}
	rows, known := l.below[key]
	if !known {
		at := slices.Index(l.ids, of)
		ids := l.ids[at:min(at+aheadOf, len(l.ids))]
		found, err := s.reader.ChildrenOf(s.ctx, ids, kind, skipDeactivated, aheadEach)
		if err != nil {
			s.fail(err)
			return nil, true
		}
		var all []store.Entity
		for _, id := range ids {
			l.below[childKey{id, kind}] = found[id]
			if len(found[id]) < aheadEach {
				all = append(all, found[id]...)
			}
		}
		s.noteLevel(all)
		rows = found[of]
	}
	delete(l.below, key)
	return rows, len(rows) < aheadEach
}
