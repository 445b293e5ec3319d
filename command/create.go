package command

import (
	"casm"

	"github.com/google/uuid"
)

// refOf returns the reference to a record, with both ids.
func refOf(r *Record) casm.Ref { return casm.Ref{RefID: r.ID(), ExternalID: r.ExternalID()} }

// configured checks contract rule 6 for a code.
func (d *Decision) configured(collection, code, pointer string) bool {
	if code == "" {
		return false
	}
	item := d.Config.Item(collection, code)
	switch {
	case item == nil:
		d.refuse(casm.NotConfigured, pointer, "%q is not configured; /v1/config/%s lists the codes", code, collection)
		return false
	case item.Base().Retired:
		d.refuse(casm.Retired, pointer, "%q of /v1/config/%s is retired: existing uses stand, new ones are refused", code, collection)
		return false
	}
	return true
}

// alive checks that neither the entity nor anything above it is deactivated
// (contract rule 5).
func (d *Decision) alive(r *Record, pointer string) {
	for r != nil {
		if r.Deactivated() {
			d.refuse(casm.IsDeactivated, pointer, "the %v %v is DEACTIVATED; nothing can be created below it", r.Kind(), r.ID())
			return
		}
		above, kind := r.Superior()
		if above == nil {
			return
		}
		r = d.get(kind, above.RefID)
	}
}

// uniqueExternalID checks contract rule 24 for an external id that is to be
// given to an entity of the kind; holder is the entity itself, if it exists.
func (d *Decision) uniqueExternalID(kind casm.Kind, externalID string, self uuid.UUID) {
	if externalID == "" {
		return
	}
	if r := d.layer.ByExternalID(kind, externalID); r != nil && r.ID() != self {
		d.refuse(casm.DuplicateExternalID, "/externalId", "%q belongs to the %v with refId %v already", externalID, kind, r.ID())
	}
}

// initialState applies contract rules 9, 11 and 17 to the state of a create:
// what was given, else the profile's. at is where the profile was named; a nil
// profile at a place is one that is not known. missingAt is where a state is
// missed: at the profile for a superior that is implied, as no request gives
// that one a state.
func (d *Decision) initialState(given casm.State, profile casm.Profile, at, missingAt string) (now casm.State, planned *casm.State) {
	stateAt, reasonAt := "/state/state", "/state/stateReason"
	if given.State == "" && profile != nil && profile.Initial().State != "" {
		given.State, given.StateReason = profile.Initial().State, profile.Initial().StateReason
		stateAt, reasonAt = at, at
	}
	if given.State == "" && profile == nil && at != "" {
		return given, nil // whether the unknown profile gives one cannot be judged
	}
	switch {
	case given.State == "" && missingAt == at:
		d.refuse(casm.Required, at, "what stands above is to be created, too, and its profile gives no state; let it give state and stateReason, or name what stands above")
		return given, nil
	case given.State == "":
		d.refuse(casm.Required, missingAt, "no profile gives a state; state and stateReason must be given, such as ACTIVE and dfltActive")
		return given, nil
	}
	d.reasonFits(given, reasonAt)
	future := given.StateValidFrom > d.Now
	switch {
	case given.State == casm.Deactivated:
		d.refuse(casm.TransitionNotAllowed, stateAt, "nothing can be created DEACTIVATED")
	case given.State == casm.Suspended && future:
		d.refuse(casm.TransitionNotAllowed, stateAt, "a state in the future can be ACTIVE or INACTIVE at creation, not SUSPENDED")
	}
	given.Pending = false
	given.TransactionID = uuid.Nil
	if given.StateValidFrom == 0 {
		given.StateValidFrom = d.Now
	}
	if !future {
		return given, nil
	}
	given.TransactionID = d.TransactionID
	return casm.State{State: casm.Inactive, StateReason: "dfltInactive", StateValidFrom: d.Now}, &given
}

// reasonFits checks that the state reason is configured and belongs to the
// state (contract rule 6).
func (d *Decision) reasonFits(s casm.State, pointer string) {
	if !d.configured("state-reasons", s.StateReason, pointer) {
		return
	}
	if reason, _ := d.Config.StateReason(s.StateReason); reason.State != s.State {
		d.refuse(casm.StateReasonNotForState, pointer, "the state reason %s belongs to %s, not to %s", s.StateReason, reason.State, s.State)
	}
}

// choose gives the member's value or, where it has none, the profile's, and
// checks that it is configured.
func (d *Decision) choose(value *string, fromProfile, collection, member, profileAt string) {
	at := "/" + member
	if *value == "" {
		*value, at = fromProfile, profileAt
	}
	if *value != "" {
		d.configured(collection, *value, at)
	}
}

type createCustomerArgs struct {
	CustomerProfile string `json:"customerProfile,omitzero" code:"customer-profiles" doc:"Code of the profile that gives segment, state and state reason."`
}

func createCustomer(d *Decision, in *Input) *Record {
	args := in.args.(*createCustomerArgs)
	c := in.Entity.(*casm.Customer)
	d.uniqueExternalID(casm.KindCustomer, c.ExternalID, uuid.Nil)
	return d.newCustomer(c, args.CustomerProfile, "/customerProfile", "/state")
}

