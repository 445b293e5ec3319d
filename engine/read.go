package engine

import (
	"context"
	"maps"
	"slices"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// Reads are the reads of one entity (contract 2).
var Reads = []*Read{
	{
		ID: "readCustomer", Path: "/customers/read", Summary: "Reads a customer.", Kind: casm.KindCustomer,
		Flags: []string{"stateHistory", "segmentHistory", "accounts", "offers"},
	},
	{
		ID: "readAccount", Path: "/accounts/read", Summary: "Reads an account.", Kind: casm.KindAccount,
		Flags: []string{"stateHistory", "segmentHistory", "billCycleHistory", "parentHistory", "subscribers", "subordinates", "offers"},
	},
	{
		ID: "readSubscriber", Path: "/subscribers/read", Summary: "Reads a subscriber, also by one of its resources.", Kind: casm.KindSubscriber,
		Flags: []string{"stateHistory", "segmentHistory", "resources", "offers"}, ByResource: true,
	},
	{
		ID: "readSubscription", Path: "/subscriptions/read", Summary: "Reads a subscription.", Kind: casm.KindOfferSubscription,
		Flags: []string{"stateHistory", "balances"},
	},
}

// maxIncluded is how many entities an included list holds (contract 2).
const maxIncluded = 1000

// reading is one read under way: a view of what held at an instant.
type reading struct {
	e       *Engine
	ctx     context.Context
	reader  store.Reader
	now     casm.Time
	asOf    bool
	present *source // what holds at present, by which references resolve
	layer   *command.Layer
	view    *dueView
	config  *casm.Snapshot
	// overdue are due changes that are shown but not recorded yet, by entity.
	overdue map[uuid.UUID][]virtual
	// externalIDs are present external ids that were looked up together.
	externalIDs map[uuid.UUID]string
}

// virtual is a due change that was met by the read.
type virtual struct {
	transactionID uuid.UUID
	change        command.Change
}

func (e *Engine) reading(ctx context.Context, r store.Reader, asOf casm.Time, needs store.Needs) (*reading, error) {
	l, err := r.Load(ctx, needs)
	if err != nil {
		return nil, err
	}
	config, err := e.snapshot(ctx, r, l.Head.Config)
	if err != nil {
		return nil, err
	}
	x := &reading{
		e: e, ctx: ctx, reader: r, now: l.Now, config: config,
		present: newSource(ctx, r), overdue: map[uuid.UUID][]virtual{},
	}
	x.present.take(needs, l)
	var below command.View = x.present
	if asOf != 0 {
		if asOf > l.Now {
			return nil, casm.Violations{{Code: casm.OutOfRange, Pointer: "asOf", Detail: "asOf lies in the future; it is " + l.Now.String() + " now"}}
		}
		x.now, x.asOf = asOf, true
		below = &pastView{present: x.present, at: asOf, records: map[store.Key]*command.Record{}}
	}
	x.layer = command.NewLayer(below)
	x.view = &dueView{layer: x.layer, now: x.now}
	x.view.apply = func(r *command.Record, due command.DueChange) []command.Change {
		env, changes := decideDue(x.layer, command.Env{Config: config, Zone: e.zone, NewID: newID}, r, due)
		for _, c := range changes {
			x.overdue[c.After.ID()] = append(x.overdue[c.After.ID()], virtual{env.TransactionID, c})
		}
		return changes
	}
	return x, x.present.err
}

func needsOfRef(kind casm.Kind, ref casm.Ref) (n store.Needs) {
	if ref.ExternalID != "" {
		n.Claims = append(n.Claims, store.ExternalID(kind, ref.ExternalID))
	}
	if !ref.IsIDZero() {
		n.Entities = append(n.Entities, store.Key{Kind: kind, RefID: ref.RefID})
	}
	return n
}

// find resolves what a query names, as query parameters, to a record that
// existed at the instant.
func (x *reading) find(kind casm.Kind, ref casm.Ref) (*command.Record, error) {
	id := ref.RefID
	if ref.ExternalID != "" {
		r := x.present.ByExternalID(kind, ref.ExternalID)
		switch {
		case x.present.err != nil:
			return nil, x.present.err
		case r == nil && (id == uuid.Nil || x.view.Get(kind, id) == nil):
			return nil, notFound("externalId", "there is no "+kind.String()+" with this externalId")
		case id != uuid.Nil && (r == nil || id != r.ID()):
			return nil, casm.Violations{{Code: casm.AmbiguousReference, Pointer: "refId", Detail: "refId and externalId are of different entities; give one of them"}}
		}
		id = r.ID()
	}
	r := x.view.Get(kind, id)
	if x.present.err != nil {
		return nil, x.present.err
	}
	if r == nil {
		pointer := "refId"
		if ref.ExternalID != "" {
			pointer = "externalId"
		}
		detail := "there is no " + kind.String() + " with this id"
		if x.asOf {
			detail += ", or there was none yet at that time"
		}
		return nil, notFound(pointer, detail)
	}
	return r, nil
}

func notFound(pointer, detail string) error {
	return casm.Violations{{Code: casm.NotFound, Pointer: pointer, Detail: detail}}
}

// findByResource resolves a resource value to the subscriber that had it.
func (x *reading) findByResource(key command.ResourceKey) (*command.Record, error) {
	missing := notFound("resource", "no subscriber has this resource; name it by resourceType and resource")
	var resource *command.Record
	if !x.asOf {
		resource = x.view.ByResource(key)
	} else {
		rows, err := x.reader.ByLookupKey(x.ctx, casm.KindSubscriberResource, key.Type+store.Separator+key.Value)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			r, err := record(&rows[i])
			if err != nil {
				return nil, err
			}
			above, kind := r.Superior()
			x.view.Get(kind, above.RefID) // what is due of the subscriber may have ended it
			if r = x.view.Get(r.Kind(), r.ID()); r != nil && valid(r, x.now) {
				resource = r
			}
		}
	}
	if x.present.err != nil {
		return nil, x.present.err
	}
	if resource == nil {
		return nil, missing
	}
	above, kind := resource.Superior()
	if r := x.view.Get(kind, above.RefID); r != nil {
		return r, nil
	}
	return nil, missing
}

