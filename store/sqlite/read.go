package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// none is the zero id.
var none uuid.UUID

// reader implements store.Reader on a connection with an open transaction.
type reader struct {
	c    conn
	now  func() time.Time
	over bool // the transaction has ended

	trace func(sql string) // in tests, which look at the plans of all queries
}

var errReaderOver = errors.New("store: the reader was used after the end of its call")

// query is conn.query for a reader's methods: what names it in errors.
func (r *reader) query(ctx context.Context, what, sql string, bind func(*args), each func(*row) error) error {
	if r.over {
		return errReaderOver
	}
	if r.trace != nil {
		r.trace(sql)
	}
	if err := r.c.query(ctx, sql, bind, each); err != nil {
		return classify(fmt.Errorf("read %s: %w", what, err))
	}
	return nil
}

// Head implements store.Reader.
func (r *reader) Head(ctx context.Context) (head store.Head, err error) {
	err = r.query(ctx, "head", `SELECT epoch, position, config FROM log_head`, func(*args) {},
		func(row *row) error {
			head = store.Head{Epoch: row.int(), Position: row.int(), Config: row.int()}
			return nil
		})
	return head, err
}

// Load implements store.Reader. Everything is a look-up by a unique key with a
// prepared statement: in process that costs less than gathering keys.
func (r *reader) Load(ctx context.Context, needs store.Needs) (*store.Loaded, error) {
	head, err := r.Head(ctx)
	if err != nil {
		return nil, err
	}
	l := &store.Loaded{
		Now:          clock(r.now),
		Head:         head,
		Claims:       make(map[store.ClaimKey]uuid.UUID),
		Transactions: make(map[store.ClaimKey]store.Transaction),
	}
	for _, key := range needs.Requests {
		holder, err := r.claim(ctx, key, l.Claims)
		if err != nil {
			return nil, err
		}
		if holder == none {
			continue
		}
		t, err := r.transaction(ctx, transactionOfOrdinal, func(a *args) { a.id(holder); a.int(int64(key.Ordinal())) })
		if err != nil {
			return nil, err
		}
		if t != nil {
			l.Transactions[key] = *t
		}
	}
	found := finder{r: r, seen: make(map[uuid.UUID]bool)}
	for _, key := range needs.Claims {
		holder, err := r.claim(ctx, key, l.Claims)
		if err != nil {
			return nil, err
		}
		if key.Kind() != 0 {
			found.add(holder)
			found.named(holder, key.Kind())
		}
	}
	for _, key := range needs.Entities {
		if err := found.addKey(ctx, key); err != nil {
			return nil, err
		}
		found.named(key.RefID, key.Kind)
	}
	if err := found.all(ctx); err != nil {
		return nil, err
	}
	if err := found.parts(ctx); err != nil {
		return nil, err
	}
	l.Entities = found.entities
	return l, nil
}

// claim looks a claim up and notes its holder.
func (r *reader) claim(ctx context.Context, key store.ClaimKey, into map[store.ClaimKey]uuid.UUID) (holder uuid.UUID, err error) {
	err = r.query(ctx, "claim", `SELECT holder FROM claim WHERE space = ? AND key = ?`,
		func(a *args) { a.claimKey(key) },
		func(row *row) error { holder = row.id(); into[key] = holder; return nil })
	return holder, err
}

// finder loads entities with all that is above them, each once.
type finder struct {
	r        *reader
	seen     map[uuid.UUID]bool
	waiting  []uuid.UUID
	whole    []store.Key // that come with their parts
	entities []store.Entity
}

// named notes an entity that comes with its parts.
func (f *finder) named(id uuid.UUID, kind casm.Kind) {
	if id != none && store.PartsOf(kind) != 0 {
		f.whole = append(f.whole, store.Key{Kind: kind, RefID: id})
	}
}

// parts loads the parts of what was named.
func (f *finder) parts(ctx context.Context) error {
	done := make(map[uuid.UUID]bool, len(f.whole))
	for _, key := range f.whole {
		if done[key.RefID] || !f.seen[key.RefID] {
			continue
		}
		done[key.RefID] = true
		list, err := f.r.entities(ctx, "parts", `superior = ? AND kind = ? AND state <> 'DEACTIVATED' ORDER BY ref_id`,
			func(a *args) { a.id(key.RefID); a.int(int64(store.PartsOf(key.Kind))) })
		if err != nil {
			return err
		}
		for _, e := range list {
			if !f.seen[e.RefID] {
				f.seen[e.RefID] = true
				f.entities = append(f.entities, e)
			}
		}
	}
	return nil
}

func (f *finder) add(ids ...uuid.UUID) {
	for _, id := range ids {
		if id != none && !f.seen[id] {
			f.seen[id] = true
			f.waiting = append(f.waiting, id)
		}
	}
}

// addKey loads one that was named: one that is of another kind does not exist,
// unless something else leads to it.
func (f *finder) addKey(ctx context.Context, key store.Key) error {
	if key.RefID == none || f.seen[key.RefID] {
		return nil
	}
	return f.load(ctx, key.RefID, key.Kind)
}

// load loads one, of a given kind unless that is 0, and notes what it leads to.
func (f *finder) load(ctx context.Context, id uuid.UUID, kind casm.Kind) error {
	return f.r.query(ctx, "entity", `SELECT `+entityColumns+` FROM entity WHERE ref_id = ?`,
		func(a *args) { a.id(id) },
		func(row *row) error {
			e := row.entity()
			if kind == 0 || e.Kind == kind {
				f.seen[id] = true
				f.entities = append(f.entities, e)
				f.add(e.Superior, e.Customer, e.Link)
			}
			return nil
		})
}

