package sqlite

import (
	"context"
	"math"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// An index on kind alone serves the feed. Where another one narrows, +kind keeps
// SQLite from taking that.
const (
	changeColumns = `j.kind, j.ref_id, j.version, j.customer, j.event, j.lines, j.at, j.threshold, j.doc`
	// headColumns are a transaction's without hash and answer.
	headColumns = `t.transaction_id, t.ordinal, t.request_id, t.claim, t.operation, t.at, t.actor, t.comment`
	// entriesFrom is the journal with the heads of its transactions.
	entriesFrom = `SELECT j.seq, ` + changeColumns + `, ` + headColumns + `
	FROM journal j CROSS JOIN business_transaction t ON t.position = j.seq >> 20 WHERE `
	changesFrom = `SELECT ` + changeColumns + ` FROM journal j WHERE `
)

func (r *row) change() store.Change {
	return store.Change{
		Key:     store.Key{Kind: casm.Kind(r.int()), RefID: r.id()},
		Version: r.int(), Customer: r.id(), Event: r.text(), Lines: store.Line(r.int()),
		At: r.time(), Threshold: int(r.int()), Doc: r.bytes(),
	}
}

func (r *row) transactionHead() store.Transaction {
	t := store.Transaction{ID: r.id(), Ordinal: int(r.int()), RequestID: r.text()}
	t.Claim = store.ClaimForm(r.int()).Claim(t.RequestID, t.Ordinal)
	t.Operation, t.At, t.Actor, t.Comment = r.text(), r.time(), r.text(), r.text()
	return t
}

func (r *row) entry() store.Entry {
	seq := r.int()
	return store.Entry{
		Position:    positionOf(seq),
		Change:      r.change(),
		Transaction: r.transactionHead(),
	}
}

// entries runs a query for journal rows with their transactions.
func (r *reader) entries(ctx context.Context, what, where string, bind func(*args)) (found []store.Entry, err error) {
	err = r.query(ctx, what, entriesFrom+where, bind,
		func(row *row) error { found = append(found, row.entry()); return nil })
	return found, err
}

// Versions implements store.Reader.
func (r *reader) Versions(ctx context.Context, keys []store.VersionKey) (found []store.Change, err error) {
	for _, key := range keys {
		err := r.query(ctx, "version", changesFrom+`j.ref_id = ? AND j.version = ? AND j.threshold = 0 AND +j.kind = ?`,
			func(a *args) { a.id(key.RefID); a.int(key.Version); a.int(int64(key.Kind)) },
			func(row *row) error { found = append(found, row.change()); return nil })
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// AsOf implements store.Reader.
func (r *reader) AsOf(ctx context.Context, keys []store.Key, at casm.Time) (found []store.Change, err error) {
	versions := make([]store.VersionKey, 0, len(keys))
	for _, key := range keys {
		version, err := r.versionAt(ctx, key.RefID, at)
		if err != nil {
			return nil, err
		}
		if version > 0 {
			versions = append(versions, store.VersionKey{Key: key, Version: version})
		}
	}
	return r.Versions(ctx, versions)
}

// versionAt finds the last version recorded at or before an instant, 0 for
// none. An entity may have millions of versions; as each is recorded later than
// the one before, the range is halved until one is left, in the index alone.
func (r *reader) versionAt(ctx context.Context, id uuid.UUID, at casm.Time) (int64, error) {
	version, recorded, err := r.lastVersion(ctx, id, math.MaxInt64)
	if err != nil || version == 0 || recorded <= at {
		return version, err
	}
	var low, high int64 = 0, version // low is at or before the instant or 0, high after it
	for high-low > 1 {
		version, recorded, err := r.lastVersion(ctx, id, low+(high-low)/2)
		switch {
		case err != nil:
			return 0, err
		case version <= low:
			low += (high - low) / 2 // there is none between
		case recorded <= at:
			low = version
		default:
			high = version
		}
	}
	version, _, err = r.lastVersion(ctx, id, low)
	return version, err
}

// lastVersion gives the newest version up to one, and when it was recorded.
func (r *reader) lastVersion(ctx context.Context, id uuid.UUID, upTo int64) (version int64, at casm.Time, err error) {
	err = r.query(ctx, "version", `SELECT version, at FROM journal
		WHERE ref_id = ? AND version <= ? AND threshold = 0 ORDER BY version DESC LIMIT 1`,
		func(a *args) { a.id(id); a.int(upTo) },
		func(row *row) error { version, at = row.int(), row.time(); return nil })
	return version, at, err
}

// History implements store.Reader.
func (r *reader) History(ctx context.Context, key store.Key, before int64, lines store.Line, limit int) ([]store.Entry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	if lines == 0 {
		return r.history(ctx, key, before, ``, 0, limit)
	}
	// The index of what moved a line leaves out the first version.
	found, err := r.history(ctx, key, before, ` AND j.version > 1 AND j.lines <> 0 AND j.lines & ? <> 0`, lines, limit)
	if err != nil || len(found) >= limit {
		return found, err
	}
	first, err := r.history(ctx, key, min(before, 2), ` AND j.lines & ? <> 0`, lines, 1)
	return append(found, first...), err
}

func (r *reader) history(ctx context.Context, key store.Key, before int64, condition string, lines store.Line, limit int) ([]store.Entry, error) {
	return r.entries(ctx, "history", `j.ref_id = ? AND j.version < ? AND j.threshold = 0 AND +j.kind = ?`+
		condition+` ORDER BY j.version DESC LIMIT ?+0`, func(a *args) {
		a.id(key.RefID)
		a.int(before)
		a.int(int64(key.Kind))
		if condition != "" {
			a.int(int64(lines))
		}
		a.limit(limit)
	})
}

// Feed implements store.Reader.
func (r *reader) Feed(ctx context.Context, after casm.Position, filter store.FeedFilter, limit int) ([]store.Entry, error) {
	where := `j.seq > ?`
	if filter.Customer != none {
		where += ` AND j.customer = ?`
	}
	switch {
	case filter.Kind != 0 && filter.Customer != none:
		where += ` AND +j.kind = ?`
	case filter.Kind != 0:
		where += ` AND j.kind = ?`
	}
	return r.entries(ctx, "feed", where+` ORDER BY j.seq LIMIT ?+0`, func(a *args) {
		a.int(seqAfter(after))
		if filter.Customer != none {
			a.id(filter.Customer)
		}
		if filter.Kind != 0 {
			a.int(int64(filter.Kind))
		}
		a.limit(limit)
	})
}

// seqAfter returns the journal's key that a position, which clients may make
// up, stands for: the last one not after it.
func seqAfter(p casm.Position) int64 {
	const lastPosition = math.MaxInt64 >> ordinalBits
	if p.Transaction > lastPosition {
		return math.MaxInt64
	}
	return seqOf(p.Transaction, min(p.Ordinal, 1<<ordinalBits-1))
}

const (
	transactionFrom      = `SELECT ` + headColumns + `, t.hash, t.answer FROM business_transaction t WHERE `
	transactionOfOrdinal = transactionFrom + `t.transaction_id = ? AND t.ordinal = ? ORDER BY t.position LIMIT 1`
	transactionOfID      = transactionFrom + `t.transaction_id = ? ORDER BY t.ordinal, t.position LIMIT 1`
)

func (r *reader) transaction(ctx context.Context, sql string, bind func(*args)) (found *store.Transaction, err error) {
	err = r.query(ctx, "transaction", sql, bind, func(row *row) error {
		t := row.transactionHead()
		t.Hash, t.Answer = row.bytes(), row.bytes()
		found = &t
		return nil
	})
	return found, err
}

// Transaction implements store.Reader.
func (r *reader) Transaction(ctx context.Context, id uuid.UUID) (*store.Transaction, error) {
	return r.transaction(ctx, transactionOfID, func(a *args) { a.id(id) })
}

// TransactionChanges implements store.Reader.
func (r *reader) TransactionChanges(ctx context.Context, id uuid.UUID, ordinal, limit int) (found []store.Change, total int, err error) {
	var position int64
	err = r.query(ctx, "transaction", `SELECT position, versions FROM business_transaction
		WHERE transaction_id = ? AND ordinal = ? ORDER BY position LIMIT 1`,
		func(a *args) { a.id(id); a.int(int64(ordinal)) },
		func(row *row) error { position, total = row.int(), int(row.int()); return nil })
	if err != nil || total == 0 {
		return nil, 0, err
	}
	err = r.query(ctx, "changes of a transaction",
		changesFrom+`j.seq >= ? AND j.seq < ? AND j.threshold = 0 ORDER BY j.seq LIMIT ?+0`,
		func(a *args) { a.int(seqOf(position, 0)); a.int(seqOf(position+1, 0)); a.limit(limit) },
		func(row *row) error { found = append(found, row.change()); return nil })
	return found, total, err
}
