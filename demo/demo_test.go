package demo

import (
	"strings"
	"testing"

	"casm"
	"casm/command"
)

// installed is what every installation holds, as far as the demonstration needs it.
func installed() *casm.Snapshot {
	return casm.NewSnapshot(1, map[string][]casm.ConfigItem{
		"state-reasons": {&casm.StateReason{Item: casm.Item{Code: "dfltActive"}, State: casm.Active}},
		"bill-cycles":   {&casm.BillCycle{Item: casm.Item{Code: "monthly"}, Duration: 1, Period: casm.PeriodMonth}},
		"currencies":    {&casm.Currency{Item: casm.Item{Code: "EUR"}, Primary: true}},
	})
}

func never(casm.CodeRef) (bool, error) { return false, nil }

// load applies the demonstration to a configuration by the rules of the house.
func load(t *testing.T, s *casm.Snapshot) *casm.Snapshot {
	t.Helper()
	items, err := Items()
	if err != nil {
		t.Fatal(err)
	}
	edits, err := Missing(items, s, never)
	if err != nil {
		t.Fatal(err)
	}
	none := func(casm.CodeRef) int64 { return 0 }
	out, v := command.DecideConfig(s, edits, none, none)
	if len(v) > 0 {
		t.Fatalf("refused: %v", v)
	}
	return out.Snapshot
}

// TestContract: what contract 5 says of the demonstration.
func TestContract(t *testing.T) {
	s := load(t, installed())
	p, ok := s.CustomerProfile("b2b")
	if !ok || p.CustomerSegment != "b2b" || p.State != casm.Active || p.StateReason != "dfltActive" {
		t.Errorf("customer profile b2b: %+v", p)
	}
	if s.Item("customer-segments", "b2b") == nil {
		t.Error("no customer segment b2b")
	}
	if r, ok := s.StateReason("active"); !ok || r.State != casm.Active {
		t.Errorf("state reason active: %+v", r)
	}
	offer, ok := s.Offer("offer_code")
	if !ok {
		t.Fatal("no offer offer_code")
	}
	version := offer.VersionAt(casm.MinTime)
	if version == nil {
		t.Fatal("offer_code cannot be subscribed at any time")
	}
	for _, service := range version.Services {
		if service.Individual {
			t.Errorf("service %s of offer_code is individual", service.Service)
		}
		if service.Attributes.Text("chargeAt") == "SUBSCRIBER_ANNIVERSARY" {
			t.Errorf("service %s: offer_code cannot be subscribed on a customer", service.Service)
		}
	}
	if primary := s.PrimaryResourceType(); primary == nil || primary.Code != "msisdn" || primary.Pattern != "[1-9][0-9]{6,14}" {
		t.Errorf("primary resource type: %+v", primary)
	}
	for value, fits := range map[string]bool{
		"msisdn 436641234567": true, "msisdn 0436641234567": false, "msisdn 123456": false, "msisdn 1234567890123456": false,
		"imsi 232011234567890": true, "imsi 23201123456789": false,
		"ipV4 192.0.2.1": true, "ipV4 255.255.255.255": true, "ipV4 256.0.2.1": false, "ipV4 192.0.2": false, "ipV4 192.0.2.1.1": false, "ipV4 01.0.2.1": false,
	} {
		typ, v, _ := strings.Cut(value, " ")
		if s.ResourceFits(typ, v) != fits {
			t.Errorf("%s: fits is not %v", value, fits)
		}
	}
}

// TestEveryKindOfService: each can be subscribed both as offered and individually.
func TestEveryKindOfService(t *testing.T) {
	s := load(t, installed())
	individual := map[string]bool{}
	for _, item := range s.Items("offers") {
		offer := item.(*casm.Offer)
		product, _ := s.Product(offer.Product)
		for _, version := range offer.Versions {
			for _, service := range version.Services {
				individual[product.Service(service.Service).Kind] = individual[product.Service(service.Service).Kind] || (service.Individual && len(version.Services) == 1)
			}
		}
	}
	for _, kind := range casm.Services {
		if !individual[kind.Kind] {
			t.Errorf("no offer has a single individual service of kind %s", kind.Kind)
		}
	}
}

// TestTwice: loading again adds nothing, and nothing that was changed or
// deleted meanwhile comes back.
func TestTwice(t *testing.T) {
	s := load(t, installed())
	items, err := Items()
	if err != nil {
		t.Fatal(err)
	}
	edits, err := Missing(items, s, never)
	if err != nil || len(edits) > 0 {
		t.Errorf("loading again: %d edits, %v", len(edits), err)
	}
	ref := casm.CodeRef{Collection: "taxes", Code: "vat10"}
	s = s.With(2, map[casm.CodeRef]casm.ConfigItem{ref: nil})
	edits, err = Missing(items, s, func(r casm.CodeRef) (bool, error) { return r == ref, nil })
	if err != nil || len(edits) > 0 {
		t.Errorf("a deleted item comes back: %v, %v", edits, err)
	}
}

// TestOwnPrimary: the operator's own primary resource type stays primary.
func TestOwnPrimary(t *testing.T) {
	own := &casm.ResourceType{Item: casm.Item{Code: "number", Name: "Number"}, Primary: true}
	s := load(t, installed().With(1, map[casm.CodeRef]casm.ConfigItem{{Collection: "resource-types", Code: "number"}: own}))
	if p := s.PrimaryResourceType(); p == nil || p.Code != "number" {
		t.Errorf("primary is %+v", p)
	}
}
