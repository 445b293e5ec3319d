// Package testkit holds what tests of several packages share: real parts on
// temporary folders and free ports.
package testkit

import (
	"casm"
	"casm/command"
)

// Config is a small configuration for tests, as edits for
// engine.EditConfig. It needs what every installation holds.
func Config() []command.ConfigEdit {
	var edits []command.ConfigEdit
	add := func(collection string, item casm.ConfigItem, code, name string) {
		item.Base().Code, item.Base().Name = code, name
		edits = append(edits, command.ConfigEdit{Collection: casm.CollectionByPath(collection), Code: code, Item: item})
	}
	add("customer-segments", &casm.Segment{}, "b2b", "Business")
	add("customer-segments", &casm.Segment{}, "b2c", "Residential")
	add("account-segments", &casm.Segment{}, "standard", "Standard")
	add("subscriber-segments", &casm.Segment{}, "mobile", "Mobile")
	add("state-reasons", &casm.StateReason{State: casm.Active}, "active", "Active")
	add("state-reasons", &casm.StateReason{State: casm.Suspended}, "debt", "Debt")
	add("account-types", &casm.AccountType{PaymentResponsible: true}, "payer", "Payer")
	add("account-types", &casm.AccountType{}, "technical", "Technical")
	add("resource-types", &casm.ResourceType{Primary: true, Pattern: `[1-9][0-9]{6,14}`}, "msisdn", "MSISDN")
	add("resource-types", &casm.ResourceType{Pattern: `[0-9]{15}`}, "imsi", "IMSI")
	add("resource-types", &casm.ResourceType{}, "ipV4", "IPv4 address")
	add("bill-cycles", &casm.BillCycle{Duration: 1, Period: casm.PeriodMonth, Individual: true}, "own-day", "Own day of the month")
	active := casm.InitialState{State: casm.Active, StateReason: "dfltActive"}
	add("customer-profiles", &casm.CustomerProfile{CustomerSegment: "b2b", InitialState: active}, "b2b", "Business")
	add("account-profiles", &casm.AccountProfile{
		AccountType: "payer", AccountSegment: "standard", BillCycle: "monthly", Currency: "EUR",
		InitialState: active, CustomerProfile: "b2b",
	}, "postpaid", "Postpaid")
	add("subscriber-profiles", &casm.SubscriberProfile{SubscriberSegment: "mobile", InitialState: active, AccountProfile: "postpaid"}, "mobile", "Mobile")
	add("products", &casm.Product{Services: []casm.ProductService{
		{Code: "fee", Name: "Monthly fee", Kind: casm.KindRecurrentFee},
		{Code: "data", Name: "Data", Kind: casm.KindBalanceService},
	}}, "mobile", "Mobile")
	add("offers", &casm.Offer{Product: "mobile", Priority: 7, Versions: []casm.OfferVersion{{
		Version: 1, Currency: "EUR", Services: []casm.OfferService{
			{Service: "fee", Attributes: casm.Scalars{"charge": casm.Raw("9990000"), "chargeAt": casm.Raw(`"MONTH_START"`)}},
			{Service: "data", Attributes: casm.Scalars{"grantedBalance": casm.Raw("1000"), "unitOfMeasure": casm.Raw(`"OCTET"`), "validity": casm.Raw("1"), "validityUnit": casm.Raw(`"MONTH"`)}},
		},
	}}}, "offer_code", "An offer")
	add("taxes", &casm.Tax{Values: []casm.TaxValue{{Rate: 200000}}}, "vat", "VAT")
	var all []casm.ProductService
	var individual []casm.OfferService
	for _, kind := range casm.Services {
		service := casm.ProductService{Code: kind.Kind, Kind: kind.Kind}
		all = append(all, service)
		individual = append(individual, casm.OfferService{Service: kind.Kind, Individual: true})
		add("products", &casm.Product{Services: []casm.ProductService{service}}, kind.Kind, kind.Name)
		add("offers", &casm.Offer{Product: kind.Kind, Versions: []casm.OfferVersion{{
			Version: 1, Currency: "EUR", Services: []casm.OfferService{{Service: kind.Kind, Individual: true}},
		}}}, "own-"+kind.Kind, "Own "+kind.Name)
	}
	add("products", &casm.Product{Services: all}, "everything", "Everything")
	add("offers", &casm.Offer{Product: "everything", Versions: []casm.OfferVersion{{Version: 1, Currency: "EUR", Services: individual}}}, "own-everything", "Own everything")
	return edits
}
