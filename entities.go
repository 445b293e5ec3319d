package casm

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Entity is what has a life of its own: versions, a journal, messages.
type Entity interface {
	Kind() Kind
	// Base is what all entities have.
	Base() *Common
	// Top is what customers, accounts, subscribers and subscriptions share;
	// nil of the others.
	Top() *Managed
	// Superior is the reference to the entity directly above and its kind; nil
	// of a customer.
	Superior() (*Ref, Kind)
	// SegmentCode is where the segment's code stands; nil where there is none.
	SegmentCode() *string
}

// Reference is a place in an entity that refers to another.
type Reference struct {
	*Ref
	Kind Kind
}

// Ref refers to an entity; given with both members they must agree.
type Ref struct {
	RefID      uuid.UUID `json:"refId,omitzero" in:"create,update" doc:"The id that the system gave."`
	ExternalID string    `json:"externalId,omitzero" in:"create,update" doc:"The id that the client gave."`
}

// IsZero reports whether nothing is referred to.
func (r Ref) IsZero() bool { return r.RefID == uuid.Nil && r.ExternalID == "" }

// CheckShape implements ShapeChecker.
func (r *Ref) CheckShape(pointer string, v *Violations) {
	if r.IsZero() && !v.Below(pointer) {
		v.Add(OneOfRequired, pointer, `give "refId" or "externalId"`)
	}
}

func referenceObject() *Object { return Describe[Ref]() }

// Raw is a JSON value as text.
type Raw = jsontext.Value

// Scalars are the attributes of a service: names to JSON scalars.
type Scalars map[string]Raw

// Common is what all entities have.
type Common struct {
	RefID   uuid.UUID `json:"refId" doc:"The id that the system gave, a UUID version 7."`
	Version int64     `json:"version" doc:"1, 2, 3 …: one more with each change."`
	// Unknown keeps members that this release does not know.
	Unknown Raw `json:",embed"`
}

// Managed is what customers, accounts, subscribers and subscriptions share.
type Managed struct {
	ExternalID       string            `json:"externalId,omitzero" in:"create,update" doc:"The client's own id, unique among all entities of the type, deactivated ones included."`
	CustomName       string            `json:"customName,omitzero" in:"create,update" is:"nullable,personal" doc:"A name for people."`
	CustomAttributes map[string]string `json:"customAttributes,omitempty" in:"create,update" is:"nullable,personal" doc:"Key-value pairs of the client's own, contact data and preferences among them. At most 100."`
	State            State             `json:"state" in:"create" line:"state" doc:"The life-cycle state."`
	PlannedState     *State            `json:"plannedState,omitzero" doc:"A change of state that is to come."`
	CreatedAt        Time              `json:"createdAt" doc:"When it was created."`
	UpdatedAt        Time              `json:"updatedAt" doc:"When it changed last."`
}

// The life-cycle states (contract rule 17).
const (
	Inactive    = "INACTIVE"
	Active      = "ACTIVE"
	Suspended   = "SUSPENDED"
	Deactivated = "DEACTIVATED"
)

// State is a life-cycle state with its reason and date.
type State struct {
	State          string    `json:"state" in:"create,update" is:"enum=INACTIVE|ACTIVE|SUSPENDED|DEACTIVATED" doc:"The state."`
	StateReason    string    `json:"stateReason" in:"create,update" code:"state-reasons" same:"state" doc:"Code of the state reason, which must belong to the state."`
	StateValidFrom Time      `json:"stateValidFrom,omitzero" in:"create,update" doc:"Since when, or from when, it holds; none: now."`
	Pending        bool      `json:"pending" in:"create,update" doc:"A planned state that waits for a confirm and never takes effect by itself."`
	TransactionID  uuid.UUID `json:"transactionId,omitzero" doc:"Of a planned state: the transaction that planned it."`
}

