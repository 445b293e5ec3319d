package sqlite

import (
	"context"
	"fmt"

	"casm/store"
)

var _ store.Finder = (*Store)(nil)

const (
	foundColumns = `SELECT e.ref_id, e.version, e.due, e.doc,
		e.superior, s.external_id, e.customer, c.external_id, e.link, l.external_id FROM `
	foundAround = ` LEFT JOIN entity s ON s.ref_id = e.superior
		LEFT JOIN entity c ON c.ref_id = e.customer LEFT JOIN entity l ON l.ref_id = e.link `
	findByExternalID = foundColumns + `claim k JOIN entity e ON e.ref_id = k.holder` + foundAround + `WHERE k.space = ? AND k.key = ?`
	findByRefID      = foundColumns + `entity e` + foundAround + `WHERE e.ref_id = ? AND e.kind = ?`
)

// Find implements store.Finder: one statement, which needs no transaction
// around it to see one snapshot.
func (s *Store) Find(ctx context.Context, key store.Key, externalID string) (found *store.Found, err error) {
	c, err := s.take(ctx, s.readers)
	if err != nil {
		return nil, err
	}
	defer s.put(s.readers, c)
	sql, bind := findByRefID, func(a *args) { a.id(key.RefID); a.int(int64(key.Kind)) }
	if externalID != "" {
		sql, bind = findByExternalID, func(a *args) { a.claimKey(store.ExternalID(key.Kind, externalID)) }
	}
	err = c.query(ctx, sql, bind, func(row *row) error {
		found = &store.Found{Key: store.Key{Kind: key.Kind, RefID: row.id()}, Version: row.int(), Due: row.time(), Doc: row.bytes()}
		for i := range found.Around {
			found.Around[i] = store.Neighbour{RefID: row.id(), ExternalID: row.text()}
		}
		return nil
	})
	if err != nil {
		return nil, classify(fmt.Errorf("find %v: %w", key.Kind, err))
	}
	if found != nil {
		found.Now = clock(s.now)
	}
	return found, nil
}
