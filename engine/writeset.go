package engine

import (
	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// writeSet gathers what the commands of a batch changed into sets that hold
// each entity and each claim once, in its final form.
type writeSet struct {
	entities     map[uuid.UUID]int            // index in rows
	attributes   map[uuid.UUID]map[int64]bool // hashes of those that are stored, of what changes
	rows         []store.Entity
	claims       map[store.ClaimKey]*store.ClaimChange
	order        []store.ClaimKey
	transactions []store.Transaction
	uses         map[store.CodeKey]int64
	config       []store.ConfigChange
	progress     []store.ProgressChange
	due          bool // something was planned
}

func (w *writeSet) add(r *decided) {
	if w.entities == nil {
		w.entities = map[uuid.UUID]int{}
		w.attributes = map[uuid.UUID]map[int64]bool{}
		w.claims = map[store.ClaimKey]*store.ClaimChange{}
		w.uses = map[store.CodeKey]int64{}
	}
	for n, c := range r.changes {
		row := rowOf(c.After, r.docs[n])
		if row.Updated < r.transaction.At {
			row.Updated = r.transaction.At // of what has no updatedAt
		}
		w.attributesOf(c, &row)
		if i, ok := w.entities[row.RefID]; ok {
			w.rows[i] = row
		} else {
			w.entities[row.RefID] = len(w.rows)
			w.rows = append(w.rows, row)
		}
		w.due = w.due || row.Due != 0
		w.claimsOf(c)
		w.usesOf(c)
	}
	if r.transaction.Claim != (store.ClaimKey{}) {
		w.move(r.transaction.Claim, uuid.Nil, r.transaction.ID)
	}
	w.transactions = append(w.transactions, r.transaction)
}

// attributesOf notes which attributes the row gains and loses against what is
// stored.
func (w *writeSet) attributesOf(c command.Change, row *store.Entity) {
	stored, known := w.attributes[row.RefID]
	if !known {
		stored = attributeHashes(c.Before)
		w.attributes[row.RefID] = stored
	}
	now := attributeHashes(c.After)
	for hash := range now {
		if !stored[hash] {
			row.AttributesGained = append(row.AttributesGained, hash)
		}
	}
	for hash := range stored {
		if !now[hash] {
			row.AttributesLost = append(row.AttributesLost, hash)
		}
	}
}

func (w *writeSet) claimsOf(c command.Change) {
	id := c.After.ID()
	before := ""
	if c.Before != nil {
		before = c.Before.ExternalID()
	}
	if after := c.After.ExternalID(); before != after {
		if before != "" {
			w.move(store.ExternalID(c.After.Kind(), before), id, uuid.Nil)
		}
		if after != "" {
			w.move(store.ExternalID(c.After.Kind(), after), uuid.Nil, id)
		}
	}
	key, valid := c.After.ResourceKey()
	was := false
	if c.Before != nil {
		_, was = c.Before.ResourceKey()
	}
	switch {
	case valid && !was:
		w.move(store.Resource(key.Type, key.Value), uuid.Nil, id)
	case was && !valid:
		w.move(store.Resource(key.Type, key.Value), id, uuid.Nil)
	}
}

// move notes that a claim goes from one holder to another.
func (w *writeSet) move(key store.ClaimKey, from, to uuid.UUID) {
	if c, ok := w.claims[key]; ok {
		c.To = to
		return
	}
	w.claims[key] = &store.ClaimChange{ClaimKey: key, From: from, To: to}
	w.order = append(w.order, key)
}

func (w *writeSet) usesOf(c command.Change) {
	if c.Before != nil {
		for _, ref := range command.EntityCodes(c.Before.Entity) {
			w.use(ref, -1)
		}
	}
	for _, ref := range command.EntityCodes(c.After.Entity) {
		w.use(ref, 1)
	}
}

func (w *writeSet) use(ref casm.CodeRef, n int64) {
	w.uses[store.CodeKey(ref)] += n
}

// set returns what the store is to write.
func (w *writeSet) set() *store.WriteSet {
	out := &store.WriteSet{Entities: w.rows, Transactions: w.transactions, Config: w.config, Progress: w.progress}
	for _, key := range w.order {
		if c := w.claims[key]; c.From != c.To {
			out.Claims = append(out.Claims, *c)
		}
	}
	for key, n := range w.uses {
		if n != 0 {
			if out.Uses == nil {
				out.Uses = map[store.CodeKey]int64{}
			}
			out.Uses[key] = n
		}
	}
	return out
}
