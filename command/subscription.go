package command

import (
	"cmp"
	"time"

	"casm"

	"github.com/google/uuid"
)

// createSubscription is contract rules 15 and 16 for what is not individual.
func createSubscription(d *Decision, in *Input) *Record {
	s := in.Entity.(*casm.OfferSubscription)
	owner := in.SubjectRecord()
	d.alive(owner, "/"+in.Operation.SubjectMember)
	return d.newSubscription(in, s, owner, nil)
}

// newSubscription adds a subscription; individual, unless nil, is what an
// individual operation gave.
func (d *Decision) newSubscription(in *Input, s *casm.OfferSubscription, owner *Record, individual *individual) *Record {
	d.uniqueExternalID(casm.KindOfferSubscription, s.ExternalID, uuid.Nil)
	from := s.State.StateValidFrom
	if from == 0 {
		from = d.Now
	}
	s.State, s.PlannedState = d.initialState(s.State, nil, "", "/state")
	if parent := in.record("parentOfferSubscription"); parent != nil {
		switch {
		case parent.Customer != owner.Customer:
			d.refuse(casm.OtherCustomer, "/parentOfferSubscription", "the subscription %v belongs to another customer", parent.ID())
		case parent.Deactivated():
			d.refuse(casm.IsDeactivated, "/parentOfferSubscription", "the subscription %v is DEACTIVATED", parent.ID())
		}
		s.ParentOfferSubscription = refOf(parent)
	}
	s.Individual = individual != nil
	version := d.offerVersion(in, s, owner, from, individual)
	if len(d.Violations) > 0 {
		return nil
	}
	ref := refOf(owner)
	s.Customer, s.Account, s.Subscriber = casm.Ref{}, casm.Ref{}, casm.Ref{}
	switch owner.Kind() {
	case casm.KindCustomer:
		s.Customer = ref
	case casm.KindAccount:
		s.Account = ref
	case casm.KindSubscriber:
		s.Subscriber = ref
	}
	r := d.create(s, owner.Customer, owner.Test)
	d.grantBalances(r, version, from)
	return r
}

// offerVersion chooses the offer's version and resolves its services.
func (d *Decision) offerVersion(in *Input, s *casm.OfferSubscription, owner *Record, from casm.Time, individual *individual) *casm.OfferVersion {
	if !d.configured("offers", s.Offer, "/offer") {
		return nil
	}
	offer, _ := d.Config.Offer(s.Offer)
	version := offer.VersionAt(max(d.Now, from))
	if version == nil {
		d.refuse(casm.NotConfigured, "/offer", "the offer %s has no version that is sold at %v", s.Offer, max(d.Now, from))
		return nil
	}
	s.OfferVersion = version.Version
	if !in.Given.Has("priority") {
		s.Priority = offer.Priority
	}
	product, ok := d.Config.Product(offer.Product)
	if !ok {
		d.refuse(casm.NotConfigured, "/offer", "the product %s of the offer %s is not configured", offer.Product, s.Offer)
		return nil
	}
	d.checkIndividual(s.Offer, product, version, individual)
	for _, service := range version.Services {
		kind := casm.ServiceKind(product.Service(service.Service).Kind)
		given, at := individual.of(service.Service)
		attributes := kind.Resolve(given, service.Attributes)
		if service.Individual && individual != nil {
			d.checkGiven(kind, service.Service, given, attributes, at)
		} else {
			at = ""
		}
		if attributes.Text("chargeAt") == "SUBSCRIBER_ANNIVERSARY" && owner.Kind() != casm.KindSubscriber {
			place := "/offer"
			if given["chargeAt"] != nil {
				place = at + "/chargeAt"
			}
			d.refuse(casm.InvalidValue, place, "the service %s is charged at the subscriber's anniversary, which only a subscription on a subscriber has", service.Service)
		}
		s.Services = append(s.Services, casm.Service{Service: service.Service, Kind: kind.Kind, Attributes: attributes})
	}
	return version
}

// grantBalances creates the balances that the subscription's services grant
// (contract rule 16), valid from the date.
func (d *Decision) grantBalances(subscription *Record, version *casm.OfferVersion, from casm.Time) {
	for _, s := range subscription.Entity.(*casm.OfferSubscription).Services {
		if s.Kind != casm.KindBalanceService && s.Kind != casm.KindMonetaryBalance {
			continue
		}
		granted, _ := s.Attributes.Integer("grantedBalance")
		b := &casm.Balance{
			OfferSubscription: refOf(subscription), Service: s.Service, UnitOfMeasure: s.Attributes.Text("unitOfMeasure"),
			GrantedBalance: granted, ActualBalance: granted, ValidFrom: from, ValidTo: d.validity(s.Attributes, from),
		}
		if s.Kind == casm.KindMonetaryBalance {
			b.Currency = cmp.Or(version.Currency, d.Config.PrimaryCurrency())
		}
		d.create(b, subscription.Customer, subscription.Test)
	}
}

// validity returns when a balance ends that is valid from the instant, in the
// installation's time zone; zero for never.
func (d *Decision) validity(attributes casm.Scalars, from casm.Time) casm.Time {
	n, ok := attributes.Integer("validity")
	if !ok {
		return 0
	}
	t := from.Std().In(d.Zone)
	switch attributes.Text("validityUnit") {
	case "HOUR":
		t = t.Add(time.Duration(n) * time.Hour)
	case "DAY":
		t = t.AddDate(0, 0, int(n))
	case "MONTH":
		t = addMonths(t, int(n))
	}
	end := casm.TimeOf(t)
	if end >= casm.MaxTime {
		return 0
	}
	return end
}

// addMonths moves a time by months; where the month is too short, to its last day.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, t.Location()).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
