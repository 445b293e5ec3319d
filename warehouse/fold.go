package warehouse

import (
	"fmt"
	"math/big"
	"time"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/google/uuid"
)

// fold applies messages, in the order of the log, to what is known of the
// entities they are about. It touches no database: what is to be written
// gathers in it, as sets.
type fold struct {
	layout *layout
	zone   *time.Location
	now    casm.Time
	// lacking are the entities of which versions may be missing: what the feed
	// does not have either is noted, not refused. nil: all.
	lacking map[entityKey]bool
	// passed is the transaction that the warehouse had reached: those behind it
	// are new to it.
	passed int64

	known map[entityKey]*facts

	archived     map[casm.Kind][][]sqldb.Value // refId, valid_to: present rows of the database that end
	past         map[casm.Kind][][]sqldb.Value
	touched      []*facts // entities with a new present row, in the order of their first
	transactions map[int64]*transaction
	order        []int64
	messages     [][]sqldb.Value
	dead         [][]sqldb.Value
	counts       map[countKey]int64
	balances     map[balanceKeyed]*balanceSums
	days         map[dayKey]*dayEvents
	facts        map[dayKey]*dayEvents
	usage        map[usageKey]*usageSums

	dated casm.Time // of which day is the date
	day   string

	applied    int64 // messages that took effect
	duplicates int64
}

type transaction struct {
	row      []sqldb.Value
	messages int64
}

type countKey struct {
	metric, key string
	test        bool
}

type balanceKeyed struct {
	service, unit, currency string
	test                    bool
}

type balanceSums struct {
	count           int64
	granted, actual big.Int
}

type dayKey struct {
	date, kind, segment, offer, accountType string
	test                                    bool
}

type dayEvents struct{ created, activated, suspended, deactivated int64 }

type usageKey struct {
	date, service, unit, currency, offer string
	test                                 bool
}

type usageSums struct {
	created              int64
	granted, added, used big.Int
}

func newFold(l *layout, zone *time.Location, now casm.Time, lacking map[entityKey]bool) *fold {
	return &fold{
		layout: l, zone: zone, now: now, lacking: lacking,
		known:    map[entityKey]*facts{},
		archived: map[casm.Kind][][]sqldb.Value{}, past: map[casm.Kind][][]sqldb.Value{},
		transactions: map[int64]*transaction{}, counts: map[countKey]int64{}, balances: map[balanceKeyed]*balanceSums{},
		days: map[dayKey]*dayEvents{}, facts: map[dayKey]*dayEvents{}, usage: map[usageKey]*usageSums{},
	}
}

// gapError: a version is missing between what is known and a message.
type gapError struct {
	key       entityKey
	have, got int64
	at        int64 // the position of the version that is there; 0: none is
}

func (e *gapError) Error() string {
	return fmt.Sprintf("%v %v: version %d follows version %d", e.key.kind, e.key.id, e.got, e.have)
}

// needs lists the entities that must be known before the changes are applied.
// Unless it is to be careful, a first version is taken to be of an entity that
// is not there; if it is, the database refuses it.
func (f *fold) needs(changes []*change, careful bool) map[casm.Kind][][]sqldb.Value {
	seen := map[entityKey]bool{}
	out := map[casm.Kind][][]sqldb.Value{}
	need := func(k entityKey) {
		if !seen[k] {
			seen[k] = true
			out[k.kind] = append(out[k.kind], []sqldb.Value{sqldb.UUID(k.id)})
		}
	}
	for _, c := range changes {
		if c.err != nil {
			continue
		}
		if c.version == 1 || c.kind == casm.KindBalance || c.Operation == moved {
			for _, k := range parents(c.entity) {
				need(k)
			}
		}
		if key := (entityKey{c.kind, c.refID}); c.version > 1 || c.threshold > 0 || careful {
			need(key)
		} else {
			seen[key] = true
		}
	}
	return out
}

// moved is the operation that can make test entities of an account, put below a
// test account, and all below it.
const moved = "updateAccountParent"

// know gives what is known of an entity, nothing at first.
func (f *fold) know(k entityKey) *facts {
	have := f.known[k]
	if have == nil {
		have = &facts{table: f.layout.entities[k.kind]}
		f.known[k] = have
	}
	return have
}

// apply applies one message.
func (f *fold) apply(c *change) error {
	if c.err != nil {
		f.setAside(c, c.err)
		return nil //nolint:nilerr // what is wrong was set aside
	}
	key := entityKey{c.kind, c.refID}
	have := f.know(key)
	if c.threshold > 0 {
		f.note(c) // no version: an extra message about one
		return nil
	}
	if c.version <= have.version {
		f.duplicates++
		return nil
	}
	if c.version > have.version+1 {
		gap := &gapError{key, have.version, c.version, have.at}
		if f.lacking != nil && !f.lacking[key] {
			return gap
		}
		// The feed does not have it either, or it was set aside. This version
		// is the whole entity: it holds, and what is missing is shown.
		f.setAside(c, gap)
	}
	f.note(c)
	f.advance(c, have)
	return nil
}

