package casm

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// The kinds of service (contract 5).
const (
	KindOneTimeFee                = "one-time-fee"
	KindRecurrentFee              = "recurrent-fee"
	KindAbsoluteDiscount          = "absolute-discount"
	KindPercentageDiscount        = "percentage-discount"
	KindAbsoluteBillingDiscount   = "absolute-billing-discount"
	KindPercentageBillingDiscount = "percentage-billing-discount"
	KindBalanceService            = "balance"
	KindMonetaryBalance           = "monetary-balance"
)

// ServiceSpec is one kind of service in the service catalogue.
type ServiceSpec struct {
	Kind       string          `json:"kind"`
	Name       string          `json:"name"`
	Attributes []AttributeSpec `json:"attributes"`
}

// AttributeSpec is one attribute of a kind of service. Its type is integer,
// money, percentage, boolean, string, enum, timestamp or code.
type AttributeSpec struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Mandatory bool     `json:"mandatory"`
	Default   Raw      `json:"default,omitzero"`
	Min       *int64   `json:"min,omitzero"`
	Max       *int64   `json:"max,omitzero"`
	Values    []string `json:"values,omitzero"`
	Ref       string   `json:"ref,omitzero"`
	Label     string   `json:"label"`
	Help      string   `json:"help"`
}

func limits(a AttributeSpec, low, high int64) AttributeSpec {
	a.Min, a.Max = &low, &high
	return a
}

func amount(name, typ, label, help string) AttributeSpec {
	most := int64(MaxInteger)
	if typ == "percentage" {
		most = 1_000_000
	}
	return limits(AttributeSpec{Name: name, Type: typ, Label: label, Help: help}, 0, most)
}

func code(name, collection, label, help string) AttributeSpec {
	return AttributeSpec{Name: name, Type: "code", Ref: collection, Label: label, Help: help}
}

func flag(name, label, help string) AttributeSpec {
	return AttributeSpec{Name: name, Type: "boolean", Default: Raw("false"), Label: label, Help: help}
}

func choice(name, label, help string, values ...string) AttributeSpec {
	return AttributeSpec{Name: name, Type: "enum", Values: values, Label: label, Help: help}
}

func mandatory(a AttributeSpec) AttributeSpec { a.Mandatory = true; return a }

func byDefault(a AttributeSpec, value string) AttributeSpec { a.Default = Raw(value); return a }

var (
	taxIncluded = flag("taxIncluded", "Tax Included", "The amount contains the tax.")
	chargeMin   = amount("chargeMin", "money", "Charge Min", "Charges below are not discounted.")
	chargeMax   = amount("chargeMax", "money", "Charge Max", "Charges are discounted up to here.")
	separate    = flag("separateEvent", "Separate Event", "The discount is an event of its own.")
	level       = byDefault(choice("level", "Level", "At what the discount is taken.", "SUBSCRIBER", "ACCOUNT", "INVOICE"), `"SUBSCRIBER"`)

	fee = []AttributeSpec{
		mandatory(amount("charge", "money", "Charge", "What is charged, in millionths of the currency's unit.")),
		code("tax", "taxes", "Tax", "The tax on the charge."),
		taxIncluded,
		code("glCode", "gl-codes", "GL Code", "Where the charge is booked."),
		code("chargingClass", "charging-classes", "Charging Class", "The class of the charge."),
	}
	recurrence = []AttributeSpec{
		mandatory(choice("chargeAt", "Charge At", "When it is charged; SUBSCRIBER_ANNIVERSARY only on a subscriber.",
			"SUBSCRIBER_ANNIVERSARY", "SUBSCRIPTION_ANNIVERSARY", "BILL_CYCLE_START", "BILL_CYCLE_END", "MONTH_START", "MONTH_END")),
		byDefault(limits(AttributeSpec{Name: "every", Type: "integer", Label: "Every", Help: "Charged at every n-th occasion."}, 1, 1000), "1"),
		limits(AttributeSpec{Name: "repetitions", Type: "integer", Label: "Repetitions", Help: "How often in all; none: without end."}, 1, 100_000),
	}
	validity = []AttributeSpec{
		limits(AttributeSpec{Name: "validity", Type: "integer", Label: "Validity", Help: "How long the balance is valid, in the validity unit; none: without end."}, 1, 100_000),
		byDefault(choice("validityUnit", "Validity Unit", "The unit of the validity.", "HOUR", "DAY", "MONTH"), `"DAY"`),
		amount("threshold1", "percentage", "Threshold 1", "A message is sent when this share is used."),
		amount("threshold2", "percentage", "Threshold 2", "A message is sent when this share is used."),
		amount("threshold3", "percentage", "Threshold 3", "A message is sent when this share is used."),
		flag("rejectWhenUsedUp", "Reject When Used Up", "Usage is rejected when nothing is left."),
	}
)

