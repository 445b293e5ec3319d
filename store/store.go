// Package store is the contract between the engine and what keeps its data.
//
// A store keeps entities as documents with keys, claims (every uniqueness is
// one), business transactions with their journal, and configuration. It knows
// no attribute and no rule. Two implementations pass the one suite in
// storetest.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"casm"

	"github.com/google/uuid"
)

// Store keeps the data of one installation.
type Store interface {
	// Commit runs decide in the one kind of write transaction there is: it
	// loads (and, where others could interfere, locks) what needs names, calls
	// decide, writes the WriteSet and commits durably. Nothing of it is visible
	// before, all of it after. A nil or empty WriteSet writes nothing.
	//
	// decide may be called more than once (a claim lost to another process, a
	// serialization failure): it must start afresh each time. Its error rolls
	// back and is returned as it is.
	//
	// Errors: ErrUnavailable (nothing was done), ErrOutcomeUnknown (the store
	// was lost at the moment of the commit), a *Busy (only with
	// Needs.Patience), else the database's refusal of what was written (nothing
	// was done).
	Commit(ctx context.Context, needs Needs, decide func(Reader, *Loaded) (*WriteSet, error)) (Head, error)
	// View runs fn on one consistent snapshot of what is committed.
	View(ctx context.Context, fn func(Reader) error) error
	// Forget sets request ids free (contract rule 1): the claims of up to limit
	// transactions, the oldest first, made before the instant. It returns how
	// many transactions it passed; fewer than limit: there are no more.
	Forget(ctx context.Context, before casm.Time, limit int) (int, error)
	// Lease takes what a name stands for, or keeps it, for holder and a span by
	// the store's clock, unless another has it, and returns who has it now. A
	// span of 0 gives it up. It saves several processes from doing the same
	// work; it promises nothing: who is stopped for longer than the span has
	// lost it without a word. A store for one process gives it to whoever asks.
	Lease(ctx context.Context, name, holder string, span time.Duration) (string, error)
	// RaiseEpoch records that the store was put back to an earlier time: the
	// head's epoch becomes one more than it and over are, and all sessions end,
	// as some may have ended since.
	RaiseEpoch(ctx context.Context, over int64) (Head, error)
	Auditor
	// AddSession adds a session, durably, and removes those that have ended when
	// it begins, and of its user's the oldest beyond most.
	AddSession(ctx context.Context, s casm.Session, most int) error
	// Session returns the session with the hash, ended or not; nil when there is none.
	Session(ctx context.Context, hash [sha256.Size]byte) (*casm.Session, error)
	// ExtendSession moves the end of a session, never to an earlier time.
	ExtendSession(ctx context.Context, hash [sha256.Size]byte, ends casm.Time) error
	// EndSession removes a session; one that there is not is no error.
	EndSession(ctx context.Context, hash [sha256.Size]byte) error
	// EndSessions removes all sessions of a user.
	EndSessions(ctx context.Context, user string) error
	// Close ends the store; no call may be under way.
	Close() error
}

// Errors that every store gives.
var (
	// ErrUnavailable: the store could not be reached, or is closed; nothing was done.
	ErrUnavailable = errors.New("store: unavailable, nothing was done")
	// ErrOutcomeUnknown: the connection was lost while the commit was under way.
	ErrOutcomeUnknown = errors.New("store: connection lost at the commit, its outcome is unknown")
)

// Busy is the error of a Commit that gave way: another one holds what is named
// here. Nothing was done.
type Busy struct {
	// Entities and Claims are those of the Needs that could not be had. None:
	// it is something that decide asked for.
	Entities []Key
	Claims   []ClaimKey
	Config   bool // the configuration
}

func (b *Busy) Error() string {
	return fmt.Sprintf("store: %d entities and %d claims are held by another commit, nothing was done", len(b.Entities), len(b.Claims))
}

// Space says what a claim is about. Its numbers are stored: never renumber them.
type Space uint8

// The spaces of claims. External ids have one space per kind: SpaceExternalID + kind.
const (
	SpaceRequest    Space = 1 // key: requestId, or requestId + Separator + ordinal in a batch; holder: transaction id
	SpaceResource   Space = 2 // key: resource type + Separator + value; holder: the SubscriberResource
	SpaceExternalID Space = 16
)