// newCustomer completes a customer by its profile and adds it. at is where the
// profile was named, stateAt where a state is missed.
func (d *Decision) newCustomer(c *casm.Customer, profileCode, at, stateAt string) *Record {
	profile := &casm.CustomerProfile{}
	var initial casm.Profile = profile
	if d.configured("customer-profiles", profileCode, at) {
		profile, _ = d.Config.CustomerProfile(profileCode)
		initial = profile
	} else if profileCode != "" {
		initial = nil
	}
	d.choose(&c.CustomerSegment, profile.CustomerSegment, "customer-segments", "customerSegment", at)
	c.State, c.PlannedState = d.initialState(c.State, initial, at, stateAt)
	return d.create(c, uuid.Nil, c.TestCustomer)
}

type createAccountArgs struct {
	AccountProfile string `json:"accountProfile,omitzero" code:"account-profiles" doc:"Code of the profile that gives type, segment, bill cycle, currency, state and state reason, and the customer's profile."`
}

func createAccount(d *Decision, in *Input) *Record {
	args := in.args.(*createAccountArgs)
	a := in.Entity.(*casm.Account)
	d.uniqueExternalID(casm.KindAccount, a.ExternalID, uuid.Nil)
	customer, parent := in.record("customer"), in.record("parent")
	if customer != nil {
		d.alive(customer, "/customer")
	}
	if parent != nil {
		d.alive(parent, "/parent")
		switch {
		case customer == nil:
			customer = d.get(casm.KindCustomer, parent.Customer)
		case parent.Customer != customer.ID():
			d.refuse(casm.OtherCustomer, "/parent", "the parent account belongs to the customer %v; a parent must be of the same customer", parent.Customer)
		}
		d.checkDepth(parent, 1)
	}
	responsible := in.Given.Has("paymentResponsible")
	return d.newAccount(a, newAccount{
		profile: args.AccountProfile, at: "/accountProfile", customer: customer, parent: parent, responsibleGiven: responsible,
	})
}

type newAccount struct {
	profile, at      string // the profile's code, and where it was named
	customer, parent *Record
	responsibleGiven bool
	implied          bool // created by a subscriber's profile
}

// newAccount completes an account by its profile, with its customer if need
// be, and adds it (contract rules 9, 10, 12, 13).
func (d *Decision) newAccount(a *casm.Account, n newAccount) *Record {
	profile := &casm.AccountProfile{}
	var initial casm.Profile = profile
	known := d.configured("account-profiles", n.profile, n.at) || n.profile == ""
	switch {
	case !known:
		initial = nil
	case n.profile != "":
		profile, _ = d.Config.AccountProfile(n.profile)
		initial = profile
	}
	// what is missing is missed at the member, or where the chain of profiles began
	at := func(member string) string {
		if n.implied {
			return n.at
		}
		return "/" + member
	}
	d.choose(&a.AccountType, profile.AccountType, "account-types", "accountType", n.at)
	d.choose(&a.AccountSegment, profile.AccountSegment, "account-segments", "accountSegment", n.at)
	d.choose(&a.Currency, profile.Currency, "currencies", "currency", n.at)
	d.choose(&a.BillCycle, profile.BillCycle, "bill-cycles", "billCycle", n.at)
	for _, m := range []struct{ value, member string }{
		{a.AccountType, "accountType"}, {a.Currency, "currency"}, {a.BillCycle, "billCycle"},
	} {
		if m.value == "" && known {
			d.refuse(casm.Required, at(m.member), "neither the request nor a profile gives %s; an account needs one", m.member)
		}
	}
	if t, ok := d.Config.AccountType(a.AccountType); ok {
		if n.responsibleGiven && a.PaymentResponsible != t.PaymentResponsible {
			d.refuse(casm.PaymentResponsibleMismatch, "/paymentResponsible", "the account type %s says %t; leave the member out or give that", a.AccountType, t.PaymentResponsible)
		}
		a.PaymentResponsible = t.PaymentResponsible
		if !a.PaymentResponsible && n.parent == nil {
			d.refuse(casm.ParentRequired, at("parent"), "an account of type %s does not pay by itself and needs a parent", a.AccountType)
		}
	}
	if cycle, ok := d.Config.BillCycle(a.BillCycle); ok {
		d.checkBillCycle(cycle, billing{a.BillingDay, a.BillingMonth, a.BillingYear}, at)
	}
	given := a.State
	a.State, a.PlannedState = d.initialState(a.State, initial, n.at, at("state"))
	customer := n.customer
	if customer == nil && !known {
		return nil
	}
	if customer == nil {
		if profile.CustomerProfile == "" {
			detail := "name a customer or a parent account, or an account profile that has a customer profile"
			if n.implied {
				d.refuse(casm.Required, "/account", "name an account: the profiles do not say by which a customer would be created")
			} else {
				d.refuse(casm.Required, "/customer", "%s", detail)
			}
			return nil
		}
		c := &casm.Customer{TestCustomer: a.TestAccount}
		c.State.StateValidFrom = given.StateValidFrom
		if customer = d.newCustomer(c, profile.CustomerProfile, n.at, n.at); customer == nil {
			return nil
		}
	}
	a.TestAccount = a.TestAccount || customer.Test || n.parent != nil && n.parent.Test
	a.Customer = refOf(customer)
	a.Parent = casm.Ref{}
	if n.parent != nil {
		a.Parent = refOf(n.parent)
	}
	return d.create(a, customer.ID(), a.TestAccount)
}

