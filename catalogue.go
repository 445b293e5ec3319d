package casm

import (
	"slices"
	"strconv"
)

// Product is a set of services from which offers are made.
type Product struct {
	Item
	Services []ProductService `json:"services" in:"create,update" is:"required,frozen" doc:"The services of the product."`
}

// ProductService is one service of a product.
type ProductService struct {
	Code string `json:"code" in:"create,update" is:"required,max=64,pattern=[A-Za-z0-9_.-]+" doc:"The code by which offers and balances name it."`
	Name string `json:"name,omitzero" in:"create,update" doc:"A name for people."`
	Kind string `json:"kind" as:"serviceKind" in:"create,update" is:"required" doc:"Kind of the service catalogue, /v1/config/services."`
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
	Currency  string         `json:"currency,omitzero" in:"create,update" code:"currencies" doc:"Currency of its money; without it the primary one."`
	ValidFrom Time           `json:"validFrom,omitzero" in:"create,update" doc:"From when it is sold; none: always."`
	Services  []OfferService `json:"services,omitempty" in:"create,update" doc:"The services with their attributes."`
}

// OfferService is one service of an offer's version.
type OfferService struct {
	Service    string  `json:"service" as:"productService" in:"create,update" is:"required" doc:"Code of the product's service."`
	Individual bool    `json:"individual" in:"create,update" doc:"Its attributes are given with each subscription."`
	Attributes Scalars `json:"attributes,omitempty" as:"serviceAttributes" in:"create,update" doc:"Names and values of the attributes, as the service catalogue has them."`
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
	}
}
