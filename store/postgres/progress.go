package postgres

import (
	"context"

	"casm"
	"casm/store"
)

var (
	insertProgress = newProgress(`INSERT INTO progress (collection, code, version, began, position, ordinal, doc)
	  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (collection, code) DO NOTHING RETURNING 1`)
	updateProgress = newProgress(`UPDATE progress p SET version = $3::bigint, began = $4, position = $5, ordinal = $6, doc = $7
	  WHERE p.collection = $1 AND p.code = $2 AND p.version = $3::bigint - 1 RETURNING 1`)
	dropBehind = newStatement(`DELETE FROM behind b WHERE b.collection = $1 AND b.code = $2 AND b.customer = ANY ($3::uuid[])`)
	putBehind  = newStatement(`INSERT INTO behind (collection, code, customer, position, ordinal, parked, doc)
	SELECT $1, $2, u.* FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::boolean[], $7::text[]) u
	ON CONFLICT (collection, code, customer) DO UPDATE SET position = excluded.position, ordinal = excluded.ordinal,
	  parked = excluded.parked, doc = excluded.doc`)
	deleteProgress = newStatement(`DELETE FROM progress p WHERE p.collection = $1 AND p.code = $2`)
	deleteBehind   = newStatement(`DELETE FROM behind b WHERE b.collection = $1 AND b.code = $2`)

	selectProgress = newStatement(`SELECT p.version, p.began, p.position, p.ordinal, p.doc,
	  (SELECT count(*) FROM behind b WHERE b.collection = p.collection AND b.code = p.code),
	  (SELECT count(*) FROM behind b WHERE b.collection = p.collection AND b.code = p.code AND b.parked)
	FROM progress p WHERE p.collection = $1 AND p.code = $2`)
	selectBehind = newStatement(`SELECT b.customer, b.position, b.ordinal, b.parked, b.doc FROM behind b
	WHERE b.collection = $1 AND b.code = $2 AND b.customer > $3 AND b.parked >= $4
	ORDER BY b.collection, b.code, b.customer LIMIT $5`)
)

func newProgress(put string) *statement {
	return newStatement(`WITH put AS (` + put + `)
	SELECT casm_assert(count(*) = 1, '` + codeConflict + `', 'progress has been changed by another') FROM put`)
}

func (w *writer) progress(ctx context.Context) error {
	for i := range w.set.Progress {
		p := &w.set.Progress[i]
		key := func(a *args) { a.text(p.Collection); a.text(p.Code) }
		put := updateProgress
		if p.Version == 1 {
			put = insertProgress
		}
		w.add(put, func(a *args) {
			key(a)
			a.int8(p.Version)
			a.int8(p.Began)
			a.int8(p.After.Transaction)
			a.int8(p.After.Ordinal)
			a.add(p.Doc)
		}, nil)
		if len(p.Caught) > 0 {
			c := newColumns(len(p.Caught), oidUUID)
			for _, customer := range p.Caught {
				c[0].id(customer)
			}
			w.add(dropBehind, func(a *args) { key(a); c.bind(a) }, nil)
		}
		if len(p.Put) > 0 {
			c := newColumns(len(p.Put), oidUUID, oidInt8, oidInt8, oidBool, oidText)
			for j := range p.Put {
				b := &p.Put[j]
				c[0].id(b.Customer)
				c[1].int8(b.After.Transaction)
				c[2].int8(b.After.Ordinal)
				c[3].bool(b.Parked)
				c[4].bytes(b.Doc)
			}
			w.add(putBehind, func(a *args) { key(a); c.bind(a) }, nil)
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Progress implements store.Reader.
func (r *reader) Progress(ctx context.Context, key store.CodeKey) (p *store.Progress, err error) {
	err = r.query(ctx, "progress", selectProgress, func(a *args) { a.text(key.Collection); a.text(key.Code) },
		func(row *row) error {
			p = &store.Progress{CodeKey: key, Version: row.int8(), Began: row.int8()}
			p.After = casm.Position{Transaction: row.int8(), Ordinal: row.int8()}
			p.Doc, p.Behind, p.Parked = row.bytes(), int(row.int8()), int(row.int8())
			return nil
		})
	return p, err
}

// Behind implements store.Reader.
func (r *reader) Behind(ctx context.Context, key store.CodeKey, q store.BehindQuery) (list []store.Behind, err error) {
	err = r.query(ctx, "customers behind", selectBehind, func(a *args) {
		a.text(key.Collection)
		a.text(key.Code)
		a.id(q.After)
		a.bool(q.ParkedOnly)
		a.limit(q.Limit)
	}, func(row *row) error {
		b := store.Behind{Customer: row.id()}
		b.After = casm.Position{Transaction: row.int8(), Ordinal: row.int8()}
		b.Parked, b.Doc = row.bool(), row.bytes()
		list = append(list, b)
		return nil
	})
	return list, err
}
