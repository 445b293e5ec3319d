package sqlite

import (
	"context"
	"errors"
	"fmt"

	"casm/store"
)

func (c conn) writeConfig(change *store.ConfigChange) error {
	bind := func(doc []byte) func(*args) {
		return func(a *args) {
			a.text(change.Collection)
			a.text(change.Code)
			a.int(change.Version)
			a.optDoc(doc)
			a.time(change.At)
			a.text(change.Actor)
		}
	}
	err := c.exec(`INSERT INTO config_history (collection, code, version, doc, at, actor) VALUES (?, ?, ?, ?, ?, ?)`, bind(change.History()))
	if err == nil && change.Doc == nil {
		err = errors.Join(
			c.exec(`DELETE FROM config WHERE collection = ? AND code = ?`, func(a *args) { a.codeKey(change.CodeKey) }),
			c.deleteProgress(change.CodeKey))
	} else if err == nil {
		err = c.exec(`INSERT OR REPLACE INTO config (collection, code, version, doc, at, actor) VALUES (?, ?, ?, ?, ?, ?)`, bind(change.Doc))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", change.Collection, change.Code, err)
	}
	return nil
}

func (c conn) writeUses(uses map[store.CodeKey]int64) error {
	for key, delta := range uses {
		if delta == 0 {
			continue
		}
		// An upsert checks the row it would insert first, so a count below
		// zero as such must not stand in it.
		err := c.exec(`UPDATE use_count SET uses = uses + ? WHERE collection = ? AND code = ?`,
			func(a *args) { a.int(delta); a.codeKey(key) })
		if err == nil && c.Changes() == 0 {
			err = c.exec(`INSERT INTO use_count (uses, collection, code) VALUES (?, ?, ?)`,
				func(a *args) { a.int(delta); a.codeKey(key) })
		}
		if err != nil {
			return fmt.Errorf("uses of %s %s: %w", key.Collection, key.Code, err)
		}
	}
	return nil
}

func (a *args) codeKey(k store.CodeKey) { a.text(k.Collection); a.text(k.Code) }

const configColumns = `collection, code, version, doc, at, actor`

func (r *row) config() store.ConfigChange {
	return store.ConfigChange{
		CodeKey: store.CodeKey{Collection: r.text(), Code: r.text()},
		Version: r.int(), Doc: r.bytes(), At: r.time(), Actor: r.text(),
	}
}

// Config implements store.Reader.
func (r *reader) Config(ctx context.Context) (items []store.ConfigChange, err error) {
	err = r.query(ctx, "configuration", `SELECT `+configColumns+` FROM config`, func(*args) {},
		func(row *row) error { items = append(items, row.config()); return nil })
	return items, err
}

// ConfigHistory implements store.Reader.
func (r *reader) ConfigHistory(ctx context.Context, key store.CodeKey, limit int) (items []store.ConfigChange, err error) {
	err = r.query(ctx, "configuration history", `SELECT `+configColumns+` FROM config_history
		WHERE collection = ? AND code = ? ORDER BY id DESC LIMIT ?+0`,
		func(a *args) { a.codeKey(key); a.limit(limit) },
		func(row *row) error { items = append(items, row.config()); return nil })
	return items, err
}

// Uses implements store.Reader. Items without a reference are left out.
func (r *reader) Uses(ctx context.Context, keys []store.CodeKey) (map[store.CodeKey]int64, error) {
	uses := make(map[store.CodeKey]int64, len(keys))
	for _, key := range keys {
		err := r.query(ctx, "uses", `SELECT uses FROM use_count WHERE collection = ? AND code = ? AND uses > 0`,
			func(a *args) { a.codeKey(key) },
			func(row *row) error { uses[key] = row.int(); return nil })
		if err != nil {
			return nil, err
		}
	}
	return uses, nil
}
