package casm

import (
	"regexp"

	"golang.org/x/text/currency"
)

// Item is what all items of configuration have.
type Item struct {
	Code        string `json:"code" order:"-1" in:"create,update" is:"required,fixed,max=64,pattern=[A-Za-z0-9_.-]+" doc:"The code by which it is referred to; it cannot be changed."`
	Name        string `json:"name" order:"-3" in:"create,update" is:"required" doc:"A name for people."`
	Description string `json:"description,omitzero" order:"-2" in:"create,update" is:"multiline,max=4000" doc:"What it is for."`
	Retired     bool   `json:"retired" order:"1" in:"create,update" doc:"Existing uses stand, new ones are refused."`
	Version     int64  `json:"version,omitzero" doc:"1, 2, 3 …: one more with each change."`
	Unknown     Raw    `json:",embed"`
}

// Base returns what all items have.
func (i *Item) Base() *Item { return i }

// ConfigItem is an item of any collection.
type ConfigItem interface{ Base() *Item }

// ItemChecker is implemented by items with rules of their own.
type ItemChecker interface {
	// CheckItem adds what is wrong with the item, given the configuration that
	// would hold with it.
	CheckItem(s *Snapshot, v *Violations)
}

// ItemKeeper is implemented by items of which the history does not keep all.
type ItemKeeper interface {
	// Kept returns the item as its history keeps it.
	Kept() ConfigItem
}

// AccountType says what an account is.
type AccountType struct {
	Item
	PaymentResponsible bool `json:"paymentResponsible" in:"create,update" is:"frozen" doc:"Accounts of the type pay; others stand below one that does."`
}

// ResourceType says what guides usage to a subscriber.
type ResourceType struct {
	Item
	Primary bool   `json:"primary" in:"create,update" doc:"The type of a subscriber's primary resource; setting it clears it elsewhere."`
	Pattern string `json:"pattern,omitzero" in:"create,update" is:"max=1000" doc:"Regular expression (RE2) that the whole value must match."`
}

// CheckItem implements ItemChecker: the pattern must compile, by itself: one
// such as a)|(?:b would close the group that makes it match whole values only.
func (t *ResourceType) CheckItem(_ *Snapshot, v *Violations) {
	if _, err := regexp.Compile(t.Pattern); err != nil {
		v.Add(InvalidValue, "/pattern", "not a regular expression of RE2: %s", err)
	}
}

// Segment groups customers, accounts or subscribers.
type Segment struct{ Item }

// StateReason says why an entity is in a state.
type StateReason struct {
	Item
	State   string `json:"state" in:"create,update" is:"required,frozen,enum=INACTIVE|ACTIVE|SUSPENDED|DEACTIVATED" doc:"The state it belongs to."`
	Charged bool   `json:"charged" in:"create,update" doc:"Whether an entity with this reason is charged."`
}

// InitialState is the state that a profile gives.
type InitialState struct {
	State       string `json:"state,omitzero" in:"create,update" is:"enum=INACTIVE|ACTIVE|SUSPENDED|DEACTIVATED" doc:"The state at creation."`
	StateReason string `json:"stateReason,omitzero" in:"create,update" code:"state-reasons" same:"state" doc:"The state reason at creation; it must belong to the state."`
}

// Profile is what all profiles have.
type Profile interface {
	ConfigItem
	Initial() InitialState
}

// Initial implements Profile.
func (i InitialState) Initial() InitialState { return i }

func (i InitialState) check(s *Snapshot, v *Violations) {
	switch {
	case i.State == "" && i.StateReason != "":
		v.Add(Required, "/state", "state must be given together with stateReason")
	case i.State != "" && i.StateReason == "":
		v.Add(Required, "/stateReason", "stateReason must be given together with state")
	case i.State == Deactivated:
		v.Add(TransitionNotAllowed, "/state", "nothing can be created %s", i.State)
	case i.StateReason != "":
		if r, ok := s.StateReason(i.StateReason); ok && r.State != i.State {
			v.Add(StateReasonNotForState, "/stateReason", "%s belongs to %s, not to %s", i.StateReason, r.State, i.State)
		}
	}
}

// CustomerProfile gives a customer its first values.
type CustomerProfile struct {
	Item
	CustomerSegment string `json:"customerSegment,omitzero" in:"create,update" code:"customer-segments" doc:"The segment at creation."`
	InitialState
}

// CheckItem implements ItemChecker.
func (p *CustomerProfile) CheckItem(s *Snapshot, v *Violations) { p.check(s, v) }

// AccountProfile gives an account its first values.
type AccountProfile struct {
	Item
	AccountType        string `json:"accountType,omitzero" in:"create,update" code:"account-types" doc:"The account type."`
	AccountSegment     string `json:"accountSegment,omitzero" in:"create,update" code:"account-segments" doc:"The segment at creation."`
	BillCycle          string `json:"billCycle,omitzero" in:"create,update" code:"bill-cycles" doc:"The bill cycle at creation."`
	PaymentResponsible bool   `json:"paymentResponsible" in:"create,update" is:"derived" doc:"Set by the server from the account type."`
	Currency           string `json:"currency,omitzero" in:"create,update" code:"currencies" doc:"The currency."`
	InitialState
	CustomerProfile string `json:"customerProfile,omitzero" in:"create,update" code:"customer-profiles" doc:"By which a customer is created for an account that names none."`
}

// CheckItem implements ItemChecker.
func (p *AccountProfile) CheckItem(s *Snapshot, v *Violations) {
	p.check(s, v)
	if t, ok := s.AccountType(p.AccountType); ok {
		p.PaymentResponsible = t.PaymentResponsible // contract rule 12
	}
}

