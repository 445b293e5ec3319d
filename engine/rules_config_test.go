package engine_test

import (
	"slices"
	"testing"
	"time"

	"casm"
	"casm/command"
)

func create(e command.ConfigEdit) command.ConfigEdit  { e.Create = true; return e }
func replace(e command.ConfigEdit) command.ConfigEdit { e.Replace = true; return e }
func matching(e command.ConfigEdit, version int64) command.ConfigEdit {
	e.IfMatch = version
	return e
}

func (f *fixture) item(collection, code string) casm.ConfigItem {
	f.Helper()
	s, err := f.Config(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return s.Item(collection, code)
}

func TestConfigVersionsAndHistory(t *testing.T) {
	f := newFixture(t, true)
	segment := func(name string) *casm.Segment { return &casm.Segment{Item: casm.Item{Name: name}} }
	version := func() int64 {
		if item := f.item("customer-segments", "x"); item != nil {
			return item.Base().Version
		}
		return 0
	}
	f.configRefused(replace(edit("customer-segments", "x", segment("1"))), "not_found ")
	f.configRefused(edit("customer-segments", "x", nil), "not_found ")
	f.configure(create(edit("customer-segments", "x", segment("1"))))
	f.configRefused(create(edit("customer-segments", "x", segment("1"))), "duplicate_code /code")
	e := replace(edit("customer-segments", "x", segment("1")))
	e.Item.Base().Code = "y"
	f.configRefused(e, "code_immutable /code")
	f.configRefused(matching(replace(edit("customer-segments", "x", segment("2"))), 7), "version_mismatch If-Match")
	f.configRefused(matching(edit("customer-segments", "new", segment("2")), 7), "version_mismatch If-Match")
	if changes := f.configure(matching(replace(edit("customer-segments", "x", segment("2"))), 1)); len(changes) != 1 || version() != 2 {
		t.Error(changes, version())
	}
	if changes := f.configure(replace(edit("customer-segments", "x", segment("2")))); len(changes) != 0 || version() != 2 {
		t.Error(changes, version())
	}
	f.configRefused(matching(edit("customer-segments", "x", nil), 1), "version_mismatch If-Match")
	f.configure(matching(edit("customer-segments", "x", nil), 2))
	// deleted and made again: the versions go on
	f.configure(create(edit("customer-segments", "x", segment("3"))))
	if version() != 4 {
		t.Error(version())
	}
	list, err := f.ConfigHistory(f.Context(), casm.CodeRef{Collection: "customer-segments", Code: "x"}, 10)
	if err != nil || len(list) != 4 || list[0].Version != 4 || list[1].Doc != nil || list[1].Version != 3 || list[3].Actor != "test" {
		t.Error(list, err)
	}
	// nothing of a dry run, nor of a set of edits of which one is refused, stands
	if _, err := f.EditConfig(f.Context(), "test", true, []command.ConfigEdit{edit("customer-segments", "x", nil)}); err != nil || version() != 4 {
		t.Error(err, version())
	}
	if _, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{edit("customer-segments", "x", nil), edit("customer-segments", "b2b", nil)}); err == nil || version() != 4 {
		t.Error(err, version())
	}
	if _, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{edit("customer-segments", "z", segment("1")), edit("customer-segments", "z", segment("2"))}); !slices.Equal(codes(err), []string{"duplicate_code /code"}) {
		t.Error(err)
	}
}

func TestConfigChangesOfOneItemInOneCommit(t *testing.T) {
	f := newFixture(t, true)
	// several edits of one item that wait at once are gathered into one commit
	f.configure(edit("customer-segments", "x", &casm.Segment{}))
	release := f.hold()
	done := make(chan error, 4)
	for n, e := range []command.ConfigEdit{
		edit("customer-segments", "x", &casm.Segment{Item: casm.Item{Name: "two"}}),
		edit("customer-segments", "x", nil),
		edit("customer-segments", "x", &casm.Segment{Item: casm.Item{Name: "four"}}),
		edit("customer-segments", "x", &casm.Segment{Item: casm.Item{Name: "five"}}),
	} {
		go func() {
			_, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{e})
			done <- err
		}()
		f.waitFor(n + 1)
	}
	release()
	for range 4 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if item := f.item("customer-segments", "x"); item.Base().Version != 5 || item.Base().Name != "five" {
		t.Errorf("%+v", item.Base())
	}
	list, err := f.ConfigHistory(f.Context(), casm.CodeRef{Collection: "customer-segments", Code: "x"}, 10)
	if err != nil || len(list) != 5 {
		t.Fatal(list, err)
	}
	for n, c := range list {
		if c.Version != int64(5-n) {
			t.Error(c)
		}
	}
}

