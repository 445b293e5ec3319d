package engine_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"casm"
)

// The model: what the contract says, as simply as it can be said, for a few
// entities in a list. It is independent of the rules in package command.

type plan struct {
	state, reason string
	at            casm.Time
	pending       bool
	tx            int
}

type cyclePlan struct {
	cycle string
	day   int
	at    casm.Time
}

// ent is an entity of the model; up and customer are indices, -1 for none.
type ent struct {
	kind          casm.Kind
	id            string // refId; "" as long as it is not known
	ext           string
	name, segment string
	attributes    string // of one key
	state, reason string
	plan          *plan
	up, customer  int
	parent        int // an account's parent account
	technical     bool
	cycle         string
	day           int
	cyclePlan     *cyclePlan
	typ, value    string // of a resource
	ended         bool
	version       int
}

type model struct {
	es  []ent
	now casm.Time
	tx  int
	// expected is how many entities the last operation changed.
	impacted int
}

func (m *model) clone() *model {
	c := *m
	c.es = slices.Clone(m.es)
	return &c
}

// run applies an operation: all of it, or nothing when it gives violations.
func (m *model) run(apply func() (payload int, codes []string)) (payload int, codes []string) {
	before := slices.Clone(m.es)
	payload, codes = apply()
	if len(codes) > 0 {
		m.es = before
		sorted(codes)
		return -1, slices.Compact(codes)
	}
	m.impacted = 0
	for i := range m.es {
		if i >= len(before) || !reflect.DeepEqual(before[i], m.es[i]) {
			m.es[i].version++
			m.impacted++
		}
	}
	return payload, nil
}

// settle lets everything that is due take effect.
func (m *model) settle() {
	for i := range m.es {
		for {
			e := &m.es[i]
			p, c := e.plan, e.cyclePlan
			if p != nil && (p.pending || p.at > m.now) {
				p = nil
			}
			if c != nil && c.at > m.now {
				c = nil
			}
			if p == nil && c == nil {
				break
			}
			m.run(func() (int, []string) {
				e := &m.es[i]
				if c != nil && (p == nil || c.at <= p.at) {
					m.setCycle(i, c.cycle, c.day)
					e.cyclePlan = nil
				} else {
					m.takeEffect(i, *p)
				}
				return i, nil
			})
		}
	}
}

func (m *model) takeEffect(i int, p plan) {
	m.es[i].plan = nil
	if canFollow(m.es[i].state, p.state) {
		m.enter(i, p.state, p.reason)
	}
}

func canFollow(from, to string) bool {
	switch from + " " + to {
	case "INACTIVE INACTIVE", "INACTIVE ACTIVE", "INACTIVE DEACTIVATED", "ACTIVE ACTIVE", "ACTIVE SUSPENDED", "ACTIVE DEACTIVATED",
		"SUSPENDED SUSPENDED", "SUSPENDED ACTIVE", "SUSPENDED DEACTIVATED":
		return true
	}
	return false
}

func (m *model) enter(i int, state, reason string) {
	e := &m.es[i]
	e.state, e.reason = state, reason
	if e.plan != nil && !canFollow(state, e.plan.state) {
		e.plan = nil
	}
	if state != "DEACTIVATED" {
		return
	}
	e.plan, e.cyclePlan = nil, nil
	for j := range m.es {
		if m.es[j].typ != "" && m.es[j].up == i {
			m.es[j].ended = true
		}
	}
}

func (m *model) setCycle(i int, cycle string, day int) {
	m.es[i].cycle, m.es[i].day = cycle, day
	if cycle == "monthly" {
		m.es[i].day = 0
	}
}

// below lists everything with a life cycle below i.
func (m *model) below(i int) (list []int) {
	for j := range m.es {
		if m.es[j].typ != "" || m.es[j].kind == casm.KindBalance {
			continue
		}
		for up := m.es[j].up; up >= 0; up = m.es[up].up {
			if up == i {
				list = append(list, j)
				break
			}
		}
	}
	return list
}

func (m *model) dead(i int) bool { return m.es[i].state == "DEACTIVATED" }

// deadAbove tells whether i or something above it is deactivated.
func (m *model) deadAbove(i int) bool {
	for ; i >= 0; i = m.es[i].up {
		if m.dead(i) {
			return true
		}
	}
	return false
}

