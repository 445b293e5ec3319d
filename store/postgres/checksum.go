package postgres

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

const (
	// sumsEvery is how many transactions lie between two sums that are kept, and
	// so how many a checksum has to count at about the most.
	sumsEvery = 20_000
	// sumsPause is how often it is looked whether sums are to be kept.
	sumsPause = time.Minute
)

var (
	// selectSums gives the last sums that are kept before a transaction.
	selectSums = newStatement(`SELECT s.position, s.kind, s.entities, s.entity_sum, s.versions, s.version_sum
	FROM (SELECT x.position FROM journal_sum x WHERE x.position < $1 ORDER BY x.position DESC LIMIT 1) last
	` + lateral(`journal_sum`, `s`, `s.position = last.position`))

	// selectVersionsBetween gives kind, refId and version of the journal's rows
	// behind a transaction and up to a position.
	selectVersionsBetween = newStatement(`SELECT j.kind, j.ref_id, j.version
	FROM (SELECT * FROM business_transaction t WHERE t.position > $1 AND t.position <= $2 AND t.rows > 0 ORDER BY t.position OFFSET 0) t
	` + lateral(`journal`, `j`, `j.transaction_id = t.transaction_id AND j.batch_ordinal = t.ordinal AND j.month = t.month`) + `
	WHERE j.threshold = 0 AND (t.position < $2 OR j.ordinal <= $3::bigint)`)

	insertSums = newStatement(`INSERT INTO journal_sum (position, kind, entities, entity_sum, versions, version_sum)
	SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) ON CONFLICT DO NOTHING`)
)

// Checksum implements store.Reader: from the last sums that are kept it counts
// the journal's rows.
func (r *reader) Checksum(ctx context.Context, upTo casm.Position) (map[casm.Kind]casm.Sum, error) {
	sums, from := map[casm.Kind]casm.Sum{}, int64(0)
	err := r.query(ctx, "checksum", selectSums, func(a *args) { a.int8(upTo.Transaction) }, func(row *row) error {
		from = row.int8()
		sums[casm.Kind(row.int2())] = casm.Sum{
			Entities: row.int8(), EntitySum: uint64(row.int8()), Versions: row.int8(), VersionSum: uint64(row.int8()),
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.query(ctx, "checksum", selectVersionsBetween, func(a *args) {
		a.int8(from)
		a.int8(upTo.Transaction)
		a.int8(upTo.Ordinal)
	}, func(row *row) error {
		kind := casm.Kind(row.int2())
		s := sums[kind]
		s.Add(kind, row.id(), row.int8())
		sums[kind] = s
		return nil
	})
	return sums, err
}

// keepSums keeps sums as the log grows. One process does at a time; that two
// do now and then is no harm.
func (s *Store) keepSums(ctx context.Context) {
	holder := uuid.NewString()
	for {
		has, err := s.Lease(ctx, "sums", holder, 2*sumsPause)
		for more := err == nil && has == holder; more && err == nil; {
			more, err = s.addSums(ctx, sumsEvery)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Logger.Warn("sums of the journal could not be kept; checksums take longer", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sumsPause/2 + rand.N(sumsPause)):
		}
	}
}

// addSums keeps the sums of so many transactions more, if there are as many.
// It reports whether there were.
func (s *Store) addSums(ctx context.Context, every int64) (more bool, err error) {
	var sums map[casm.Kind]casm.Sum
	var upTo int64
	err = s.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		var last int64
		err = r.(*reader).query(ctx, "checksum", selectSums, func(a *args) { a.int8(math.MaxInt64) },
			func(row *row) error { last = row.int8(); return nil })
		if err != nil || head.Position < last+every {
			return err
		}
		upTo = last + every
		sums, err = r.Checksum(ctx, casm.Position{Transaction: upTo, Ordinal: math.MaxInt32})
		return err
	})
	if err != nil || len(sums) == 0 {
		return false, err
	}
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return false, err
	}
	defer c.end()
	rows := newColumns(len(sums), oidInt2, oidInt8, oidInt8, oidInt8, oidInt8)
	for _, kind := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[kind]
		rows[0].int2(int16(kind))
		for i, n := range []int64{sum.Entities, int64(sum.EntitySum), sum.Versions, int64(sum.VersionSum)} {
			rows[i+1].int8(n)
		}
	}
	p := &pipe{c: c}
	p.add(insertSums, func(a *args) { a.int8(upTo); rows.bind(a) }, nil)
	_, err = p.run(ctx)
	return err == nil, errorf(ctx, err, "keep sums")
}
