package command

import (
	"math/bits"
	"strconv"

	"casm"
)

// The actions on a balance (contract rule 26).
const (
	ActionAdd    = "ADD"
	ActionDeduct = "DEDUCT"
	ActionSet    = "SET"
)

// BalanceUpdate asks for a change of one balance.
type BalanceUpdate struct {
	Service string            `json:"service" is:"required" doc:"Code of the product's service that granted the balance."`
	Action  string            `json:"action" is:"required,enum=ADD|DEDUCT|SET" doc:"What is done with the amount."`
	Amount  *int64            `json:"amount" is:"required,min=0" doc:"How much, above 0 for ADD and DEDUCT: in the unit of measure, or millionths of the currency's unit."`
	ValidTo casm.OptionalTime `json:"validTo,omitzero" doc:"A new end, after now; null: no end; absent: as it is."`
}

type balanceArgs struct{ BalanceUpdate }

type balancesArgs struct {
	Balances []BalanceUpdate `json:"balances" is:"required" doc:"The changes, each service once: all or none."`
}

func (u *BalanceUpdate) checkShape(at string, v *casm.Violations) {
	if u.Amount != nil && *u.Amount == 0 && (u.Action == ActionAdd || u.Action == ActionDeduct) && !v.Below(at+"/amount") {
		v.Add(casm.OutOfRange, at+"/amount", "%s takes an amount above 0", u.Action)
	}
}

func (a *balanceArgs) checkArgs(_ *Input, prefix string, v *casm.Violations) { a.checkShape(prefix, v) }

func (a *balancesArgs) checkArgs(_ *Input, prefix string, v *casm.Violations) {
	if len(a.Balances) == 0 && !v.Below(prefix+"/balances") {
		v.Add(casm.Required, prefix+"/balances", "the list is empty; give at least one change")
	}
	seen := map[string]bool{}
	for i := range a.Balances {
		at := prefix + "/balances/" + strconv.Itoa(i)
		if service := a.Balances[i].Service; service != "" && seen[service] {
			v.Add(casm.InvalidValue, at+"/service", "the service %s stands twice; give each once", a.Balances[i].Service)
		}
		seen[a.Balances[i].Service] = true
		a.Balances[i].checkShape(at, v)
	}
}

func updateBalance(d *Decision, in *Input) *Record {
	return d.updateBalance(in.SubjectRecord(), &in.args.(*balanceArgs).BalanceUpdate, "")
}

func updateBalances(d *Decision, in *Input) *Record {
	s := in.SubjectRecord()
	updates := in.args.(*balancesArgs).Balances
	for i := range updates {
		d.updateBalance(s, &updates[i], "/balances/"+strconv.Itoa(i))
	}
	return s
}

// updateBalance is contract rule 26 for one balance; at is where it was named.
func (d *Decision) updateBalance(subscription *Record, u *BalanceUpdate, at string) *Record {
	r := d.balance(subscription, u.Service)
	if r == nil {
		d.refuse(casm.NoSuchBalance, at+"/service", "the subscription has no balance of the service %q", u.Service)
		return nil
	}
	b := r.Entity.(*casm.Balance)
	expired := b.ValidTo != 0 && b.ValidTo <= d.Now
	switch {
	case expired && u.Action == ActionDeduct:
		d.refuse(casm.BalanceExpired, at+"/service", "the balance ended at %v; nothing can be deducted", b.ValidTo)
	case expired && u.ValidTo.Presence == casm.Absent:
		d.refuse(casm.BalanceExpired, at+"/validTo", "the balance ended at %v; give a new validTo, or null for no end", b.ValidTo)
	}
	if u.ValidTo.Presence == casm.Value && u.ValidTo.Time <= d.Now {
		d.refuse(casm.OutOfRange, at+"/validTo", "%v is not after now, %v", u.ValidTo.Time, d.Now)
	}
	actual := *u.Amount
	switch u.Action {
	case ActionAdd:
		actual = b.ActualBalance + *u.Amount // two of at most 2^53: no overflow
	case ActionDeduct:
		actual = b.ActualBalance - *u.Amount
	}
	switch {
	case actual < 0:
		d.refuse(casm.InsufficientBalance, at+"/amount", "%d are left, %d cannot be deducted", b.ActualBalance, *u.Amount)
	case actual > casm.MaxInteger:
		d.refuse(casm.OutOfRange, at+"/amount", "the balance would be %d; at most %d is possible", actual, int64(casm.MaxInteger))
	}
	if len(d.Violations) > 0 {
		return nil
	}
	after := d.edit(r)
	nb := after.Entity.(*casm.Balance)
	nb.ActualBalance = actual
	switch u.ValidTo.Presence {
	case casm.Null:
		nb.ValidTo = 0
	case casm.Value:
		nb.ValidTo = u.ValidTo.Time
	}
	d.byID[r.ID()].thresholds = crossed(subscription, b, nb)
	return after
}

// balance returns the subscription's balance of the service, or nil.
func (d *Decision) balance(subscription *Record, service string) *Record {
	for r := range d.layer.Children(subscription.ID(), casm.KindBalance) {
		if r.Entity.(*casm.Balance).Service == service {
			return r
		}
	}
	return nil
}

// crossed returns which thresholds of its service a balance has reached that it
// had not reached before.
func crossed(subscription *Record, before, after *casm.Balance) (thresholds []int) {
	for _, s := range subscription.Entity.(*casm.OfferSubscription).Services {
		if s.Service != after.Service {
			continue
		}
		for n := 1; n <= 3; n++ {
			share, ok := s.Attributes.Integer("threshold" + strconv.Itoa(n))
			if ok && !reached(before, share) && reached(after, share) {
				thresholds = append(thresholds, n)
			}
		}
	}
	return thresholds
}

// reached reports whether the share used, (granted − actual) / granted, is at
// least the share in millionths, exactly.
func reached(b *casm.Balance, share int64) bool {
	used := b.GrantedBalance - b.ActualBalance
	if used < 0 || b.GrantedBalance == 0 {
		return false
	}
	usedHigh, usedLow := bits.Mul64(uint64(used), 1_000_000)
	needHigh, needLow := bits.Mul64(uint64(b.GrantedBalance), uint64(share))
	return usedHigh > needHigh || usedHigh == needHigh && usedLow >= needLow
}

func balanceOperations() []*Operation {
	const kind = casm.KindOfferSubscription
	one := newOperation("updateSubscriptionBalance", "/subscriptions/balance/update", "Adds to, deducts from or sets a balance of a subscription.",
		named(kind)+`, "service": "data", "action": "DEDUCT", "amount": 10}`, casm.KindBalance,
		shape{subject: kind, args: balanceArgs{}}, updateBalance)
	several := newOperation("updateSubscriptionBalances", "/subscriptions/balances/update", "Changes several balances of a subscription, all or none.",
		named(kind)+`, "balances": [{"service": "data", "action": "ADD", "amount": 10}]}`, kind,
		shape{subject: kind, args: balancesArgs{}}, updateBalances)
	one.Permission, several.Permission = WriteBalances, WriteBalances
	return []*Operation{one, several}
}
