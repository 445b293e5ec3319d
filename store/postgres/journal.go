package postgres

import (
	"context"
	"math"

	"casm"
	"casm/store"
)

const (
	changeColumns = `j.kind, j.ref_id, j.version, j.customer, j.event, j.lines, j.at, j.threshold, j.doc`
	// headColumns are a transaction's without hash and answer.
	headColumns        = `t.transaction_id, t.ordinal, t.request_id, t.claim, t.operation, t.at, t.actor, t.comment`
	transactionColumns = headColumns + `, t.hash, t.answer`
)

func (r *row) change() store.Change {
	return store.Change{
		Key:     store.Key{Kind: casm.Kind(r.int2()), RefID: r.id()},
		Version: r.int8(), Customer: r.id(), Event: r.text(), Lines: store.Line(r.int2()),
		At: r.time(), Threshold: int(r.int2()), Doc: r.bytes(),
	}
}

func (r *row) transactionHead() store.Transaction {
	t := store.Transaction{ID: r.id(), Ordinal: int(r.int4()), RequestID: r.text()}
	t.Claim = store.ClaimForm(r.int2()).Claim(t.RequestID, t.Ordinal)
	t.Operation, t.At, t.Actor, t.Comment = r.text(), r.time(), r.text(), r.text()
	return t
}

func (r *row) transaction() store.Transaction {
	t := r.transactionHead()
	t.Hash, t.Answer = r.bytes(), r.bytes()
	return t
}

var selectVersions = newStatement(`SELECT ` + changeColumns + `
	FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) u(ref_id, kind, version)
	` + lateral(`journal`, `j`, `j.ref_id = u.ref_id AND j.version = u.version AND j.threshold = 0 AND j.kind = u.kind`))

// Versions implements store.Reader.
func (r *reader) Versions(ctx context.Context, keys []store.VersionKey) (found []store.Change, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	err = r.query(ctx, "versions", selectVersions, func(a *args) {
		ids, kinds, versions := newArray(oidUUID, 20*len(keys)), newArray(oidInt2, 6*len(keys)), newArray(oidInt8, 12*len(keys))
		for _, key := range keys {
			ids.id(key.RefID)
			kinds.int2(int16(key.Kind))
			versions.int8(key.Version)
		}
		a.array(ids)
		a.array(kinds)
		a.array(versions)
	}, func(row *row) error { found = append(found, row.change()); return nil })
	return found, err
}

// lastVersions gives of each entity the newest version up to one, and when it
// was recorded.
var lastVersions = newStatement(`SELECT u.i, j.version, j.at
	FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS u(ref_id, up_to, i)
	CROSS JOIN LATERAL (SELECT j.version, j.at FROM journal j
	  WHERE j.ref_id = u.ref_id AND j.version <= u.up_to AND j.threshold = 0
	  ORDER BY j.version DESC LIMIT 1) j`)

// span is the range of versions in which the one of an instant is looked for:
// low was recorded at or before it, or is 0; high after it, or is 0 when low is
// the one.
type span struct {
	key       store.Key
	low, high int64
}

// AsOf implements store.Reader. An entity may have millions of versions; as
// each is recorded later than the one before, the ranges are halved until one
// version of each is left, in the index alone, all entities at once.
func (r *reader) AsOf(ctx context.Context, keys []store.Key, at casm.Time) ([]store.Change, error) {
	spans := make([]span, len(keys))
	open := make([]*span, len(keys))
	for i, key := range keys {
		spans[i] = span{key: key, high: math.MaxInt64}
		open[i] = &spans[i]
	}
	for first := true; len(open) > 0; first = false {
		if err := r.narrow(ctx, open, at, first); err != nil {
			return nil, err
		}
		left := open[:0]
		for _, s := range open {
			if s.high-s.low > 1 {
				left = append(left, s)
			}
		}
		open = left
	}
	var versions []store.VersionKey
	for _, s := range spans {
		if s.low > 0 {
			versions = append(versions, store.VersionKey{Key: s.key, Version: s.low})
		}
	}
	return r.Versions(ctx, versions)
}

// narrow halves each span; at first it looks at the newest version of all,
// which is mostly the one.
func (r *reader) narrow(ctx context.Context, open []*span, at casm.Time, first bool) error {
	middle := func(s *span) int64 {
		if first {
			return s.high
		}
		return s.low + (s.high-s.low)/2
	}
	seen := make([]bool, len(open))
	err := r.query(ctx, "versions", lastVersions, func(a *args) {
		ids, upTo := newArray(oidUUID, 20*len(open)), newArray(oidInt8, 12*len(open))
		for _, s := range open {
			ids.id(s.key.RefID)
			upTo.int8(middle(s))
		}
		a.array(ids)
		a.array(upTo)
	}, func(row *row) error {
		i, version, recorded := row.int8()-1, row.int8(), row.time()
		s := open[i]
		seen[i] = true
		switch {
		case version <= s.low: // there is none between low and the middle
			s.low = middle(s)
		case recorded <= at && first:
			s.low, s.high = version, 0
		case recorded <= at:
			s.low = version
		default:
			s.high = version
		}
		return nil
	})
	for i, s := range open {
		if err == nil && !seen[i] {
			if first {
				s.low, s.high = 0, 0 // it has no versions
			} else {
				s.low = middle(s)
			}
		}
	}
	return err
}

// historyStatements are the queries for an entity's versions: all; those after
// the first that moved a line, which have an index; the first, if it moved one.
var historyStatements = func() (s [3]*statement) {
	for i, condition := range []string{
		`j.version < $3 AND $4::smallint IS NOT NULL`,
		`j.version < $3 AND j.version > 1 AND j.lines <> 0 AND j.lines & $4 <> 0`,
		`j.version = 1 AND j.version < $3 AND j.lines & $4 <> 0`,
	} {
		s[i] = newStatement(`SELECT t.position, j.ordinal, ` + changeColumns + `, ` + headColumns + `
		FROM (SELECT * FROM journal j WHERE j.ref_id = $1 AND j.kind = $2 AND j.threshold = 0 AND ` + condition + `
		  ORDER BY j.version DESC LIMIT $5) j
		` + lateralOne(`business_transaction`, `t`, `t.month = j.month AND t.transaction_id = j.transaction_id AND t.ordinal = j.batch_ordinal`) + `
		ORDER BY j.version DESC`)
	}
	return s
}()

// History implements store.Reader.
func (r *reader) History(ctx context.Context, key store.Key, before int64, lines store.Line, limit int) ([]store.Entry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	if lines == 0 {
		return r.history(ctx, historyStatements[0], key, before, 0, limit)
	}
	found, err := r.history(ctx, historyStatements[1], key, before, lines, limit)
	if err != nil || len(found) >= limit {
		return found, err
	}
	first, err := r.history(ctx, historyStatements[2], key, before, lines, 1)
	return append(found, first...), err
}

func (r *reader) history(ctx context.Context, s *statement, key store.Key, before int64, lines store.Line, limit int) (found []store.Entry, err error) {
	err = r.query(ctx, "history", s, func(a *args) {
		a.id(key.RefID)
		a.int2(int16(key.Kind))
		a.int8(before)
		a.int2(int16(lines))
		a.limit(limit)
	}, func(row *row) error {
		found = append(found, store.Entry{
			Position:    casm.Position{Transaction: row.int8(), Ordinal: int64(row.int4())},
			Change:      row.change(),
			Transaction: row.transactionHead(),
		})
		return nil
	})
	return found, err
}