// CheckShape implements ShapeChecker: state and reason only together (contract rule 9).
func (s *State) CheckShape(pointer string, v *Violations) {
	switch {
	case s.State != "" && s.StateReason == "" && !v.Below(pointer+"/stateReason"):
		v.Add(Required, pointer+"/stateReason", "stateReason must be given together with state: a code of /v1/config/state-reasons that belongs to %s", s.State)
	case s.State == "" && s.StateReason != "" && !v.Below(pointer+"/state"):
		v.Add(Required, pointer+"/state", "state must be given together with stateReason")
	}
}

// Customer is a company or a person: the top of everything below it.
type Customer struct {
	Common
	CustomerSegment string `json:"customerSegment,omitzero" in:"create,update" is:"nullable" code:"customer-segments" line:"segment" doc:"Code of the customer segment."`
	TestCustomer    bool   `json:"testCustomer" in:"create" doc:"Marks a customer that exists for tests; all below it is test data too."`
	Managed
}

// Account belongs to a customer, or to another account of the same customer.
type Account struct {
	Common
	Customer           Ref               `json:"customer" in:"create" ref:"Customer" doc:"The customer it belongs to."`
	Parent             Ref               `json:"parent,omitzero" in:"create" is:"nullable" ref:"Account" line:"parent" doc:"The account above it."`
	AccountType        string            `json:"accountType" in:"create" code:"account-types" doc:"Code of the account type."`
	AccountSegment     string            `json:"accountSegment,omitzero" in:"create,update" is:"nullable" code:"account-segments" line:"segment" doc:"Code of the account segment."`
	BillCycle          string            `json:"billCycle" in:"create" code:"bill-cycles" line:"billCycle" doc:"Code of the bill cycle."`
	BillingDay         int64             `json:"billingDay,omitzero" in:"create" is:"nullable,min=1,max=28" line:"billCycle" doc:"Day of an individual bill cycle: 1–7 of the week (1 is Monday), 1–28 of the month."`
	BillingMonth       int64             `json:"billingMonth,omitzero" in:"create" is:"nullable,min=1,max=12" line:"billCycle" doc:"Month of an individual bill cycle by the year."`
	BillingYear        int64             `json:"billingYear,omitzero" in:"create" is:"nullable,min=1970,max=2199" line:"billCycle" doc:"Year from which an individual bill cycle of more than one year counts."`
	PlannedBillCycle   *PlannedBillCycle `json:"plannedBillCycle,omitzero" doc:"A change of bill cycle that is to come."`
	Currency           string            `json:"currency" in:"create" code:"currencies" doc:"Code of the currency."`
	PaymentResponsible bool              `json:"paymentResponsible" in:"create" doc:"Whether the account pays, as its type says."`
	TaxExemption       bool              `json:"taxExemption" in:"create,update" doc:"Whether no tax is charged."`
	TaxResidence       string            `json:"taxResidence,omitzero" in:"create,update" is:"nullable" doc:"Where a payment responsible account is liable to tax."`
	TestAccount        bool              `json:"testAccount" in:"create" doc:"Marks an account that exists for tests; all below it is test data too."`
	Managed
}

// PlannedBillCycle is a change of bill cycle that is to come.
type PlannedBillCycle struct {
	BillCycle     string    `json:"billCycle" code:"bill-cycles" doc:"Code of the bill cycle."`
	BillingDay    int64     `json:"billingDay,omitzero" doc:"Day of an individual bill cycle."`
	BillingMonth  int64     `json:"billingMonth,omitzero" doc:"Month of an individual bill cycle."`
	BillingYear   int64     `json:"billingYear,omitzero" doc:"Year from which an individual bill cycle counts."`
	ValidFrom     Time      `json:"validFrom" doc:"When it takes effect."`
	TransactionID uuid.UUID `json:"transactionId,omitzero" doc:"The transaction that planned it."`
}

