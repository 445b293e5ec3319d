package store

import (
	"bytes"
	"context"
	"encoding/binary"

	"casm"

	"github.com/google/uuid"
)

// Auditor keeps the audit: records of denied and administrative acts, which
// are added and, when they are old, forgotten, but never changed.
type Auditor interface {
	// AppendAudit adds records, all or none, durably. One whose ID is there
	// already is left out, so after an error the same can be added again.
	// Errors: ErrUnavailable, ErrOutcomeUnknown (after either it may have been
	// done), else the database's refusal.
	AppendAudit(ctx context.Context, records []AuditRecord) error
	// ForgetAudit deletes up to limit records from before the instant, the
	// oldest first, and returns how many; fewer than limit: there are no more.
	ForgetAudit(ctx context.Context, before casm.Time, limit int) (int, error)
}

// AuditRecord is one record of the audit (contract 11).
type AuditRecord struct {
	// ID is an AuditID: it says when, and it is the order.
	ID      uuid.UUID
	Actor   string // who; "" where nobody was known
	Act     string
	Outcome string
	Remote  string
	Count   int64  // how many equal ones it stands for
	Details []byte // a JSON object of texts
}

// AuditQuery asks for records of the audit, newest first. Members that are zero
// do not narrow.
type AuditQuery struct {
	Actor, Act, Outcome string
	Since, Until        casm.Time // at or after, before
	// Before is the ID of the record behind which the page begins.
	Before uuid.UUID
	Limit  int
	// Scan is how many records are looked at for a page at the most.
	Scan int
}

// AuditPage is a page of the audit: Next, unless zero, is the Before of the next
// one. A page may hold fewer than the limit, even none, and have a Next.
type AuditPage struct {
	Records []AuditRecord
	Next    uuid.UUID
}

// AuditID returns the id of a record of an instant: a UUID of version 7 that
// holds the time to the microsecond. The rest is taken from random.
func AuditID(at casm.Time, random uuid.UUID) uuid.UUID {
	us := uint64(at - casm.MinTime)
	id := random
	binary.BigEndian.PutUint64(id[:8], us/1000<<16|7<<12|us%1000)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// AuditTime returns the instant of a record by its id.
func AuditTime(id uuid.UUID) casm.Time {
	n := binary.BigEndian.Uint64(id[:8])
	return casm.MinTime + casm.Time(n>>16*1000+n&0xfff)
}

// AuditBefore returns what is below the ids of all records of the instant and
// later, and above those of earlier ones.
func AuditBefore(at casm.Time) uuid.UUID {
	return AuditID(min(max(at, casm.MinTime), casm.MaxTime), uuid.Nil)
}

// lastID is above all ids.
var lastID = uuid.UUID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Range returns between which ids the records are that the query asks for:
// from is the lowest, below is behind the highest.
func (q *AuditQuery) Range() (from, below uuid.UUID) {
	below = lastID
	if q.Until != 0 {
		below = AuditBefore(q.Until)
	}
	if q.Before != uuid.Nil && bytes.Compare(q.Before[:], below[:]) < 0 {
		below = q.Before
	}
	if q.Since != 0 {
		from = AuditBefore(q.Since)
	}
	return from, below
}