// maxLevels is how many levels of accounts there may be (contract rule 12).
const maxLevels = 20

// checkDepth checks how deep an account with so many levels would stand below
// the parent.
func (d *Decision) checkDepth(parent *Record, levels int) {
	for r := parent; r != nil && r.Kind() == casm.KindAccount; levels++ {
		above, kind := r.Superior()
		r = d.get(kind, above.RefID)
	}
	if levels > maxLevels {
		d.refuse(casm.TooMany, "/parent", "accounts would stand %d levels deep; at most %d are allowed", levels, maxLevels)
	}
}

type createSubscriberArgs struct {
	SubscriberProfile   string `json:"subscriberProfile,omitzero" code:"subscriber-profiles" doc:"Code of the profile that gives segment, state and state reason, and the account's profile."`
	PrimaryResourceType string `json:"primaryResourceType,omitzero" code:"resource-types" doc:"Code of the resource type that is configured as primary; none: that one."`
	PrimaryResource     string `json:"primaryResource,omitzero" is:"personal" doc:"Value of the first resource, such as the MSISDN."`
}

func (a *createSubscriberArgs) resourceType(config *casm.Snapshot) string {
	if p := config.PrimaryResourceType(); a.PrimaryResourceType == "" && p != nil {
		return p.Code
	}
	return a.PrimaryResourceType
}

func (a *createSubscriberArgs) checkArgs(_ *Input, prefix string, v *casm.Violations) {
	if a.PrimaryResourceType != "" && a.PrimaryResource == "" {
		v.Add(casm.Required, prefix+"/primaryResource", "primaryResourceType stands only beside primaryResource; give both or neither")
	}
}

func createSubscriber(d *Decision, in *Input) *Record {
	args := in.args.(*createSubscriberArgs)
	s := in.Entity.(*casm.Subscriber)
	d.uniqueExternalID(casm.KindSubscriber, s.ExternalID, uuid.Nil)
	const at = "/subscriberProfile"
	profile := &casm.SubscriberProfile{}
	var initial casm.Profile = profile
	known := d.configured("subscriber-profiles", args.SubscriberProfile, at) || args.SubscriberProfile == ""
	switch {
	case !known:
		initial = nil
	case args.SubscriberProfile != "":
		profile, _ = d.Config.SubscriberProfile(args.SubscriberProfile)
		initial = profile
	}
	account := in.record("account")
	var resource *casm.SubscriberResource
	if args.PrimaryResource != "" {
		resource = d.primaryResource(args)
	}
	if account != nil {
		d.alive(account, "/account")
	}
	d.choose(&s.SubscriberSegment, profile.SubscriberSegment, "subscriber-segments", "subscriberSegment", at)
	given := s.State
	s.State, s.PlannedState = d.initialState(s.State, initial, at, "/state")
	if account == nil && !known {
		return nil
	}
	if account == nil {
		if profile.AccountProfile == "" {
			d.refuse(casm.Required, "/account", "name an account, or a subscriber profile that has an account profile")
			return nil
		}
		a := &casm.Account{}
		a.State.StateValidFrom = given.StateValidFrom
		if account = d.newAccount(a, newAccount{profile: profile.AccountProfile, at: at, implied: true}); account == nil {
			return nil
		}
	}
	s.Account = refOf(account)
	s.Customer = casm.Ref{RefID: account.Customer}
	subscriber := d.create(s, account.Customer, account.Test)
	if resource != nil {
		resource.Subscriber = refOf(subscriber)
		d.create(resource, account.Customer, account.Test)
	}
	return subscriber
}

// primaryResource checks the resource of a createSubscriber (contract rule 14).
func (d *Decision) primaryResource(args *createSubscriberArgs) *casm.SubscriberResource {
	primary := d.Config.PrimaryResourceType()
	code := args.resourceType(d.Config)
	if code == "" {
		d.refuse(casm.NotConfigured, "/primaryResourceType", "no resource type is configured as primary; /v1/config/resource-types has them")
		return nil
	}
	if d.configured("resource-types", code, "/primaryResourceType") && (primary == nil || primary.Code != code) {
		want := "none is configured as such"
		if primary != nil {
			want = primary.Code + " is"
		}
		d.refuse(casm.NotPrimaryResourceType, "/primaryResourceType", "%s is not the primary resource type; %s", code, want)
	}
	d.checkResource(code, args.PrimaryResource, "/primaryResource")
	return &casm.SubscriberResource{ResourceType: code, Resource: args.PrimaryResource, Primary: true, ValidFrom: d.Now}
}
