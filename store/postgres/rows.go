package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// The columns of casm_entity_row, with their types.
var (
	entityNames = []string{
		"kind", "ref_id", "version", "written_over", "customer", "superior", "superior_kind",
		"link", "link_kind", "external_id", "lookup_key", "state", "reason", "segment", "offer",
		"custom_name", "test", "created", "updated", "due", "planned", "doc",
	}
	entityTypes = []uint32{
		oidInt2, oidUUID, oidInt8, oidInt8, oidUUID, oidUUID, oidInt2,
		oidUUID, oidInt2, oidText, oidText, oidText, oidText, oidText, oidText,
		oidText, oidBool, oidTimestamptz, oidTimestamptz, oidTimestamptz, oidTimestamptz, oidText,
	}
)

// insertEntities writes new entities, upsertEntities others: over the version
// that was loaded, or, where none was, over any that is older.
var insertEntities, upsertEntities = func() (insert, upsert *statement) {
	list := strings.Join(entityNames, ", ")
	into := fmt.Sprintf(`INSERT INTO entity AS e (%[1]s) SELECT %[1]s FROM unnest($1::casm_entity_row[])`, list)
	insert = newStatement(into)
	var excluded []string
	for _, name := range entityNames {
		if name != "kind" && name != "ref_id" {
			excluded = append(excluded, name+" = excluded."+name)
		}
	}
	upsert = newStatement(fmt.Sprintf(`WITH put AS (%s
	  ON CONFLICT (ref_id, kind) DO UPDATE SET %s
	  WHERE e.version = excluded.written_over OR excluded.written_over IS NULL AND e.version < excluded.version RETURNING 1)
	SELECT casm_assert(count(*) = $2, '%s', 'an entity has been changed by another') FROM put`,
		into, strings.Join(excluded, ", "), codeConflict))
	return insert, upsert
}()

func (w *writer) entities(ctx context.Context) error {
	kinds := make(map[uuid.UUID]casm.Kind, len(w.set.Entities))
	sorted := make([]*store.Entity, len(w.set.Entities))
	for i := range w.set.Entities {
		e := &w.set.Entities[i]
		sorted[i], kinds[e.RefID] = e, e.Kind
	}
	slices.SortFunc(sorted, func(x, y *store.Entity) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), slices.Compare(x.RefID[:], y.RefID[:]))
	})
	kindOf := func(id uuid.UUID) int16 {
		if kind := kinds[id]; kind != 0 {
			return int16(kind)
		}
		return int16(w.held.entities[id].kind) // 0: it is not known
	}
	for _, group := range []*statement{insertEntities, upsertEntities} {
		var rows *records
		put := func() {
			if rows != nil {
				w.add(group, func(a *args) {
					if a.array(&rows.array); group == upsertEntities {
						a.int8(int64(rows.n))
					}
				}, nil)
				rows = nil
			}
		}
		for i, e := range sorted {
			if w.fresh(e) != (group == insertEntities) {
				continue
			}
			if rows == nil {
				n, size := chunk(sorted[i:], func(e *store.Entity) int { return len(e.Doc) + len(e.LookupKey) + 300 })
				rows = newRecords(w.c.types[entityRows], entityTypes, n, size)
			}
			rows.entity(e, w.held.entities[e.RefID].version, kindOf)
			if len(rows.buf) > chunkBytes {
				put()
				if err := w.flush(ctx); err != nil {
					return err
				}
			}
		}
		put()
	}
	return w.flush(ctx)
}

// fresh reports whether an entity is new: it has its first version, and there
// was none to load.
func (w *writer) fresh(e *store.Entity) bool {
	return e.Version == 1 && w.held.entities[e.RefID].version == 0
}

// chunk tells how many of the values go into one statement, and how long they are.
func chunk[T any](list []T, length func(T) int) (n, size int) {
	for n < len(list) && size <= chunkBytes {
		size += length(list[n])
		n++
	}
	return n, size
}