// Subscriber uses services, found by its resources.
type Subscriber struct {
	Common
	Customer          Ref    `json:"customer" ref:"Customer" doc:"The customer at the top."`
	Account           Ref    `json:"account" in:"create" ref:"Account" doc:"The account it belongs to."`
	SubscriberSegment string `json:"subscriberSegment,omitzero" in:"create,update" is:"nullable" code:"subscriber-segments" line:"segment" doc:"Code of the subscriber segment."`
	Managed
}

// SubscriberResource is what guides usage to a subscriber, such as an MSISDN.
type SubscriberResource struct {
	Common
	Subscriber   Ref    `json:"subscriber" ref:"Subscriber" doc:"The subscriber that has it."`
	ResourceType string `json:"resourceType" in:"create" code:"resource-types" doc:"Code of the resource type."`
	Resource     string `json:"resource" in:"create" is:"personal" doc:"The value, such as an MSISDN or IMSI."`
	Primary      bool   `json:"primary" doc:"Whether its type was the primary one when it was assigned."`
	ValidFrom    Time   `json:"validFrom" doc:"When it was assigned."`
	ValidTo      Time   `json:"validTo,omitzero" doc:"When it ended."`
}

// OfferSubscription is an offer that a customer, account or subscriber has.
type OfferSubscription struct {
	Common
	Customer                Ref       `json:"customer,omitzero" in:"create" ref:"Customer" doc:"The owner, if it is a customer."`
	Account                 Ref       `json:"account,omitzero" in:"create" ref:"Account" doc:"The owner, if it is an account."`
	Subscriber              Ref       `json:"subscriber,omitzero" in:"create" ref:"Subscriber" doc:"The owner, if it is a subscriber."`
	Offer                   string    `json:"offer" in:"create" code:"offers" doc:"Code of the offer."`
	OfferVersion            int64     `json:"offerVersion" doc:"The offer's version that was chosen at creation and is kept."`
	Priority                int64     `json:"priority" in:"create,update" is:"min=0,max=1000000" doc:"Order of application in rating, charging and billing; lower first. None: the offer's."`
	Individual              bool      `json:"individual" doc:"Whether it was made by an individual operation."`
	Services                []Service `json:"services,omitempty" doc:"The services with their attributes as they hold for this subscription."`
	ParentOfferSubscription Ref       `json:"parentOfferSubscription,omitzero" in:"create" ref:"OfferSubscription" doc:"The subscription that this one is part of."`
	Managed
}

// Service is one service of a subscription with its resolved attributes.
type Service struct {
	Service    string  `json:"service" doc:"Code of the product's service."`
	Kind       string  `json:"kind" doc:"Kind in the service catalogue."`
	Attributes Scalars `json:"attributes,omitempty" doc:"Names and values of the service's attributes."`
}

// Balance is what is left of something granted.
type Balance struct {
	Common
	OfferSubscription Ref    `json:"offerSubscription" ref:"OfferSubscription" doc:"The subscription it belongs to."`
	Service           string `json:"service" doc:"Code of the product's service that granted it."`
	UnitOfMeasure     string `json:"unitOfMeasure,omitzero" is:"enum=EVENT|SECOND|OCTET" doc:"What is counted, unless it is money."`
	Currency          string `json:"currency,omitzero" code:"currencies" doc:"Currency of a monetary balance, in millionths."`
	GrantedBalance    int64  `json:"grantedBalance" doc:"What was granted."`
	ActualBalance     int64  `json:"actualBalance" doc:"What is left."`
	ValidFrom         Time   `json:"validFrom" doc:"From when it can be used."`
	ValidTo           Time   `json:"validTo,omitzero" doc:"Until when; none: without end."`
}

// Base implements Entity.
func (b *Common) Base() *Common { return b }

// Top implements Entity.
func (m *Managed) Top() *Managed { return m }

// Top implements Entity: a resource has no life cycle of its own.
func (*SubscriberResource) Top() *Managed { return nil }

// Top implements Entity: a balance has no life cycle of its own.
func (*Balance) Top() *Managed { return nil }

