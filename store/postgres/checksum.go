package postgres

import (
	"context"

	"casm"
)

// Checksum reads all of the journal, and so is allowed what others are not: a
// scan, and a join by hashes. Its statements are not among those whose plans
// must use an index.
var (
	allowScans  = &statement{"allow_scans", `SELECT set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true)`}
	forbidScans = &statement{"forbid_scans", `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true)`}

	// selectVersionsUpTo gives kind, refId and version of the journal's rows up
	// to a position.
	selectVersionsUpTo = &statement{"checksum", `SELECT j.kind, j.ref_id, j.version FROM journal j
	JOIN business_transaction t ON t.month = j.month AND t.transaction_id = j.transaction_id AND t.ordinal = j.batch_ordinal
	WHERE j.threshold = 0 AND (t.position < $1 OR t.position = $1 AND j.ordinal <= $2::bigint)`}
)

// Checksum implements store.Reader: it counts the journal's rows.
func (r *reader) Checksum(ctx context.Context, upTo casm.Position) (map[casm.Kind]casm.Sum, error) {
	found := map[casm.Kind]casm.Sum{}
	p, err := r.pipe()
	if err != nil {
		return nil, err
	}
	p.add(allowScans, nil, nil)
	p.add(selectVersionsUpTo, func(a *args) { a.int8(upTo.Transaction); a.int8(upTo.Ordinal) }, func(row *row) error {
		kind := casm.Kind(row.int2())
		s := found[kind]
		s.Add(kind, row.id(), row.int8())
		found[kind] = s
		return nil
	})
	p.add(forbidScans, nil, nil)
	return found, r.run(ctx, p, "checksum")
}
