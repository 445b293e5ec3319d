package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/warehouse"

	"github.com/google/uuid"
)

// ledger is a log of business transactions, made up: entities with versions, as
// the journal has them. It is the feed, and gives the messages of the stream.
type ledger struct {
	mu      sync.Mutex
	epoch   int64
	entries []store.Entry
	pages   int // how many were read
	broken  error
	damage  func(*store.Entry) // what the feed shows of a row, if not what it is

	rand     *rand.Rand
	now      casm.Time
	position int64 // of the last transaction
	changes  []store.Change
	tx       store.Transaction
	present  map[uuid.UUID]casm.Entity
	of       map[casm.Kind][]uuid.UUID
	customer map[uuid.UUID]uuid.UUID
}

var _ warehouse.Feed = (*ledger)(nil)

func newLedger(seed uint64) *ledger {
	return &ledger{
		epoch: 1, rand: rand.New(rand.NewPCG(seed, 7)), now: casm.TimeOf(time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)),
		present: map[uuid.UUID]casm.Entity{}, of: map[casm.Kind][]uuid.UUID{}, customer: map[uuid.UUID]uuid.UUID{},
	}
}

// Page implements warehouse.Feed.
func (l *ledger) Page(ctx context.Context, after casm.Position, limit int) (warehouse.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages++
	if l.broken != nil {
		return warehouse.Page{}, l.broken
	}
	low, high := 0, len(l.entries)
	for low < high {
		if mid := (low + high) / 2; l.entries[mid].Position.Compare(after) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	p := warehouse.Page{Epoch: l.epoch, Head: l.position}
	for _, e := range l.entries[low:min(low+limit, len(l.entries))] {
		p.Messages = append(p.Messages, l.message(e))
	}
	return p, ctx.Err()
}

// Sums implements warehouse.Feed.
func (l *ledger) Sums(_ context.Context, upTo casm.Position) (warehouse.Sums, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sums := warehouse.Sums{Epoch: l.epoch, Kinds: map[casm.Kind]casm.Sum{}}
	for _, e := range l.entries {
		if e.Threshold == 0 && e.Position.Compare(upTo) <= 0 {
			s := sums.Kinds[e.Kind]
			s.Add(e.Kind, e.RefID, e.Version)
			sums.Kinds[e.Kind] = s
		}
	}
	return sums, nil
}

// breaks lets the feed fail, or work again.
func (l *ledger) breaks(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = nil
	if broken {
		l.broken = errors.New("the feed is broken")
	}
}

// message is what the feed tells of an entry.
func (l *ledger) message(e store.Entry) warehouse.Message {
	if l.damage != nil {
		l.damage(&e)
	}
	t := &e.Transaction
	return warehouse.Message{
		Position: e.Position, TransactionID: t.ID, RequestID: t.RequestID, Operation: t.Operation, Actor: t.Actor, Comment: t.Comment,
		Timestamp: t.At, RecordedAt: e.At, Code: e.Kind.MessageCode(), Event: e.Event, Body: relay.Body(e),
	}
}

// begin begins a transaction.
func (l *ledger) begin(operation string) {
	l.now = l.now.Add(time.Duration(l.rand.IntN(40)) * time.Second)
	l.tx = store.Transaction{ID: uuid.Must(uuid.NewV7()), RequestID: fmt.Sprintf("r%d", l.position+1), Operation: operation, At: l.now, Actor: "tester"}
	if l.rand.IntN(4) == 0 {
		l.tx.Comment = "because \"of\" it\n"
	}
}

// put records a version of an entity.
func (l *ledger) put(e casm.Entity, event string) {
	b := e.Base()
	at := l.now.Add(time.Duration(b.Version%3) * time.Microsecond)
	if b.RefID == uuid.Nil {
		b.RefID = uuid.Must(uuid.NewV7())
		l.of[e.Kind()] = append(l.of[e.Kind()], b.RefID)
		l.customer[b.RefID] = b.RefID
		if above, _ := e.Superior(); above != nil {
			l.customer[b.RefID] = l.customer[above.RefID]
		}
	}
	b.Version++
	if top := e.Top(); top != nil {
		if b.Version == 1 {
			top.CreatedAt = at
		}
		top.UpdatedAt = at
	}
	doc, err := casm.EncodeEntity(e)
	if err != nil {
		panic(err)
	}
	l.present[b.RefID] = e
	l.changes = append(l.changes, store.Change{
		Key: store.Key{Kind: e.Kind(), RefID: b.RefID}, Version: b.Version, Customer: l.customer[b.RefID], Event: event, At: at, Doc: doc,
	})
}

// commit adds the transaction to the log, all at once.
func (l *ledger) commit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position++
	for i, c := range l.changes {
		l.entries = append(l.entries, store.Entry{
			Position: casm.Position{Transaction: l.position, Ordinal: int64(i)}, Transaction: l.tx, Change: c,
		})
	}
	l.changes = nil
}

func (l *ledger) state() casm.State {
	s := []string{casm.Active, casm.Active, casm.Inactive, casm.Suspended}[l.rand.IntN(4)]
	return casm.State{State: s, StateReason: "dflt" + s, StateValidFrom: l.now}
}

func (l *ledger) attributes() map[string]string {
	m := map[string]string{}
	for range l.rand.IntN(3) {
		m[fmt.Sprintf("key%d", l.rand.IntN(4))] = fmt.Sprintf("välue\n%d", l.rand.IntN(100))
	}
	return m
}

// pick gives one of a kind, the zero id when there is none.
func (l *ledger) pick(kind casm.Kind) uuid.UUID {
	if all := l.of[kind]; len(all) > 0 {
		return all[l.rand.IntN(len(all))]
	}
	return uuid.Nil
}

