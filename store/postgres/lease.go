package postgres

import (
	"context"
	"time"

	"casm"
	"casm/store"
)

// A lease is a row with a time, not a lock: a process that is stopped with its
// session open would keep a lock for ever. That it was taken need not be on the
// disk, so nobody waits for a flush.
var (
	notFlushed = &statement{"not_flushed", `SELECT set_config('synchronous_commit', 'off', true)`}
	takeLease  = newStatement(`INSERT INTO lease AS l (name, holder, until)
	VALUES ($1, $2, coalesce($4::timestamptz, clock_timestamp()) + $3::bigint * interval '1 microsecond')
	ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
	WHERE l.holder = excluded.holder OR l.until <= coalesce($4::timestamptz, clock_timestamp())`)
	selectLease = newStatement(`SELECT l.holder FROM lease l WHERE l.name = $1`)

	raiseEpoch = newStatement(`UPDATE log_head l SET epoch = greatest(l.epoch, $1::bigint) + 1
	RETURNING l.epoch, l.position, (SELECT c.version FROM config_head c)`)
)

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, name, holder string, span time.Duration) (has string, err error) {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return "", err
	}
	defer c.end()
	p := &pipe{c: c} // one transaction, which ends with it
	p.add(notFlushed, nil, nil)
	p.add(takeLease, func(a *args) {
		a.text(name)
		a.text(holder)
		a.int8(span.Microseconds())
		if s.options.Now == nil {
			a.add(nil)
		} else {
			a.time(casm.TimeOf(s.options.Now()))
		}
	}, nil)
	p.add(selectLease, func(a *args) { a.text(name) }, func(row *row) error { has = row.text(); return nil })
	_, err = p.run(ctx)
	return has, errorf(ctx, err, "lease %s", name)
}

// RaiseEpoch implements store.Store.
func (s *Store) RaiseEpoch(ctx context.Context, over int64) (head store.Head, err error) {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return store.Head{}, err
	}
	defer c.end()
	p := &pipe{c: c}
	p.add(endAllSessions, nil, nil)
	p.add(raiseEpoch, func(a *args) { a.int8(over) }, func(row *row) error {
		head = store.Head{Epoch: row.int8(), Position: row.int8(), Config: row.int8()}
		return nil
	})
	_, err = p.run(ctx)
	return head, errorf(ctx, err, "raise the epoch")
}
