package postgres

import (
	"bytes"
	"context"
	"slices"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// partitions are the tables of the kinds. A list is of one kind, so it names
// its table, which spares the database to look where rows are.
var partitions = [casm.KindBalance + 1]string{
	casm.KindCustomer:           "entity_customer",
	casm.KindAccount:            "entity_account",
	casm.KindSubscriber:         "entity_subscriber",
	casm.KindSubscriberResource: "entity_subscriber_resource",
	casm.KindOfferSubscription:  "entity_offer_subscription",
	casm.KindBalance:            "entity_balance",
}

// listFilter holds the conditions on a row's own columns: $1 to $13, each NULL
// where it does not narrow.
const listFilter = `
	    ($1::text[] IS NULL OR e.state = ANY ($1) OR e.due <= $13)
	AND ($2::text[] IS NULL OR e.reason = ANY ($2) OR e.due <= $13)
	AND ($3::text[] IS NULL OR e.segment = ANY ($3))
	AND ($4::text[] IS NULL OR e.offer = ANY ($4))
	AND ($5::text[] IS NULL OR e.custom_name ^@ ANY ($5))
	AND ($6::text[] IS NULL OR e.external_id ^@ ANY ($6))
	AND ($7::uuid[] IS NULL OR e.customer = ANY ($7))
	AND ($8::uuid[] IS NULL OR e.superior = ANY ($8))
	AND ($9::timestamptz IS NULL OR e.updated >= $9)
	AND ($10::timestamptz IS NULL OR e.planned < $10)
	AND ($11::boolean IS NULL OR e.test = $11)
	AND ($12::bigint[] IS NULL OR EXISTS (SELECT 1 FROM unnest($12) h CROSS JOIN LATERAL (
	  SELECT 1 FROM entity_attribute x WHERE x.kind = e.kind AND x.hash = h AND x.ref_id = e.ref_id OFFSET 0) x OFFSET 0))
	AND ($14::text[] IS NULL OR EXISTS (SELECT 1 FROM entity_subscriber_resource r
	  WHERE r.superior = e.ref_id AND r.state <> 'DEACTIVATED' AND split_part(coalesce(r.lookup_key, ''), E'\x1f', 1) = ANY ($14) OFFSET 0))
	AND ($15::uuid[] IS NULL OR EXISTS (WITH RECURSIVE above (ref_id) AS (SELECT e.superior
	    UNION SELECT p.superior FROM above CROSS JOIN LATERAL (
	      SELECT * FROM entity p WHERE p.ref_id = above.ref_id AND p.kind IN (2, 3) OFFSET 0) p)
	  SELECT 1 FROM above WHERE above.ref_id = ANY ($15) OFFSET 0))`

// bindFilter gives the parameters of listFilter. Accounts are looked for above
// each row only where they did not give the candidates.
func bindFilter(a *args, q *store.ListQuery, accounts bool) {
	a.optTexts(q.States)
	a.optTexts(q.Reasons)
	a.optTexts(q.Segments)
	a.optTexts(q.Offers)
	a.optTexts(q.CustomNames)
	a.optTexts(q.ExternalIDs)
	a.optIDs(q.Customers)
	a.optIDs(q.Subscribers)
	a.optTime(q.UpdatedSince)
	a.optTime(q.PlannedBefore)
	if q.Test == nil {
		a.add(nil)
	} else {
		a.bool(*q.Test)
	}
	if len(q.Attributes) == 0 {
		a.add(nil)
	} else {
		a.array(hashes(q.Attributes))
	}
	a.optTime(q.DueAt)
	a.optTexts(q.ResourceTypes)
	if accounts {
		a.optIDs(q.Accounts)
	} else {
		a.add(nil)
	}
}

func hashes(list []int64) *array {
	v := newArray(oidInt8, 12*len(list))
	for _, hash := range list {
		v.int8(hash)
	}
	return v
}

func (a *args) optTexts(list []string) {
	if len(list) == 0 {
		a.add(nil)
		return
	}
	v := newArray(oidText, 20*len(list))
	for _, text := range list {
		v.text(text)
	}
	a.array(v)
}

func (a *args) ids(list []uuid.UUID) {
	v := newArray(oidUUID, 20*len(list))
	for _, id := range list {
		v.id(id)
	}
	a.array(v)
}

func (a *args) optIDs(list []uuid.UUID) {
	if len(list) == 0 {
		a.add(nil)
		return
	}
	a.ids(list)
}

func (a *args) optTime(t casm.Time) {
	if t == 0 {
		a.add(nil)
		return
	}
	a.time(t)
}

// lists are the statements of the lists of one kind.
type lists struct {
	among, amongByUpdate    *statement // of candidates
	inOrder, byUpdate       *statement // of a window of all rows
	endInOrder, endByUpdate *statement // of the window
	bySubscriber, byAccount *statement // candidates
	byCustomer, byAttribute *statement
	byExternalID, byName    *statement
	byPlanned               *statement
}

var listStatements = func() (all [casm.KindBalance + 1]lists) {
	for _, kind := range casm.Kinds {
		table := partitions[kind]
		const (
			order         = `e.ref_id > $16 ORDER BY e.ref_id`
			orderByUpdate = `(e.updated, e.ref_id) > ($17, $16) ORDER BY e.updated, e.ref_id`
			end           = `e.ref_id > $1 ORDER BY e.ref_id`
			endByUpdate   = `(e.updated, e.ref_id) > ($2, $1) ORDER BY e.updated, e.ref_id`
		)
		window := func(place string) *statement {
			return newStatement(`SELECT ` + entityColumns + ` FROM (SELECT * FROM ` + table + ` e WHERE ` + place + ` LIMIT $18) e
			WHERE $17::timestamptz IS NOT NULL AND ` + listFilter + ` LIMIT $19`)
		}
		all[kind] = lists{
			among: newStatement(`SELECT ` + entityColumns + ` FROM unnest($16::uuid[]) c(ref_id) ` + lateral(table, `e`, `e.ref_id = c.ref_id`) + `
			WHERE ` + listFilter),
			amongByUpdate: newStatement(`SELECT ` + entityColumns + ` FROM unnest($16::uuid[]) c(ref_id) ` + lateral(table, `e`, `e.ref_id = c.ref_id`) + `
			WHERE (e.updated, e.ref_id) > ($17, $18) AND ` + listFilter + ` ORDER BY e.updated, e.ref_id LIMIT $19`),
			inOrder:      window(order),
			byUpdate:     window(orderByUpdate),
			endInOrder:   newStatement(`SELECT e.updated, e.ref_id FROM ` + table + ` e WHERE $2::timestamptz IS NOT NULL AND ` + end + ` OFFSET $3 LIMIT 1`),
			endByUpdate:  newStatement(`SELECT e.updated, e.ref_id FROM ` + table + ` e WHERE ` + endByUpdate + ` OFFSET $3 LIMIT 1`),
			bySubscriber: newStatement(`SELECT e.ref_id FROM unnest($1::uuid[]) s ` + lateral(table, `e`, `e.superior = s`) + ` LIMIT $2`),
			byAccount: newStatement(`WITH RECURSIVE below (ref_id) AS (SELECT unnest($1::uuid[])
			  UNION SELECT e.ref_id FROM below ` + lateral(`entity`, `e`, `e.superior = below.ref_id AND e.kind IN (2, 3)`) + `)
			SELECT e.ref_id FROM below ` + lateral(table, `e`, `e.superior = below.ref_id`) + ` LIMIT $2`),
			byCustomer:  newStatement(`SELECT e.ref_id FROM unnest($1::uuid[]) c ` + lateral(table, `e`, `e.customer = c`) + ` LIMIT $2`),
			byAttribute: newStatement(`SELECT x.ref_id FROM unnest($1::bigint[]) h ` + lateral(`entity_attribute`, `x`, `x.kind = $3::smallint AND x.hash = h`) + ` LIMIT $2`),
			// Nothing that begins with a text stands behind it with the last character of all.
			byExternalID: newStatement(`SELECT c.holder FROM unnest($1::text[]) p
			` + lateral(`claim`, `c`, `c.space = $3::smallint AND c.key >= p AND c.key < p || chr(1114111)`) + ` LIMIT $2`),
			byName: newStatement(`SELECT e.ref_id FROM unnest($1::text[]) p
			` + lateral(table, `e`, `e.custom_name <> '' AND e.custom_name >= p AND e.custom_name < p || chr(1114111)`) + ` LIMIT $2`),
			byPlanned: newStatement(`SELECT e.ref_id FROM ` + table + ` e WHERE e.planned < $1 LIMIT $2`),
		}
	}
	return all
}()

// List implements store.Reader. Where a filter is narrow, its index gives all
// that can match, and a page is cut from that in order; else rows are read in
// the list's own order, Scan of them at the most.
func (r *reader) List(ctx context.Context, q store.ListQuery) (store.ListPage, error) {
	if !q.Kind.Valid() {
		return store.ListPage{}, nil
	}
	ids, narrow, err := r.candidates(ctx, &q)
	switch {
	case err != nil:
		return store.ListPage{}, err
	case !narrow:
		return r.listInOrder(ctx, &q)
	case q.UpdatedSince != 0:
		return r.listAmongByUpdate(ctx, &q, ids)
	}
	return r.listAmong(ctx, &q, ids)
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// candidates returns the ids of all that can match by the narrowest filter
// given, sorted, or that there is none or that it is not narrow.
func (r *reader) candidates(ctx context.Context, q *store.ListQuery) (ids []uuid.UUID, narrow bool, err error) {
	if q.IDs != nil {
		ids = slices.SortedFunc(slices.Values(q.IDs), compareIDs)
		return slices.Compact(ids), true, nil
	}
	s := &listStatements[q.Kind]
	for _, way := range []struct {
		given bool
		s     *statement
		bind  func(*args)
		third int // the statement's third parameter, if it has one
	}{
		{len(q.Subscribers) > 0, s.bySubscriber, func(a *args) { a.ids(q.Subscribers) }, 0},
		{len(q.Accounts) > 0, s.byAccount, func(a *args) { a.ids(q.Accounts) }, 0},
		{len(q.Customers) > 0, s.byCustomer, func(a *args) { a.ids(q.Customers) }, 0},
		{len(q.Attributes) > 0, s.byAttribute, func(a *args) { a.array(hashes(q.Attributes)) }, int(q.Kind)},
		{len(q.ExternalIDs) > 0, s.byExternalID, func(a *args) { a.optTexts(q.ExternalIDs) }, int(store.SpaceExternalID) + int(q.Kind)},
		{len(q.CustomNames) > 0, s.byName, func(a *args) { a.optTexts(q.CustomNames) }, 0},
		{q.PlannedBefore != 0, s.byPlanned, func(a *args) { a.time(q.PlannedBefore) }, 0},
	} {
		if !way.given {
			continue
		}
		ids = ids[:0]
		err := r.query(ctx, "list", way.s, func(a *args) {
			way.bind(a)
			a.limit(q.Scan + 1)
			if way.third != 0 {
				a.int2(int16(way.third))
			}
		}, func(row *row) error { ids = append(ids, row.id()); return nil })
		if err != nil {
			return nil, false, err
		}
		if len(ids) <= q.Scan {
			slices.SortFunc(ids, compareIDs)
			return slices.Compact(ids), true, nil
		}
	}
	return nil, false, nil
}

// listAmong cuts a page from candidates, a handful of them at a time.
func (r *reader) listAmong(ctx context.Context, q *store.ListQuery, ids []uuid.UUID) (page store.ListPage, err error) {
	from, found := slices.BinarySearchFunc(ids, q.After.RefID, compareIDs)
	if found {
		from++
	}
	end := min(len(ids), from+q.Scan)
	for at := from; at < end; {
		some := ids[at:min(end, at+max(4*q.Limit, 100))]
		at += len(some)
		rows, err := r.entities(ctx, "list", listStatements[q.Kind].among, func(a *args) {
			bindFilter(a, q, false)
			a.ids(some)
		})
		if err != nil {
			return store.ListPage{}, err
		}
		slices.SortFunc(rows, func(a, b store.Entity) int { return compareIDs(a.RefID, b.RefID) })
		for i := range rows {
			page.Entities = append(page.Entities, rows[i])
			if len(page.Entities) == q.Limit {
				if rows[i].RefID != ids[len(ids)-1] {
					page.Next = &store.Cursor{RefID: rows[i].RefID}
				}
				return page, nil
			}
		}
	}
	if end < len(ids) {
		page.Next = &store.Cursor{RefID: ids[end-1]}
	}
	return page, nil
}

// listAmongByUpdate cuts a page in the order of change from candidates.
func (r *reader) listAmongByUpdate(ctx context.Context, q *store.ListQuery, ids []uuid.UUID) (page store.ListPage, err error) {
	page.Entities, err = r.entities(ctx, "list", listStatements[q.Kind].amongByUpdate, func(a *args) {
		bindFilter(a, q, false)
		a.ids(ids)
		a.time(q.After.Updated)
		a.id(q.After.RefID)
		a.limit(q.Limit + 1)
	})
	if len(page.Entities) > q.Limit {
		page.Entities = page.Entities[:q.Limit]
		last := &page.Entities[q.Limit-1]
		page.Next = &store.Cursor{Updated: last.Updated, RefID: last.RefID}
	}
	return page, err
}

// lastID is behind all ids.
var lastID = uuid.UUID(bytes.Repeat([]byte{0xff}, 16))

// listInOrder reads rows in the list's order and keeps those that match.
func (r *reader) listInOrder(ctx context.Context, q *store.ListQuery) (page store.ListPage, err error) {
	after, window, end := q.After, listStatements[q.Kind].inOrder, listStatements[q.Kind].endInOrder
	if q.UpdatedSince != 0 {
		window, end = listStatements[q.Kind].byUpdate, listStatements[q.Kind].endByUpdate
		if after.Updated < q.UpdatedSince {
			after = store.Cursor{Updated: q.UpdatedSince - 1, RefID: lastID}
		}
	}
	page.Entities, err = r.entities(ctx, "list", window, func(a *args) {
		bindFilter(a, q, true)
		a.id(after.RefID)
		a.time(after.Updated)
		a.limit(q.Scan)
		a.limit(q.Limit)
	})
	if err != nil {
		return store.ListPage{}, err
	}
	cursor := func(updated casm.Time, id uuid.UUID) {
		page.Next = &store.Cursor{RefID: id}
		if q.UpdatedSince != 0 {
			page.Next.Updated = updated
		}
	}
	if len(page.Entities) == q.Limit {
		last := &page.Entities[q.Limit-1]
		cursor(last.Updated, last.RefID)
		return page, nil
	}
	// The window ended: after its last row, unless that is the end of all.
	err = r.query(ctx, "list", end, func(a *args) {
		a.id(after.RefID)
		a.time(after.Updated)
		a.int8(int64(q.Scan) - 1)
	}, func(row *row) error {
		cursor(row.time(), row.id())
		return nil
	})
	return page, err
}

var (
	selectOldest = newStatement(`SELECT t.position, t.transaction_id, t.request_id, t.ordinal, t.claim, t.at FROM business_transaction t
	WHERE t.position > (SELECT position FROM forgotten) ORDER BY t.position LIMIT $1`)
	lockForgotten = newStatement(`SELECT position FROM forgotten FOR UPDATE`)
	freeForgotten = newStatement(`SELECT casm_free_claims($1, $2, $3, false)`)
	setForgotten  = newStatement(`UPDATE forgotten SET position = $1`)
)

// Forget implements store.Store. Of several processes one at a time does it.
func (s *Store) Forget(ctx context.Context, before casm.Time, limit int) (passed int, err error) {
	if limit <= 0 {
		return 0, nil
	}
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return 0, err
	}
	defer c.end()
	p := &pipe{c: c}
	p.add(beginWrite, nil, nil)
	p.add(lockForgotten, nil, nil)
	free := newColumns(limit, oidInt2, oidText, oidUUID)
	set := func(key store.ClaimKey, holder uuid.UUID) {
		free[0].int2(int16(key.Space))
		free[1].text(key.Key)
		free[2].id(holder)
	}
	var last int64
	p.add(selectOldest, func(a *args) { a.limit(limit) }, func(row *row) error {
		position, id, request, ordinal, claim, at := row.int8(), row.id(), row.text(), int(row.int4()), store.ClaimForm(row.int2()), row.time()
		if at >= before {
			limit = 0 // what follows is younger, or hardly older
		}
		if limit == 0 {
			return nil
		}
		passed, last = passed+1, position
		if key := claim.Claim(request, ordinal); key != (store.ClaimKey{}) {
			set(key, id)
		}
		return nil
	})
	if _, err := p.run(ctx); err != nil || passed == 0 {
		return 0, errorf(ctx, err, "forget request ids")
	}
	p.add(freeForgotten, free.bind, nil)
	p.add(setForgotten, func(a *args) { a.int8(last) }, nil)
	p.add(commit, nil, nil)
	if _, err := p.run(ctx); err != nil {
		return 0, errorf(ctx, err, "forget request ids")
	}
	return passed, nil
}