// advance makes a change's version the present one.
func (f *fold) advance(c *change, have *facts) {
	test := have.test
	if !have.exists || c.Operation == moved { // what is a test entity stays one
		test = test || isTest(c.entity)
		for _, k := range parents(c.entity) {
			test = test || f.know(k).test
		}
	}
	if is := &c.row[c.table.test]; is.Bool() != test {
		*is = sqldb.Bool(test)
		c.row[len(c.row)-1] = sqldb.Int(c.table.rowHash(c.row))
	}

	before, now := have.dims, dimsOf(c.entity)
	if c.kind == casm.KindBalance {
		for _, k := range parents(c.entity) {
			now.offer = f.know(k).dims.offer
		}
	}
	if have.exists {
		ended := sqldb.At(c.RecordedAt)
		if have.row != nil {
			f.past[c.kind] = append(f.past[c.kind], append(have.row, ended))
		} else {
			f.archived[c.kind] = append(f.archived[c.kind], []sqldb.Value{sqldb.UUID(c.refID), ended})
		}
		f.count(c.kind, before, have.test, -1)
	}
	f.count(c.kind, now, test, 1)
	f.happened(c, have.exists, before, now, test)

	if have.row == nil {
		f.touched = append(f.touched, have)
	}
	have.exists, have.version, have.test, have.dims, have.row, have.entity = true, c.version, test, now, c.row, c.entity
	have.at = c.Position.Transaction
}

// count adds an entity to, or takes it from, what there is.
func (f *fold) count(kind casm.Kind, d dims, test bool, n int64) {
	add := func(metric, key string) { f.counts[countKey{metric, key, test}] += n }
	switch kind {
	case casm.KindCustomer:
		add(customersByState, d.state)
		add(customersBySegment, d.segment)
	case casm.KindAccount:
		add(accountsByState, d.state)
	case casm.KindSubscriber:
		add(subscribersByState, d.state)
	case casm.KindOfferSubscription:
		add(subscriptionsByState, d.state)
		add(subscriptionsByOffer, d.offer)
	case casm.KindBalance:
		k := balanceKeyed{d.service, d.unit, d.currency, test}
		s := f.balances[k]
		if s == nil {
			s = &balanceSums{}
			f.balances[k] = s
		}
		s.count += n
		s.granted.Add(&s.granted, big.NewInt(n*d.granted))
		s.actual.Add(&s.actual, big.NewInt(n*d.actual))
	}
}

// happened adds what a change did to the figures of its day.
func (f *fold) happened(c *change, existed bool, before, now dims, test bool) {
	date := f.date(c.Timestamp)
	if c.kind == casm.KindBalance {
		f.used(date, existed, before, now, test)
		return
	}
	if c.entity.Top() == nil || existed && now.state == before.state {
		return
	}
	var e dayEvents
	if !existed {
		e.created = 1
	}
	switch now.state {
	case casm.Active:
		e.activated = 1
	case casm.Suspended:
		e.suspended = 1
	case casm.Deactivated:
		e.deactivated = 1
	}
	if e == (dayEvents{}) {
		return
	}
	kind := c.kind.String()
	addEvents(f.days, dayKey{date: date, kind: kind, test: test}, e)
	addEvents(f.facts, dayKey{date, kind, now.segment, now.offer, now.accountType, test}, e)
}

func addEvents(m map[dayKey]*dayEvents, k dayKey, e dayEvents) {
	d := m[k]
	if d == nil {
		d = &dayEvents{}
		m[k] = d
	}
	d.created += e.created
	d.activated += e.activated
	d.suspended += e.suspended
	d.deactivated += e.deactivated
}

func (f *fold) used(date string, existed bool, before, now dims, test bool) {
	if existed && now.actual == before.actual {
		return
	}
	k := usageKey{date, now.service, now.unit, now.currency, now.offer, test}
	s := f.usage[k]
	if s == nil {
		s = &usageSums{}
		f.usage[k] = s
	}
	switch change := big.NewInt(now.actual - before.actual); {
	case !existed:
		s.created++
		s.granted.Add(&s.granted, big.NewInt(now.granted))
	case change.Sign() > 0:
		s.added.Add(&s.added, change)
	default:
		s.used.Sub(&s.used, change)
	}
}

// date is the day of a time. Those of a transaction come one after another.
func (f *fold) date(t casm.Time) string {
	if f.dated != t || f.day == "" {
		f.dated, f.day = t, t.Std().In(f.zone).Format(time.DateOnly)
	}
	return f.day
}

// note records that a message took effect, and its transaction.
func (f *fold) note(c *change) {
	f.applied++
	f.messages = append(f.messages, c.note)
	t := f.transactions[c.Position.Transaction]
	if t == nil {
		t = &transaction{row: []sqldb.Value{
			sqldb.Int(c.Position.Transaction), sqldb.UUID(c.TransactionID), sqldb.OptStr(c.RequestID), sqldb.OptStr(c.Operation),
			sqldb.At(c.Timestamp), sqldb.Str(f.date(c.Timestamp)), sqldb.OptStr(c.Actor), sqldb.OptStr(c.Comment), sqldb.Null,
		}}
		f.transactions[c.Position.Transaction] = t
		f.order = append(f.order, c.Position.Transaction)
	}
	t.messages++
}

// setAside puts a message where it blocks nothing and is shown.
func (f *fold) setAside(c *change, reason error) {
	kind, id := sqldb.Null, sqldb.Null
	if c.kind != 0 {
		kind = sqldb.Str(c.kind.String())
	} else if c.Code != "" {
		kind = sqldb.Str(clean(c.Code))
	}
	if c.refID != uuid.Nil {
		id = sqldb.UUID(c.refID)
	}
	f.dead = append(f.dead, []sqldb.Value{
		sqldb.Str(c.place()), kind, id, optInt(c.version), sqldb.Str(clean(reason.Error())), sqldb.Str(clean(string(c.Body))), sqldb.At(f.now),
	})
}

// place names a message among those that were set aside.
func (c *change) place() string {
	if c.Position == (casm.Position{}) {
		return fmt.Sprintf("sequence:%d", c.Sequence)
	}
	return "position:" + c.Position.String()
}