// Kind implements Entity.
func (*Customer) Kind() Kind { return KindCustomer }

// Kind implements Entity.
func (*Account) Kind() Kind { return KindAccount }

// Kind implements Entity.
func (*Subscriber) Kind() Kind { return KindSubscriber }

// Kind implements Entity.
func (*SubscriberResource) Kind() Kind { return KindSubscriberResource }

// Kind implements Entity.
func (*OfferSubscription) Kind() Kind { return KindOfferSubscription }

// Kind implements Entity.
func (*Balance) Kind() Kind { return KindBalance }

// SegmentCode implements Entity.
func (c *Customer) SegmentCode() *string { return &c.CustomerSegment }

// SegmentCode implements Entity.
func (a *Account) SegmentCode() *string { return &a.AccountSegment }

// SegmentCode implements Entity.
func (s *Subscriber) SegmentCode() *string { return &s.SubscriberSegment }

// SegmentCode implements Entity.
func (*SubscriberResource) SegmentCode() *string { return nil }

// SegmentCode implements Entity.
func (*OfferSubscription) SegmentCode() *string { return nil }

// SegmentCode implements Entity.
func (*Balance) SegmentCode() *string { return nil }

// Superior implements Entity.
func (*Customer) Superior() (*Ref, Kind) { return nil, 0 }

// Superior implements Entity.
func (a *Account) Superior() (*Ref, Kind) {
	if !a.Parent.IsZero() {
		return &a.Parent, KindAccount
	}
	return &a.Customer, KindCustomer
}

// Superior implements Entity.
func (s *Subscriber) Superior() (*Ref, Kind) { return &s.Account, KindAccount }

// Superior implements Entity.
func (r *SubscriberResource) Superior() (*Ref, Kind) { return &r.Subscriber, KindSubscriber }

// Superior implements Entity.
func (s *OfferSubscription) Superior() (*Ref, Kind) {
	switch {
	case !s.Customer.IsZero():
		return &s.Customer, KindCustomer
	case !s.Account.IsZero():
		return &s.Account, KindAccount
	}
	return &s.Subscriber, KindSubscriber
}

// Superior implements Entity.
func (b *Balance) Superior() (*Ref, Kind) { return &b.OfferSubscription, KindOfferSubscription }

// References returns all references that the entity holds.
func References(e Entity) []Reference {
	o := DescribeValue(e)
	v := reflect.ValueOf(e).Elem()
	var refs []Reference
	for _, f := range o.references {
		if ref := f.Value(v).Addr().Interface().(*Ref); !ref.IsZero() {
			refs = append(refs, Reference{ref, f.Ref})
		}
	}
	return refs
}

// NewEntity returns an empty entity of the kind.
func NewEntity(kind Kind) Entity {
	switch kind {
	case KindCustomer:
		return &Customer{}
	case KindAccount:
		return &Account{}
	case KindSubscriber:
		return &Subscriber{}
	case KindSubscriberResource:
		return &SubscriberResource{}
	case KindOfferSubscription:
		return &OfferSubscription{}
	case KindBalance:
		return &Balance{}
	}
	panic("casm: " + kind.String() + " is no kind of entity")
}

// EncodeEntity returns the entity's document: the JSON that is stored,
// answered and published.
func EncodeEntity(e Entity) ([]byte, error) {
	b, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("casm: encode %v %v: %w", e.Kind(), e.Base().RefID, err)
	}
	return b, nil
}

// DecodeEntity reads a document that EncodeEntity made, of this release or another.
func DecodeEntity(kind Kind, doc []byte) (Entity, error) {
	e := NewEntity(kind)
	if err := json.Unmarshal(doc, e); err != nil {
		return nil, fmt.Errorf("casm: decode %v: %w", kind, err)
	}
	return e, nil
}

// IsIDZero reports whether the reference has no refId.
func (r Ref) IsIDZero() bool { return r.RefID == uuid.Nil }
