package command

import (
	"slices"
	"strings"

	"casm"

	"github.com/google/uuid"
)

// transitions are the states that each state can be followed by, beside itself
// (contract rule 17).
var transitions = map[string][]string{
	casm.Inactive:  {casm.Active, casm.Deactivated},
	casm.Active:    {casm.Suspended, casm.Deactivated},
	casm.Suspended: {casm.Active, casm.Deactivated},
}

func allowed(from, to string) bool {
	return from != casm.Deactivated && (from == to || slices.Contains(transitions[from], to))
}

// maxCascade is how many entities one state change may reach (contract rule 21).
const maxCascade = 100_000

type stateArgs struct {
	State              casm.State `json:"state" is:"required" doc:"The state that is to hold, and from when."`
	SubordinateUpdated bool       `json:"subordinateUpdated" doc:"Applies the change to everything below, too."`
}

// subscriptionStateArgs is stateArgs without what stands below.
type subscriptionStateArgs struct {
	State casm.State `json:"state" is:"required" doc:"The state that is to hold, and from when."`
}

func (a *stateArgs) checkArgs(_ *Input, prefix string, v *casm.Violations) {
	checkStateArgs(a.State, prefix, v)
}

func (a *subscriptionStateArgs) checkArgs(_ *Input, prefix string, v *casm.Violations) {
	checkStateArgs(a.State, prefix, v)
}

// checkStateArgs asks for state and reason where an empty object was given.
func checkStateArgs(s casm.State, prefix string, v *casm.Violations) {
	if s.State == "" && s.StateReason == "" && !v.Below(prefix+"/state") {
		v.Add(casm.Required, prefix+"/state/state", "state must be given: ACTIVE, SUSPENDED, DEACTIVATED or INACTIVE")
		v.Add(casm.Required, prefix+"/state/stateReason", "stateReason must be given: a code of /v1/config/state-reasons")
	}
}

// updateState is contract rules 17 to 21.
func updateState(d *Decision, in *Input) *Record {
	var s casm.State
	cascade := false
	switch a := in.args.(type) {
	case *stateArgs:
		s, cascade = a.State, a.SubordinateUpdated
	case *subscriptionStateArgs:
		s = a.State
	}
	r := in.SubjectRecord()
	top := r.Top()
	future := s.StateValidFrom > d.Now
	same := top.State.State == s.State && top.State.StateReason == s.StateReason
	if !same || future || cascade { // else nothing changes, and nothing new is used
		d.reasonFits(s, "/state/stateReason")
	}
	if s.Pending && !future {
		d.refuse(casm.PendingNeedsFutureDate, "/state/pending", "a pending change needs a stateValidFrom in the future")
	}
	if !r.Deactivated() && !allowed(top.State.State, s.State) {
		d.refuse(casm.TransitionNotAllowed, "/state/state", "from %s no change to %s is possible; what is possible: %s", top.State.State, s.State, strings.Join(transitions[top.State.State], ", "))
	}
	if future && top.PlannedState != nil {
		d.refuse(casm.StateChangeAlreadyPlanned, "/state", "a change to %s is planned for %v already; confirm or cancel it first", top.PlannedState.State, top.PlannedState.StateValidFrom)
	}
	if len(d.Violations) > 0 {
		return nil
	}
	if s.StateValidFrom == 0 {
		s.StateValidFrom = d.Now
	}
	if future {
		s.TransactionID = d.TransactionID
		d.plan(r, s)
		if cascade {
			d.below(r, "/subordinateUpdated", func(x *Record) bool {
				if t := x.Top(); t.PlannedState == nil && t.State.State != s.State && allowed(t.State.State, s.State) {
					d.plan(x, s)
				}
				return true
			})
		}
		return d.get(r.Kind(), r.ID())
	}
	if !same {
		d.enter(r, s)
	}
	if cascade {
		d.below(r, "/subordinateUpdated", func(x *Record) bool {
			if t := x.Top(); t.State.State != s.State && allowed(t.State.State, s.State) {
				d.enter(x, s)
			}
			return true
		})
	}
	return d.get(r.Kind(), r.ID())
}

func (d *Decision) plan(r *Record, s casm.State) {
	d.edit(r).Top().PlannedState = &s
}

// enter makes the state hold, drops plans that it rules out, and ends the
// resources of a subscriber that is deactivated.
func (d *Decision) enter(r *Record, s casm.State) {
	s.Pending, s.TransactionID = false, uuid.Nil
	after := d.edit(r)
	top := after.Top()
	top.State = s
	if top.PlannedState != nil && !allowed(s.State, top.PlannedState.State) {
		top.PlannedState = nil
	}
	if s.State != casm.Deactivated {
		return
	}
	top.PlannedState = nil
	switch e := after.Entity.(type) {
	case *casm.Account:
		e.PlannedBillCycle = nil
	case *casm.Subscriber:
		for _, resource := range d.validResources(after) {
			d.endResource(resource)
		}
	}
}

// below calls fn for everything below the entity that has a life cycle and is
// not deactivated, from the top down. fn reports whether it counts: more than
// the bound is refused at the pointer, before all of it was read.
func (d *Decision) below(r *Record, pointer string, fn func(*Record) bool) {
	looked, reached := 0, 0
	var walk func(of *Record) bool
	walk = func(of *Record) bool {
		for _, kind := range kindsBelow[of.Kind()] {
			for child := range d.layer.Children(of.ID(), kind) {
				if looked++; d.MaxBelow > 0 && looked > d.MaxBelow {
					d.TooFar = true
					return false
				}
				if !child.Deactivated() && fn(child) { // what is below a deactivated one need not be
					if reached++; reached > maxCascade {
						d.refuse(casm.TooMany, pointer, "more than %d entities stand below; change them in parts", maxCascade)
						return false
					}
				}
				if !walk(child) {
					return false
				}
			}
		}
		return true
	}
	walk(r)
}

