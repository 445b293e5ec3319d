package casm

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
)

// Item is what all items of configuration have.
type Item struct {
	Code        string `json:"code" in:"create,update" is:"required,max=64,pattern=[A-Za-z0-9_.-]+" doc:"The code by which it is referred to; it cannot be changed."`
	Name        string `json:"name" in:"create,update" is:"required" doc:"A name for people."`
	Description string `json:"description,omitzero" in:"create,update" is:"multiline,max=4000" doc:"What it is for."`
	Retired     bool   `json:"retired" in:"create,update" doc:"Existing uses stand, new ones are refused."`
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
	StateReason string `json:"stateReason,omitzero" in:"create,update" code:"state-reasons" doc:"The state reason at creation; it must belong to the state."`
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
	PaymentResponsible bool   `json:"paymentResponsible" in:"create,update" doc:"Set by the server from the account type."`
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
	Precision int64  `json:"precision" in:"create,update" is:"frozen,min=0,max=6" doc:"How many decimals are shown."`
}

// Tax has rates over time.
type Tax struct {
	Item
	Values []TaxValue `json:"values,omitempty" in:"create,update" doc:"The rates and from when each holds."`
}

// TaxValue is a tax's rate from a date on.
type TaxValue struct {
	Rate      int64  `json:"rate" in:"create,update" is:"required,min=0,max=1000000" doc:"A percentage in millionths: 10 % is 100000."`
	ValidFrom Time   `json:"validFrom,omitzero" in:"create,update" doc:"From when; none: always."`
	GLCode    string `json:"glCode,omitzero" in:"create,update" code:"gl-codes" doc:"Code of the general ledger code."`
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

// Product is a set of services from which offers are made.
type Product struct {
	Item
	Services []ProductService `json:"services" in:"create,update" is:"required,frozen" doc:"The services of the product."`
}

// ProductService is one service of a product.
type ProductService struct {
	Code string `json:"code" in:"create,update" is:"required,max=64,pattern=[A-Za-z0-9_.-]+" doc:"The code by which offers and balances name it."`
	Name string `json:"name,omitzero" in:"create,update" doc:"A name for people."`
	Kind string `json:"kind" in:"create,update" is:"required" doc:"Kind of the service catalogue, /v1/config/services."`
}

// CheckItem implements ItemChecker.
func (p *Product) CheckItem(_ *Snapshot, v *Violations) {
	seen := map[string]bool{}
	for i, s := range p.Services {
		at := "/services/" + strconv.Itoa(i)
		if seen[s.Code] {
			v.Add(InvalidValue, at+"/code", "the service %s stands twice", s.Code)
		}
		seen[s.Code] = true
		if ServiceKind(s.Kind) == nil {
			v.Add(InvalidValue, at+"/kind", "%q is no kind of service; /v1/config/services lists them", clip(s.Kind))
		}
	}
}

// Service returns the product's service with the code, or nil.
func (p *Product) Service(code string) *ProductService {
	if i := slices.IndexFunc(p.Services, func(s ProductService) bool { return s.Code == code }); i >= 0 {
		return &p.Services[i]
	}
	return nil
}

// Offer is what is subscribed: a product with prices.
type Offer struct {
	Item
	Product  string         `json:"product" in:"create,update" is:"required,frozen" code:"products" doc:"The product that is offered."`
	Priority int64          `json:"priority" in:"create,update" is:"min=0,max=1000000" doc:"Priority of subscriptions that give none; lower first."`
	Versions []OfferVersion `json:"versions,omitempty" in:"create,update" doc:"The versions; a subscription takes one and keeps it."`
}

// OfferVersion is an offer as it is sold from a date on.
type OfferVersion struct {
	Version   int64          `json:"version" in:"create,update" is:"required,min=1" doc:"The version's number."`
	Currency  string         `json:"currency,omitzero" in:"create,update" code:"currencies" doc:"Currency of its money."`
	ValidFrom Time           `json:"validFrom,omitzero" in:"create,update" doc:"From when it is sold; none: always."`
	Services  []OfferService `json:"services,omitempty" in:"create,update" doc:"The services with their attributes."`
}

// OfferService is one service of an offer's version.
type OfferService struct {
	Service    string  `json:"service" in:"create,update" is:"required" doc:"Code of the product's service."`
	Individual bool    `json:"individual" in:"create,update" doc:"Its attributes are given with each subscription."`
	Attributes Scalars `json:"attributes,omitempty" in:"create,update" doc:"Names and values of the attributes, as the service catalogue has them."`
}

// Service returns the version's service with the code, or nil.
func (o *OfferVersion) Service(code string) *OfferService {
	if i := slices.IndexFunc(o.Services, func(s OfferService) bool { return s.Service == code }); i >= 0 {
		return &o.Services[i]
	}
	return nil
}

// Version returns the offer's version with the number, or nil.
func (o *Offer) Version(n int64) *OfferVersion {
	if i := slices.IndexFunc(o.Versions, func(v OfferVersion) bool { return v.Version == n }); i >= 0 {
		return &o.Versions[i]
	}
	return nil
}

// VersionAt returns the version that is sold at t: the latest validFrom not
// after it; with equal ones the higher number; nil when there is none
// (contract rule 15).
func (o *Offer) VersionAt(t Time) *OfferVersion {
	var best *OfferVersion
	for i := range o.Versions {
		v := &o.Versions[i]
		if v.ValidFrom <= t && (best == nil || v.ValidFrom > best.ValidFrom || v.ValidFrom == best.ValidFrom && v.Version > best.Version) {
			best = v
		}
	}
	return best
}

// CheckItem implements ItemChecker.
func (o *Offer) CheckItem(s *Snapshot, v *Violations) {
	product, ok := s.Product(o.Product)
	numbers := map[int64]bool{}
	for i := range o.Versions {
		version := &o.Versions[i]
		at := "/versions/" + strconv.Itoa(i)
		if numbers[version.Version] {
			v.Add(InvalidValue, at+"/version", "the version %d stands twice", version.Version)
		}
		numbers[version.Version] = true
		if ok {
			version.check(product, at, v)
		}
	}
}

func (o *OfferVersion) check(product *Product, at string, v *Violations) {
	seen := map[string]bool{}
	for i := range o.Services {
		service := &o.Services[i]
		at := at + "/services/" + strconv.Itoa(i)
		if seen[service.Service] {
			v.Add(InvalidValue, at+"/service", "the service %s stands twice", service.Service)
		}
		seen[service.Service] = true
		ps := product.Service(service.Service)
		if ps == nil {
			v.Add(InvalidValue, at+"/service", "the product %s has no service %s", product.Code, clip(service.Service))
			continue
		}
		kind := ServiceKind(ps.Kind)
		if kind == nil {
			continue
		}
		kind.Check(service.Attributes, at+"/attributes", v)
		if !service.Individual {
			kind.CheckComplete(service.Attributes, at+"/attributes", v)
		}
		if kind.Kind == KindMonetaryBalance && o.Currency == "" && !v.Below(at+"/currency") {
			v.Add(Required, at[:len(at)-len("/services/")-len(strconv.Itoa(i))]+"/currency", "a version with a monetary balance needs a currency")
		}
	}
}

// Collection is one kind of configuration.
type Collection struct {
	Path  string // as in /v1/config/<path>
	Title string
	// Object describes an item.
	Object *Object
	// Builtin are the codes that every installation holds and that cannot be deleted.
	Builtin []string
	// OnePrimary: at most one item is primary; setting it clears the other.
	OnePrimary bool
	// Internal collections are not part of /v1/config.
	Internal bool
	make     func() ConfigItem
}

// New returns an empty item.
func (c *Collection) New() ConfigItem { return c.make() }

// Decode reads a stored item.
func (c *Collection) Decode(doc []byte) (ConfigItem, error) {
	item := c.make()
	if err := json.Unmarshal(doc, item); err != nil {
		return nil, fmt.Errorf("casm: decode %s: %w", c.Path, err)
	}
	return item, nil
}

// EncodeItem returns an item as it is stored and answered.
func EncodeItem(item ConfigItem) ([]byte, error) {
	b, err := json.Marshal(item, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("casm: encode configuration %s: %w", item.Base().Code, err)
	}
	return b, nil
}

func collection[T any, P interface {
	*T
	ConfigItem
}](path, title string, builtin ...string,
) *Collection {
	_, onePrimary := reflect.TypeFor[T]().FieldByName("Primary")
	return &Collection{
		Path: path, Title: title, Object: Describe[T](), Builtin: builtin, OnePrimary: onePrimary,
		make: func() ConfigItem { return P(new(T)) },
	}
}

func internal(c *Collection) *Collection { c.Internal = true; return c }

// Collections are all collections of configuration (contract 5).
var Collections = []*Collection{
	collection[AccountType]("account-types", "Account Types"),
	collection[ResourceType]("resource-types", "Resource Types"),
	collection[Segment]("customer-segments", "Customer Segments"),
	collection[Segment]("account-segments", "Account Segments"),
	collection[Segment]("subscriber-segments", "Subscriber Segments"),
	collection[StateReason]("state-reasons", "State Reasons", "dfltInactive", "dfltActive", "dfltSuspended", "dfltDeactivated"),
	collection[CustomerProfile]("customer-profiles", "Customer Profiles"),
	collection[AccountProfile]("account-profiles", "Account Profiles"),
	collection[SubscriberProfile]("subscriber-profiles", "Subscriber Profiles"),
	collection[BillCycle]("bill-cycles", "Billing Cycles", "monthly"),
	collection[Currency]("currencies", "Currencies", "EUR"),
	collection[Tax]("taxes", "Taxes"),
	collection[GLCode]("gl-codes", "GL Codes"),
	collection[ChargingClass]("charging-classes", "Charging Classes"),
	collection[Product]("products", "Products"),
	collection[Offer]("offers", "Offers"),
	internal(collection[APIKey]("api-keys", "API Keys")),
}

// CollectionByPath returns the collection, or nil.
func CollectionByPath(path string) *Collection {
	if i := slices.IndexFunc(Collections, func(c *Collection) bool { return c.Path == path }); i >= 0 {
		return Collections[i]
	}
	return nil
}

// APIKey is a credential of a system; its code is the key's public part.
type APIKey struct {
	Item
	Hash        string   `json:"hash" doc:"SHA-256 of the secret, in hexadecimal."`
	Permissions []string `json:"permissions" doc:"What it may do."`
	Expires     Time     `json:"expires,omitzero" doc:"When it ends by itself."`
	CreatedAt   Time     `json:"createdAt" doc:"When it was made."`
	Revoked     bool     `json:"revoked" doc:"Whether it was revoked."`
	RateLimit   int64    `json:"rateLimit,omitzero" doc:"Requests a second; none: the installation's default."`
}
