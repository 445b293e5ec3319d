package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// job is something that waits for the committer.
type job struct {
	ctx    context.Context
	actor  string
	steps  []*step
	atomic bool // all steps or none, as one transaction
	dryRun bool

	config *configJob
	due    []store.Key // entities whose due changes are to be recorded

	queued time.Time
	names  []named // what the steps name, where several committers share a queue
	done   chan outcome
}

// step is one operation of a job.
type step struct {
	in      *command.Input
	ifMatch int64
	claim   store.ClaimKey // zero in a dry run
	hash    []byte
	pointer string // put before the pointers of what is wrong
	// ifMatchPointer is where the client gave ifMatch.
	ifMatchPointer string
}

// outcome is what a job comes to.
type outcome struct {
	answers []*Answer
	errs    []error // by step; of an atomic job one
	changes []command.ConfigChange
	err     error // of the job as a whole
}

func (j *job) size() int { return max(1, len(j.steps)+len(j.due)) }

// requestHash is what tells a repeat from another request: the operation and
// the JSON value of the body (contract rule 1).
func requestHash(operation string, body []byte) ([]byte, error) {
	v := jsontext.Value(append([]byte(nil), body...))
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("engine: canonical form of a request: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(operation))
	h.Write([]byte{0})
	h.Write(v)
	return h.Sum(nil), nil
}

// needs names what the jobs are going to look at.
func needsOf(jobs []*job, config *casm.Snapshot) store.Needs {
	var n store.Needs
	for _, j := range jobs {
		n.Entities = append(n.Entities, j.due...)
		for _, s := range j.steps {
			s.needs(config, &n)
		}
	}
	return n
}

func (s *step) needs(config *casm.Snapshot, n *store.Needs) {
	if s.claim != (store.ClaimKey{}) {
		n.Requests = append(n.Requests, s.claim)
	}
	for _, ref := range s.in.References() {
		if ref.ExternalID != "" {
			n.Claims = append(n.Claims, store.ExternalID(ref.Kind, ref.ExternalID))
		} else {
			n.Entities = append(n.Entities, store.Key{Kind: ref.Kind, RefID: ref.RefID})
		}
	}
	if kind, id := s.in.NewExternalID(); id != "" {
		n.Claims = append(n.Claims, store.ExternalID(kind, id))
	}
	for _, r := range s.in.Resources(config) {
		n.Claims = append(n.Claims, store.Resource(r.Type, r.Value))
	}
}

// batch is one gathered commit under way: the overlay of what the commands
// decided so far, each seeing what the earlier ones changed.
type batch struct {
	e      *Engine
	ctx    context.Context
	reader store.Reader
	loaded *store.Loaded
	config *casm.Snapshot
	source *source
	layer  *command.Layer
	write  writeSet
	done   map[store.ClaimKey]*made // requests that took effect in this batch
	// planned are transactions of the store that made plans.
	planned map[uuid.UUID]store.Transaction
	now     casm.Time
	dry     bool // nothing is written
	reach   int  // how many entities below others the commands may still touch; 0: any number
}

// made is a transaction of this batch with its answer.
type made struct {
	transaction *store.Transaction
	answer      *Answer
}

func (e *Engine) newBatch(ctx context.Context, reader store.Reader, loaded *store.Loaded, needs store.Needs) (*batch, error) {
	config, err := e.snapshot(ctx, reader, loaded.Head.Config)
	if err != nil {
		return nil, err
	}
	b := &batch{
		e: e, ctx: ctx, reader: reader, loaded: loaded, config: config,
		source: newSource(ctx, reader), done: map[store.ClaimKey]*made{}, planned: map[uuid.UUID]store.Transaction{}, now: loaded.Now,
	}
	b.source.take(needs, loaded)
	b.layer = command.NewLayer(b.source)
	return b, b.source.err
}

// tick returns the time of the next command: later than that of all before.
func (b *batch) tick() casm.Time {
	if b.dry {
		return b.now
	}
	b.now = b.e.nextTime(b.now)
	return b.now
}

func (b *batch) env(now casm.Time, transactionID uuid.UUID) command.Env {
	return command.Env{
		Config: b.config, Now: now, Zone: b.e.zone, NewID: newID, TransactionID: transactionID,
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// runSafely is run for which a mistake of ours in a rule fails one job only:
// what a command changes is merged into the overlay when it is complete.
func (b *batch) runSafely(j *job) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			b.e.log.Error("a command panicked", "panic", p, "stack", string(debug.Stack()))
			out = outcome{err: fmt.Errorf("engine: a command panicked: %v", p)}
		}
	}()
	return b.run(j)
}