// SubscriberProfile gives a subscriber its first values.
type SubscriberProfile struct {
	Item
	SubscriberSegment string `json:"subscriberSegment,omitzero" in:"create,update" code:"subscriber-segments" doc:"The segment at creation."`
	InitialState
	AccountProfile string `json:"accountProfile,omitzero" in:"create,update" code:"account-profiles" doc:"By which an account is created for a subscriber that names none."`
}

// CheckItem implements ItemChecker.
func (p *SubscriberProfile) CheckItem(s *Snapshot, v *Violations) { p.check(s, v) }

// The periods of bill cycles.
const (
	PeriodDay   = "DAY"
	PeriodWeek  = "WEEK"
	PeriodMonth = "MONTH"
	PeriodYear  = "YEAR"
)

// BillCycle says when bills are made.
type BillCycle struct {
	Item
	Duration     int64  `json:"duration" in:"create,update" is:"required,frozen,min=1,max=1000" doc:"How many periods a cycle lasts."`
	Period       string `json:"period" in:"create,update" is:"required,frozen,enum=DAY|WEEK|MONTH|YEAR" doc:"The period."`
	BillingDay   int64  `json:"billingDay,omitzero" in:"create,update" is:"min=1,max=28" doc:"Day on which a cycle starts: of the week (1 is Monday) or of the month."`
	BillingMonth int64  `json:"billingMonth,omitzero" in:"create,update" is:"min=1,max=12" doc:"Month in which a cycle by the year starts."`
	Individual   bool   `json:"individual" in:"create,update" is:"frozen" doc:"Each account has a billing day of its own."`
	Anchor       Time   `json:"anchor,omitzero" in:"create,update" doc:"From when cycles of more than one period count."`
}

// CheckItem implements ItemChecker.
func (c *BillCycle) CheckItem(_ *Snapshot, v *Violations) {
	if c.Individual {
		if c.BillingDay != 0 {
			v.Add(InvalidValue, "/billingDay", "an individual bill cycle has the billing day at the account; leave it out")
		}
		if c.BillingMonth != 0 {
			v.Add(InvalidValue, "/billingMonth", "an individual bill cycle has the billing month at the account; leave it out")
		}
		return
	}
	if c.Period == PeriodWeek && c.BillingDay > 7 {
		v.Add(OutOfRange, "/billingDay", "%d is no day of the week; 1 (Monday) to 7 are", c.BillingDay)
	}
	if c.Period == PeriodDay && c.BillingDay != 0 {
		v.Add(InvalidValue, "/billingDay", "a bill cycle by the day has no billing day; leave it out")
	}
	if c.Period != PeriodYear && c.BillingMonth != 0 {
		v.Add(InvalidValue, "/billingMonth", "only a bill cycle by the year has a billing month; leave it out")
	}
}

// Currency is what accounts and monetary balances are kept in.
type Currency struct {
	Item
	Virtual   bool   `json:"virtual" in:"create,update" doc:"Not a currency of ISO 4217 but one of the operator's own."`
	Symbol    string `json:"symbol,omitzero" in:"create,update" is:"max=8" doc:"How amounts are marked."`
	Primary   bool   `json:"primary" in:"create,update" doc:"The installation's main currency; setting it clears it elsewhere."`
	Precision *int64 `json:"precision,omitzero" in:"create,update" is:"frozen,min=0,max=6" doc:"How many decimals are shown; none: as many as ISO 4217 says, and 0 of a virtual one."`
}

// CheckItem implements ItemChecker: the code must be of ISO 4217 unless
// virtual. A currency without a precision gets its own.
func (c *Currency) CheckItem(_ *Snapshot, v *Violations) {
	digits := int64(0)
	if !c.Virtual {
		unit, err := currency.ParseISO(c.Code)
		if err != nil || unit.String() != c.Code {
			v.Add(InvalidValue, "/code", "%s is no currency of ISO 4217, such as EUR; set virtual for one of your own", clip(c.Code))
			return
		}
		scale, _ := currency.Standard.Rounding(unit)
		digits = int64(scale)
	}
	if c.Precision == nil {
		c.Precision = &digits
	}
}

// Tax has rates over time.
type Tax struct {
	Item
	Values []TaxValue `json:"values,omitempty" in:"create,update" doc:"The rates and from when each holds."`
}

// TaxValue is a tax's rate from a date on.
type TaxValue struct {
	Rate      int64  `json:"rate" in:"create,update" is:"required,min=0,max=1000000" as:"percentage" doc:"A percentage in millionths: 10 % is 100000."`
	ValidFrom Time   `json:"validFrom,omitzero" in:"create,update" doc:"From when; none: always."`
	GLCode    string `json:"glCode,omitzero" label:"GL Code" in:"create,update" code:"gl-codes" doc:"Code of the general ledger code."`
}

// GLCode is an account of the general ledger.
type GLCode struct{ Item }

// ChargingClass groups charges, in a tree.
type ChargingClass struct {
	Item
	Parent string `json:"parent,omitzero" in:"create,update" code:"charging-classes" doc:"The class above."`
}

// CheckItem implements ItemChecker.
func (c *ChargingClass) CheckItem(s *Snapshot, v *Violations) {
	for up, n := c.Parent, 0; up != ""; n++ {
		if up == c.Code || n > maxLevels {
			v.Add(HierarchyCycle, "/parent", "%s is below %s already", c.Parent, c.Code)
			return
		}
		parent, ok := get[*ChargingClass](s, "charging-classes", up)
		if !ok {
			return
		}
		up = parent.Parent
	}
}

// maxLevels bounds trees (contract rule 12).
const maxLevels = 20