// Separator joins the parts of a key; no value that clients give holds it.
const Separator = "\x1f"

// ExternalID returns the claim of an external id among the entities of a kind.
func ExternalID(kind casm.Kind, externalID string) ClaimKey {
	return ClaimKey{SpaceExternalID + Space(kind), externalID}
}

// Resource returns the claim of a resource value.
func Resource(resourceType, value string) ClaimKey {
	return ClaimKey{SpaceResource, resourceType + Separator + value}
}

// ClaimKey names something that one holder at most can have.
type ClaimKey struct {
	Space Space
	Key   string
}

// ClaimForm says how the claim of a transaction follows from its request id and
// ordinal. Its numbers are stored: never renumber them.
type ClaimForm uint8

// The forms of claims.
const (
	ClaimNone    ClaimForm = iota // a due change has none
	ClaimSingle                   // of a request
	ClaimOrdinal                  // of an operation in a batch
)

// Claim returns the claim of this form.
func (f ClaimForm) Claim(requestID string, ordinal int) ClaimKey {
	switch f {
	case ClaimSingle:
		return Request(requestID, -1)
	case ClaimOrdinal:
		return Request(requestID, ordinal)
	}
	return ClaimKey{}
}

// ClaimForm returns the form of the transaction's claim; an error when it is
// that of another request.
func (t *Transaction) ClaimForm() (ClaimForm, error) {
	for f := range ClaimOrdinal + 1 {
		if t.Claim == f.Claim(t.RequestID, t.Ordinal) {
			return f, nil
		}
	}
	return 0, fmt.Errorf("the claim %q is not that of the request %q and the ordinal %d", t.Claim.Key, t.RequestID, t.Ordinal)
}

// Kind returns the kind of the holder, or 0 for a request's claim.
func (k ClaimKey) Kind() casm.Kind {
	switch {
	case k.Space == SpaceResource:
		return casm.KindSubscriberResource
	case k.Space > SpaceExternalID:
		return casm.Kind(k.Space - SpaceExternalID)
	}
	return 0
}

// Key names an entity.
type Key struct {
	Kind  casm.Kind
	RefID uuid.UUID
}

// Request returns the claim of a request id; ordinal is the operation's place
// in its batch, from 0, or -1 outside of one.
func Request(requestID string, ordinal int) ClaimKey {
	if ordinal < 0 {
		return ClaimKey{SpaceRequest, requestID}
	}
	return ClaimKey{SpaceRequest, requestID + Separator + strconv.Itoa(ordinal)}
}

// RequestID returns the request id of a request's claim.
func (k ClaimKey) RequestID() string {
	id, _, _ := strings.Cut(k.Key, Separator)
	return id
}

// Ordinal returns the Transaction.Ordinal that a request's claim stands for.
func (k ClaimKey) Ordinal() int {
	_, n, _ := strings.Cut(k.Key, Separator)
	ordinal, _ := strconv.Atoi(n)
	return ordinal
}

// VersionKey names one version of an entity.
type VersionKey struct {
	Key
	Version int64
}

// Entity is the present version of an entity: its document and the keys by
// which it is found. A store returns Doc byte for byte as it was given.
type Entity struct {
	Key
	Version    int64
	Customer   uuid.UUID // the customer at the top; of a customer itself
	Superior   uuid.UUID // the entity directly above; zero of a customer
	ExternalID string    // present external id, "" for none
	LookupKey  string    // of a resource its type + Separator + value: all that ever had it are found by it
	State      string
	Reason     string
	Segment    string
	Offer      string
	CustomName string
	Test       bool
	Created    casm.Time
	Updated    casm.Time
	Due        casm.Time // when it next changes by itself; zero for never
	Planned    casm.Time // the earliest date of any plan, also one that waits for a confirm; zero for none
	// Link is another entity that is loaded with this one (of a subscription
	// the parent offer subscription); zero for none.
	Link uuid.UUID
	// AttributesGained and AttributesLost are hashes of pairs that lists find it
	// by and that it has gained and lost against the version that is stored,
	// each once. They are written, not read.
	AttributesGained, AttributesLost []int64
	Doc                              []byte
}

// Line says which time lines a version moved (bits).
type Line uint8

// The time lines of contract rule 22.
const (
	LineState Line = 1 << iota
	LineSegment
	LineBillCycle
	LineParent
)

