package postgres

import (
	"context"
	"fmt"

	"casm"
	"casm/store"
)

var _ store.Finder = (*Store)(nil)

// finding are the statements that find one entity of a kind, by its external id
// and by its refId, with the present external ids of what is around it.
type finding struct{ byExternalID, byRefID *statement }

var findings = func() (all [casm.KindBalance + 1]finding) {
	for _, kind := range casm.Kinds {
		// What is above or linked is in the partition of its kind; where that is
		// not known (0), in any.
		around := func(name, id, kindOf string) string {
			one := `SELECT x.external_id FROM entity x WHERE x.ref_id = e.` + id
			return `
	LEFT JOIN LATERAL (` + one + ` AND x.kind = e.` + kindOf + ` UNION ALL ` + one + ` AND e.` + kindOf + ` = 0 LIMIT 1) ` + name + ` ON true`
		}
		columns := `SELECT e.ref_id, e.version, e.due, e.doc, e.superior, s.external_id, e.customer, c.external_id, e.link, l.external_id, clock_timestamp()
	FROM `
		joins := around("s", "superior", "superior_kind") + `
	LEFT JOIN LATERAL (SELECT x.external_id FROM entity_customer x WHERE x.ref_id = e.customer LIMIT 1) c ON true` + around("l", "link", "link_kind")
		table := partitions[kind]
		all[kind] = finding{
			byExternalID: newStatement(columns + `claim k ` + lateralOne(table, "e", "e.ref_id = k.holder") + joins + `
	WHERE k.space = $1 AND k.key = $2`),
			byRefID: newStatement(columns + table + ` e` + joins + `
	WHERE e.ref_id = $1`),
		}
	}
	return all
}()

// Find implements store.Finder: one statement, which is one snapshot, in one
// round trip.
func (s *Store) Find(ctx context.Context, key store.Key, externalID string) (found *store.Found, err error) {
	if !key.Kind.Valid() {
		return nil, nil
	}
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return nil, err
	}
	defer c.end()
	p := &pipe{c: c}
	statement, bind := findings[key.Kind].byRefID, func(a *args) { a.id(key.RefID) }
	if externalID != "" {
		claim := store.ExternalID(key.Kind, externalID)
		statement, bind = findings[key.Kind].byExternalID, func(a *args) { a.int2(int16(claim.Space)); a.text(claim.Key) }
	}
	p.add(statement, bind, func(row *row) error {
		found = &store.Found{Key: store.Key{Kind: key.Kind, RefID: row.id()}, Version: row.int8(), Due: row.time(), Doc: row.bytes()}
		for i := range found.Around {
			found.Around[i] = store.Neighbour{RefID: row.id(), ExternalID: row.text()}
		}
		found.Now = row.time()
		return nil
	})
	if _, err := p.run(ctx); err != nil {
		return nil, classify(ctx, fmt.Errorf("find %v: %w", key.Kind, err))
	}
	if found != nil && s.options.Now != nil {
		found.Now = casm.TimeOf(s.options.Now())
	}
	return found, nil
}
