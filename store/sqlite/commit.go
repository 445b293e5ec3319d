package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"casm/store"

	"zombiezen.com/go/sqlite"
)

// errClaimLost: a claim was not held by what the WriteSet said. As decide
// loads and writes under one lock, it means that decide did not look.
var errClaimLost = errors.New("claim is not held as expected")

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, needs store.Needs,
	decide func(store.Reader, *store.Loaded) (*store.WriteSet, error),
) (store.Head, error) {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return store.Head{}, err
	}
	defer s.put(s.writer, w)
	head, err := s.commit(ctx, w, needs, decide)
	if errors.Is(err, errClaimLost) {
		head, err = s.commit(ctx, w, needs, decide)
	}
	return head, err
}

// commit is one attempt, in one transaction.
func (s *Store) commit(ctx context.Context, w conn, needs store.Needs,
	decide func(store.Reader, *store.Loaded) (*store.WriteSet, error),
) (head store.Head, err error) {
	// The write lock is taken at once: what is read below stays true until the
	// end of the transaction.
	if err := w.exec("BEGIN IMMEDIATE", nil); err != nil {
		return store.Head{}, fmt.Errorf("%w: begin: %w", store.ErrUnavailable, err)
	}
	// Also on a panic or runtime.Goexit of decide, which then goes on.
	defer func() {
		if e := w.rollback(); e != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", e))
		}
	}()
	r := &reader{c: w, now: s.now}
	loaded, err := r.Load(ctx, needs)
	if err != nil {
		return store.Head{}, err
	}
	head = loaded.Head
	set, err := func() (*store.WriteSet, error) {
		defer func() { r.over = true }()
		return decide(r, loaded)
	}()
	if err != nil {
		return store.Head{}, err
	}
	if set.Empty() {
		return head, nil
	}
	if err := w.write(ctx, set, &head); err != nil {
		return store.Head{}, classify(fmt.Errorf("write: %w", err))
	}
	if err := ctx.Err(); err != nil {
		return store.Head{}, classify(err)
	}
	if err := w.exec("COMMIT", nil); err != nil {
		return store.Head{}, commitError(err)
	}
	return head, nil
}

// commitError says what an error of COMMIT means. Where the disk failed, the
// log may hold all of the transaction: it counts as rolled back while this
// process lives, but a start after a crash would find it.
func commitError(err error) error {
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultIOErr {
		return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
	}
	return classify(fmt.Errorf("commit: %w", err))
}

// write writes all of a set and moves head to the end of the log after it.
func (c conn) write(ctx context.Context, set *store.WriteSet, head *store.Head) error {
	if err := c.writeClaims(ctx, set.Claims); err != nil {
		return err
	}
	if err := c.writeEntities(ctx, set.Entities); err != nil {
		return err
	}
	if err := c.writeUses(set.Uses); err != nil {
		return err
	}
	for i := range set.Config {
		if err := c.writeConfig(&set.Config[i]); err != nil {
			return err
		}
	}
	if len(set.Config) > 0 {
		head.Config++
	}
	for i := range set.Progress {
		if err := c.writeProgress(&set.Progress[i]); err != nil {
			return err
		}
	}
	for i := range set.Transactions {
		head.Position++
		if err := c.writeTransaction(ctx, &set.Transactions[i], head.Position); err != nil {
			return err
		}
	}
	sums, err := c.addSums(ctx, set.Transactions)
	if err != nil {
		return err
	}
	return c.exec(`UPDATE log_head SET position = ?, config = ?, sums = ?`,
		func(a *args) { a.int(head.Position); a.int(head.Config); a.optBytes(sums) })
}

// writeClaims moves the claims: those set free first, then in the order of
// their keys, which is the order of the table.
func (c conn) writeClaims(ctx context.Context, claims []store.ClaimChange) error {
	sorted := slices.Clone(claims)
	slices.SortFunc(sorted, func(x, y store.ClaimChange) int {
		if free := x.To == none; free != (y.To == none) {
			if free {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.Space, y.Space), cmp.Compare(x.Key, y.Key))
	})
	for i := range sorted {
		if i%64 == 63 && ctx.Err() != nil {
			return ctx.Err()
		}
		claim := &sorted[i]
		if claim.From == claim.To && claim.To == none {
			continue
		}
		if err := c.writeClaim(claim); err != nil {
			return fmt.Errorf("claim %q of space %d: %w", claim.Key, claim.Space, err)
		}
	}
	return nil
}