// Change is one row of the journal: a new version of an entity, and so one
// message. A row with a Threshold is an extra message after that of the same
// version (contract 7, thresholdReached) and no version of its own.
type Change struct {
	Key
	Version   int64
	Customer  uuid.UUID
	Event     string // created, updated, stateChanged, stateChangePlanned, ended, thresholdReached
	Lines     Line
	At        casm.Time // the entity's updatedAt with this version
	Threshold int       // 1–3, or 0
	Doc       []byte
}

// Transaction is one business transaction: one operation that took effect.
// Those of an atomic batch share their ID and differ in Ordinal.
type Transaction struct {
	ID        uuid.UUID
	Ordinal   int // of the operation in its batch, from 0 (ClaimKey.Ordinal); 0 for a single one
	RequestID string
	Operation string
	At        casm.Time
	Actor     string
	Comment   string
	Hash      []byte // of the request (contract rule 1)
	Answer    []byte // what of the answer does not follow from Changes; opaque to the store
	// Claim is the request claim the transaction was made under; a transaction
	// of a due change has none.
	Claim   ClaimKey
	Changes []Change
}

// ClaimChange moves one claim: From the zero id when it was free, To the zero
// id when it is set free.
type ClaimChange struct {
	ClaimKey
	From, To uuid.UUID
}

// CodeKey names an item of configuration as something that can be referred to.
type CodeKey struct{ Collection, Code string }

// ConfigChange is one new version of an item of configuration.
type ConfigChange struct {
	CodeKey
	Version int64
	Doc     []byte // nil: deleted
	// Kept is what the history keeps in the place of Doc; nil: Doc. It is written
	// only: of a version that is read, Doc is what was kept.
	Kept  []byte
	At    casm.Time
	Actor string
}

// History returns the document that the history keeps.
func (c *ConfigChange) History() []byte {
	if c.Kept != nil {
		return c.Kept
	}
	return c.Doc
}

// Progress is how far the copies of the log have come that an item of
// configuration, an endpoint, gets: all up to After is done, but for what
// customers that are Behind wait for. It goes when its item is deleted.
type Progress struct {
	CodeKey
	// Version is 1, 2, 3 …: one more with each write. A write is refused when it
	// is not the next one, so of several who write each finds out.
	Version int64
	// Began is the version of the item with which it began: one that is made
	// again begins anew.
	Began int64
	After casm.Position
	Doc   []byte // JSON, opaque to the store
	// Behind and Parked are how many customers are behind, and of them parked.
	// They are read, not written.
	Behind, Parked int
}

// Behind is a customer whose messages an endpoint could not get yet: those up
// to After are done.
type Behind struct {
	Customer uuid.UUID
	After    casm.Position
	Parked   bool   // it waits for a person
	Doc      []byte // JSON, opaque to the store
}

// ProgressChange is a write of Progress.
type ProgressChange struct {
	Progress
	Put    []Behind    // customers that are behind from now on, or are elsewhere
	Caught []uuid.UUID // customers that are behind no more
}

// BehindQuery asks for customers that are behind, by refId.
type BehindQuery struct {
	ParkedOnly bool
	After      uuid.UUID
	Limit      int
}

// WriteSet is what one Commit writes. Each entity and each claim stands in it
// once, in its final form; each transaction holds all its journal rows.
type WriteSet struct {
	Claims       []ClaimChange
	Entities     []Entity
	Transactions []Transaction // in order; they take the next positions
	// Uses are changes of how many references entities hold to an item of
	// configuration.
	Uses   map[CodeKey]int64
	Config []ConfigChange
	// Progress holds each item once; what Config deletes is not in it.
	Progress []ProgressChange
}

// Empty reports whether there is nothing to write.
func (w *WriteSet) Empty() bool {
	return w == nil || len(w.Claims)+len(w.Entities)+len(w.Transactions)+len(w.Config)+len(w.Uses)+len(w.Progress) == 0
}

// Head is the end of the log.
type Head struct {
	// Epoch rises when the store was put back to an earlier time.
	Epoch int64
	// Position is that of the last transaction, from 1; 0 when there is none.
	Position int64
	// Config is the version of the configuration as a whole; it rises with each change.
	Config int64
}