// run decides a job against the overlay.
func (b *batch) run(j *job) outcome {
	switch {
	case j.config != nil:
		return b.runConfig(j)
	case j.due != nil:
		return b.runDue(j)
	case j.atomic:
		return b.runAtomic(j)
	}
	out := outcome{answers: make([]*Answer, len(j.steps)), errs: make([]error, len(j.steps))}
	for n, s := range j.steps {
		if out.answers[n], out.errs[n] = b.replay(s); out.answers[n] != nil || out.errs[n] != nil {
			continue
		}
		now := b.tick()
		view := b.view(b.layer, now, &b.write)
		var result *decided
		if result, out.errs[n] = b.decide(j, s, view, now, newID()); errors.Is(out.errs[n], errFar) {
			return outcome{err: errFar}
		} else if out.errs[n] == nil {
			b.layer.Merge(result.changes)
			b.write.add(result)
			out.answers[n] = result.answer
			b.done[s.claim] = &made{&result.transaction, result.answer}
		}
	}
	return out
}

// runAtomic decides all steps as one transaction, or none.
func (b *batch) runAtomic(j *job) outcome {
	out := outcome{answers: make([]*Answer, len(j.steps))}
	known := 0
	for n, s := range j.steps {
		var err error
		if out.answers[n], err = b.replay(s); err != nil {
			return outcome{errs: []error{err}}
		}
		if out.answers[n] != nil {
			known++
		}
	}
	switch known {
	case 0:
	case len(j.steps):
		return out
	default: // operations of another batch
		return outcome{errs: []error{requestReused(j.steps[0])}}
	}
	now, transactionID := b.tick(), newID()
	layer := command.NewLayer(b.view(b.layer, now, &b.write))
	var results []*decided
	for n, s := range j.steps {
		result, err := b.decide(j, s, layer, now, transactionID)
		switch {
		case errors.Is(err, errFar):
			return outcome{err: err}
		case err != nil:
			return outcome{errs: []error{err}}
		}
		layer.Merge(result.changes)
		results = append(results, result)
		out.answers[n] = result.answer
	}
	for n, result := range results {
		b.layer.Merge(result.changes)
		b.write.add(result)
		b.done[j.steps[n].claim] = &made{&result.transaction, result.answer}
	}
	return out
}

// view is the overlay with due changes recorded as they are met.
func (b *batch) view(layer *command.Layer, now casm.Time, w *writeSet) *dueView {
	v := &dueView{layer: layer, now: now}
	v.apply = func(r *command.Record, due command.DueChange) []command.Change {
		return b.applyDue(r, due, w)
	}
	return v
}

// applyDue records one due change as a transaction of its own.
func (b *batch) applyDue(r *command.Record, due command.DueChange, w *writeSet) []command.Change {
	env, changes := decideDue(b.layer, b.env(due.At, uuid.Nil), r, due)
	planned, err := b.plannedBy(due.PlannedBy)
	if err != nil {
		b.source.fail(err)
	}
	result := &decided{changes: changes, transaction: store.Transaction{
		ID: env.TransactionID, RequestID: planned.RequestID, Actor: planned.Actor,
		Operation: due.Operation, At: env.Now,
	}}
	if err := result.encode(); err != nil {
		b.source.fail(err)
	}
	w.add(result)
	return changes
}

// plannedBy finds the transaction that made a plan, in the store or in this
// batch: once for all that were planned together.
func (b *batch) plannedBy(id uuid.UUID) (store.Transaction, error) {
	if t, ok := b.planned[id]; ok {
		return t, nil
	}
	for i := range b.write.transactions {
		if b.write.transactions[i].ID == id {
			return b.write.transactions[i], nil
		}
	}
	t, err := b.reader.Transaction(b.ctx, id)
	if err != nil || t == nil {
		return store.Transaction{}, err
	}
	b.planned[id] = *t
	return *t, nil
}

