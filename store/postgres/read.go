package postgres

import (
	"context"
	"errors"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// none is the zero id.
var none uuid.UUID

// reader implements store.Reader on a connection. Its transaction begins with
// its first query.
type reader struct {
	c     *conn
	now   func() time.Time // nil: the database's clock
	begin *statement       // nil: it has begun
	held  *held            // in Commit: what is locked and known; else nil
	over  bool             // the call has ended
}

// query runs one statement; what names it in errors.
func (r *reader) query(ctx context.Context, what string, s *statement, bind func(*args), each func(*row) error) error {
	p, err := r.pipe()
	if err != nil {
		return err
	}
	p.add(s, bind, each)
	return r.run(ctx, p, what)
}

// pipe begins a sequence of statements.
func (r *reader) pipe() (*pipe, error) {
	if r.over {
		return nil, errReaderOver
	}
	p := &pipe{c: r.c}
	if r.begin != nil {
		p.add(r.begin, nil, nil)
		r.begin = nil
	}
	return p, nil
}

func (r *reader) run(ctx context.Context, p *pipe, what string) error {
	_, err := p.run(ctx)
	return errorf(ctx, err, "read %s", what)
}

var selectHead = newStatement(`SELECT l.epoch, l.position, c.version FROM log_head l, config_head c`)

// Head implements store.Reader.
func (r *reader) Head(ctx context.Context) (head store.Head, err error) {
	err = r.query(ctx, "head", selectHead, nil, func(row *row) error {
		head = store.Head{Epoch: row.int8(), Position: row.int8(), Config: row.int8()}
		return nil
	})
	return head, err
}

const entityColumns = `e.kind, e.ref_id, e.version, e.customer, e.superior, e.link, e.external_id, e.lookup_key,
	e.state, e.reason, e.segment, e.offer, e.custom_name, e.test, e.created, e.updated, e.due, e.planned, e.doc`

func (r *row) entity() store.Entity {
	e := store.Entity{
		Key: store.Key{Kind: casm.Kind(r.int2()), RefID: r.id()}, Version: r.int8(),
		Customer: r.id(), Superior: r.id(), Link: r.id(), ExternalID: r.text(), LookupKey: r.text(),
		State: r.text(), Reason: r.text(), Segment: r.text(), Offer: r.text(), CustomName: r.text(), Test: r.bool(),
		Created: r.time(), Updated: r.time(), Due: r.time(), Planned: r.time(), Doc: r.bytes(),
	}
	if e.Customer == none {
		e.Customer = e.RefID // stored as NULL
	}
	return e
}

// entities runs a query for whole entities.
func (r *reader) entities(ctx context.Context, what string, s *statement, bind func(*args)) (found []store.Entity, err error) {
	err = r.query(ctx, what, s, bind, func(row *row) error {
		found = append(found, row.entity())
		return nil
	})
	if err == nil && r.held != nil {
		r.held.know(found)
	}
	return found, err
}

var selectExternalIDs = newStatement(`SELECT e.ref_id, e.external_id
	FROM unnest($1::uuid[], $2::smallint[]) u(ref_id, kind)
	` + lateralOne(`entity`, `e`, `e.ref_id = u.ref_id AND e.kind = u.kind`) + ` WHERE e.external_id IS NOT NULL`)

// ExternalIDs implements store.Reader.
func (r *reader) ExternalIDs(ctx context.Context, keys []store.Key) (map[uuid.UUID]string, error) {
	found := make(map[uuid.UUID]string, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	err := r.query(ctx, "external ids", selectExternalIDs, func(a *args) { bindKeys(a, keys) },
		func(row *row) error {
			id := row.id()
			found[id] = row.text()
			return nil
		})
	return found, err
}

func bindKeys(a *args, keys []store.Key) {
	ids, kinds := newArray(oidUUID, 20*len(keys)), newArray(oidInt2, 6*len(keys))
	for _, key := range keys {
		ids.id(key.RefID)
		kinds.int2(int16(key.Kind))
	}
	a.array(ids)
	a.array(kinds)
}

// childStatements are the queries for children, by what they ask for: directly
// below or at any height; with which deactivated ones.
var childStatements = func() (s [2][3]*statement) {
	for i, above := range []string{`e.superior = $1`, `e.customer = $1`} {
		for j, state := range []string{``, ` AND e.state <> 'DEACTIVATED'`, ` AND e.state = 'DEACTIVATED'`} {
			s[i][j] = newStatement(`SELECT ` + entityColumns + ` FROM entity e
			WHERE ` + above + ` AND e.kind = $2 AND e.ref_id > $3 AND e.created <= $4` + state + `
			ORDER BY e.ref_id LIMIT $5`)
		}
	}
	return s
}()

// Which children by their state.
const (
	inAnyState = iota
	notDeactivated
	deactivated
)

// Children implements store.Reader. Deactivated ones come last by asking
// twice: a sort would read all children for a page of them.
func (r *reader) Children(ctx context.Context, q store.ChildQuery) ([]store.Entity, error) {
	if q.DeactivatedLast && q.After != none {
		return nil, errors.New("store: Children pages only without DeactivatedLast")
	}
	switch {
	case q.DeactivatedLast && !q.SkipDeactivated:
		found, err := r.children(ctx, q, notDeactivated)
		if err != nil || len(found) >= q.Limit {
			return found, err
		}
		q.Limit -= len(found)
		last, err := r.children(ctx, q, deactivated)
		return append(found, last...), err
	case q.SkipDeactivated:
		return r.children(ctx, q, notDeactivated)
	}
	return r.children(ctx, q, inAnyState)
}

func (r *reader) children(ctx context.Context, q store.ChildQuery, state int) ([]store.Entity, error) {
	deep := 0
	if q.Deep {
		deep = 1
	}
	before := q.CreatedBefore
	if before == 0 {
		before = farFuture
	}
	return r.entities(ctx, "children", childStatements[deep][state], func(a *args) {
		a.id(q.Of)
		a.int2(int16(q.Kind))
		a.id(q.After)
		a.time(before)
		a.limit(q.Limit)
	})
}

// childrenOfStatements are the queries for the children of several, in any
// state and not deactivated.
var childrenOfStatements = func() (s [2]*statement) {
	for i, state := range []string{``, ` AND e.state <> 'DEACTIVATED'`} {
		s[i] = newStatement(`SELECT ` + entityColumns + ` FROM unnest($1::uuid[]) u(id)
		CROSS JOIN LATERAL (SELECT * FROM entity e WHERE e.superior = u.id AND e.kind = $2` + state + `
		ORDER BY e.ref_id LIMIT $3) e`)
	}
	return s
}()

// ChildrenOf implements store.Reader.
func (r *reader) ChildrenOf(ctx context.Context, of []uuid.UUID, kind casm.Kind, skipDeactivated bool, limit int) (map[uuid.UUID][]store.Entity, error) {
	state := inAnyState
	if skipDeactivated {
		state = notDeactivated
	}
	all, err := r.entities(ctx, "children of several", childrenOfStatements[state], func(a *args) {
		a.ids(of)
		a.int2(int16(kind))
		a.limit(limit)
	})
	found := make(map[uuid.UUID][]store.Entity)
	for _, e := range all {
		found[e.Superior] = append(found[e.Superior], e)
	}
	return found, err
}

// farFuture is later than all times that are stored (the year 9999).
const farFuture casm.Time = 315_537_897_599 * 1_000_000

var selectByLookupKey = newStatement(`SELECT ` + entityColumns + ` FROM entity e
	WHERE e.lookup_key = $1 AND e.kind = $2 ORDER BY e.ref_id`)

// ByLookupKey implements store.Reader.
func (r *reader) ByLookupKey(ctx context.Context, kind casm.Kind, key string) ([]store.Entity, error) {
	return r.entities(ctx, "entities by key", selectByLookupKey, func(a *args) {
		a.text(key)
		a.int2(int16(kind))
	})
}

var selectDue = newStatement(`SELECT ` + entityColumns + ` FROM entity e
	WHERE e.due <= $1 ORDER BY e.due, e.ref_id LIMIT $2`)

// Due implements store.Reader.
func (r *reader) Due(ctx context.Context, at casm.Time, limit int) ([]store.Entity, error) {
	return r.entities(ctx, "what is due", selectDue, func(a *args) {
		a.time(at)
		a.limit(limit)
	})
}