// Needs names what a batch of commands is going to look at.
type Needs struct {
	// Requests are looked up: the transactions made under them are loaded, without Changes.
	Requests []ClaimKey
	// Claims are looked up, and the entities that hold them loaded as if named in Entities.
	Claims []ClaimKey
	// Entities are loaded with all above them (the chain of Superior, the
	// Customer) and their Link with all above it. A subscriber that is named
	// comes with its resources, a subscription with its balances, without what
	// is DEACTIVATED.
	Entities []Key
	// Patience is about how long Commit waits for what others hold before it
	// gives way with a *Busy; 0: for as long as it takes. A store that commits
	// one after another never gives way.
	Patience time.Duration
}

// PartsOf returns the kind of the parts that come with a named entity of the
// kind, or 0.
func PartsOf(kind casm.Kind) casm.Kind {
	switch kind {
	case casm.KindSubscriber:
		return casm.KindSubscriberResource
	case casm.KindOfferSubscription:
		return casm.KindBalance
	}
	return 0
}

// Empty reports whether nothing is named.
func (n *Needs) Empty() bool { return len(n.Requests)+len(n.Claims)+len(n.Entities) == 0 }

// Loaded is what Needs named, as far as it exists: a claim or entity that was
// named and is not in it does not exist.
type Loaded struct {
	Now          casm.Time // the store's clock
	Head         Head      // its Config under a lock that holds until the commit
	Claims       map[ClaimKey]uuid.UUID
	Entities     []Entity                 // each once
	Transactions map[ClaimKey]Transaction // without Changes
}

// Finder is implemented by a store that looks one entity up in less time than
// a View takes. It is asked for plain reads, the most frequent requests.
type Finder interface {
	// Find returns the entity of the kind that has the external id, or if that
	// is "" the refId; nil when there is none. What it returns held together.
	Find(ctx context.Context, key Key, externalID string) (*Found, error)
}

// Found is an entity and what a plain read needs beside it.
type Found struct {
	Key
	Version int64
	Due     casm.Time
	Doc     []byte
	// Around are what is above, the customer and what is linked, with their
	// present external ids; what there is none of has the zero id.
	Around [3]Neighbour
	Now    casm.Time // the store's clock
}

// Neighbour is an entity that another refers to.
type Neighbour struct {
	RefID      uuid.UUID
	ExternalID string // "" of none
}

// Entry is a journal row with its place and the head of its transaction
// (Transaction.Changes is nil, Hash and Answer may be).
type Entry struct {
	Position    casm.Position
	Transaction Transaction
	Change
}

// ChildQuery asks for entities below another.
type ChildQuery struct {
	// Of is the entity above. With Of.Kind KindCustomer and Deep, everything
	// of that Kind below the customer at any height is meant, else what is
	// directly below.
	Of   uuid.UUID
	Deep bool
	Kind casm.Kind
	// SkipDeactivated leaves out those whose State is DEACTIVATED.
	SkipDeactivated bool
	// CreatedBefore, unless zero, leaves out what was created later than it.
	CreatedBefore casm.Time
	// After and Limit page in the order of refId; DeactivatedLast puts
	// deactivated ones behind all others (then After must be zero).
	After           uuid.UUID
	DeactivatedLast bool
	Limit           int
}

// ListQuery asks for entities of one kind, in the order of refId or, with
// UpdatedSince, of (Updated, refId). Members that are zero do not narrow;
// values of one member are alternatives, members are all to hold.
type ListQuery struct {
	Kind          casm.Kind
	IDs           []uuid.UUID // only these
	States        []string
	Reasons       []string
	Segments      []string
	Offers        []string
	CustomNames   []string    // prefixes
	ExternalIDs   []string    // prefixes
	Attributes    []int64     // hashes, as in Entity.AttributesGained; a hash may lie, the caller looks
	Customers     []uuid.UUID // the customer at the top, of what is below one
	Accounts      []uuid.UUID // an account above, at any height
	Subscribers   []uuid.UUID // the subscriber directly above
	ResourceTypes []string    // of subscribers: that have a resource of the type that is not DEACTIVATED
	UpdatedSince  casm.Time   // Updated at or after
	PlannedBefore casm.Time   // Planned before
	Test          *bool
	// DueAt: what is due at the instant passes States, Reasons and
	// PlannedBefore whatever is stored; the caller looks.
	DueAt casm.Time
	After Cursor
	Limit int
	// Scan is how many rows are looked at for a page at the most.
	Scan int
}