func (c conn) writeClaim(claim *store.ClaimChange) (err error) {
	switch {
	case claim.From == none:
		err = c.exec(`INSERT INTO claim (holder, space, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			func(a *args) { a.id(claim.To); a.claimKey(claim.ClaimKey) })
	case claim.To == none:
		err = c.exec(`DELETE FROM claim WHERE space = ? AND key = ? AND holder = ?`,
			func(a *args) { a.claimKey(claim.ClaimKey); a.id(claim.From) })
	default:
		err = c.exec(`UPDATE claim SET holder = ? WHERE space = ? AND key = ? AND holder = ?`,
			func(a *args) { a.id(claim.To); a.claimKey(claim.ClaimKey); a.id(claim.From) })
	}
	if err == nil && c.Changes() != 1 {
		err = errClaimLost
	}
	return err
}

func (a *args) claimKey(k store.ClaimKey) { a.int(int64(k.Space)); a.text(k.Key) }

// The columns of an entity: those that an index holds, then the others.
const (
	// A change of an entity seldom touches an indexed column. Naming them in
	// SET would take each out of its index and put it back, so a plain change
	// leaves them alone and applies where they are as they were.
	updateEntity = `UPDATE entity SET version = ?, link = ?, external_id = ?, state = ?, reason = ?,
	segment = ?, offer = ?, test = ?, created = ?, updated = ?, doc = ?
	WHERE ref_id = ? AND kind = ? AND customer IS ? AND superior IS ? AND lookup_key IS ? AND due IS ?
	AND planned IS ? AND custom_name = ?`

	upsertEntity = `INSERT INTO entity (version, link, external_id, state, reason,
	segment, offer, test, created, updated, doc,
	ref_id, kind, customer, superior, lookup_key, due, planned, custom_name)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (ref_id) DO UPDATE SET version = excluded.version, link = excluded.link,
	external_id = excluded.external_id, state = excluded.state, reason = excluded.reason,
	segment = excluded.segment, offer = excluded.offer, custom_name = excluded.custom_name,
	test = excluded.test, created = excluded.created, updated = excluded.updated,
	planned = excluded.planned, doc = excluded.doc, kind = excluded.kind, customer = excluded.customer,
	superior = excluded.superior, lookup_key = excluded.lookup_key, due = excluded.due`
)

func (c conn) writeEntities(ctx context.Context, entities []store.Entity) error {
	for i := range entities {
		if i%64 == 63 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.writeEntity(&entities[i]); err != nil {
			return fmt.Errorf("%s %s: %w", entities[i].Kind, entities[i].RefID, err)
		}
	}
	return nil
}

func (c conn) writeEntity(e *store.Entity) error {
	bind := func(a *args) {
		a.int(e.Version)
		a.optID(e.Link)
		a.optText(e.ExternalID)
		a.text(e.State)
		a.text(e.Reason)
		a.text(e.Segment)
		a.text(e.Offer)
		a.bool(e.Test)
		a.time(e.Created)
		a.time(e.Updated)
		a.doc(e.Doc)

		a.id(e.RefID)
		a.int(int64(e.Kind))
		if e.Customer == e.RefID {
			a.optID(none)
		} else {
			a.id(e.Customer)
		}
		a.optID(e.Superior)
		a.optText(e.LookupKey)
		a.optTime(e.Due)
		a.optTime(e.Planned)
		a.text(e.CustomName)
	}
	for _, hash := range e.AttributesLost {
		if err := c.exec(`DELETE FROM entity_attribute WHERE kind = ? AND hash = ? AND ref_id = ?`,
			func(a *args) { a.int(int64(e.Kind)); a.int(hash); a.id(e.RefID) }); err != nil {
			return err
		}
	}
	for _, hash := range e.AttributesGained {
		if err := c.exec(`INSERT INTO entity_attribute (kind, hash, ref_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			func(a *args) { a.int(int64(e.Kind)); a.int(hash); a.id(e.RefID) }); err != nil {
			return err
		}
	}
	if e.Version > 1 {
		if err := c.exec(updateEntity, bind); err != nil || c.Changes() == 1 {
			return err
		}
	}
	return c.exec(upsertEntity, bind)
}

// ordinalBits is how much of a journal row's seq is its ordinal.
const ordinalBits = 20

// seqOf returns the journal's key of a message.
func seqOf(position, ordinal int64) int64 { return position<<ordinalBits | ordinal }

func (c conn) writeTransaction(ctx context.Context, t *store.Transaction, position int64) error {
	claim, err := t.ClaimForm()
	if err != nil {
		return fmt.Errorf("transaction %s: %w", t.ID, err)
	}
	if len(t.Changes) > 1<<ordinalBits {
		return fmt.Errorf("transaction %s: %d changes, at most %d go into one", t.ID, len(t.Changes), 1<<ordinalBits)
	}
	versions := 0
	for i := range t.Changes {
		change := &t.Changes[i]
		if change.Threshold == 0 {
			versions++
		}
		if i%64 == 63 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := c.exec(`INSERT INTO journal (seq, kind, ref_id, version, customer, event, lines, at, threshold, doc)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, func(a *args) {
			a.int(seqOf(position, int64(i)))
			a.int(int64(change.Kind))
			a.id(change.RefID)
			a.int(change.Version)
			a.optID(change.Customer)
			a.text(change.Event)
			a.int(int64(change.Lines))
			a.time(change.At)
			a.int(int64(change.Threshold))
			a.doc(change.Doc)
		})
		if err != nil {
			return fmt.Errorf("journal of %s %s version %d: %w", change.Kind, change.RefID, change.Version, err)
		}
	}
	err = c.exec(`INSERT INTO business_transaction (position, transaction_id, ordinal, request_id, claim,
		operation, at, actor, comment, hash, answer, versions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		func(a *args) {
			a.int(position)
			a.id(t.ID)
			a.int(int64(t.Ordinal))
			a.text(t.RequestID)
			a.int(int64(claim))
			a.text(t.Operation)
			a.time(t.At)
			a.text(t.Actor)
			a.text(t.Comment)
			a.optBytes(t.Hash)
			a.optBytes(t.Answer)
			a.int(int64(versions))
		})
	if err != nil {
		return fmt.Errorf("transaction %s: %w", t.ID, err)
	}
	return nil
}
