package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// sums are counts and checksums by kind.
type sums [casm.KindBalance + 1]casm.Sum

// sumBytes is how long sums are as log_head keeps them.
const sumBytes = int(casm.KindBalance) * 32

func (s *sums) encode() []byte {
	b := make([]byte, 0, sumBytes)
	for _, k := range casm.Kinds {
		for _, n := range []uint64{uint64(s[k].Entities), s[k].EntitySum, uint64(s[k].Versions), s[k].VersionSum} {
			b = binary.BigEndian.AppendUint64(b, n)
		}
	}
	return b
}

func decodeSums(b []byte) (s sums, err error) {
	if len(b) != sumBytes {
		return s, fmt.Errorf("log_head: its sums have %d bytes, not %d", len(b), sumBytes)
	}
	next := func() uint64 {
		n := binary.BigEndian.Uint64(b)
		b = b[8:]
		return n
	}
	for _, k := range casm.Kinds {
		s[k] = casm.Sum{Entities: int64(next()), EntitySum: next(), Versions: int64(next()), VersionSum: next()}
	}
	return s, nil
}

const selectSums = `SELECT sums FROM log_head`

// sumsSchema is the schema from which log_head has sums.
const sumsSchema = 2

// keptSums gives the sums that are kept, encoded; nil when there are none yet.
func (c conn) keptSums(ctx context.Context) (b []byte, err error) {
	err = c.query(ctx, selectSums, func(*args) {}, func(row *row) error { b = row.bytes(); return nil })
	return b, err
}

// journalSums counts the whole journal.
func (c conn) journalSums(ctx context.Context) (s sums, err error) {
	err = c.query(ctx, versionsAfter, func(a *args) { a.int(-1) }, func(row *row) error {
		return row.version(func(kind casm.Kind, id uuid.UUID, version int64) { s[kind].Add(kind, id, version) })
	})
	return s, err
}

// byKind gives the sums of each kind that has any.
func (s *sums) byKind() map[casm.Kind]casm.Sum {
	found := map[casm.Kind]casm.Sum{}
	for _, k := range casm.Kinds {
		if s[k].Versions != 0 {
			found[k] = s[k]
		}
	}
	return found
}

// addSums gives the sums with the changes of transactions in them.
func (c conn) addSums(ctx context.Context, transactions []store.Transaction) ([]byte, error) {
	b, err := c.keptSums(ctx)
	if err != nil {
		return nil, err
	}
	s, err := decodeSums(b)
	if err != nil {
		return nil, err
	}
	for i := range transactions {
		for j := range transactions[i].Changes {
			if change := &transactions[i].Changes[j]; change.Threshold == 0 && change.Kind.Valid() {
				s[change.Kind].Add(change.Kind, change.RefID, change.Version)
			}
		}
	}
	return s.encode(), nil
}

// versionsAfter gives kind, refId and version of the journal's rows after a place.
const versionsAfter = `SELECT j.kind, j.ref_id, j.version FROM journal j WHERE j.seq > ? AND +j.threshold = 0`

// countSums counts the journal of a database that has no sums yet.
func (c conn) countSums(ctx context.Context) error {
	if b, err := c.keptSums(ctx); err != nil || b != nil {
		return err
	}
	if err := c.exec("BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	defer c.rollback() //nolint:errcheck // the error that counts is returned
	s, err := c.journalSums(ctx)
	if err != nil {
		return err
	}
	if err := c.exec(`UPDATE log_head SET sums = ?`, func(a *args) { a.optBytes(s.encode()) }); err != nil {
		return err
	}
	return c.exec("COMMIT", nil)
}

func (r *row) version(count func(kind casm.Kind, id uuid.UUID, version int64)) error {
	kind, id, version := casm.Kind(r.int()), r.id(), r.int()
	if !kind.Valid() {
		return fmt.Errorf("journal: %d is no kind", kind)
	}
	count(kind, id, version)
	return nil
}

// Checksum implements store.Reader: the sums of the whole journal, kept in
// log_head, without what is behind the position.
func (r *reader) Checksum(ctx context.Context, upTo casm.Position) (map[casm.Kind]casm.Sum, error) {
	var b []byte
	if err := r.query(ctx, "checksum", selectSums, func(*args) {}, func(row *row) error { b = row.bytes(); return nil }); err != nil {
		return nil, err
	}
	s, err := decodeSums(b)
	if err != nil {
		return nil, err
	}
	if after := seqAfter(upTo); after != math.MaxInt64 {
		err := r.query(ctx, "checksum", versionsAfter, func(a *args) { a.int(after) }, func(row *row) error {
			return row.version(func(kind casm.Kind, id uuid.UUID, version int64) { s[kind].Remove(kind, id, version) })
		})
		if err != nil {
			return nil, err
		}
	}
	return s.byKind(), nil
}
