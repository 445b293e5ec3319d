package postgres

import (
	"context"

	"casm/store"
)

const configColumns = `c.collection, c.code, c.version, c.doc, c.at, c.actor`

func (r *row) config() store.ConfigChange {
	return store.ConfigChange{
		CodeKey: store.CodeKey{Collection: r.text(), Code: r.text()},
		Version: r.int8(), Doc: r.bytes(), At: r.time(), Actor: r.text(),
	}
}

var (
	selectConfig        = newStatement(`SELECT ` + configColumns + ` FROM config c ORDER BY c.collection, c.code`)
	selectConfigHistory = newStatement(`SELECT ` + configColumns + ` FROM config_history c
	WHERE c.collection = $1 AND c.code = $2 ORDER BY c.id DESC LIMIT $3`)
	selectUses = newStatement(`SELECT u.i, c.uses FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(collection, code, i)
	` + lateralOne(`use_count`, `c`, `c.collection = u.collection AND c.code = u.code`) + ` WHERE c.uses > 0`)
)

// Config implements store.Reader.
func (r *reader) Config(ctx context.Context) (items []store.ConfigChange, err error) {
	err = r.query(ctx, "configuration", selectConfig, nil,
		func(row *row) error { items = append(items, row.config()); return nil })
	return items, err
}

// ConfigHistory implements store.Reader.
func (r *reader) ConfigHistory(ctx context.Context, key store.CodeKey, limit int) (items []store.ConfigChange, err error) {
	err = r.query(ctx, "configuration history", selectConfigHistory,
		func(a *args) { a.text(key.Collection); a.text(key.Code); a.limit(limit) },
		func(row *row) error { items = append(items, row.config()); return nil })
	return items, err
}

// Uses implements store.Reader. Items without a reference are left out.
func (r *reader) Uses(ctx context.Context, keys []store.CodeKey) (map[store.CodeKey]int64, error) {
	uses := make(map[store.CodeKey]int64, len(keys))
	if len(keys) == 0 {
		return uses, nil
	}
	err := r.query(ctx, "uses", selectUses, func(a *args) {
		collections, codes := newArray(oidText, 24*len(keys)), newArray(oidText, 24*len(keys))
		for _, key := range keys {
			collections.text(key.Collection)
			codes.text(key.Code)
		}
		a.array(collections)
		a.array(codes)
	}, func(row *row) error {
		i := row.int8() - 1
		uses[keys[i]] = row.int8()
		return nil
	})
	return uses, err
}
