package engine_test

import (
	"fmt"
	"strconv"

	"casm"
)

func (d *drawing) changeState() op {
	m := d.m
	kind := pick(d, "kind", managedKinds...)
	state := pick(d, "state", "ACTIVE", "SUSPENDED", "SUSPENDED", "DEACTIVATED", "INACTIVE")
	reason := dflt[state]
	if state == "ACTIVE" && d.chance(30, "other reason") {
		reason = "active"
	}
	from := d.when(40)
	isPending := d.chance(30, "pending")
	below := kind != casm.KindOfferSubscription && d.chance(50, "subordinateUpdated")
	text := fmt.Sprintf(`{"state":%q,"stateReason":%q,"pending":%t`, state, reason, isPending)
	if from != 0 {
		text += "," + validFrom(from)
	}
	pairs := []string{"state", text + "}"}
	if below {
		pairs = append(pairs, "subordinateUpdated", "true")
	}
	tx := m.tx
	return d.update(kind, "update"+change(kind)+"State", pairs, nil, func(i int, _ map[string]int) (codes []string) {
		future := from > m.now
		if isPending && !future {
			codes = append(codes, "pending_needs_future_date /state/pending")
		}
		if !m.dead(i) && !canFollow(m.es[i].state, state) {
			codes = append(codes, "transition_not_allowed /state/state")
		}
		if future && m.es[i].plan != nil {
			codes = append(codes, "state_change_already_planned /state")
		}
		set := func(j int) {
			if future {
				m.es[j].plan = &plan{state: state, reason: reason, at: from, pending: isPending, tx: tx}
			} else {
				m.enter(j, state, reason)
			}
		}
		set(i)
		if below {
			for _, j := range m.below(i) {
				e := m.es[j]
				if e.state != state && canFollow(e.state, state) && !(future && e.plan != nil) {
					set(j)
				}
			}
		}
		return codes
	})
}

// followers are those that follow a confirm or cancel of i: what is below it
// and carries the plan of the transaction, if nothing above it does.
func (m *model) followers(i int) (list []int) {
	tx := m.es[i].plan.tx
	carries := func(j int) bool { return m.es[j].plan != nil && m.es[j].plan.tx == tx }
	for up := m.es[i].up; up >= 0; up = m.es[up].up {
		if carries(up) {
			return nil
		}
	}
	for _, j := range m.below(i) {
		if carries(j) {
			list = append(list, j)
		}
	}
	return list
}

func (d *drawing) confirmOrCancel() op {
	m := d.m
	kind := pick(d, "kind", managedKinds...)
	planned := func(i int, then func(j int)) []string {
		if m.dead(i) {
			return nil
		}
		if m.es[i].plan == nil {
			return []string{"no_planned_state_change /" + kind.Member()}
		}
		for _, j := range append(m.followers(i), i) {
			then(j)
		}
		return nil
	}
	if d.chance(40, "cancel") {
		return d.update(kind, "cancel"+change(kind)+"State", nil, nil, func(i int, _ map[string]int) []string {
			return planned(i, func(j int) { m.es[j].plan = nil })
		}, hasPlan)
	}
	from := d.when(30)
	var pairs []string
	if from != 0 {
		pairs = []string{"stateValidFrom", `"` + from.String() + `"`}
	}
	return d.update(kind, "confirm"+change(kind)+"State", pairs, nil, func(i int, _ map[string]int) []string {
		at := from
		if m.es[i].plan != nil && at == 0 {
			at = m.es[i].plan.at
		}
		return planned(i, func(j int) {
			p := *m.es[j].plan
			p.at, p.pending = at, false
			if at > m.now {
				m.es[j].plan = &p
			} else {
				m.takeEffect(j, p)
			}
		})
	}, hasPlan)
}

func hasPlan(e ent) bool { return e.plan != nil }

var values = map[string][]string{"msisdn": {"491700000001", "491700000002", "491700000003", "491700000004", "491700000005"}, "ipV4": {"10.0.0.1", "10.0.0.2"}}

