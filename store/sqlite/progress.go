package sqlite

import (
	"context"
	"fmt"

	"casm"
	"casm/store"
)

func (c conn) writeProgress(p *store.ProgressChange) error {
	sql := `UPDATE progress SET seq = ?, doc = ?, began = ?, version = ? WHERE collection = ? AND code = ? AND version = ?4 - 1`
	if p.Version == 1 {
		sql = `INSERT INTO progress (seq, doc, began, version, collection, code) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	}
	err := c.exec(sql, func(a *args) {
		a.int(seqAfter(p.After))
		a.doc(p.Doc)
		a.int(p.Began)
		a.int(p.Version)
		a.codeKey(p.CodeKey)
	})
	if err == nil && c.Changes() != 1 {
		err = fmt.Errorf("version %d does not follow what stands", p.Version)
	}
	for _, customer := range p.Caught {
		if err != nil {
			break
		}
		err = c.exec(`DELETE FROM behind WHERE collection = ? AND code = ? AND customer = ?`,
			func(a *args) { a.codeKey(p.CodeKey); a.id(customer) })
	}
	for i := range p.Put {
		if err != nil {
			break
		}
		b := &p.Put[i]
		err = c.exec(`INSERT OR REPLACE INTO behind (collection, code, customer, seq, parked, doc) VALUES (?, ?, ?, ?, ?, ?)`,
			func(a *args) {
				a.codeKey(p.CodeKey)
				a.id(b.Customer)
				a.int(seqAfter(b.After))
				a.bool(b.Parked)
				a.doc(b.Doc)
			})
	}
	if err != nil {
		return fmt.Errorf("progress of %s %s: %w", p.Collection, p.Code, err)
	}
	return nil
}

// deleteProgress ends what an item that is deleted has.
func (c conn) deleteProgress(key store.CodeKey) error {
	err := c.exec(`DELETE FROM progress WHERE collection = ? AND code = ?`, func(a *args) { a.codeKey(key) })
	if err == nil {
		err = c.exec(`DELETE FROM behind WHERE collection = ? AND code = ?`, func(a *args) { a.codeKey(key) })
	}
	return err
}

func positionOf(seq int64) casm.Position {
	return casm.Position{Transaction: seq >> ordinalBits, Ordinal: seq & (1<<ordinalBits - 1)}
}

// Progress implements store.Reader.
func (r *reader) Progress(ctx context.Context, key store.CodeKey) (p *store.Progress, err error) {
	err = r.query(ctx, "progress", `SELECT version, began, seq, doc,
		(SELECT count(*) FROM behind b WHERE b.collection = p.collection AND b.code = p.code),
		(SELECT count(*) FROM behind b WHERE b.collection = p.collection AND b.code = p.code AND b.parked)
		FROM progress p WHERE collection = ? AND code = ?`,
		func(a *args) { a.codeKey(key) },
		func(row *row) error {
			p = &store.Progress{CodeKey: key, Version: row.int(), Began: row.int(), After: positionOf(row.int()), Doc: row.bytes(), Behind: int(row.int()), Parked: int(row.int())}
			return nil
		})
	return p, err
}

// Behind implements store.Reader.
func (r *reader) Behind(ctx context.Context, key store.CodeKey, q store.BehindQuery) (list []store.Behind, err error) {
	err = r.query(ctx, "customers behind", `SELECT customer, seq, parked, doc FROM behind
		WHERE collection = ? AND code = ? AND customer > ? AND parked >= ? ORDER BY customer LIMIT ?+0`,
		func(a *args) { a.codeKey(key); a.id(q.After); a.bool(q.ParkedOnly); a.limit(q.Limit) },
		func(row *row) error {
			list = append(list, store.Behind{Customer: row.id(), After: positionOf(row.int()), Parked: row.bool(), Doc: row.bytes()})
			return nil
		})
	return list, err
}
