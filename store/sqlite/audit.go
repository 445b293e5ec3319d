package sqlite

import (
	"context"

	"casm"
	"casm/store"
)

// inTransaction runs fn in one write transaction and commits it.
func (s *Store) inTransaction(ctx context.Context, fn func(conn) error) (err error) {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return err
	}
	defer s.put(s.writer, w)
	if err := w.exec("BEGIN IMMEDIATE", nil); err != nil {
		return classify(err)
	}
	defer func() {
		if e := w.rollback(); err == nil {
			err = e
		}
	}()
	if err := fn(w); err != nil {
		return classify(err)
	}
	if err := w.exec("COMMIT", nil); err != nil {
		return commitError(err)
	}
	return nil
}

// AppendAudit implements store.Auditor.
func (s *Store) AppendAudit(ctx context.Context, records []store.AuditRecord) error {
	if len(records) == 0 {
		return nil
	}
	return s.inTransaction(ctx, func(w conn) error {
		for i := range records {
			r := &records[i]
			err := w.exec(`INSERT INTO audit (id, actor, act, outcome, remote, count, details) VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO NOTHING`, func(a *args) {
				a.id(r.ID)
				a.text(r.Actor)
				a.text(r.Act)
				a.text(r.Outcome)
				a.text(r.Remote)
				a.int(r.Count)
				a.doc(r.Details)
			})
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// ForgetAudit implements store.Auditor.
func (s *Store) ForgetAudit(ctx context.Context, before casm.Time, limit int) (n int, err error) {
	err = s.inTransaction(ctx, func(w conn) error {
		err := w.exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?+0)`,
			func(a *args) { a.id(store.AuditBefore(before)); a.limit(limit) })
		n = w.Changes()
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Audit implements store.Reader. The first filter finds records by its index,
// the others look at them.
func (r *reader) Audit(ctx context.Context, q store.AuditQuery) (page store.AuditPage, err error) {
	from, below := q.Range()
	window, lead := `FROM audit WHERE id >= ? AND id < ? ORDER BY id DESC`, ""
	switch {
	case q.Actor != "":
		window, lead = `FROM audit WHERE actor = ? AND id >= ? AND id < ? ORDER BY id DESC`, q.Actor
	case q.Act != "":
		window, lead = `FROM audit WHERE act = ? AND id >= ? AND id < ? ORDER BY id DESC`, q.Act
	case q.Outcome != "":
		window, lead = `FROM audit WHERE outcome = ? AND id >= ? AND id < ? ORDER BY id DESC`, q.Outcome
	}
	bind := func(a *args) {
		if lead != "" {
			a.text(lead)
		}
		a.id(from)
		a.id(below)
	}
	err = r.query(ctx, "audit", `SELECT id, actor, act, outcome, remote, count, details FROM (SELECT * `+window+` LIMIT ?+0) AS seen
		WHERE (? = '' OR act = ?) AND (? = '' OR outcome = ?) LIMIT ?+0`,
		func(a *args) {
			bind(a)
			a.limit(q.Scan)
			a.text(q.Act)
			a.text(q.Act)
			a.text(q.Outcome)
			a.text(q.Outcome)
			a.limit(q.Limit)
		},
		func(row *row) error {
			page.Records = append(page.Records, store.AuditRecord{
				ID: row.id(), Actor: row.text(), Act: row.text(), Outcome: row.text(), Remote: row.text(), Count: row.int(), Details: row.bytes(),
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
	err = r.query(ctx, "audit", `SELECT id `+window+` LIMIT 1 OFFSET ?+0`,
		func(a *args) { bind(a); a.int(int64(q.Scan) - 1) },
		func(row *row) error { page.Next = row.id(); return nil })
	return page, err
}