// byExternal finds the entity of a kind with an external id, or -1.
func (m *model) byExternal(kind casm.Kind, ext string) int {
	return slices.IndexFunc(m.es, func(e ent) bool { return e.kind == kind && ext != "" && e.ext == ext })
}

// holder finds the valid resource with a value, or -1.
func (m *model) holder(typ, value string) int {
	return slices.IndexFunc(m.es, func(e ent) bool { return e.typ == typ && e.value == value && !e.ended })
}

// has finds the valid resource of a type that a subscriber has, or -1.
func (m *model) has(subscriber int, typ string) int {
	return slices.IndexFunc(m.es, func(e ent) bool { return e.typ == typ && e.up == subscriber && !e.ended })
}

func (m *model) add(e ent) int {
	m.es = append(m.es, e)
	return len(m.es) - 1
}

// ref names an entity in a request, by one of its ids.
type ref struct {
	kind casm.Kind
	i    int    // by refId
	ext  string // or by external id
}

func (r ref) json(m *model) string {
	if r.ext != "" {
		return fmt.Sprintf(`{"externalId":%q}`, r.ext)
	}
	return fmt.Sprintf(`{"refId":%q}`, m.es[r.i].id)
}

func (r ref) resolve(m *model) int {
	if r.ext != "" {
		return m.byExternal(r.kind, r.ext)
	}
	return r.i
}

// resolve looks references up; what does not resolve is refused alone.
func (m *model) resolve(refs map[string]ref) (found map[string]int, codes []string) {
	found = map[string]int{}
	for _, member := range slices.Sorted(maps.Keys(refs)) {
		i := refs[member].resolve(m)
		if i < 0 {
			codes = append(codes, "not_found /"+member)
		}
		found[member] = i
	}
	return found, codes
}

// want compares what the engine shows of an entity with the model. Reads give
// references the present external ids, answers of writes those that were
// recorded.
func (m *model) want(f *fixture, i int, doc map[string]any, read bool) {
	f.Helper()
	e := m.es[i]
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	pairs := []any{"version", e.version, "refId", e.id}
	if e.typ != "" {
		f.want(doc, append(pairs, "resource", e.value, "resourceType", e.typ)...)
		if (doc["validTo"] != nil) != e.ended {
			f.Errorf("resource %d: %v, want ended %t", i, doc, e.ended)
		}
		return
	}
	pairs = append(pairs, "externalId", text(e.ext), "customName", text(e.name), "state.state", e.state, "state.stateReason", e.reason, "customAttributes.k", text(e.attributes))
	if e.plan != nil {
		pairs = append(pairs, "plannedState.state", e.plan.state, "plannedState.stateReason", e.plan.reason, "plannedState.pending", e.plan.pending, "plannedState.stateValidFrom", e.plan.at)
	} else {
		pairs = append(pairs, "plannedState", nil)
	}
	switch e.kind {
	case casm.KindCustomer:
		pairs = append(pairs, "customerSegment", text(e.segment))
	case casm.KindAccount:
		pairs = append(pairs, "billCycle", e.cycle, "paymentResponsible", !e.technical, "customer.refId", m.es[e.customer].id)
		if e.day != 0 {
			pairs = append(pairs, "billingDay", e.day)
		} else {
			pairs = append(pairs, "billingDay", nil)
		}
		if e.parent >= 0 {
			pairs = append(pairs, "parent.refId", m.es[e.parent].id)
		} else {
			pairs = append(pairs, "parent", nil)
		}
		if e.cyclePlan != nil {
			pairs = append(pairs, "plannedBillCycle.billCycle", e.cyclePlan.cycle, "plannedBillCycle.validFrom", e.cyclePlan.at)
		} else {
			pairs = append(pairs, "plannedBillCycle", nil)
		}
	case casm.KindSubscriber:
		pairs = append(pairs, "account.refId", m.es[e.up].id, "customer.refId", m.es[e.customer].id)
	}
	if read && e.kind != casm.KindCustomer {
		up := m.es[e.up]
		member := up.kind.Member()
		if e.parent >= 0 {
			member = "parent"
		}
		pairs = append(pairs, member+".refId", up.id, member+".externalId", text(up.ext))
	}
	f.want(doc, pairs...)
}