func (d *drawing) resource() op {
	m := d.m
	typ := pick(d, "type", "msisdn", "msisdn", "ipV4")
	value := pick(d, "value", values[typ]...)
	pairs := []string{"resourceType", quoted(typ), "resource", quoted(value)}
	payload := -1
	holds := func(value string) func(ent) bool {
		h := m.holder(typ, value)
		return func(e ent) bool { return h >= 0 && e.id != "" && e.id == m.es[m.es[h].up].id }
	}
	var o op
	switch pick(d, "verb", "create", "swap", "end") {
	case "create":
		o = d.update(casm.KindSubscriber, "createSubscriberResource", pairs, nil, func(i int, _ map[string]int) (codes []string) {
			if m.deadAbove(i) {
				codes = append(codes, "deactivated /subscriber")
			}
			if m.holder(typ, value) >= 0 {
				codes = append(codes, "resource_taken /resource")
			}
			if m.has(i, typ) >= 0 {
				codes = append(codes, "resource_type_already_assigned /resourceType")
			}
			payload = m.add(ent{kind: casm.KindSubscriberResource, typ: typ, value: value, up: i, customer: m.es[i].customer, parent: -1})
			return codes
		})
	case "end":
		o = d.update(casm.KindSubscriber, "endSubscriberResource", pairs, nil, func(i int, _ map[string]int) []string {
			payload = m.has(i, typ)
			if payload < 0 || m.es[payload].value != value {
				return []string{"resource_not_assigned /resource"}
			}
			m.es[payload].ended = true
			return nil
		}, holds(value))
	default:
		old := pick(d, "old value", values[typ]...)
		o = d.update(casm.KindSubscriber, "swapSubscriberResource", append(pairs, "swapResource", quoted(old)), nil, func(i int, _ map[string]int) (codes []string) {
			payload = m.has(i, typ)
			if payload < 0 || m.es[payload].value != old {
				codes = append(codes, "resource_not_assigned /swapResource")
			}
			if old != value && m.deadAbove(i) {
				codes = append(codes, "deactivated /subscriber")
			}
			if (old != value || len(codes) > 0) && m.holder(typ, value) >= 0 {
				codes = append(codes, "resource_taken /resource")
			}
			if old != value && len(codes) == 0 {
				m.es[payload].ended = true
				payload = m.add(ent{kind: casm.KindSubscriberResource, typ: typ, value: value, up: i, customer: m.es[i].customer, parent: -1})
			}
			return codes
		}, holds(old))
	}
	return op{o.id, o.body, func() (int, []string) {
		_, codes := o.apply()
		return payload, codes
	}}
}

func (d *drawing) moveAccount() op {
	m := d.m
	pairs, more := []string{"parent", "null"}, map[string]ref{}
	if d.chance(75, "parent") {
		pairs, more["parent"] = nil, d.some(casm.KindAccount)
	}
	return d.update(casm.KindAccount, "updateAccountParent", pairs, more, func(i int, at map[string]int) (codes []string) {
		parent, has := at["parent"]
		e := &m.es[i]
		switch {
		case !has:
			if e.technical {
				codes = append(codes, "parent_required /parent")
			}
			e.parent, e.up = -1, e.customer
			return codes
		case parent == e.parent:
			return nil
		case m.es[parent].customer != e.customer:
			return []string{"other_customer /parent"}
		}
		if m.deadAbove(parent) {
			codes = append(codes, "deactivated /parent")
		}
		for up := parent; up >= 0; up = m.es[up].parent {
			if up == i {
				return append(codes, "hierarchy_cycle /parent")
			}
		}
		e.parent, e.up = parent, parent
		return codes
	})
}

func (d *drawing) billCycle() op {
	m := d.m
	const kind = casm.KindAccount
	planned := func(operation string, then func(e *ent, i int)) op {
		return d.update(kind, operation, nil, nil, func(i int, _ map[string]int) []string {
			switch {
			case m.dead(i):
				return nil
			case m.es[i].cyclePlan == nil:
				return []string{"no_planned_bill_cycle_change /account"}
			}
			then(&m.es[i], i)
			return nil
		}, func(e ent) bool { return e.cyclePlan != nil })
	}
	switch pick(d, "bill cycle", "update", "update", "cancel", "perform") {
	case "cancel":
		return planned("cancelAccountBillCycleChange", func(e *ent, _ int) { e.cyclePlan = nil })
	case "perform":
		return planned("performAccountBillCycleChange", func(e *ent, i int) {
			m.setCycle(i, e.cyclePlan.cycle, e.cyclePlan.day)
			m.es[i].cyclePlan = nil
		})
	}
	cycle := pick(d, "cycle", "monthly", "own-day")
	day := pick(d, "day", 0, 0, 5, 6)
	from := d.when(50)
	pairs := []string{"billCycle", quoted(cycle)}
	if day != 0 {
		pairs = append(pairs, "billingDay", strconv.Itoa(day))
	}
	if from != 0 {
		pairs = append(pairs, "validFrom", `"`+from.String()+`"`)
	}
	return d.update(kind, "updateAccountBillCycle", pairs, nil, func(i int, _ map[string]int) (codes []string) {
		e := &m.es[i]
		next := day
		if cycle == "own-day" && day == 0 {
			next = e.day
		}
		if cycle == "own-day" && next == 0 {
			codes = append(codes, "required /billingDay")
		}
		if cycle == "monthly" && day != 0 {
			codes = append(codes, "not_individual /billingDay")
		}
		if from > m.now {
			if e.cyclePlan != nil {
				codes = append(codes, "bill_cycle_change_already_planned /validFrom")
			}
			e.cyclePlan = &cyclePlan{cycle, next, from}
		} else {
			m.setCycle(i, cycle, next)
		}
		return codes
	})
}

func (d *drawing) operation() op {
	return pick(d, "operation",
		d.createCustomer, d.createAccount, d.createSubscriber, d.createSubscriber, d.subscribe, d.attribute, d.attribute,
		d.changeState, d.changeState, d.changeState, d.changeState, d.confirmOrCancel, d.confirmOrCancel, d.resource, d.resource, d.moveAccount, d.billCycle)()
}