// entity adds a row.
func (r *records) entity(e *store.Entity, before int64, kindOf func(uuid.UUID) int16) {
	r.begin()
	r.next().int2(int16(e.Kind))
	r.next().id(e.RefID)
	r.next().int8(e.Version)
	if before == 0 {
		r.next().none()
	} else {
		r.next().int8(before)
	}
	if e.Customer == e.RefID {
		r.next().none()
	} else {
		r.next().optID(e.Customer)
	}
	r.next().optID(e.Superior)
	r.next().int2(kindOf(e.Superior))
	r.next().optID(e.Link)
	r.next().int2(kindOf(e.Link))
	r.next().optText(e.ExternalID)
	r.next().optText(e.LookupKey)
	r.next().text(e.State)
	r.next().text(e.Reason)
	r.next().text(e.Segment)
	r.next().text(e.Offer)
	r.next().text(e.CustomName)
	r.next().bool(e.Test)
	r.next().time(e.Created)
	r.next().time(e.Updated)
	r.next().optTime(e.Due)
	r.next().optTime(e.Planned)
	r.next().bytes(e.Doc)
	r.end()
}

var (
	loseAttributes = newStatement(`SELECT casm_lose_attributes($1, $2, $3)`)
	// A new entity has none yet, and to ask whether it does costs half as much
	// as to write them.
	newAttributes = newStatement(`INSERT INTO entity_attribute (kind, hash, ref_id)
	SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::uuid[])`)
	gainAttributes = newStatement(`INSERT INTO entity_attribute (kind, hash, ref_id)
	SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::uuid[]) ON CONFLICT DO NOTHING`)
)

func (w *writer) attributes(ctx context.Context) error {
	for _, s := range []*statement{loseAttributes, newAttributes, gainAttributes} {
		c, n := newColumns(0, oidInt2, oidInt8, oidUUID), 0
		for i := range w.set.Entities {
			e := &w.set.Entities[i]
			hashes := e.AttributesLost
			if s != loseAttributes {
				hashes = e.AttributesGained
				if w.fresh(e) != (s == newAttributes) {
					continue
				}
			}
			for _, hash := range hashes {
				n++
				c[0].int2(int16(e.Kind))
				c[1].int8(hash)
				c[2].id(e.RefID)
			}
		}
		if n > 0 {
			w.add(s, c.bind, nil)
		}
	}
	return w.flush(ctx)
}

var insertJournal = newStatement(`INSERT INTO journal (month, transaction_id, batch_ordinal, ordinal,
	  kind, ref_id, version, customer, event, lines, at, threshold, doc)
	SELECT $1, transaction_id, batch_ordinal, ordinal, kind, ref_id, version, customer, event, lines, at, threshold, doc
	FROM unnest($2::casm_journal_row[])`)

var journalTypes = []uint32{
	oidUUID, oidInt4, oidInt4, oidInt2, oidUUID, oidInt8, oidUUID,
	oidText, oidInt2, oidTimestamptz, oidInt2, oidText,
}

func (w *writer) journal(ctx context.Context) error {
	var rows *records
	put := func() {
		if rows != nil {
			w.add(insertJournal, func(a *args) { a.int4(w.month); a.array(&rows.array) }, nil)
			rows = nil
		}
	}
	for i := range w.set.Transactions {
		t := &w.set.Transactions[i]
		for j := range t.Changes {
			change := &t.Changes[j]
			if rows == nil {
				n, size := chunk(w.set.Transactions[i:], func(t store.Transaction) (size int) {
					for i := range t.Changes {
						size += len(t.Changes[i].Doc) + 250
					}
					return size
				})
				rows = newRecords(w.c.types[journalRows], journalTypes, n, min(size, 2*chunkBytes))
			}
			rows.begin()
			rows.next().id(t.ID)
			rows.next().int4(int32(t.Ordinal))
			rows.next().int4(int32(j))
			rows.next().int2(int16(change.Kind))
			rows.next().id(change.RefID)
			rows.next().int8(change.Version)
			rows.next().optID(change.Customer)
			rows.next().text(change.Event)
			rows.next().int2(int16(change.Lines))
			rows.next().time(change.At)
			rows.next().int2(int16(change.Threshold))
			rows.next().bytes(change.Doc)
			rows.end()
			if len(rows.buf) > chunkBytes {
				put()
				if err := w.flush(ctx); err != nil {
					return err
				}
			}
		}
	}
	put()
	return w.flush(ctx)
}

