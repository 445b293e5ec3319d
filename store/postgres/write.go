package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"casm/store"
)

const (
	// chunkBytes is about how much one statement of many rows carries, and
	// flushBytes how much is sent at once; a set that is larger takes more
	// round trips.
	chunkBytes = 2 << 20
	flushBytes = 8 << 20
)

// writer writes the set of a commit.
type writer struct {
	pipe
	set    *store.WriteSet
	loaded *store.Loaded
	held   *held
	month  int32
}

// write writes the set and commits. An error is one after which nothing was
// done, or store.ErrOutcomeUnknown.
func (w *writer) write(ctx context.Context) (store.Head, error) {
	head := w.loaded.Head
	w.month = monthOf(w.loaded.Now)
	for _, part := range []func(context.Context) error{w.claims, w.entities, w.attributes, w.journal, w.config, w.progress, w.uses} {
		if err := part(ctx); err != nil {
			return store.Head{}, err
		}
	}
	if len(w.set.Config) > 0 {
		w.add(raiseConfig, nil, func(row *row) error { head.Config = row.int8(); return nil })
	}
	if err := w.transactions(&head); err != nil {
		return store.Head{}, err
	}
	w.add(commit, nil, nil)
	last := len(w.steps) - 1
	done, err := w.run(ctx)
	switch {
	case err == nil, done > last:
		return head, nil // also when the connection went after the database had said so
	case done != notSent && lost(err), done == last && fatal(err):
		return store.Head{}, fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
	}
	return store.Head{}, fmt.Errorf("write: %w", err)
}

// flush sends what was gathered when it is much.
func (w *writer) flush(ctx context.Context) error {
	if w.bytes < flushBytes {
		return nil
	}
	if _, err := w.run(ctx); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// columns are the parameters of a statement for many rows of a few values.
type columns []*array

func newColumns(n int, oids ...uint32) columns {
	c := make(columns, len(oids))
	for i, oid := range oids {
		size := 12
		if oid == oidUUID || oid == oidText {
			size = 24
		}
		c[i] = newArray(oid, n*size)
	}
	return c
}

func (c columns) bind(a *args) {
	for _, column := range c {
		a.array(column)
	}
}

var (
	// One that is taken fails by the table's key, which costs less than to look
	// at each row's fate.
	takeClaims = newStatement(`INSERT INTO claim (space, key, holder) SELECT * FROM unnest($1::smallint[], $2::text[], $3::uuid[])`)
	moveClaims = newStatement(`SELECT casm_move_claims($1, $2, $3, $4)`)
	freeClaims = newStatement(`SELECT casm_free_claims($1, $2, $3, true)`)
)

// claims moves the claims, in the order of their keys: two commits that want
// the same ones then never wait for each other in a circle.
func (w *writer) claims(ctx context.Context) error {
	sorted := slices.Clone(w.set.Claims)
	slices.SortFunc(sorted, func(x, y store.ClaimChange) int {
		return cmp.Or(cmp.Compare(x.Space, y.Space), strings.Compare(x.Key, y.Key))
	})
	for _, kind := range []struct {
		s    *statement
		is   func(*store.ClaimChange) bool
		move bool
	}{
		{freeClaims, func(c *store.ClaimChange) bool { return c.To == none && c.From != none }, false},
		{moveClaims, func(c *store.ClaimChange) bool { return c.To != none && c.From != none }, true},
		{takeClaims, func(c *store.ClaimChange) bool { return c.To != none && c.From == none }, false},
	} {
		oids := []uint32{oidInt2, oidText, oidUUID}
		if kind.move {
			oids = append(oids, oidUUID)
		}
		c, n := newColumns(len(sorted), oids...), 0
		for i := range sorted {
			claim := &sorted[i]
			if !kind.is(claim) {
				continue
			}
			n++
			c[0].int2(int16(claim.Space))
			c[1].text(claim.Key)
			switch {
			case kind.move:
				c[2].id(claim.To)
				c[3].id(claim.From)
			case claim.To == none:
				c[2].id(claim.From)
			default:
				c[2].id(claim.To)
			}
		}
		if n > 0 {
			w.add(kind.s, c.bind, nil)
		}
	}
	return w.flush(ctx)
}

var (
	insertConfigHistory = newStatement(`INSERT INTO config_history (collection, code, version, doc, at, actor) VALUES ($1, $2, $3, $4, $5, $6)`)
	deleteConfig        = newStatement(`DELETE FROM config c WHERE c.collection = $1 AND c.code = $2`)
	upsertConfig        = newStatement(`INSERT INTO config (collection, code, version, doc, at, actor) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (collection, code) DO UPDATE SET version = excluded.version, doc = excluded.doc, at = excluded.at, actor = excluded.actor`)
	raiseConfig = newStatement(`UPDATE config_head SET version = version + 1 RETURNING version`)
)

func (w *writer) config(ctx context.Context) error {
	for i := range w.set.Config {
		change := &w.set.Config[i]
		bind := func(doc []byte) func(*args) {
			return func(a *args) {
				a.text(change.Collection)
				a.text(change.Code)
				a.int8(change.Version)
				a.add(doc) // nil is NULL
				a.time(change.At)
				a.text(change.Actor)
			}
		}
		w.add(insertConfigHistory, bind(change.History()), nil)
		if change.Doc == nil {
			for _, s := range []*statement{deleteConfig, deleteProgress, deleteBehind} {
				w.add(s, func(a *args) { a.text(change.Collection); a.text(change.Code) }, nil)
			}
		} else {
			w.add(upsertConfig, bind(change.Doc), nil)
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

var changeUses = newStatement(`WITH changed AS (
	  INSERT INTO use_count AS c (collection, code, uses) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
	  ON CONFLICT (collection, code) DO UPDATE SET uses = c.uses + excluded.uses RETURNING uses)
	SELECT casm_assert(bool_and(uses >= 0), '` + codeBelowZero + `', 'an item of configuration would have fewer uses than none') FROM changed`)

// uses changes counts in their order. Many commits want the same few: they are
// locked as late as can be.
func (w *writer) uses(context.Context) error {
	keys := make([]store.CodeKey, 0, len(w.set.Uses))
	for key, delta := range w.set.Uses {
		if delta != 0 {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.SortFunc(keys, func(x, y store.CodeKey) int {
		return cmp.Or(strings.Compare(x.Collection, y.Collection), strings.Compare(x.Code, y.Code))
	})
	c := newColumns(len(keys), oidText, oidText, oidInt8)
	for _, key := range keys {
		c[0].text(key.Collection)
		c[1].text(key.Code)
		c[2].int8(w.set.Uses[key])
	}
	w.add(changeUses, c.bind, nil)
	return nil
}