// Read reads one entity. Errors: casm.Violations with not_found,
// ambiguous_reference or out_of_range, and faults of our own.
func (e *Engine) Read(ctx context.Context, q Query) (answer *Answer, err error) {
	if answer, err = e.find(ctx, &q); answer != nil || err != nil {
		return answer, err
	}
	return e.readWhole(ctx, q)
}

// readWhole is Read where one look-up is not enough.
func (e *Engine) readWhole(ctx context.Context, q Query) (answer *Answer, err error) {
	needs := needsOfRef(q.Read.Kind, q.Ref)
	if q.Ref.IsZero() {
		needs.Claims = append(needs.Claims, store.Resource(q.Resource.Type, q.Resource.Value))
	}
	err = e.store.View(ctx, func(r store.Reader) error {
		x, err := e.reading(ctx, r, q.AsOf, needs)
		if err != nil {
			return err
		}
		var found *command.Record
		if q.Ref.IsZero() {
			found, err = x.findByResource(q.Resource)
		} else {
			found, err = x.find(q.Read.Kind, q.Ref)
		}
		if err != nil {
			return err
		}
		body, err := x.document(found)
		if err != nil {
			return err
		}
		for _, flag := range q.Read.Flags {
			if !q.Flags[flag] {
				continue
			}
			if body, err = x.include(body, found, flag); err != nil {
				return err
			}
		}
		answer = &Answer{Body: body, ETag: found.Base().Version}
		return x.present.err
	})
	return answer, err
}

// document returns an entity's JSON; reads of the present give references
// their present external ids (contract 1).
func (x *reading) document(r *command.Record) ([]byte, error) {
	if x.asOf {
		return casm.EncodeEntity(r.Entity)
	}
	stale := false
	for _, ref := range casm.References(r.Entity) {
		stale = stale || x.externalID(ref) != ref.ExternalID
	}
	if stale {
		r = r.Copy()
		for _, ref := range casm.References(r.Entity) {
			ref.ExternalID = x.externalID(ref)
		}
	}
	return casm.EncodeEntity(r.Entity)
}

// externalID returns the present external id of what is referred to.
func (x *reading) externalID(ref casm.Reference) string {
	if id, known := x.externalIDs[ref.RefID]; known {
		return id
	}
	if to := x.layer.Get(ref.Kind, ref.RefID); to != nil {
		return to.ExternalID()
	}
	return ref.ExternalID
}

// lookUpReferences finds the external ids of all that the records refer to at once.
func (x *reading) lookUpReferences(list []*command.Record) error {
	var keys []store.Key
	x.externalIDs = map[uuid.UUID]string{}
	for _, r := range list {
		for _, ref := range casm.References(r.Entity) {
			if _, known := x.externalIDs[ref.RefID]; !known {
				x.externalIDs[ref.RefID] = ""
				keys = append(keys, store.Key{Kind: ref.Kind, RefID: ref.RefID})
			}
		}
	}
	found, err := x.reader.ExternalIDs(x.ctx, keys)
	maps.Copy(x.externalIDs, found)
	return err
}