// appendTransactions takes the next positions: the last lock of a commit, held
// while it flushes.
var appendTransactions = newStatement(`WITH head AS (
	  UPDATE log_head SET position = position + $2 RETURNING epoch, position),
	put AS (INSERT INTO business_transaction (position, month, transaction_id, ordinal, request_id, claim,
	    operation, at, actor, comment, hash, answer, versions, rows, customer, kinds)
	  SELECT head.position - $2 + u.n, $1, u.transaction_id, u.ordinal, u.request_id, u.claim,
	    u.operation, u.at, u.actor, u.comment, u.hash, u.answer, u.versions, u.rows, u.customer, u.kinds
	  FROM head CROSS JOIN unnest($3::casm_transaction_row[]) WITH ORDINALITY
	    AS u(transaction_id, ordinal, request_id, claim, operation, at, actor, comment, hash, answer, versions, rows, customer, kinds, n))
	SELECT epoch, position FROM head`)

var selectLogHead = newStatement(`SELECT epoch, position FROM log_head`)

func (w *writer) transactions(head *store.Head) error {
	read := func(row *row) error { head.Epoch, head.Position = row.int8(), row.int8(); return nil }
	n := len(w.set.Transactions)
	if n == 0 {
		w.add(selectLogHead, nil, read)
		return nil
	}
	_, size := chunk(w.set.Transactions, func(t store.Transaction) int {
		return len(t.RequestID) + len(t.Comment) + len(t.Hash) + len(t.Answer) + 200
	})
	rows := newRecords(w.c.types[transactionRows], transactionTypes, n, size)
	for i := range w.set.Transactions {
		t := &w.set.Transactions[i]
		claim, err := t.ClaimForm()
		if err != nil {
			return fmt.Errorf("%w: transaction %s: %w", errRefused, t.ID, err)
		}
		versions, kinds, customer := summary(t.Changes)
		rows.begin()
		rows.next().id(t.ID)
		rows.next().int4(int32(t.Ordinal))
		rows.next().text(t.RequestID)
		rows.next().int2(int16(claim))
		rows.next().text(t.Operation)
		rows.next().time(t.At)
		rows.next().text(t.Actor)
		rows.next().text(t.Comment)
		rows.next().optBytes(t.Hash)
		rows.next().optBytes(t.Answer)
		rows.next().int4(versions)
		rows.next().int4(int32(len(t.Changes)))
		if len(t.Changes) == 0 {
			rows.next().none()
		} else {
			rows.next().id(customer)
		}
		rows.next().int4(kinds)
		rows.end()
	}
	w.add(appendTransactions, func(a *args) { a.int4(w.month); a.int8(int64(n)); a.array(&rows.array) }, read)
	return nil
}

var transactionTypes = []uint32{
	oidUUID, oidInt4, oidText, oidInt2, oidText, oidTimestamptz, oidText,
	oidText, oidBytea, oidBytea, oidInt4, oidInt4, oidUUID, oidInt4,
}

// summary is what business_transaction keeps of its journal rows: how many
// versions they record, of which kinds, and whose they are.
func summary(changes []store.Change) (versions, kinds int32, customer uuid.UUID) {
	for i := range changes {
		c := &changes[i]
		if c.Threshold == 0 {
			versions++
		}
		kinds |= 1 << c.Kind
		if i == 0 {
			customer = c.Customer
		} else if c.Customer != customer {
			customer = several
		}
	}
	return versions, kinds, customer
}
