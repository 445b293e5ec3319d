package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// configLock is the advisory lock of the configuration: every commit shares
// it, one that changes the configuration has it alone.
const configLock = 0x6361736d_00000001

// loading are the statements that lock and load entities that are named. A
// statement that names the tables of all kinds takes the database longer to
// begin with than to run, so there is one for each kind that is named alone,
// and one for all that are mixed.
type loading struct {
	lockFirst, lockMore *statement
	entities            *statement
	parts               *statement // nil: the kind has none
}

var loadings = func() (all [casm.KindBalance + 1]loading) {
	for kind := range all {
		all[kind] = newLoading(casm.Kind(kind))
	}
	return all
}()

// newLoading returns the statements for a kind, or for all with 0. They take
// the same parameters: refIds and their kinds; claims by space, key and the
// kind of what holds them.
func newLoading(kind casm.Kind) loading {
	table := partitions[kind]
	if kind == 0 {
		table = "entity"
	}
	ids := `(SELECT u.ref_id, u.kind FROM unnest($1::uuid[], $2::smallint[]) u(ref_id, kind)
	  UNION ALL
	  SELECT c.holder, u.kind FROM unnest($3::smallint[], $4::text[], $5::smallint[]) u(space, key, kind)
	  ` + lateralOne(`claim`, `c`, `c.space = u.space AND c.key = u.key`) + `) n
	  `
	named := ids + lateralOne(table, `e`, `e.ref_id = n.ref_id AND e.kind = n.kind`)
	customers := `SELECT coalesce(e.customer, e.ref_id) AS customer FROM ` + named

	// Nothing stands above a customer. What stands above others is hardly ever
	// of another kind than these; what is, is found by loadUnknown.
	const above = `e.kind IN (1, 2, 3, 5)`
	entities := `SELECT ` + entityColumns + ` FROM ` + named
	if kind != casm.KindCustomer {
		in := above
		switch kind {
		case 0:
			in = `true`
		case casm.KindSubscriberResource, casm.KindBalance:
			in = fmt.Sprintf(`e.kind IN (1, 2, 3, 5, %d)`, kind)
		}
		const links = `e.ref_id, e.kind, e.customer, e.superior, e.superior_kind, e.link, e.link_kind`
		entities = `WITH RECURSIVE up (ref_id, kind, customer, superior, superior_kind, link, link_kind) AS (
	  SELECT ` + links + ` FROM ` + named + `
	  UNION
	  SELECT ` + links + ` FROM up
	  CROSS JOIN LATERAL (VALUES (up.superior, up.superior_kind), (up.customer, 1::smallint), (up.link, up.link_kind)) above(ref_id, kind)
	  ` + lateralOne(`entity`, `e`, `e.ref_id = above.ref_id AND e.kind = above.kind AND `+above) + `
	)
	SELECT ` + entityColumns + ` FROM up ` + lateralOne(`entity`, `e`, `e.ref_id = up.ref_id AND e.kind = up.kind AND `+in)
	}
	var parts *statement
	var ways []string
	for _, whole := range casm.Kinds {
		if part := store.PartsOf(whole); part != 0 && (kind == 0 || kind == whole) {
			ways = append(ways, fmt.Sprintf(`SELECT * FROM %s e WHERE n.kind = %d AND e.superior = n.ref_id AND e.state <> 'DEACTIVATED'`,
				partitions[part], whole))
		}
	}
	if ways != nil {
		parts = newStatement(`SELECT ` + entityColumns + ` FROM ` + ids + `CROSS JOIN LATERAL (` + strings.Join(ways, ` UNION ALL `) + ` OFFSET 0) e`)
	}
	return loading{
		parts: parts,
		// A customer's lock is a hash of its refId; two that share one wait for
		// each other now and then. The rows come in the order in which they are
		// locked: the configuration, the customers by their locks.
		lockFirst: newStatement(`SELECT k.customer,
	  CASE WHEN k.shared THEN pg_advisory_xact_lock_shared(k.key) IS NULL ELSE pg_advisory_xact_lock(k.key) IS NULL END
	FROM (SELECT NULL::uuid AS customer, ` + fmt.Sprint(configLock) + `::bigint AS key, NOT $7 AS shared, 0 AS class
	  UNION ALL
	  SELECT n.customer, uuid_hash_extended(n.customer, 0), false, 1 FROM (` + customers + `
	    UNION ALL SELECT unnest($6::uuid[])) n
	  ORDER BY class, key OFFSET 0) k`),
		// In the middle of a commit nothing is waited for: it might be held by
		// one that waits for us.
		lockMore: newStatement(`SELECT k.customer, pg_try_advisory_xact_lock(k.key)
	FROM (SELECT n.customer, uuid_hash_extended(n.customer, 0) AS key FROM (` + customers + `) n
	  WHERE n.customer <> ALL ($6::uuid[]) OFFSET 0) k`),
		entities: newStatement(entities),
	}
}