// runDue records what is due of the entities.
func (b *batch) runDue(j *job) outcome {
	now := b.tick()
	view := b.view(b.layer, now, &b.write)
	for _, key := range j.due {
		view.Get(key.Kind, key.RefID)
	}
	return outcome{}
}

func requestReused(s *step) error {
	return casm.Violations{{
		Code: casm.RequestIDReused, Pointer: "/requestId",
		Detail: "the requestId " + strconv.Quote(s.claim.RequestID()) + " was used by another operation or with another body; give each request an id of its own",
	}}
}

// decided is a command that took effect in the overlay.
type decided struct {
	changes     []command.Change
	docs        [][]byte // of changes
	transaction store.Transaction
	answer      *Answer
}

// decide runs one command: references, If-Match, rules, answer (contract rule
// 2, after the shape and the requestId).
func (b *batch) decide(j *job, s *step, view command.View, now casm.Time, transactionID uuid.UUID) (*decided, error) {
	if err := b.checkReferences(s, view); err != nil {
		return nil, err
	}
	if s.ifMatch != 0 {
		named := s.in.Named()
		switch {
		case named == nil:
			return nil, casm.Violations{{Code: casm.InvalidValue, Pointer: s.ifMatchPointer, Detail: "the request names no existing entity whose version could be compared; leave If-Match out"}}
		case named.Base().Version != s.ifMatch:
			return nil, casm.Violations{{Code: casm.VersionMismatch, Pointer: s.ifMatchPointer, Detail: fmt.Sprintf("the version is %d, not %d; read it again and decide anew", named.Base().Version, s.ifMatch)}}
		}
	}
	env := b.env(now, transactionID)
	env.View, env.MaxBelow = view, b.reach
	d := command.NewDecision(env)
	payload := s.in.Decide(d)
	if d.TooFar {
		return nil, errFar
	}
	if len(d.Violations) > 0 {
		return nil, prefixed(s.pointer, d.Violations)
	}
	if b.source.err != nil {
		return nil, b.source.err
	}
	result := &decided{changes: d.Finish(), transaction: store.Transaction{
		ID: transactionID, Ordinal: s.claim.Ordinal(), RequestID: s.in.RequestID, Operation: s.in.Operation.ID, At: now,
		Actor: j.actor, Comment: s.in.Comment, Hash: s.hash, Claim: s.claim,
	}}
	if err := result.encode(); err != nil {
		return nil, err
	}
	if b.reach > 0 {
		b.reach = max(b.reach-len(result.changes)+1, 1)
	}
	return result, b.buildAnswer(j, s, d, payload, result)
}

func (b *batch) checkReferences(s *step, view command.View) error {
	v := s.in.Resolve(view)
	if b.source.err != nil {
		return b.source.err
	}
	if len(v) > 0 {
		return prefixed(s.pointer, v)
	}
	return nil
}

func prefixed(pointer string, v casm.Violations) casm.Violations {
	for i := range v {
		v[i].Pointer = pointer + v[i].Pointer
	}
	return v
}

// encode makes the documents and the journal rows of the changes.
func (r *decided) encode() error {
	for _, c := range r.changes {
		doc, err := casm.EncodeEntity(c.After.Entity)
		if err != nil {
			return err
		}
		r.docs = append(r.docs, doc)
		row := store.Change{
			Key:     store.Key{Kind: c.After.Kind(), RefID: c.After.ID()},
			Version: c.After.Base().Version, Customer: c.After.Customer, Event: c.Event,
			Lines: linesOf(c.Lines), At: changedAt(c.After, r.transaction.At), Doc: doc,
		}
		r.transaction.Changes = append(r.transaction.Changes, row)
		for _, threshold := range c.Thresholds {
			row.Event, row.Lines, row.Threshold = command.EventThresholdReached, 0, threshold
			r.transaction.Changes = append(r.transaction.Changes, row)
		}
	}
	return nil
}

func changedAt(r *command.Record, at casm.Time) casm.Time {
	if top := r.Top(); top != nil {
		return top.UpdatedAt
	}
	return at
}

var lineBits = map[string]store.Line{
	"state": store.LineState, "segment": store.LineSegment, "billCycle": store.LineBillCycle, "parent": store.LineParent,
}

func linesOf(names []string) (l store.Line) {
	for _, name := range names {
		l |= lineBits[name]
	}
	return l
}
