package engine_test

import (
	"fmt"
	"strings"
	"time"

	"casm"

	"pgregory.net/rapid"
)

// op is a write that was drawn: its body, and what the model makes of it.
type op struct {
	id, body string
	apply    func() (payload int, codes []string)
}

// drawing draws operations that fit, mostly, what the model holds.
type drawing struct {
	*rapid.T
	m *model
}

var managedKinds = []casm.Kind{casm.KindCustomer, casm.KindAccount, casm.KindSubscriber, casm.KindOfferSubscription}

// number draws numbers without a preference for small ones.
var number = rapid.Custom(func(t *rapid.T) (n int) {
	for range 10 {
		n <<= 1
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

func pick[E any](d *drawing, label string, of ...E) E { return of[number.Draw(d.T, label)%len(of)] }

func (d *drawing) chance(percent int, label string) bool {
	return number.Draw(d.T, label)%100 >= 100-percent
}

// some draws a reference to an entity of the kind, mostly one that fits if
// there is any; it may not resolve.
func (d *drawing) some(kind casm.Kind, fits ...func(ent) bool) ref {
	var of, fitting []int
	for i, e := range d.m.es {
		if e.kind == kind && e.typ == "" && (e.id != "" || e.ext != "") {
			of = append(of, i)
			if len(fits) > 0 && fits[0](e) {
				fitting = append(fitting, i)
			}
		}
	}
	if len(fitting) > 0 && d.chance(75, "one that fits") {
		of = fitting
	}
	if len(of) == 0 || d.chance(2, "any name") {
		return ref{kind: kind, ext: d.external()}
	}
	i := pick(d, kind.String(), of...)
	e := d.m.es[i]
	if e.id == "" || e.ext != "" && d.chance(50, "by name") {
		return ref{kind: kind, ext: e.ext}
	}
	return ref{kind: kind, i: i}
}

func (d *drawing) external() string {
	return pick(d, "external id", "x1", "x2", "x3", "x4", "x5", "x6")
}

// newExternal draws the external id of a create.
func (d *drawing) newExternal() string {
	if d.chance(30, "no external id") {
		return ""
	}
	return d.external()
}

func members(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, `"`+pairs[i]+`":`+pairs[i+1])
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

// when draws a date: none, past or future.
func (d *drawing) when(percentFuture int) casm.Time {
	switch {
	case d.chance(percentFuture, "future"):
		return d.m.now.Add(time.Duration(pick(d, "in minutes", 1, 2, 3, 30, 90)) * time.Minute)
	case d.chance(20, "past"):
		return d.m.now.Add(-time.Duration(pick(d, "minutes ago", 1, 5, 50)) * time.Minute)
	}
	return 0
}

func (d *drawing) initialState() (string, func(e *ent)) {
	m := d.m
	state := pick(d, "state", "ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "SUSPENDED")
	from := d.when(15)
	if state == "SUSPENDED" && from > m.now {
		from = 0
	}
	date := ""
	if from != 0 {
		date = "," + validFrom(from)
	}
	tx, now := m.tx, m.now
	return fmt.Sprintf(`{"state":%q,"stateReason":%q%s}`, state, dflt[state], date), func(e *ent) {
		e.state, e.reason = state, dflt[state]
		if from > now {
			e.plan = &plan{state: state, reason: dflt[state], at: from, tx: tx}
			e.state, e.reason = "INACTIVE", "dfltInactive"
		}
	}
}

func (m *model) duplicate(kind casm.Kind, ext string, self int) []string {
	if i := m.byExternal(kind, ext); i >= 0 && i != self {
		return []string{"duplicate_external_id /externalId"}
	}
	return nil
}

func (d *drawing) createCustomer() op {
	m := d.m
	ext := d.newExternal()
	state, set := d.initialState()
	segment := pick(d, "segment", "", "b2b", "b2c")
	return op{"createCustomer", members("externalId", quoted(ext), "state", state, "customerSegment", quoted(segment)), func() (int, []string) {
		if codes := m.duplicate(casm.KindCustomer, ext, -1); codes != nil {
			return -1, codes
		}
		e := ent{kind: casm.KindCustomer, ext: ext, segment: segment, up: -1, parent: -1}
		set(&e)
		i := m.add(e)
		m.es[i].customer = i
		return i, nil
	}}
}

func (d *drawing) createAccount() op {
	m := d.m
	ext := d.newExternal()
	state, set := d.initialState()
	technical := d.chance(25, "technical")
	refs := map[string]ref{}
	if d.chance(60, "customer") {
		refs["customer"] = d.some(casm.KindCustomer)
	}
	if len(refs) == 0 || d.chance(50, "parent") {
		refs["parent"] = d.some(casm.KindAccount)
	}
	pairs := []string{"externalId", quoted(ext), "state", state, "accountProfile", `"postpaid"`}
	if technical {
		pairs = append(pairs, "accountType", `"technical"`)
	}
	for member, r := range refs {
		pairs = append(pairs, member, r.json(m))
	}
	return op{"createAccount", members(pairs...), func() (int, []string) {
		at, codes := m.resolve(refs)
		if codes != nil {
			return -1, codes
		}
		codes = m.duplicate(casm.KindAccount, ext, -1)
		customer, hasCustomer := at["customer"]
		parent, hasParent := at["parent"]
		if !hasParent {
			parent = -1
		}
		if hasCustomer && m.deadAbove(customer) {
			codes = append(codes, "deactivated /customer")
		}
		if hasParent {
			if m.deadAbove(parent) {
				codes = append(codes, "deactivated /parent")
			}
			if !hasCustomer {
				customer = m.es[parent].customer
			} else if m.es[parent].customer != customer {
				codes = append(codes, "other_customer /parent")
			}
		}
		if technical && !hasParent {
			codes = append(codes, "parent_required /parent")
		}
		if codes != nil {
			return -1, codes
		}
		e := ent{kind: casm.KindAccount, ext: ext, segment: "standard", customer: customer, up: customer, parent: parent, technical: technical, cycle: "monthly"}
		if hasParent {
			e.up = parent
		}
		set(&e)
		return m.add(e), nil
	}}
}

func (d *drawing) createSubscriber() op {
	m := d.m
	ext := d.newExternal()
	state, set := d.initialState()
	account := d.some(casm.KindAccount)
	value := pick(d, "resource", append(values["msisdn"], "", "")...)
	return op{"createSubscriber", members("externalId", quoted(ext), "state", state, "account", account.json(m), "primaryResource", quoted(value)), func() (int, []string) {
		at, codes := m.resolve(map[string]ref{"account": account})
		if codes != nil {
			return -1, codes
		}
		codes = m.duplicate(casm.KindSubscriber, ext, -1)
		if m.holder("msisdn", value) >= 0 {
			codes = append(codes, "resource_taken /primaryResource")
		}
		up := at["account"]
		if m.deadAbove(up) {
			codes = append(codes, "deactivated /account")
		}
		if codes != nil {
			return -1, codes
		}
		e := ent{kind: casm.KindSubscriber, ext: ext, customer: m.es[up].customer, up: up, parent: -1}
		set(&e)
		i := m.add(e)
		if value != "" {
			m.add(ent{kind: casm.KindSubscriberResource, typ: "msisdn", value: value, up: i, customer: e.customer, parent: -1})
		}
		return i, nil
	}}
}

func (d *drawing) subscribe() op {
	m := d.m
	ext := d.newExternal()
	state, set := d.initialState()
	kind := pick(d, "owner", casm.KindCustomer, casm.KindAccount, casm.KindSubscriber)
	refs := map[string]ref{kind.Member(): d.some(kind)}
	pairs := []string{"externalId", quoted(ext), "state", state, "offer", `"plain"`}
	if d.chance(30, "parent subscription") {
		refs["parentOfferSubscription"] = d.some(casm.KindOfferSubscription)
	}
	for member, r := range refs {
		pairs = append(pairs, member, r.json(m))
	}
	return op{"createSubscriptionOn" + kind.String(), members(pairs...), func() (int, []string) {
		at, codes := m.resolve(refs)
		if codes != nil {
			return -1, codes
		}
		codes = m.duplicate(casm.KindOfferSubscription, ext, -1)
		up := at[kind.Member()]
		if m.deadAbove(up) {
			codes = append(codes, "deactivated /"+kind.Member())
		}
		if parent, has := at["parentOfferSubscription"]; has {
			if m.es[parent].customer != m.es[up].customer {
				codes = append(codes, "other_customer /parentOfferSubscription")
			} else if m.dead(parent) {
				codes = append(codes, "deactivated /parentOfferSubscription")
			}
		}
		if codes != nil {
			return -1, codes
		}
		e := ent{kind: casm.KindOfferSubscription, ext: ext, customer: m.es[up].customer, up: up, parent: -1}
		set(&e)
		return m.add(e), nil
	}}
}

// update draws a change of what is named in member by its reference.
func (d *drawing) update(kind casm.Kind, operation string, pairs []string, more map[string]ref, apply func(i int, at map[string]int) []string, fits ...func(ent) bool) op {
	m := d.m
	subject := d.some(kind, fits...)
	refs := map[string]ref{kind.Member(): subject}
	for member, r := range more {
		refs[member] = r
		pairs = append(pairs, member, r.json(m))
	}
	pairs = append(pairs, kind.Member(), subject.json(m))
	return op{operation, members(pairs...), func() (int, []string) {
		at, codes := m.resolve(refs)
		if codes != nil {
			return -1, codes
		}
		i := at[kind.Member()]
		if m.dead(i) {
			codes = append(codes, "deactivated /"+kind.Member())
		}
		codes = append(codes, apply(i, at)...)
		return i, codes
	}}
}

func (d *drawing) attribute() op {
	m := d.m
	kind := pick(d, "kind", managedKinds...)
	switch pick(d, "attribute", "ext", "name", "segment", "map") {
	case "ext":
		ext := d.external()
		return d.update(kind, "update"+change(kind)+"ExternalId", []string{"externalId", quoted(ext)}, nil, func(i int, _ map[string]int) []string {
			codes := m.duplicate(kind, ext, i)
			m.es[i].ext = ext
			return codes
		})
	case "segment":
		segment := pick(d, "segment", "", "b2b", "b2c")
		value := quoted(segment)
		if segment == "" {
			value = "null"
		}
		return d.update(casm.KindCustomer, "updateCustomerSegment", []string{"customerSegment", value}, nil, func(i int, _ map[string]int) []string {
			m.es[i].segment = segment
			return nil
		})
	case "map":
		value := pick(d, "value", "", "1", "2")
		text := `{"k":` + quoted(value) + `}`
		if value == "" {
			text = `{"k":null}`
		}
		return d.update(kind, "update"+change(kind)+"CustomAttributes", []string{"customAttributes", text, "merge", "true"}, nil, func(i int, _ map[string]int) []string {
			m.es[i].attributes = value
			return nil
		})
	}
	name := pick(d, "name", "", "n1", "n2")
	value := quoted(name)
	if name == "" {
		value = "null"
	}
	return d.update(kind, "update"+change(kind)+"CustomName", []string{"customName", value}, nil, func(i int, _ map[string]int) []string {
		m.es[i].name = name
		return nil
	})
}
