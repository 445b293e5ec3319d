package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// List implements store.Reader. Where a filter is narrow, its index gives all
// that can match, and a page is cut from that in order; else rows are read in
// the list's own order, Scan of them at the most.
func (r *reader) List(ctx context.Context, q store.ListQuery) (store.ListPage, error) {
	where, bind := listFilter(&q)
	ids, narrow, err := r.candidates(ctx, &q)
	if err != nil {
		return store.ListPage{}, err
	}
	if narrow {
		return r.listAmong(ctx, &q, ids, where, bind)
	}
	return r.listInOrder(ctx, &q, where, bind)
}

// listFilter returns the conditions on a row's own columns. Lists of values
// are given as JSON, so that the number of statements stays small.
func listFilter(q *store.ListQuery) (where string, bind func(*args)) {
	var conditions []string
	var binds []func(*args)
	add := func(condition string, bind func(*args)) {
		conditions = append(conditions, condition)
		binds = append(binds, bind)
	}
	due := func(*args) {}
	orDue := ""
	if q.DueAt != 0 {
		orDue, due = " OR due <= ?", func(a *args) { a.time(q.DueAt) }
	}
	anyOf := func(column string, values []string, or string) {
		if len(values) > 0 {
			add("("+column+" IN (SELECT value FROM json_each(?))"+or+")", func(a *args) {
				a.json(values)
				if or != "" {
					due(a)
				}
			})
		}
	}
	prefix := func(column string, values []string) {
		if len(values) > 0 {
			add("EXISTS (SELECT 1 FROM json_each(?) p WHERE substr("+column+", 1, length(p.value)) = p.value)",
				func(a *args) { a.json(values) })
		}
	}
	anyOf("state", q.States, orDue)
	anyOf("reason", q.Reasons, orDue)
	anyOf("segment", q.Segments, "")
	anyOf("offer", q.Offers, "")
	prefix("custom_name", q.CustomNames)
	prefix("external_id", q.ExternalIDs)
	if len(q.Customers) > 0 {
		add("customer IN (SELECT unhex(value) FROM json_each(?))", func(a *args) { a.ids(q.Customers) })
	}
	if len(q.Subscribers) > 0 {
		add("superior IN (SELECT unhex(value) FROM json_each(?))", func(a *args) { a.ids(q.Subscribers) })
	}
	if len(q.ResourceTypes) > 0 {
		add(`EXISTS (SELECT 1 FROM entity r, json_each(?) t WHERE r.superior = entity.ref_id AND r.kind = 4
			AND r.state <> 'DEACTIVATED' AND substr(r.lookup_key, 1, length(t.value) + 1) = t.value || char(31))`,
			func(a *args) { a.json(q.ResourceTypes) })
	}
	if len(q.Attributes) > 0 {
		add(`EXISTS (SELECT 1 FROM json_each(?) h CROSS JOIN entity_attribute x WHERE x.kind = entity.kind
			AND x.hash = h.value AND x.ref_id = entity.ref_id)`, func(a *args) { a.json(q.Attributes) })
	}
	if q.UpdatedSince != 0 {
		add("updated >= ?", func(a *args) { a.time(q.UpdatedSince) })
	}
	if q.PlannedBefore != 0 {
		add("planned < ?", func(a *args) { a.time(q.PlannedBefore) })
	}
	if q.Test != nil {
		add("test = ?", func(a *args) { a.bool(*q.Test) })
	}
	if conditions == nil {
		conditions = []string{"TRUE"}
	}
	return strings.Join(conditions, " AND "), func(a *args) {
		for _, bind := range binds {
			bind(a)
		}
	}
}