func TestConfigInUse(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	for collection, code := range map[string]string{
		"customer-segments": "b2b", "account-segments": "standard", "subscriber-segments": "mobile", "account-types": "payer", "resource-types": "msisdn",
		"customer-profiles": "b2b", "account-profiles": "postpaid", "products": "mobile", "offers": "offer_code",
		"state-reasons": "dfltSuspended", "bill-cycles": "monthly", "currencies": "EUR",
	} {
		f.configRefused(edit(collection, code, nil), "in_use ")
	}
	f.configure(edit("customer-segments", "b2c", nil)) // nothing refers to it
	f.configure(edit("subscriber-profiles", "mobile", nil))
	// a plan is a use; when it is gone it is none
	f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"debt",`+validFrom(f.in(time.Hour))+`}}`)
	f.do("updateAccountBillCycle", `{"account":{"externalId":"a"},"billCycle":"own-day","billingDay":1,"validFrom":"`+f.in(time.Hour).String()+`"}`)
	f.configRefused(edit("state-reasons", "debt", nil), "in_use ")
	f.configRefused(edit("bill-cycles", "own-day", nil), "in_use ")
	f.do("cancelCustomerState", `{"customer":{"externalId":"c"}}`)
	f.do("cancelAccountBillCycleChange", `{"account":{"externalId":"a"}}`)
	f.configure(edit("state-reasons", "debt", nil), edit("bill-cycles", "own-day", nil))
	// frozen while referred to
	f.configRefused(edit("account-types", "payer", &casm.AccountType{}), "in_use /paymentResponsible")
	f.configRefused(edit("state-reasons", "dfltActive", &casm.StateReason{State: casm.Inactive}), "in_use /state")
	f.configRefused(edit("bill-cycles", "monthly", &casm.BillCycle{Duration: 2, Period: casm.PeriodYear, Individual: true}),
		"in_use /duration", "in_use /individual", "in_use /period")
	f.configRefused(edit("currencies", "EUR", &casm.Currency{Primary: true, Precision: new(int64(3))}), "in_use /precision")
	f.configRefused(edit("products", "mobile", &casm.Product{Services: []casm.ProductService{{Code: "fee", Kind: casm.KindRecurrentFee}}}), "in_use /services")
	// what is not frozen may change
	f.configure(edit("account-types", "payer", &casm.AccountType{Item: casm.Item{Name: "Other"}, PaymentResponsible: true}))
	f.configure(edit("account-types", "technical", &casm.AccountType{PaymentResponsible: true}))
}

func TestConfigOfferVersionsInUse(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	clone := func() *casm.Offer {
		doc, err := casm.EncodeItem(f.item("offers", "offer_code"))
		if err != nil {
			t.Fatal(err)
		}
		item, err := casm.CollectionByPath("offers").Decode(doc)
		if err != nil {
			t.Fatal(err)
		}
		return item.(*casm.Offer)
	}
	o := clone()
	o.Versions = append(o.Versions, casm.OfferVersion{Version: 2, ValidFrom: f.in(time.Hour), Services: []casm.OfferService{}})
	o.Versions[0].Services[1].Attributes["unitOfMeasure"] = casm.Raw(`"\u004fCTET"`) // the same text
	f.configure(edit("offers", "offer_code", o))
	o = clone()
	o.Versions[0].Services[0].Attributes["charge"] = casm.Raw("1")
	f.configRefused(edit("offers", "offer_code", o), "in_use /versions")
	o = clone()
	o.Versions = o.Versions[1:]
	f.configRefused(edit("offers", "offer_code", o), "in_use /versions")
	o = clone()
	o.Versions = o.Versions[:1] // nobody has the other one
	o.Priority = 9
	f.configure(edit("offers", "offer_code", o))
	f.configure(edit("products", "other", &casm.Product{Services: o2services(f)}))
	o = clone()
	o.Product = "other"
	f.configRefused(edit("offers", "offer_code", o), "in_use /product")
}

func o2services(f *fixture) []casm.ProductService {
	return slices.Clone(f.item("products", "mobile").(*casm.Product).Services)
}

func TestConfigBuiltinAndPrimary(t *testing.T) {
	f := newFixture(t, true)
	for collection, list := range map[string][]string{
		"state-reasons": {"dfltInactive", "dfltActive", "dfltSuspended", "dfltDeactivated"}, "bill-cycles": {"monthly"}, "currencies": {"EUR"},
	} {
		for _, code := range list {
			f.configRefused(edit(collection, code, nil), "in_use ")
		}
	}
	// setting it clears the other, which gets a new version
	changes := f.configure(edit("currencies", "USD", &casm.Currency{Primary: true}))
	if len(changes) != 2 || f.item("currencies", "EUR").(*casm.Currency).Primary || f.item("currencies", "EUR").Base().Version != 2 {
		t.Error(changes)
	}
	f.configure(edit("resource-types", "imsi", &casm.ResourceType{Primary: true}))
	if f.item("resource-types", "msisdn").(*casm.ResourceType).Primary {
		t.Error("two are primary")
	}
	_, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{
		edit("currencies", "CHF", &casm.Currency{Primary: true}), edit("currencies", "USD", &casm.Currency{Primary: true}),
	})
	if got := codes(err); !slices.Equal(got, []string{"invalid_value /primary"}) {
		t.Error(got)
	}
}

func TestConfigReferences(t *testing.T) {
	f := newFixture(t, true)
	f.configRefused(edit("account-profiles", "x", &casm.AccountProfile{AccountType: "x", AccountSegment: "x", BillCycle: "x", Currency: "x", CustomerProfile: "x", InitialState: casm.InitialState{State: casm.Active, StateReason: "x"}}),
		"not_configured /accountSegment", "not_configured /accountType", "not_configured /billCycle", "not_configured /currency", "not_configured /customerProfile", "not_configured /stateReason")
	f.configRefused(edit("offers", "x", &casm.Offer{Product: "x"}), "not_configured /product")
	f.configRefused(edit("charging-classes", "x", &casm.ChargingClass{Parent: "y"}), "not_configured /parent")
	f.configRefused(edit("charging-classes", "x", &casm.ChargingClass{Parent: "x"}), "hierarchy_cycle /parent")
	f.configRefused(edit("offers", "x", &casm.Offer{Product: "mobile", Versions: []casm.OfferVersion{{Version: 1, Services: []casm.OfferService{
		{Service: "fee", Attributes: casm.Scalars{"charge": casm.Raw("1"), "tax": casm.Raw(`"no-tax"`)}}, {Service: "nope"}, {Service: "fee", Individual: true, Attributes: casm.Scalars{"charge": casm.Raw(`"1"`), "nope": casm.Raw("1")}},
	}}, {Version: 1}}}),
		"attribute_required /versions/0/services/0/attributes/chargeAt", "not_configured /versions/0/services/0/attributes/tax", "invalid_value /versions/0/services/1/service",
		"wrong_type /versions/0/services/2/attributes/charge", "unknown_member /versions/0/services/2/attributes/nope", "invalid_value /versions/0/services/2/service", "invalid_value /versions/1/version")
	f.configRefused(edit("products", "x", &casm.Product{Services: []casm.ProductService{{Code: "a", Kind: "nope"}, {Code: "a", Kind: casm.KindOneTimeFee}}}), "invalid_value /services/0/kind", "invalid_value /services/1/code")
	f.configRefused(edit("resource-types", "x", &casm.ResourceType{Pattern: "("}), "invalid_value /pattern")
	f.configRefused(edit("currencies", "XXY", &casm.Currency{}), "invalid_value /code")
	f.configRefused(edit("currencies", "eur", &casm.Currency{}), "invalid_value /code")
	f.configure(edit("currencies", "points", &casm.Currency{Virtual: true}))
	f.configRefused(edit("customer-profiles", "x", &casm.CustomerProfile{InitialState: casm.InitialState{State: casm.Active, StateReason: "debt"}}), "state_reason_not_for_state /stateReason")
	f.configRefused(edit("customer-profiles", "x", &casm.CustomerProfile{InitialState: casm.InitialState{State: casm.Active}}), "required /stateReason")
	f.configRefused(edit("customer-profiles", "x", &casm.CustomerProfile{InitialState: casm.InitialState{State: casm.Deactivated, StateReason: "dfltDeactivated"}}), "transition_not_allowed /state")
	// retired: existing uses stand, new ones are refused
	f.retire("account-types", "payer", true)
	f.configure(edit("account-profiles", "postpaid", &casm.AccountProfile{Item: casm.Item{Name: "Other"}, AccountType: "payer"}))
	if p := f.item("account-profiles", "postpaid").(*casm.AccountProfile); !p.PaymentResponsible { // set by the server
		t.Errorf("%+v", p)
	}
	f.configRefused(edit("account-profiles", "x", &casm.AccountProfile{AccountType: "payer"}), "retired /accountType")
	// sections may refer to each other in any order, and go together
	f.configure(edit("customer-profiles", "n", &casm.CustomerProfile{CustomerSegment: "n"}), edit("customer-segments", "n", &casm.Segment{}))
	f.configure(edit("customer-segments", "n", nil), edit("customer-profiles", "n", nil))
}
