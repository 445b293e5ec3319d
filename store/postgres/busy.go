package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"casm/store"
)

var (
	setLockTimeout = newStatement(`SELECT set_config('lock_timeout', $1, true)`)

	// What others hold, by its place among what is named: first the entities,
	// then the claims; 0 is the configuration, -1 what the scope has grown by.
	// What is free is locked by this, until the statement ends.
	findBusy = newStatement(`SELECT 0::bigint WHERE NOT
	  CASE WHEN $7 THEN pg_try_advisory_xact_lock(` + fmt.Sprint(configLock) + `) ELSE pg_try_advisory_xact_lock_shared(` + fmt.Sprint(configLock) + `) END
	UNION ALL
	SELECT n.i FROM (
	  SELECT u.ref_id, u.kind, u.i FROM unnest($1::uuid[], $2::smallint[]) WITH ORDINALITY u(ref_id, kind, i)
	  UNION ALL
	  SELECT c.holder, u.kind, cardinality($1::uuid[]) + u.i
	  FROM unnest($3::smallint[], $4::text[], $5::smallint[]) WITH ORDINALITY u(space, key, kind, i)
	  ` + lateralOne(`claim`, `c`, `c.space = u.space AND c.key = u.key`) + `) n
	` + lateralOne(`entity`, `e`, `e.ref_id = n.ref_id AND e.kind = n.kind`) + `
	WHERE NOT pg_try_advisory_xact_lock(uuid_hash_extended(coalesce(e.customer, e.ref_id), 0))
	UNION ALL
	SELECT -1::bigint FROM unnest($6::uuid[]) u(customer) WHERE NOT pg_try_advisory_xact_lock(uuid_hash_extended(u.customer, 0))`)
)

// giveWay ends an attempt that has waited for long enough, and finds what it
// waited for.
func (s *Store) giveWay(ctx context.Context, c *conn, sc *scope) error {
	if _, err := c.pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		return classify(ctx, fmt.Errorf("give way: %w", err))
	}
	busy, found := &store.Busy{}, false
	claims := heldClaims(&sc.needs)
	p := &pipe{c: c}
	p.add(findBusy, func(a *args) {
		bindNamed(a, &sc.needs)
		a.ids(sc.customers)
		a.bool(sc.config)
	}, func(row *row) error {
		found = true
		switch i := int(row.int8()); {
		case i < 0:
		case i == 0:
			busy.Config = true
		case i <= len(sc.needs.Entities):
			busy.Entities = append(busy.Entities, sc.needs.Entities[i-1])
		default:
			busy.Claims = append(busy.Claims, claims[i-1-len(sc.needs.Entities)])
		}
		return nil
	})
	if _, err := p.run(ctx); err != nil {
		return classify(ctx, fmt.Errorf("give way: %w", err))
	}
	if !found { // it has become free, or something else was waited for
		sc.needs.Patience *= 2
		return again{errors.New("what was held is free now"), false}
	}
	return busy
}

// heldClaims are the claims that bindNamed gives.
func heldClaims(needs *store.Needs) (list []store.ClaimKey) {
	for _, claim := range needs.Claims {
		if claim.Kind() != 0 {
			list = append(list, claim)
		}
	}
	return list
}

// lockTimeout adds how long locks are waited for from here on.
func lockTimeout(p *pipe, d time.Duration) {
	p.add(setLockTimeout, func(a *args) { a.text(strconv.FormatInt(max(d.Milliseconds(), 1), 10)) }, nil)
}