// candidates returns the ids of all that can match by the narrowest filter
// given, sorted, or that there is none or that it is not narrow.
func (r *reader) candidates(ctx context.Context, q *store.ListQuery) (ids []uuid.UUID, narrow bool, err error) {
	collect := func(sql string, bind func(*args)) (bool, error) {
		ids = ids[:0]
		err := r.query(ctx, "list", sql+" LIMIT ?+0", func(a *args) { bind(a); a.limit(q.Scan + 1) },
			func(row *row) error { ids = append(ids, row.id()); return nil })
		return len(ids) <= q.Scan, err
	}
	kind := int64(q.Kind)
	type way struct {
		given bool
		sql   string
		bind  func(*args)
	}
	for _, w := range []way{
		{q.IDs != nil, "SELECT unhex(value) FROM json_each(?)", func(a *args) { a.ids(q.IDs) }},
		{len(q.Subscribers) > 0, `SELECT e.ref_id FROM json_each(?) s CROSS JOIN entity e
			WHERE e.superior = unhex(s.value) AND e.kind = ?`, func(a *args) { a.ids(q.Subscribers); a.int(kind) }},
		{
			len(q.Accounts) > 0, `WITH RECURSIVE below (id) AS (SELECT unhex(value) FROM json_each(?) UNION
			SELECT e.ref_id FROM below CROSS JOIN entity e WHERE e.superior = below.id AND e.kind IN (2, 3))
			SELECT e.ref_id FROM below CROSS JOIN entity e WHERE e.superior = below.id AND e.kind = ?`,
			func(a *args) { a.ids(q.Accounts); a.int(kind) },
		},
		{len(q.Customers) > 0, `SELECT e.ref_id FROM json_each(?) c CROSS JOIN entity e
			WHERE e.customer = unhex(c.value) AND e.kind = ?`, func(a *args) { a.ids(q.Customers); a.int(kind) }},
		{len(q.Attributes) > 0, `SELECT x.ref_id FROM json_each(?) h CROSS JOIN entity_attribute x
			WHERE x.kind = ? AND x.hash = h.value`, func(a *args) { a.json(q.Attributes); a.int(kind) }},
		{
			len(q.ExternalIDs) > 0, `SELECT c.holder FROM json_each(?) p CROSS JOIN claim c
			WHERE c.space = ? AND c.key >= p.value AND c.key < p.value || char(1114111)`,
			func(a *args) { a.json(q.ExternalIDs); a.int(int64(store.SpaceExternalID) + kind) },
		},
		{
			len(q.CustomNames) > 0, `SELECT e.ref_id FROM json_each(?) p CROSS JOIN entity e
			WHERE e.kind = ? AND e.custom_name <> '' AND e.custom_name >= p.value AND e.custom_name < p.value || char(1114111)`,
			func(a *args) { a.json(q.CustomNames); a.int(kind) },
		},
		{
			q.PlannedBefore != 0, "SELECT ref_id FROM entity WHERE kind = ? AND planned < ?",
			func(a *args) { a.int(kind); a.time(q.PlannedBefore) },
		},
	} {
		if !w.given {
			continue
		}
		if narrow, err = collect(w.sql, w.bind); err != nil || narrow {
			slices.SortFunc(ids, compareIDs)
			return slices.Compact(ids), narrow, err
		}
	}
	return nil, false, nil
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// listAmong cuts a page from candidates.
func (r *reader) listAmong(ctx context.Context, q *store.ListQuery, ids []uuid.UUID, where string, bind func(*args)) (page store.ListPage, err error) {
	if q.UpdatedSince != 0 {
		return r.listByUpdate(ctx, q, ids, where, bind)
	}
	from, found := slices.BinarySearchFunc(ids, q.After.RefID, compareIDs)
	if found {
		from++
	}
	for n, id := range ids[from:] {
		if n >= q.Scan {
			page.Next = &store.Cursor{RefID: ids[from+n-1]}
			return page, nil
		}
		rows, err := r.entities(ctx, "list", "ref_id = ? AND kind = ? AND "+where,
			func(a *args) { a.id(id); a.int(int64(q.Kind)); bind(a) })
		if err != nil {
			return page, err
		}
		if page.Entities = append(page.Entities, rows...); len(page.Entities) == q.Limit {
			if from+n+1 < len(ids) {
				page.Next = &store.Cursor{RefID: id}
			}
			return page, nil
		}
	}
	return page, nil
}

// listByUpdate cuts a page in the order of change from candidates.
func (r *reader) listByUpdate(ctx context.Context, q *store.ListQuery, ids []uuid.UUID, where string, bind func(*args)) (page store.ListPage, err error) {
	var all []store.Entity
	for _, id := range ids {
		rows, err := r.entities(ctx, "list", "ref_id = ? AND kind = ? AND (updated, ref_id) > (?, ?) AND "+where,
			func(a *args) {
				a.id(id)
				a.int(int64(q.Kind))
				a.time(q.After.Updated)
				a.id(q.After.RefID)
				bind(a)
			})
		if err != nil {
			return page, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b store.Entity) int {
		return cmp.Or(cmp.Compare(a.Updated, b.Updated), compareIDs(a.RefID, b.RefID))
	})
	page.Entities = all
	if len(all) > q.Limit {
		page.Entities = all[:q.Limit]
		last := all[q.Limit-1]
		page.Next = &store.Cursor{Updated: last.Updated, RefID: last.RefID}
	}
	return page, nil
}

// listInOrder reads rows in the list's order and keeps those that match.
func (r *reader) listInOrder(ctx context.Context, q *store.ListQuery, where string, bind func(*args)) (page store.ListPage, err error) {
	if len(q.Accounts) > 0 { // more stands below than is looked at: walk up from each row instead
		where += ` AND EXISTS (WITH RECURSIVE above (id) AS (SELECT entity.superior UNION
			SELECT e.superior FROM above CROSS JOIN entity e WHERE e.ref_id = above.id)
			SELECT 1 FROM above WHERE id IN (SELECT unhex(value) FROM json_each(?)))`
		before := bind
		bind = func(a *args) { before(a); a.ids(q.Accounts) }
	}
	order, after := "ref_id", "ref_id > ?"
	place := func(a *args) { a.id(q.After.RefID) }
	if q.UpdatedSince != 0 {
		order, after = "updated, ref_id", "(updated, ref_id) > (?, ?)"
		place = func(a *args) {
			a.time(max(q.After.Updated, q.UpdatedSince-1))
			if q.After.Updated < q.UpdatedSince {
				a.id(uuid.UUID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			} else {
				a.id(q.After.RefID)
			}
		}
	}
	window := "FROM entity WHERE kind = ? AND " + after + " ORDER BY " + order
	err = r.query(ctx, "list", `SELECT `+entityColumns+` FROM (SELECT * `+window+` LIMIT ?+0) AS entity WHERE `+where+` LIMIT ?+0`,
		func(a *args) {
			a.int(int64(q.Kind))
			place(a)
			a.limit(q.Scan)
			bind(a)
			a.limit(q.Limit)
		},
		func(row *row) error { page.Entities = append(page.Entities, row.entity()); return nil })
	if err != nil {
		return page, err
	}
	if len(page.Entities) == q.Limit {
		last := page.Entities[q.Limit-1]
		page.Next = &store.Cursor{RefID: last.RefID}
		if q.UpdatedSince != 0 {
			page.Next.Updated = last.Updated
		}
		return page, nil
	}
	// the window ended: after its last row, unless that is the end of all
	err = r.query(ctx, "list", `SELECT updated, ref_id `+window+` LIMIT 1 OFFSET ?+0`,
		func(a *args) { a.int(int64(q.Kind)); place(a); a.int(int64(q.Scan) - 1) },
		func(row *row) error {
			page.Next = &store.Cursor{Updated: row.time(), RefID: row.id()}
			if q.UpdatedSince == 0 {
				page.Next.Updated = 0
			}
			return nil
		})
	return page, err
}

// json binds a list as JSON text.
func (a *args) json(list any) {
	b, err := json.Marshal(list)
	if err != nil {
		b = []byte("[]") // cannot be: lists of texts and integers
	}
	a.doc(b)
}

// ids binds a list of ids as JSON text in hexadecimal.
func (a *args) ids(list []uuid.UUID) {
	texts := make([]string, len(list))
	for i, id := range list {
		texts[i] = hex.EncodeToString(id[:])
	}
	a.json(texts)
}

// Forget implements store.Store.
func (s *Store) Forget(ctx context.Context, before casm.Time, limit int) (passed int, err error) {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return 0, err
	}
	defer s.put(s.writer, w)
	if err := w.exec("BEGIN IMMEDIATE", nil); err != nil {
		return 0, classify(err)
	}
	defer func() {
		if e := w.rollback(); err == nil {
			err = e
		}
	}()
	type old struct {
		position int64
		claim    store.ClaimKey
	}
	var list []old
	err = w.query(ctx, `SELECT position, request_id, ordinal, claim, at FROM business_transaction
		WHERE position > (SELECT forgotten FROM log_head) ORDER BY position LIMIT ?+0`,
		func(a *args) { a.limit(limit) },
		func(row *row) error {
			o := old{position: row.int()}
			request, ordinal := row.text(), int(row.int())
			o.claim = store.ClaimForm(row.int()).Claim(request, ordinal)
			if row.time() >= before {
				limit = 0 // what follows is younger, or hardly older
			}
			if limit > 0 {
				list = append(list, o)
			}
			return nil
		})
	if err != nil || len(list) == 0 {
		return 0, classify(err)
	}
	for _, o := range list {
		if o.claim == (store.ClaimKey{}) {
			continue
		}
		if err := w.exec(`DELETE FROM claim WHERE space = ? AND key = ?`, func(a *args) { a.claimKey(o.claim) }); err != nil {
			return 0, classify(err)
		}
	}
	err = w.exec(`UPDATE log_head SET forgotten = ?`, func(a *args) { a.int(list[len(list)-1].position) })
	if err != nil {
		return 0, classify(err)
	}
	return len(list), classify(w.exec("COMMIT", nil))
}
