package command

import (
	"strconv"

	"casm"
)

// owners are the members of which an individual operation's body has one.
var owners = []string{"customer", "account", "subscriber"}

// individual is what an individual operation gives for services.
type individual struct {
	services []GivenService
	kind     string // of a typed operation, whose one service is not named
	typed    casm.Scalars
}

// GivenService is what createIndividualOfferSubscription gives for a service.
type GivenService struct {
	Service    string       `json:"service" is:"required" doc:"Code of the offer's service, which must be individual."`
	Attributes casm.Scalars `json:"attributes,omitempty" doc:"Names and values of attributes, as the service catalogue has them."`
}

type individualArgs struct {
	Services []GivenService `json:"services" is:"required" doc:"The individual services with their attributes."`
}

type typedArgs struct {
	Attributes casm.Scalars `json:"attributes" is:"required" doc:"The attributes of the offer's one individual service."`
}

func (*individualArgs) checkArgs(in *Input, prefix string, v *casm.Violations) {
	checkOwner(in, prefix, v)
}

func (*typedArgs) checkArgs(in *Input, prefix string, v *casm.Violations) { checkOwner(in, prefix, v) }

func checkOwner(in *Input, prefix string, v *casm.Violations) {
	given := 0
	for _, member := range owners {
		if in.Given.Has(member) {
			given++
		}
	}
	if given != 1 {
		v.Add(casm.OneOfRequired, prefix, "exactly one of customer, account and subscriber must be given, not %d", given)
	}
	checkStateArgs(in.Entity.Top().State, prefix, v)
}

// createIndividual is contract rule 16.
func createIndividual(d *Decision, in *Input) *Record {
	var given individual
	switch a := in.args.(type) {
	case *individualArgs:
		given.services = a.Services
	case *typedArgs:
		given.kind, given.typed = typedKinds[in.Operation.ID], a.Attributes
	}
	for _, member := range owners {
		if owner := in.record(member); owner != nil {
			d.alive(owner, "/"+member)
			return d.newSubscription(in, in.Entity.(*casm.OfferSubscription), owner, &given)
		}
	}
	return nil
}

// of returns what was given for a service, and where.
func (g *individual) of(service string) (casm.Scalars, string) {
	if g == nil {
		return nil, ""
	}
	if g.kind != "" {
		return g.typed, "/attributes"
	}
	for i, s := range g.services {
		if s.Service == service {
			return s.Attributes, "/services/" + strconv.Itoa(i) + "/attributes"
		}
	}
	return nil, "/services"
}

// checkIndividual checks that the operation fits the offer's version.
func (d *Decision) checkIndividual(offer string, product *casm.Product, version *casm.OfferVersion, g *individual) {
	var own []string
	for _, s := range version.Services {
		if s.Individual {
			own = append(own, s.Service)
		}
	}
	switch {
	case g == nil && own != nil:
		d.refuse(casm.IndividualRequired, "/offer", "the services %v of the offer are individual; use createIndividualOfferSubscription", own)
		return
	case g == nil:
		return
	case own == nil:
		d.refuse(casm.NotIndividual, "/offer", "the offer %s has no individual service; subscribe it with createSubscriptionOn…", offer)
		return
	case g.kind != "":
		if kind := product.Service(own[0]).Kind; len(own) != 1 || kind != g.kind {
			d.refuse(casm.ServiceKindMismatch, "/offer", "the offer's individual services are %v, the first of kind %s; this operation needs exactly one, of kind %s", own, kind, g.kind)
			g.typed = nil // its attributes cannot be judged
		}
		return
	}
	seen := map[string]bool{}
	for i, s := range g.services {
		at := "/services/" + strconv.Itoa(i) + "/service"
		if seen[s.Service] {
			d.refuse(casm.InvalidValue, at, "the service %s stands twice; give each once", s.Service)
		}
		seen[s.Service] = true
		if v := version.Service(s.Service); v == nil || !v.Individual {
			d.refuse(casm.NotIndividual, at, "%q is no individual service of the offer; %v are", s.Service, own)
		}
	}
}

// checkGiven checks the attributes of an individual service: those given, and
// that none is missing of those that hold.
func (d *Decision) checkGiven(kind *casm.ServiceSpec, service string, given, holds casm.Scalars, at string) {
	if d.Violations.Has(casm.ServiceKindMismatch) {
		return
	}
	kind.Check(given, at, &d.Violations)
	for _, code := range kind.ServiceCodes(given, at) {
		d.configured(code.Collection, code.Code, code.Pointer)
	}
	if at == "/services" { // nothing was given for it
		var missing casm.Violations
		kind.CheckComplete(holds, "", &missing)
		for _, m := range missing {
			d.refuse(casm.AttributeRequired, at, "the individual service %s: %s", service, m.Detail)
		}
		return
	}
	kind.CheckComplete(holds, at, &d.Violations)
}

// typedKinds are the kinds of service of the typed operations.
var typedKinds = map[string]string{}

func individualOperations() []*Operation {
	example := func(more string) string {
		return `{"requestId": "{{$guid}}", "subscriber": {"externalId": "subscriber_external_id"}, ` + more +
			`, "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}`
	}
	make := func(id, segment, summary, more string, args any) *Operation {
		return newOperation(id, "/subscriptions/individual/"+segment+"create", summary, example(more), casm.KindOfferSubscription,
			shape{entity: casm.KindOfferSubscription, pick: isCreate, required: []string{"offer", "state"}, args: args}, createIndividual)
	}
	ops := []*Operation{make("createIndividualOfferSubscription", "",
		"Subscribes an offer with attributes given for its individual services.",
		`"offer": "individual_balance", "services": [{"service": "balance", "attributes": {"grantedBalance": 1000, "unitOfMeasure": "EVENT"}}]`, individualArgs{})}
	for _, t := range []struct{ noun, kind, attributes string }{
		{"Balance", casm.KindBalanceService, `"grantedBalance": 1000, "unitOfMeasure": "EVENT"`},
		{"MonetaryBalance", casm.KindMonetaryBalance, `"grantedBalance": 20000000`},
		{"OneTimeFee", casm.KindOneTimeFee, `"charge": 4990000`},
		{"RecurrentFee", casm.KindRecurrentFee, `"charge": 9990000, "chargeAt": "MONTH_START"`},
		{"AbsoluteDiscount", casm.KindAbsoluteDiscount, `"discount": 1000000`},
		{"PercentageDiscount", casm.KindPercentageDiscount, `"discount": 100000`},
		{"AbsoluteBillingDiscount", casm.KindAbsoluteBillingDiscount, `"discount": 1000000`},
		{"PercentageBillingDiscount", casm.KindPercentageBillingDiscount, `"discount": 100000`},
	} {
		id := "create" + t.noun + "Subscription"
		typedKinds[id] = t.kind
		name := casm.ServiceKind(t.kind).Name
		ops = append(ops, make(id, t.kind+"/", "Subscribes an offer whose one individual service is of the kind "+name+".",
			`"offer": "individual_`+underscored(t.kind)+`", "attributes": {`+t.attributes+`}`, typedArgs{}))
	}
	return ops
}

func underscored(kind string) string {
	b := []byte(kind)
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}