var (
	loadClaims = newStatement(`SELECT u.i, c.holder
	FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS u(space, key, i)
	` + lateralOne(`claim`, `c`, `c.space = u.space AND c.key = u.key`))

	// loadRepeated finds the transactions of requests that were made before.
	// Their months are not known, and to begin with the tables of all months
	// takes the database longer the more of them there are: so it is not asked
	// with each commit, only when there is something to find.
	loadRepeated = newStatement(`SELECT u.i, ` + transactionColumns + `
	FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS u(transaction_id, ordinal, i)
	` + lateralOne(`business_transaction`, `t`, `t.transaction_id = u.transaction_id AND t.ordinal = u.ordinal`))

	loadClock = newStatement(`SELECT clock_timestamp(), l.epoch, l.position, c.version FROM log_head l, config_head c`)
)

// loadingOf returns the statements for what is named.
func loadingOf(needs *store.Needs) *loading {
	var kind casm.Kind
	for _, key := range needs.Entities {
		if kind == 0 {
			kind = key.Kind
		} else if key.Kind != kind {
			return &loadings[0]
		}
	}
	for _, claim := range needs.Claims {
		holder := claim.Kind()
		if kind == 0 {
			kind = holder
		} else if holder != 0 && holder != kind {
			return &loadings[0]
		}
	}
	if !kind.Valid() {
		return &loadings[0]
	}
	return &loadings[kind]
}

// bindNamed gives the parameters of what is named.
func bindNamed(a *args, needs *store.Needs) {
	ids := newArray(oidUUID, 20*len(needs.Entities))
	kinds := newArray(oidInt2, 6*len(needs.Entities))
	for _, key := range needs.Entities {
		ids.id(key.RefID)
		kinds.int2(int16(key.Kind))
	}
	a.array(ids)
	a.array(kinds)
	spaces := newArray(oidInt2, 6*len(needs.Claims))
	keys := newArray(oidText, 40*len(needs.Claims))
	holders := newArray(oidInt2, 6*len(needs.Claims))
	for _, claim := range heldClaims(needs) {
		spaces.int2(int16(claim.Space))
		keys.text(claim.Key)
		holders.int2(int16(claim.Kind()))
	}
	a.array(spaces)
	a.array(keys)
	a.array(holders)
}

// loadFirst begins the transaction of a commit, locks and loads: one round trip.
func (r *reader) loadFirst(ctx context.Context) (*store.Loaded, error) {
	h := r.held
	needs := h.scope.needs
	p, err := r.pipe()
	if err != nil {
		return nil, err
	}
	if needs.Patience > 0 {
		lockTimeout(p, needs.Patience)
	}
	p.add(loadingOf(&needs).lockFirst, func(a *args) {
		bindNamed(a, &needs)
		a.ids(h.scope.customers)
		a.bool(h.scope.config)
	}, func(row *row) error {
		if id := row.id(); id != none {
			h.customers[id] = true
		}
		return nil
	})
	if needs.Patience > 0 {
		lockTimeout(p, h.scope.lockWait)
	}
	l := r.load(p, needs)
	if err := r.run(ctx, p, "what is needed"); err != nil {
		return nil, err
	}
	return l, r.loaded(ctx, l, needs)
}

// Load implements store.Reader.
func (r *reader) Load(ctx context.Context, needs store.Needs) (*store.Loaded, error) {
	p, err := r.pipe()
	if err != nil {
		return nil, err
	}
	if r.held != nil && len(needs.Entities)+len(needs.Claims) > 0 {
		r.held.lock(p, needs)
	}
	l := r.load(p, needs)
	if err := r.run(ctx, p, "what is needed"); err != nil {
		return nil, err
	}
	return l, r.loaded(ctx, l, needs)
}

// lock adds to a pipe what locks needs in the middle of a commit.
func (h *held) lock(p *pipe, needs store.Needs) {
	p.add(loadingOf(&needs).lockMore, func(a *args) {
		bindNamed(a, &needs)
		have := newArray(oidUUID, 20*len(h.customers))
		for id := range h.customers {
			have.id(id)
		}
		a.array(have)
	}, func(row *row) error {
		if id, got := row.id(), row.bool(); got {
			h.customers[id] = true
		}
		return nil
	})
}