// Cursor is the place of a row in a list. The zero Cursor is before the first.
type Cursor struct {
	Updated casm.Time // only with UpdatedSince
	RefID   uuid.UUID
}

// ListPage is a page of a list: Next, unless nil, is where the next one goes
// on. A page may hold fewer than the limit, even none, and have a Next.
type ListPage struct {
	Entities []Entity
	Next     *Cursor
}

// FeedFilter narrows the feed; zero members do not.
type FeedFilter struct {
	Customer uuid.UUID
	Kind     casm.Kind
}

// Reader reads one consistent state: in View what is committed, in Commit
// that as well (not what the same Commit is about to write).
type Reader interface {
	// Load gives what needs names; in Commit it locks it too.
	Load(ctx context.Context, needs Needs) (*Loaded, error)
	// ExternalIDs gives the present external ids of those that have one.
	ExternalIDs(ctx context.Context, keys []Key) (map[uuid.UUID]string, error)
	// Children gives entities below another.
	Children(ctx context.Context, q ChildQuery) ([]Entity, error)
	// ChildrenOf gives what is directly below several entities, by refId, up to
	// limit of each: a whole level of a tree at once.
	ChildrenOf(ctx context.Context, of []uuid.UUID, kind casm.Kind, skipDeactivated bool, limit int) (map[uuid.UUID][]Entity, error)
	// ByLookupKey gives all entities of a kind that have or had the key, by refId.
	ByLookupKey(ctx context.Context, kind casm.Kind, key string) ([]Entity, error)
	// List gives a page of entities.
	List(ctx context.Context, q ListQuery) (ListPage, error)
	// Due gives entities whose Due is at or before the instant, earliest first.
	Due(ctx context.Context, at casm.Time, limit int) ([]Entity, error)

	// Versions gives journal rows of exactly these versions, without thresholds, in no order.
	Versions(ctx context.Context, keys []VersionKey) ([]Change, error)
	// AsOf gives, of each entity, the last version recorded at or before the
	// instant; what did not exist then is left out. In no order.
	AsOf(ctx context.Context, keys []Key, at casm.Time) ([]Change, error)
	// History gives an entity's versions below before (0: from the newest),
	// newest first, with their transactions; with lines only those that moved
	// one of them. Rows with a threshold are left out.
	History(ctx context.Context, key Key, before int64, lines Line, limit int) ([]Entry, error)

	// Feed gives the journal after a position in its order, up to limit rows.
	Feed(ctx context.Context, after casm.Position, filter FeedFilter, limit int) ([]Entry, error)
	// TransactionChanges gives the first limit changes of a transaction, without
	// thresholds, in their order, and how many there are in all.
	TransactionChanges(ctx context.Context, id uuid.UUID, ordinal, limit int) ([]Change, int, error)
	// Transaction gives the transaction with the id and the lowest ordinal,
	// without changes; nil when there is none.
	Transaction(ctx context.Context, id uuid.UUID) (*Transaction, error)

	// Head gives the end of the log.
	Head(ctx context.Context) (Head, error)
	// Checksum gives counts and checksums of the journal's versions up to a
	// position, thresholds left out, of each kind that has any: with them a copy
	// of the data proves itself (contract 8). A store may keep those of the
	// whole log and take back what is behind the position, or count the rows.
	Checksum(ctx context.Context, upTo casm.Position) (map[casm.Kind]casm.Sum, error)
	// Config gives the present items of configuration, in no order.
	Config(ctx context.Context) ([]ConfigChange, error)
	// ConfigHistory gives an item's versions, deletions included, newest first.
	ConfigHistory(ctx context.Context, key CodeKey, limit int) ([]ConfigChange, error)
	// Audit gives a page of the audit, newest first.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
	// Uses gives how many references entities hold to items of configuration.
	Uses(ctx context.Context, keys []CodeKey) (map[CodeKey]int64, error)
	// Progress gives how far an item's copies have come; nil when it has none.
	Progress(ctx context.Context, key CodeKey) (*Progress, error)
	// Behind gives the customers that are behind.
	Behind(ctx context.Context, key CodeKey, q BehindQuery) ([]Behind, error)
}