// include puts one view into a document.
func (x *reading) include(body []byte, r *command.Record, flag string) ([]byte, error) {
	var list []*command.Record
	var truncated bool
	var err error
	switch flag {
	case "stateHistory", "segmentHistory", "billCycleHistory", "parentHistory":
		value, err := x.timeLine(r, timeLines[flag])
		if err != nil {
			return nil, err
		}
		return appendMember(make([]byte, 0, len(body)+len(value)+64), body, flag, value), nil
	case "accounts":
		list, truncated, err = x.children(r, casm.KindAccount, true)
	case "subordinates":
		list, truncated, err = x.children(r, casm.KindAccount, false)
	case "subscribers":
		list, truncated, err = x.children(r, casm.KindSubscriber, false)
	case "offers":
		list, truncated, err = x.children(r, casm.KindOfferSubscription, false)
	case "resources":
		list, truncated, err = x.validChildren(r, casm.KindSubscriberResource)
	case "balances":
		list, truncated, err = x.validChildren(r, casm.KindBalance)
	}
	if err != nil {
		return nil, err
	}
	items, err := x.documents(list)
	if err != nil {
		return nil, err
	}
	body = appendMember(make([]byte, 0, len(body)+len(items)+64), body, flag, items)
	if truncated {
		body = appendMember(nil, body, flag+"Truncated", []byte("true"))
	}
	return body, nil
}

func (x *reading) documents(list []*command.Record) ([]byte, error) {
	if !x.asOf {
		if err := x.lookUpReferences(list); err != nil {
			return nil, err
		}
	}
	docs := make([][]byte, len(list))
	for i, r := range list {
		var err error
		if docs[i], err = x.document(r); err != nil {
			return nil, err
		}
	}
	return appendList(nil, docs), x.present.err
}

// ReadResources reads the resources of a subscriber: {"items": […]}.
func (e *Engine) ReadResources(ctx context.Context, q ResourceQuery) (answer *Answer, err error) {
	err = e.store.View(ctx, func(r store.Reader) error {
		x, err := e.reading(ctx, r, q.AsOf, needsOfRef(casm.KindSubscriber, q.Ref))
		if err != nil {
			return err
		}
		if q.ResourceType != "" && x.config.Item("resource-types", q.ResourceType) == nil {
			return casm.Violations{{Code: casm.NotConfigured, Pointer: "resourceType", Detail: "this resource type is not configured; /v1/config/resource-types lists the codes"}}
		}
		s, err := x.find(casm.KindSubscriber, q.Ref)
		if err != nil {
			return err
		}
		list, err := x.below(s, casm.KindSubscriberResource, false)
		if err != nil {
			return err
		}
		var chosen []*command.Record
		for _, r := range list {
			e := r.Entity.(*casm.SubscriberResource)
			if (q.ResourceType == "" || e.ResourceType == q.ResourceType) && (q.HistoryIncluded || valid(r, x.now)) {
				chosen = append(chosen, r)
			}
		}
		items, err := x.documents(chosen)
		answer = &Answer{Body: append(append([]byte(`{"items":`), items...), '}'), ETag: s.Base().Version}
		return err
	})
	return answer, err
}

// ReadBalances reads the balances of a subscription, expired ones included:
// {"items": […]}, or with a service the one balance. Errors as of Read, and
// no_such_balance.
func (e *Engine) ReadBalances(ctx context.Context, q BalanceQuery) (answer *Answer, err error) {
	err = e.store.View(ctx, func(r store.Reader) error {
		x, err := e.reading(ctx, r, q.AsOf, needsOfRef(casm.KindOfferSubscription, q.Ref))
		if err != nil {
			return err
		}
		s, err := x.find(casm.KindOfferSubscription, q.Ref)
		if err != nil {
			return err
		}
		list, err := x.below(s, casm.KindBalance, false)
		if err != nil {
			return err
		}
		answer = &Answer{ETag: s.Base().Version}
		if q.Service != "" {
			list = slices.DeleteFunc(list, func(b *command.Record) bool { return b.Entity.(*casm.Balance).Service != q.Service })
		}
		switch {
		case q.Service != "" && len(list) == 0:
			return casm.Violations{{Code: casm.NoSuchBalance, Pointer: "service", Detail: "the subscription has no balance of this service"}}
		case q.Service != "" && !q.List:
			answer.Body, err = x.document(list[0])
			return err
		}
		items, err := x.documents(list)
		answer.Body = append(append([]byte(`{"items":`), items...), '}')
		return err
	})
	return answer, err
}