func (f *finder) all(ctx context.Context) error {
	for len(f.waiting) > 0 {
		id := f.waiting[0]
		f.waiting = f.waiting[1:]
		if err := f.load(ctx, id, 0); err != nil {
			return err
		}
	}
	return nil
}

const entityColumns = `kind, ref_id, version, customer, superior, external_id, lookup_key, state, reason,
	segment, offer, custom_name, test, created, updated, due, planned, link, doc`

func (r *row) entity() store.Entity {
	e := store.Entity{
		Key:     store.Key{Kind: casm.Kind(r.int()), RefID: r.id()},
		Version: r.int(), Customer: r.id(), Superior: r.id(),
		ExternalID: r.text(), LookupKey: r.text(),
		State: r.text(), Reason: r.text(), Segment: r.text(), Offer: r.text(), CustomName: r.text(), Test: r.bool(),
		Created: r.time(), Updated: r.time(), Due: r.time(), Planned: r.time(),
		Link: r.id(), Doc: r.bytes(),
	}
	if e.Customer == none {
		e.Customer = e.RefID // stored as NULL
	}
	return e
}

// entities runs a query for whole entities.
func (r *reader) entities(ctx context.Context, what, where string, bind func(*args)) (found []store.Entity, err error) {
	err = r.query(ctx, what, `SELECT `+entityColumns+` FROM entity WHERE `+where, bind,
		func(row *row) error { found = append(found, row.entity()); return nil })
	return found, err
}

// ExternalIDs implements store.Reader: one statement for all, however many a
// page refers to.
func (r *reader) ExternalIDs(ctx context.Context, keys []store.Key) (map[uuid.UUID]string, error) {
	found := make(map[uuid.UUID]string, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	asked := make(map[store.Key]bool, len(keys))
	list := make([]byte, 0, len(keys)*(2*len(none)+3))
	for i, key := range keys {
		list = append(list, `["`[min(i, 1):]...) // [" at first, else "
		list = append(hex.AppendEncode(list, key.RefID[:]), `",`...)
		asked[key] = true
	}
	list[len(list)-1] = ']'
	err := r.query(ctx, "external ids", `SELECT e.ref_id, e.kind, e.external_id
		FROM json_each(?) AS k CROSS JOIN entity AS e ON e.ref_id = unhex(k.value)
		WHERE e.external_id IS NOT NULL`,
		func(a *args) { a.doc(list) },
		func(row *row) error {
			id, kind, externalID := row.id(), casm.Kind(row.int()), row.text()
			if asked[store.Key{Kind: kind, RefID: id}] {
				found[id] = externalID
			}
			return nil
		})
	return found, err
}

// Children implements store.Reader. Deactivated ones come last by asking
// twice: a sort would read all children for a page of them.
func (r *reader) Children(ctx context.Context, q store.ChildQuery) ([]store.Entity, error) {
	if q.DeactivatedLast && q.After != none {
		return nil, errors.New("store: Children pages only without DeactivatedLast")
	}
	if !q.DeactivatedLast {
		condition := ""
		if q.SkipDeactivated {
			condition = ` AND state <> 'DEACTIVATED'`
		}
		return r.children(ctx, q, condition, q.Limit)
	}
	found, err := r.children(ctx, q, ` AND state <> 'DEACTIVATED'`, q.Limit)
	if err != nil || q.SkipDeactivated || len(found) >= q.Limit {
		return found, err
	}
	last, err := r.children(ctx, q, ` AND state = 'DEACTIVATED'`, q.Limit-len(found))
	return append(found, last...), err
}

func (r *reader) children(ctx context.Context, q store.ChildQuery, condition string, limit int) ([]store.Entity, error) {
	above := `superior = ?`
	if q.Deep {
		above = `customer = ?`
	}
	if q.CreatedBefore != 0 {
		condition += ` AND created <= ?`
	}
	return r.entities(ctx, "children", above+` AND kind = ? AND ref_id > ?`+condition+` ORDER BY ref_id LIMIT ?+0`,
		func(a *args) {
			a.id(q.Of)
			a.int(int64(q.Kind))
			a.id(q.After)
			if q.CreatedBefore != 0 {
				a.time(q.CreatedBefore)
			}
			a.limit(limit)
		})
}

// ChildrenOf implements store.Reader: there are no round trips to spare.
func (r *reader) ChildrenOf(ctx context.Context, of []uuid.UUID, kind casm.Kind, skipDeactivated bool, limit int) (map[uuid.UUID][]store.Entity, error) {
	found := make(map[uuid.UUID][]store.Entity)
	for _, id := range of {
		below, err := r.Children(ctx, store.ChildQuery{Of: id, Kind: kind, SkipDeactivated: skipDeactivated, Limit: limit})
		if err != nil {
			return nil, err
		}
		if len(below) > 0 {
			found[id] = below
		}
	}
	return found, nil
}

// ByLookupKey implements store.Reader.
func (r *reader) ByLookupKey(ctx context.Context, kind casm.Kind, key string) ([]store.Entity, error) {
	return r.entities(ctx, "entities by key", `lookup_key = ? AND +kind = ? ORDER BY ref_id`,
		func(a *args) { a.text(key); a.int(int64(kind)) })
}

// Due implements store.Reader.
func (r *reader) Due(ctx context.Context, at casm.Time, limit int) ([]store.Entity, error) {
	return r.entities(ctx, "what is due", `due <= ? ORDER BY due, ref_id LIMIT ?+0`,
		func(a *args) { a.time(at); a.limit(limit) })
}
