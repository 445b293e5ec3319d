package command

import (
	"casm"

	"github.com/google/uuid"
)

// billing is the day, month and year of an individual bill cycle; zero: none.
type billing struct{ day, month, year int64 }

// take says whether a bill cycle takes a member at its accounts.
type take uint8

const (
	never take = iota
	perhaps
	always
)

// memberOf tells which members a bill cycle takes (contract rule 13).
func memberOf(c *casm.BillCycle) map[string]take {
	takes := map[string]take{}
	if !c.Individual {
		return takes
	}
	if c.Period != casm.PeriodDay {
		takes["billingDay"] = always
	}
	if c.Period == casm.PeriodYear {
		takes["billingMonth"] = always
	}
	if c.Duration > 1 {
		takes["billingYear"] = perhaps
	}
	return takes
}

// checkBillCycle applies contract rule 13. at gives the pointer of a member.
func (d *Decision) checkBillCycle(c *casm.BillCycle, b billing, at func(string) string) {
	takes := memberOf(c)
	for _, m := range []struct {
		name  string
		value int64
	}{{"billingDay", b.day}, {"billingMonth", b.month}, {"billingYear", b.year}} {
		switch {
		case !c.Individual && m.value != 0:
			d.refuse(casm.NotIndividual, at(m.name), "the bill cycle %s is not individual; leave %s out", c.Code, m.name)
		case takes[m.name] == always && m.value == 0:
			d.refuse(casm.Required, at(m.name), "the individual bill cycle %s by the %s needs %s", c.Code, c.Period, m.name)
		case m.value != 0 && takes[m.name] == never:
			d.refuse(casm.NotIndividual, at(m.name), "a bill cycle of %d %s takes no %s; leave it out", c.Duration, c.Period, m.name)
		}
	}
	if c.Individual && c.Period == casm.PeriodWeek && b.day > 7 {
		d.refuse(casm.OutOfRange, at("billingDay"), "%d is no day of the week; 1 (Monday) to 7 are", b.day)
	}
}

type billCycleArgs struct {
	ValidFrom casm.Time `json:"validFrom,omitzero" doc:"When the new bill cycle begins; none, or not in the future: at once."`
}

// updateBillCycle is contract rule 25.
func updateBillCycle(d *Decision, in *Input) *Record {
	asked := in.Entity.(*casm.Account)
	r := in.SubjectRecord()
	a := r.Entity.(*casm.Account)
	validFrom := in.args.(*billCycleArgs).ValidFrom
	if validFrom > d.Now && a.PlannedBillCycle != nil {
		d.refuse(casm.BillCycleChangeAlreadyPlanned, "/validFrom", "a change to %s is planned for %v already; cancel or perform it first", a.PlannedBillCycle.BillCycle, a.PlannedBillCycle.ValidFrom)
	}
	next := casm.PlannedBillCycle{
		BillCycle: asked.BillCycle, BillingDay: asked.BillingDay, BillingMonth: asked.BillingMonth, BillingYear: asked.BillingYear,
		ValidFrom: validFrom, TransactionID: d.TransactionID,
	}
	stays := asked.BillCycle == a.BillCycle && validFrom <= d.Now // existing uses stand
	if stays || d.configured("bill-cycles", asked.BillCycle, "/billCycle") {
		cycle, _ := d.Config.BillCycle(asked.BillCycle)
		takes := memberOf(cycle)
		for _, m := range []struct {
			name       string
			value, old *int64
		}{
			{"billingDay", &next.BillingDay, &a.BillingDay}, {"billingMonth", &next.BillingMonth, &a.BillingMonth}, {"billingYear", &next.BillingYear, &a.BillingYear},
		} {
			if *m.value == 0 && takes[m.name] != never {
				*m.value = *m.old
			}
		}
		d.checkBillCycle(cycle, billing{next.BillingDay, next.BillingMonth, next.BillingYear}, func(m string) string { return "/" + m })
	}
	if len(d.Violations) > 0 {
		return nil
	}
	after := d.edit(r)
	if validFrom > d.Now {
		after.Entity.(*casm.Account).PlannedBillCycle = &next
	} else {
		setBillCycle(after.Entity.(*casm.Account), next)
	}
	return after
}