// loaded ends a load: what it gave must belong to customers that are locked.
func (r *reader) loaded(ctx context.Context, l *store.Loaded, needs store.Needs) error {
	if err := r.loadRepeated(ctx, l, needs); err != nil {
		return err
	}
	if err := r.loadUnknown(ctx, l); err != nil {
		return err
	}
	if r.now != nil {
		l.Now = casm.TimeOf(r.now())
	}
	if r.held == nil {
		return nil
	}
	r.held.know(l.Entities)
	return r.held.check(l.Entities, needs)
}

// load adds what reads needs to a pipe; the result is filled as it runs.
func (r *reader) load(p *pipe, needs store.Needs) *store.Loaded {
	l := &store.Loaded{
		Claims:       make(map[store.ClaimKey]uuid.UUID),
		Transactions: make(map[store.ClaimKey]store.Transaction),
	}
	if n := len(needs.Requests) + len(needs.Claims); n > 0 {
		p.add(loadClaims, func(a *args) {
			spaces, keys := newArray(oidInt2, 6*n), newArray(oidText, 40*n)
			for _, claims := range [][]store.ClaimKey{needs.Requests, needs.Claims} {
				for _, key := range claims {
					spaces.int2(int16(key.Space))
					keys.text(key.Key)
				}
			}
			a.array(spaces)
			a.array(keys)
		}, func(row *row) error {
			i, holder := row.int8()-1, row.id()
			if i >= int64(len(needs.Requests)) {
				l.Claims[needs.Claims[i-int64(len(needs.Requests))]] = holder
			} else {
				l.Claims[needs.Requests[i]] = holder
			}
			return nil
		})
	}
	if len(needs.Entities)+len(needs.Claims) > 0 {
		seen := make(map[store.Key]bool)
		take := func(row *row) error {
			if e := row.entity(); !seen[e.Key] {
				seen[e.Key] = true
				l.Entities = append(l.Entities, e)
			}
			return nil
		}
		loading := loadingOf(&needs)
		p.add(loading.entities, func(a *args) { bindNamed(a, &needs) }, take)
		if loading.parts != nil {
			p.add(loading.parts, func(a *args) { bindNamed(a, &needs) }, take)
		}
	}
	p.add(loadClock, nil, func(row *row) error {
		l.Now = row.time()
		l.Head = store.Head{Epoch: row.int8(), Position: row.int8(), Config: row.int8()}
		return nil
	})
	return l
}

// loadRepeated loads the transactions of requests that were made before.
func (r *reader) loadRepeated(ctx context.Context, l *store.Loaded, needs store.Needs) error {
	var repeated []store.ClaimKey
	for _, key := range needs.Requests {
		if _, made := l.Claims[key]; made {
			repeated = append(repeated, key)
		}
	}
	if len(repeated) == 0 {
		return nil
	}
	return r.query(ctx, "transactions made before", loadRepeated, func(a *args) {
		ids, ordinals := newArray(oidUUID, 20*len(repeated)), newArray(oidInt4, 8*len(repeated))
		for _, key := range repeated {
			ids.id(l.Claims[key])
			ordinals.int4(int32(key.Ordinal()))
		}
		a.array(ids)
		a.array(ordinals)
	}, func(row *row) error {
		l.Transactions[repeated[row.int8()-1]] = row.transaction()
		return nil
	})
}

// loadUnknown loads what stands above an entity in a place that its writer did
// not know of. That is hardly ever so, as a writer has mostly loaded it.
func (r *reader) loadUnknown(ctx context.Context, l *store.Loaded) error {
	seen := map[uuid.UUID]bool{none: true}
	for from := 0; from < len(l.Entities); {
		for i := range l.Entities[from:] {
			seen[l.Entities[from+i].RefID] = true
		}
		var keys []store.Key
		for i := range l.Entities[from:] {
			e := &l.Entities[from+i]
			for _, id := range []uuid.UUID{e.Superior, e.Customer, e.Link} {
				if !seen[id] {
					seen[id] = true
					for _, kind := range casm.Kinds {
						keys = append(keys, store.Key{Kind: kind, RefID: id})
					}
				}
			}
		}
		if len(keys) == 0 {
			return nil
		}
		from = len(l.Entities)
		err := r.query(ctx, "what is above", loadings[0].entities, func(a *args) { bindNamed(a, &store.Needs{Entities: keys}) },
			func(row *row) error {
				e := row.entity()
				if !slices.ContainsFunc(l.Entities, func(x store.Entity) bool { return x.Key == e.Key }) {
					l.Entities = append(l.Entities, e)
				}
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}
