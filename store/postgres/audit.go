package postgres

import (
	"context"

	"casm"
	"casm/store"
)

var (
	insertAudit = newStatement(`INSERT INTO audit (id, actor, act, outcome, remote, count, details)
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[]) ON CONFLICT (id) DO NOTHING`)
	// Of several processes one deletes a record; the others pass over it.
	deleteAudit = newStatement(`WITH old AS MATERIALIZED (SELECT a.id FROM audit a WHERE a.id < $1 ORDER BY a.id LIMIT $2 FOR UPDATE SKIP LOCKED),
	gone AS (DELETE FROM audit a WHERE a.id = ANY (ARRAY(SELECT id FROM old)) RETURNING 1) SELECT count(*) FROM gone`)
)

// auditWindow is a way to the records of the audit: all, or those with one
// value of a column.
type auditWindow struct{ page, end *statement }

func newAuditWindow(column string) auditWindow {
	window := `FROM audit a WHERE a.id >= $1 AND a.id < $2 AND $4::text = '' ORDER BY a.id DESC`
	if column != "" {
		// Compared as rows, and in their order, no other index than the column's
		// will do: that of the ids would look at all of them for a rare value.
		by := `(a.` + column + `, a.id)`
		window = `FROM audit a WHERE ` + by + ` >= ($4::text, $1::uuid) AND ` + by + ` < ($4::text, $2::uuid) ORDER BY a.` + column + ` DESC, a.id DESC`
	}
	return auditWindow{
		page: newStatement(`SELECT a.id, a.actor, a.act, a.outcome, a.remote, a.count, a.details FROM (SELECT a.* ` + window + ` LIMIT $3) a
	WHERE ($5::text = '' OR a.act = $5) AND ($6::text = '' OR a.outcome = $6) LIMIT $7`),
		end: newStatement(`SELECT a.id ` + window + ` LIMIT 1 OFFSET $3`),
	}
}

var auditAll, auditOfActor, auditOfAct, auditOfOutcome = newAuditWindow(""), newAuditWindow("actor"), newAuditWindow("act"), newAuditWindow("outcome")

// AppendAudit implements store.Auditor.
func (s *Store) AppendAudit(ctx context.Context, records []store.AuditRecord) error {
	if len(records) == 0 {
		return nil
	}
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return err
	}
	defer c.end()
	columns := newColumns(len(records), oidUUID, oidText, oidText, oidText, oidText, oidInt8, oidText)
	for i := range records {
		r := &records[i]
		columns[0].id(r.ID)
		columns[1].text(r.Actor)
		columns[2].text(r.Act)
		columns[3].text(r.Outcome)
		columns[4].text(r.Remote)
		columns[5].int8(r.Count)
		columns[6].bytes(r.Details)
	}
	p := &pipe{c: c} // one transaction, which ends with it
	p.add(insertAudit, columns.bind, nil)
	_, err = p.run(ctx)
	return errorf(ctx, err, "append to the audit")
}

// ForgetAudit implements store.Auditor.
func (s *Store) ForgetAudit(ctx context.Context, before casm.Time, limit int) (n int, err error) {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return 0, err
	}
	defer c.end()
	p := &pipe{c: c}
	p.add(deleteAudit, func(a *args) { a.id(store.AuditBefore(before)); a.limit(limit) },
		func(row *row) error { n = int(row.int8()); return nil })
	_, err = p.run(ctx)
	return n, errorf(ctx, err, "forget the audit")
}

// Audit implements store.Reader. The first filter finds records by its index,
// the others look at them.
func (r *reader) Audit(ctx context.Context, q store.AuditQuery) (page store.AuditPage, err error) {
	window, lead := auditAll, ""
	switch {
	case q.Actor != "":
		window, lead = auditOfActor, q.Actor
	case q.Act != "":
		window, lead = auditOfAct, q.Act
	case q.Outcome != "":
		window, lead = auditOfOutcome, q.Outcome
	}
	from, below := q.Range()
	bind := func(a *args, rows int) {
		a.id(from)
		a.id(below)
		a.limit(rows)
		a.text(lead)
	}
	err = r.query(ctx, "audit", window.page, func(a *args) {
		bind(a, q.Scan)
		a.text(q.Act)
		a.text(q.Outcome)
		a.limit(q.Limit)
	}, func(row *row) error {
		page.Records = append(page.Records, store.AuditRecord{
			ID: row.id(), Actor: row.text(), Act: row.text(), Outcome: row.text(), Remote: row.text(), Count: row.int8(), Details: row.bytes(),
		})
		return nil
	})
	if err != nil {
		return page, err
	}
	if n := len(page.Records); n == q.Limit && n > 0 {
		page.Next = page.Records[n-1].ID
		return page, nil
	}
	// The window ended: after its last row, unless that is the end of all.
	err = r.query(ctx, "audit", window.end, func(a *args) { bind(a, q.Scan-1) },
		func(row *row) error { page.Next = row.id(); return nil })
	return page, err
}