func setBillCycle(a *casm.Account, p casm.PlannedBillCycle) {
	a.BillCycle, a.BillingDay, a.BillingMonth, a.BillingYear = p.BillCycle, p.BillingDay, p.BillingMonth, p.BillingYear
}

func (d *Decision) applyBillCycle(a *casm.Account) {
	setBillCycle(a, *a.PlannedBillCycle)
	a.PlannedBillCycle = nil
}

func cancelBillCycle(d *Decision, in *Input) *Record {
	return d.withPlannedBillCycle(in, func(a *casm.Account) { a.PlannedBillCycle = nil })
}

func performBillCycle(d *Decision, in *Input) *Record {
	return d.withPlannedBillCycle(in, d.applyBillCycle)
}

func (d *Decision) withPlannedBillCycle(in *Input, change func(*casm.Account)) *Record {
	r := in.SubjectRecord()
	if r.Entity.(*casm.Account).PlannedBillCycle == nil && !r.Deactivated() {
		d.refuse(casm.NoPlannedBillCycleChange, "/account", "the account %v has no planned change of bill cycle", r.ID())
	}
	if len(d.Violations) > 0 {
		return nil
	}
	after := d.edit(r)
	change(after.Entity.(*casm.Account))
	return after
}

// updateParent is contract rule 12 for an account that exists.
func updateParent(d *Decision, in *Input) *Record {
	r := in.SubjectRecord()
	a := r.Entity.(*casm.Account)
	parent := in.record("parent")
	switch {
	case parent == nil:
		if !a.PaymentResponsible {
			d.refuse(casm.ParentRequired, "/parent", "an account of type %s does not pay by itself and needs a parent", a.AccountType)
		}
	case parent.ID() == a.Parent.RefID: // it stays where it is
	case parent.Customer != r.Customer:
		d.refuse(casm.OtherCustomer, "/parent", "the parent account belongs to the customer %v; a parent must be of the same customer", parent.Customer)
	default:
		d.alive(parent, "/parent")
		if d.isBelow(parent, r.ID()) {
			d.refuse(casm.HierarchyCycle, "/parent", "the account %v is, or is below, the account itself", parent.ID())
		} else {
			d.checkDepth(parent, d.height(r.ID(), 0))
		}
	}
	if len(d.Violations) > 0 {
		return nil
	}
	after := d.edit(r)
	if parent == nil {
		after.Entity.(*casm.Account).Parent = casm.Ref{}
	} else if parent.ID() != a.Parent.RefID {
		after.Entity.(*casm.Account).Parent = refOf(parent)
		if parent.Test && !r.Test {
			d.makeTest(after)
			d.below(r, "/parent", d.makeTest)
		}
	}
	return after
}

// makeTest makes an entity a test entity, with the resources or balances that
// are its parts. It stays one wherever it moves. It reports whether it was none.
func (d *Decision) makeTest(r *Record) bool {
	if r.Test {
		return false
	}
	after := d.edit(r)
	after.Test = true
	switch e := after.Entity.(type) {
	case *casm.Account:
		e.TestAccount = true
	case *casm.Subscriber:
		for _, resource := range d.validResources(after) {
			d.edit(resource).Test = true
		}
	case *casm.OfferSubscription:
		for balance := range d.layer.Children(after.ID(), casm.KindBalance) {
			d.edit(balance).Test = true
		}
	}
	return true
}

// isBelow reports whether the account is the other, or stands below it.
func (d *Decision) isBelow(r *Record, other uuid.UUID) bool {
	for n := 0; r != nil && r.Kind() == casm.KindAccount && n <= maxLevels; n++ {
		if r.ID() == other {
			return true
		}
		above, kind := r.Superior()
		r = d.get(kind, above.RefID)
	}
	return false
}

// height returns how many levels of accounts stand at and below the account,
// as far as that matters.
func (d *Decision) height(of uuid.UUID, level int) int {
	most := 1
	if level > maxLevels {
		return most
	}
	for child := range d.layer.Children(of, casm.KindAccount) {
		most = max(most, 1+d.height(child.ID(), level+1))
	}
	return most
}