func (l *ledger) ref(id uuid.UUID) casm.Ref {
	r := casm.Ref{RefID: id}
	if top := l.present[id].Top(); top != nil {
		r.ExternalID = top.ExternalID
	}
	return r
}

// createCustomer makes a customer with what stands below: account, subscriber,
// resource, subscription, balance, in one transaction.
func (l *ledger) createCustomer() {
	l.begin("createCustomer")
	c := &casm.Customer{CustomerSegment: []string{"", "b2b", "b2c"}[l.rand.IntN(3)], TestCustomer: l.rand.IntN(8) == 0}
	c.State, c.CustomName, c.CustomAttributes = l.state(), fmt.Sprintf("Customer %d", l.position), l.attributes()
	if l.rand.IntN(2) == 0 {
		c.ExternalID = fmt.Sprintf("c%d", l.position)
	}
	l.put(c, "created")
	a := &casm.Account{
		Customer: l.ref(c.RefID), AccountType: []string{"payer", "technical"}[l.rand.IntN(2)], BillCycle: "monthly", Currency: "EUR",
		TestAccount: c.TestCustomer || l.rand.IntN(10) == 0, PaymentResponsible: true,
	}
	a.State = l.state()
	l.put(a, "created")
	s := &casm.Subscriber{Customer: l.ref(c.RefID), Account: l.ref(a.RefID), SubscriberSegment: "mobile"}
	s.State = l.state()
	l.put(s, "created")
	l.put(&casm.SubscriberResource{Subscriber: l.ref(s.RefID), ResourceType: "msisdn", Resource: fmt.Sprintf("43%d", l.position), Primary: true, ValidFrom: l.now}, "created")
	o := &casm.OfferSubscription{Subscriber: l.ref(s.RefID), Offer: fmt.Sprintf("offer%d", l.rand.IntN(5)), OfferVersion: 1, Priority: 7, Services: []casm.Service{
		{Service: "data", Kind: "balance", Attributes: casm.Scalars{"grantedBalance": casm.Raw("1000")}},
	}}
	o.State = l.state()
	l.put(o, "created")
	b := &casm.Balance{OfferSubscription: l.ref(o.RefID), Service: "data", UnitOfMeasure: "OCTET", GrantedBalance: casm.MaxInteger, ActualBalance: casm.MaxInteger, ValidFrom: l.now}
	if l.rand.IntN(2) == 0 {
		b = &casm.Balance{OfferSubscription: l.ref(o.RefID), Service: "money", Currency: "EUR", GrantedBalance: 5_000_000, ActualBalance: 5_000_000, ValidFrom: l.now}
	}
	l.put(b, "created")
}

// change makes one or more new versions of what there is.
func (l *ledger) change() {
	l.begin("update")
	for range 1 + l.rand.IntN(3) {
		kind := casm.Kinds[l.rand.IntN(len(casm.Kinds))]
		id := l.pick(kind)
		if id == uuid.Nil {
			continue
		}
		doc, err := casm.EncodeEntity(l.present[id])
		if err != nil {
			panic(err)
		}
		e, err := casm.DecodeEntity(kind, doc)
		if err != nil {
			panic(err)
		}
		event := "updated"
		switch e := e.(type) {
		case *casm.Balance:
			e.ActualBalance = l.rand.Int64N(e.GrantedBalance)
		case *casm.SubscriberResource:
			e.ValidTo, event = l.now, "ended"
		default:
			event = l.edit(e)
		}
		l.put(e, event)
		if b, ok := e.(*casm.Balance); ok && l.rand.IntN(2) == 0 {
			doc, _ := casm.EncodeEntity(b)
			l.changes = append(l.changes, store.Change{
				Key: store.Key{Kind: kind, RefID: id}, Version: b.Version, Customer: l.customer[id], Event: "thresholdReached", At: l.now, Threshold: 2, Doc: doc,
			})
		}
	}
}

// edit changes an entity with a life cycle and returns the event.
func (l *ledger) edit(e casm.Entity) string {
	top := e.Top()
	switch l.rand.IntN(5) {
	case 0:
		top.State = l.state()
		return "stateChanged"
	case 1:
		top.State = casm.State{State: casm.Deactivated, StateReason: "dfltDeactivated", StateValidFrom: l.now}
		return "stateChanged"
	case 2:
		top.CustomAttributes = l.attributes()
	case 3:
		if s := e.SegmentCode(); s != nil {
			*s = []string{"", "b2b", "gold"}[l.rand.IntN(3)]
		}
	default:
		top.PlannedState = &casm.State{State: casm.Active, StateReason: "x", StateValidFrom: l.now.Add(time.Hour), Pending: true, TransactionID: l.tx.ID}
		top.CustomName = fmt.Sprintf("name %d", l.position)
		return "stateChangePlanned"
	}
	return "updated"
}

// grow adds transactions, some of them without messages.
func (l *ledger) grow(n int) {
	for range n {
		switch l.rand.IntN(10) {
		case 0:
			l.begin("changedNothing")
		case 1, 2, 3:
			l.createCustomer()
		default:
			l.change()
		}
		l.commit()
	}
}

// switchable is a feed that becomes another.
type switchable struct {
	mu sync.Mutex
	warehouse.Feed
}

func (s *switchable) get() warehouse.Feed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Feed
}

func (s *switchable) set(f warehouse.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Feed = f
}

func (s *switchable) Page(ctx context.Context, after casm.Position, limit int) (warehouse.Page, error) {
	return s.get().Page(ctx, after, limit)
}

func (s *switchable) Sums(ctx context.Context, upTo casm.Position) (warehouse.Sums, error) {
	return s.get().Sums(ctx, upTo)
}
