package command

import (
	"iter"
	"reflect"
	"time"

	"casm"

	"github.com/google/uuid"
)

// Env is what a decision is made in: all that is not the request itself.
type Env struct {
	View   View
	Config *casm.Snapshot
	// Now is the store's clock.
	Now casm.Time
	// Zone is the installation's time zone.
	Zone *time.Location
	// NewID gives a fresh UUIDv7.
	NewID func() uuid.UUID
	// TransactionID is that of the business transaction to be.
	TransactionID uuid.UUID
	// MaxBelow is how many entities below the one it names a command may look
	// at; beyond, it ends with Decision.TooFar. 0: as many as the rules allow.
	MaxBelow int
}

// Change is a new version of one entity.
type Change struct {
	Before *Record // nil: created
	After  *Record
	Event  string
	// Lines are the names of the time lines that moved.
	Lines []string
	// Thresholds are those, 1 to 3, that a balance crossed.
	Thresholds []int
}

// The events of contract 7.
const (
	EventCreated            = "created"
	EventEnded              = "ended"
	EventStateChanged       = "stateChanged"
	EventStateChangePlanned = "stateChangePlanned"
	EventUpdated            = "updated"
	EventThresholdReached   = "thresholdReached"
)

// Decision collects what a command changes, or what is wrong with it.
type Decision struct {
	Env
	// TooFar: the command looks at more than Env.MaxBelow; nothing it decided counts.
	TooFar bool
	// Violations is what is wrong; when it is not empty nothing changes.
	Violations casm.Violations

	layer *Layer
	edits []*edit
	byID  map[uuid.UUID]*edit
}

type edit struct {
	before, after *Record
	thresholds    []int
}

// NewDecision starts a decision.
func NewDecision(env Env) *Decision {
	return &Decision{Env: env, layer: NewLayer(env.View), byID: map[uuid.UUID]*edit{}}
}

// refuse notes a violation.
func (d *Decision) refuse(code casm.Code, pointer, detail string, args ...any) {
	d.Violations.Add(code, pointer, detail, args...)
}

// get returns an entity as the decision has it so far.
func (d *Decision) get(kind casm.Kind, id uuid.UUID) *Record { return d.layer.Get(kind, id) }

// create adds a new entity and returns its record, which may be filled on
// until the decision ends. Its references and external id must be set.
func (d *Decision) create(e casm.Entity, customer uuid.UUID, test bool) *Record {
	if e.Base().RefID == uuid.Nil {
		e.Base().RefID = d.NewID()
	}
	if customer == uuid.Nil {
		customer = e.Base().RefID
	}
	r := &Record{Entity: e, Customer: customer, Test: test, Created: d.Now}
	d.note(nil, r)
	return r
}

// edit returns a copy of the record that may be changed, the same one for each
// call. Maps and pointers in it are replaced, not changed.
func (d *Decision) edit(r *Record) *Record {
	if e := d.byID[r.ID()]; e != nil {
		return e.after
	}
	return d.note(r, r.Copy())
}

func (d *Decision) note(before, after *Record) *Record {
	e := &edit{before: before, after: after}
	d.edits = append(d.edits, e)
	d.byID[after.ID()] = e
	d.layer.Put(before, after)
	return after
}

// Finish ends the decision: what really changed, in the order it was touched,
// with versions, times and the present external ids of references.
func (d *Decision) Finish() []Change {
	var changes []Change
	for _, e := range d.edits {
		if e.before != nil && e.before.Test == e.after.Test && reflect.DeepEqual(e.before.Entity, e.after.Entity) {
			continue
		}
		base := e.after.Base()
		base.Version++
		if top := e.after.Top(); top != nil {
			top.UpdatedAt = d.Now
			if e.before == nil {
				top.CreatedAt = d.Now
			} else {
				top.UpdatedAt = max(d.Now, e.before.Top().UpdatedAt+1)
			}
		}
		event, lines := compare(e.before, e.after)
		changes = append(changes, Change{e.before, e.after, event, lines, e.thresholds})
	}
	for _, c := range changes {
		for _, ref := range casm.References(c.After.Entity) {
			if r := d.get(ref.Kind, ref.RefID); r != nil {
				ref.ExternalID = r.ExternalID()
			}
		}
	}
	return changes
}

// compare says what happened between two versions of an entity: the event, by
// the order of contract 7, and the time lines that moved.
func compare(before, after *Record) (event string, lines []string) {
	o := casm.DescribeValue(after.Entity)
	av := reflect.ValueOf(after.Entity).Elem()
	var bv reflect.Value
	if before != nil {
		bv = reflect.ValueOf(before.Entity).Elem()
	}
	planned, ended := false, false
	for _, f := range o.Fields {
		moved := !bv.IsValid() || !reflect.DeepEqual(f.Value(av).Interface(), f.Value(bv).Interface())
		if moved && f.Line != "" {
			lines = append(lines, f.Line)
		}
		planned = planned || moved && f.Name == "plannedState"
		ended = ended || moved && f.Name == "validTo" && after.Kind() == casm.KindSubscriberResource
	}
	switch {
	case before == nil:
		event = EventCreated
	case ended:
		event = EventEnded
	case hasLine(lines, "state"):
		event = EventStateChanged
	case planned:
		event = EventStateChangePlanned
	default:
		event = EventUpdated
	}
	return event, lines
}

func hasLine(lines []string, line string) bool {
	for _, l := range lines {
		if l == line {
			return true
		}
	}
	return false
}

// Present returns the record as the decision left it.
func (d *Decision) Present(r *Record) *Record { return d.get(r.Kind(), r.ID()) }

// Children gives what stands directly below the entity as the decision left it.
func (d *Decision) Children(of uuid.UUID, kind casm.Kind) iter.Seq[*Record] {
	return d.layer.Children(of, kind)
}
