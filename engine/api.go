// Package engine runs commands: it gathers requests without a timer, decides
// them one after another inside one durable transaction, and answers. It also
// reads, and records changes that fall due.
package engine

import (
	"errors"
	"log/slog"
	"time"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Options are what an engine is made with.
type Options struct {
	Store store.Store
	// Exclusive: no other process writes to the store, so what this one knows
	// of the configuration is what holds.
	Exclusive bool
	// Zone is the installation's time zone; nil is UTC.
	Zone *time.Location
	// Committers is how many commits of what clients wait for are under way at
	// once; 0: one, for a store that commits one after another. With more, what
	// is held by others, and what reaches far, is committed beside them, by two
	// more.
	Committers int
	// BatchLimit is how many operations one commit takes; 0: 256.
	BatchLimit int
	// RequestRetention is how long a requestId is kept (contract rule 1); 0: 30
	// days; below 0: for ever, as far as this engine is concerned.
	RequestRetention time.Duration
	// AuditRetention is how long a record of the audit is kept; 0: 400 days;
	// below 0: for ever, as far as this engine is concerned.
	AuditRetention time.Duration
	// QueueLimit is how many operations may wait; beyond, ErrOverloaded. 0: 4096.
	QueueLimit int
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
}

// Errors of the engine. Beside these, calls return casm.Violations for what is
// wrong with the request, and other errors for faults of our own, where
// nothing was done.
var (
	// ErrOverloaded: too much waits, or the engine is stopping; nothing was done.
	ErrOverloaded = errors.New("engine: overloaded or stopping, nothing was done")
	// ErrUnavailable: the store cannot be reached; nothing was done.
	ErrUnavailable = store.ErrUnavailable
	// ErrOutcomeUnknown: the store was lost at the commit and did not come back
	// in time; a repeat with the same requestId settles it.
	ErrOutcomeUnknown = store.ErrOutcomeUnknown
)

// Write is one write of contract 2.
type Write struct {
	Input *command.Input // decoded without violations
	Body  []byte         // as it came
	Actor string
	// IfMatch is the version that the named entity must have; 0 for any.
	IfMatch int64
	DryRun  bool
}

// BatchWrite is a batch of writes.
type BatchWrite struct {
	Batch  *command.Batch // decoded without violations
	Body   []byte         // as it came
	Actor  string
	DryRun bool
}

// Answer is what a client gets: always status 200 (201 and 204 are the HTTP layer's).
type Answer struct {
	Body []byte // JSON
	// ETag is the version that a following If-Match would be compared with; 0 for none.
	ETag int64
	// Replayed: a repeat of a request that took effect before.
	Replayed bool
}

// Read describes a read of one entity. Reads lists them all.
type Read struct {
	ID, Path, Summary string
	Kind              casm.Kind
	// Flags are the views that can be asked for, in the order of the answer.
	Flags []string
	// ByResource: the entity can also be named by resourceType and resource.
	ByResource bool
}

// Query asks for one entity.
type Query struct {
	Read *Read
	casm.Ref
	Resource command.ResourceKey // with Read.ByResource
	AsOf     casm.Time           // zero: now
	Flags    map[string]bool
}

// ResourceQuery asks for the resources of a subscriber.
type ResourceQuery struct {
	casm.Ref
	ResourceType    string // "" for all
	HistoryIncluded bool
	AsOf            casm.Time
}

// BalanceQuery asks for the balances of a subscription.
type BalanceQuery struct {
	casm.Ref
	Service string // "" for all
	// List answers {"items": […]} where a service is named, too: else it is the
	// balance itself.
	List bool
	AsOf casm.Time
}

// HistoryQuery asks for an entity's business transactions, newest first.
type HistoryQuery struct {
	Kind casm.Kind
	casm.Ref
	Limit int
	// Before is the version below which to go on; 0 from the newest.
	Before int64
}

// ListQuery asks for a page of entities of one kind (contract 6). Members that
// are zero do not narrow; values of one member are alternatives.
type ListQuery struct {
	Kind            casm.Kind
	States, Reasons []string
	Segments        []string
	Offers          []string
	CustomNames     []string // prefixes
	ExternalIDs     []string // prefixes
	AttributeKey    string
	Attributes      []string // values of AttributeKey
	Customers       []uuid.UUID
	Accounts        []uuid.UUID
	Subscribers     []uuid.UUID
	ResourceTypes   []string // of subscribers
	Resources       []string // of subscribers: values, of the ResourceTypes or any
	UpdatedSince    casm.Time
	PlannedBefore   casm.Time
	Test            *bool
	After           store.Cursor
	Limit           int
}