// Services is the service catalogue.
var Services = []*ServiceSpec{
	{Kind: KindOneTimeFee, Name: "One-Time Fee", Attributes: fee},
	{Kind: KindRecurrentFee, Name: "Recurrent Fee", Attributes: slices.Concat(fee, recurrence)},
	{Kind: KindAbsoluteDiscount, Name: "Absolute Discount", Attributes: []AttributeSpec{
		mandatory(amount("discount", "money", "Discount", "What is taken off.")), chargeMin, chargeMax, taxIncluded, separate,
	}},
	{Kind: KindPercentageDiscount, Name: "Percentage Discount", Attributes: []AttributeSpec{
		mandatory(amount("discount", "percentage", "Discount", "The share that is taken off, in millionths.")), chargeMin, chargeMax, taxIncluded, separate,
	}},
	{Kind: KindAbsoluteBillingDiscount, Name: "Absolute Billing Discount", Attributes: []AttributeSpec{
		mandatory(amount("discount", "money", "Discount", "What is taken off the bill.")), chargeMin, chargeMax, taxIncluded, level,
	}},
	{Kind: KindPercentageBillingDiscount, Name: "Percentage Billing Discount", Attributes: []AttributeSpec{
		mandatory(amount("discount", "percentage", "Discount", "The share that is taken off the bill, in millionths.")), chargeMin, chargeMax, taxIncluded, level,
	}},
	{Kind: KindBalanceService, Name: "Balance", Attributes: slices.Concat([]AttributeSpec{
		mandatory(amount("grantedBalance", "integer", "Granted Balance", "How much is granted, in the unit of measure.")),
		mandatory(choice("unitOfMeasure", "Unit of Measure", "What is counted.", "EVENT", "SECOND", "OCTET")),
	}, validity)},
	{Kind: KindMonetaryBalance, Name: "Monetary Balance", Attributes: slices.Concat([]AttributeSpec{
		mandatory(amount("grantedBalance", "money", "Granted Balance", "How much is granted, in millionths of the version's currency.")),
	}, validity)},
}

// ServiceKind returns the catalogue's entry, or nil.
func ServiceKind(kind string) *ServiceSpec {
	if i := slices.IndexFunc(Services, func(s *ServiceSpec) bool { return s.Kind == kind }); i >= 0 {
		return Services[i]
	}
	return nil
}

// Attribute returns the attribute with the name, or nil.
func (s *ServiceSpec) Attribute(name string) *AttributeSpec {
	if i := slices.IndexFunc(s.Attributes, func(a AttributeSpec) bool { return a.Name == name }); i >= 0 {
		return &s.Attributes[i]
	}
	return nil
}

// Check adds what is wrong with the attributes that are given.
func (s *ServiceSpec) Check(given Scalars, pointer string, v *Violations) {
	for name, value := range given {
		at := pointer + "/" + EscapePointer(clip(name))
		a := s.Attribute(name)
		if a == nil {
			names := make([]*Field, len(s.Attributes))
			for i, a := range s.Attributes {
				names[i] = &Field{Name: a.Name}
			}
			v.Add(UnknownMember, at, "a service of kind %s has no attribute %s%s", s.Kind, clip(name), nearest(name, names))
			continue
		}
		a.check(value, at, v)
	}
}

// CheckComplete adds what of the mandatory attributes is missing.
func (s *ServiceSpec) CheckComplete(given Scalars, pointer string, v *Violations) {
	for _, a := range s.Attributes {
		if a.Mandatory && given[a.Name] == nil {
			v.Add(AttributeRequired, pointer+"/"+a.Name, "a service of kind %s needs %s: %s", s.Kind, a.Name, a.Help)
		}
	}
}

// Resolve returns the attributes that hold: those given, else those of the
// offer's version, else the defaults (contract rule 16).
func (s *ServiceSpec) Resolve(given, offered Scalars) Scalars {
	out := Scalars{}
	for _, a := range s.Attributes {
		for _, value := range []Raw{given[a.Name], offered[a.Name], a.Default} {
			if value != nil {
				out[a.Name] = value
				break
			}
		}
	}
	return out
}

func (a *AttributeSpec) check(value Raw, at string, v *Violations) {
	wrong := func(want string) { v.Add(WrongType, at, "%s is not %s", clip(string(value)), want) }
	switch a.Type {
	case "integer", "money", "percentage":
		if value.Kind() != '0' || bytes.ContainsAny(value, ".eE") {
			wrong("an integer")
			return
		}
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < *a.Min || n > *a.Max {
			v.Add(OutOfRange, at, "%s is outside of %d to %d", clip(string(value)), *a.Min, *a.Max)
		}
	case "boolean":
		if k := value.Kind(); k != 't' && k != 'f' {
			wrong("true or false")
		}
	default:
		if value.Kind() != '"' {
			wrong("a text")
			return
		}
		s := Scalars{"": value}.Text("")
		switch {
		case a.Type == "enum" && !slices.Contains(a.Values, s):
			v.Add(InvalidValue, at, "%q is none of %s", clip(s), strings.Join(a.Values, ", "))
		case a.Type == "timestamp":
			if _, err := ParseTime(s); err != nil {
				v.Add(InvalidValue, at, "%s", clip(err.Error()))
			}
		case s == "" || hasControl(s, false):
			v.Add(InvalidValue, at, "%s must not be empty nor hold control characters", a.Name)
		}
	}
}

// Text returns a text attribute, or "".
func (s Scalars) Text(name string) string {
	var text string
	if raw := s[name]; raw != nil && raw.Kind() == '"' {
		_ = json.Unmarshal(raw, &text) // checked when it was given
	}
	return text
}

// Integer returns a number attribute, and whether there is one.
func (s Scalars) Integer(name string) (int64, bool) {
	n, err := strconv.ParseInt(string(s[name]), 10, 64)
	return n, err == nil
}

// Bool returns a boolean attribute.
func (s Scalars) Bool(name string) bool { return string(s[name]) == "true" }