// kindsBelow are the kinds that have a life cycle and stand directly below another.
var kindsBelow = map[casm.Kind][]casm.Kind{
	casm.KindCustomer:   {casm.KindAccount, casm.KindOfferSubscription},
	casm.KindAccount:    {casm.KindAccount, casm.KindSubscriber, casm.KindOfferSubscription},
	casm.KindSubscriber: {casm.KindOfferSubscription},
}

type confirmArgs struct {
	StateValidFrom casm.Time `json:"stateValidFrom,omitzero" doc:"Another date than the planned one; not in the future: at once."`
}

// confirmState makes a plan firm, or moves it (contract rule 19).
func confirmState(d *Decision, in *Input) *Record {
	r, plan := d.planned(in)
	if plan == nil {
		return nil
	}
	at := in.args.(*confirmArgs).StateValidFrom
	if at == 0 {
		at = plan.StateValidFrom
	}
	confirm := func(x *Record) {
		s := *x.Top().PlannedState
		s.Pending, s.StateValidFrom = false, at
		if at > d.Now {
			d.plan(x, s)
			return
		}
		d.takeEffect(x, s)
	}
	d.samePlan(r, plan.TransactionID, confirm)
	return d.get(r.Kind(), r.ID())
}

type cancelArgs struct{}

// ReachesBelow reports whether the command may change what is below the entity
// that it names (contract rule 21; what moves below a test account becomes test
// data).
func (in *Input) ReachesBelow() bool {
	switch a := in.args.(type) {
	case *stateArgs:
		return a.SubordinateUpdated
	case *confirmArgs, *cancelArgs:
		return true
	}
	return in.Operation.ID == "updateAccountParent"
}

// cancelState drops a plan (contract rule 19).
func cancelState(d *Decision, in *Input) *Record {
	r, plan := d.planned(in)
	if plan == nil {
		return nil
	}
	d.samePlan(r, plan.TransactionID, func(x *Record) { d.edit(x).Top().PlannedState = nil })
	return d.get(r.Kind(), r.ID())
}

func (d *Decision) planned(in *Input) (*Record, *casm.State) {
	r := in.SubjectRecord()
	plan := r.Top().PlannedState
	if plan == nil && !r.Deactivated() {
		d.refuse(casm.NoPlannedStateChange, "/"+in.Operation.SubjectMember, "the %v %v has no planned state change", r.Kind(), r.ID())
	}
	if len(d.Violations) > 0 {
		return r, nil
	}
	return r, plan
}

// samePlan calls fn for the entity and, if it is the top of those that carry
// the plan of the transaction, for all below it that still do (contract rule 21).
func (d *Decision) samePlan(r *Record, transaction uuid.UUID, fn func(*Record)) {
	top := true
	for above, kind := r.Superior(); above != nil && top; {
		s := d.get(kind, above.RefID)
		if s == nil {
			break
		}
		p := s.Top().PlannedState
		top = p == nil || p.TransactionID != transaction
		above, kind = s.Superior()
	}
	fn(r)
	if !top || r.Kind() == casm.KindOfferSubscription {
		return
	}
	d.below(r, "/"+r.Kind().Member(), func(x *Record) bool {
		p := x.Top().PlannedState
		carries := p != nil && p.TransactionID == transaction
		if carries {
			fn(x)
		}
		return carries
	})
}

// takeEffect makes a planned state hold; one whose transition is no longer
// allowed is dropped (contract rule 19).
func (d *Decision) takeEffect(r *Record, s casm.State) {
	after := d.edit(r)
	top := after.Top()
	top.PlannedState = nil
	switch {
	case !allowed(top.State.State, s.State):
	case top.State.State == s.State && top.State.StateReason == s.StateReason:
	default:
		d.enter(after, s)
	}
}

// The operations under which due changes are recorded (contract rule 20).
const (
	ApplyPlannedState     = "applyPlannedState"
	ApplyPlannedBillCycle = "applyPlannedBillCycle"
)

// DueChange is a change of an entity by itself.
type DueChange struct {
	Operation string
	// PlannedBy is the transaction that planned it.
	PlannedBy uuid.UUID
	// At is when it takes effect: the decision's Now.
	At casm.Time
}

// NextDue returns what the entity does by itself at its Due, if that is not
// after now.
func NextDue(r *Record, now casm.Time) (DueChange, bool) {
	due := r.Due()
	if due == 0 || due > now {
		return DueChange{}, false
	}
	if a, ok := r.Entity.(*casm.Account); ok && a.PlannedBillCycle != nil && a.PlannedBillCycle.ValidFrom == due {
		return DueChange{ApplyPlannedBillCycle, a.PlannedBillCycle.TransactionID, due}, true
	}
	return DueChange{ApplyPlannedState, r.Top().PlannedState.TransactionID, due}, true
}

// DecideDue applies a due change; d.Now is its At, or just after the entity's
// last change if that was later.
func DecideDue(d *Decision, r *Record, due DueChange) *Record {
	if due.Operation == ApplyPlannedBillCycle {
		after := d.edit(r)
		d.applyBillCycle(after.Entity.(*casm.Account))
		return after
	}
	d.takeEffect(r, *r.Top().PlannedState)
	return d.get(r.Kind(), r.ID())
}
