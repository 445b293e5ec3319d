package engine

import (
	"context"
	"slices"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// maxScan is how many rows a page of a list looks at (the architecture's bound).
const maxScan = 10_000

// List returns a page of entities as a JSON array, and where the next page
// goes on; nil at the end. A page may hold fewer than the limit.
func (e *Engine) List(ctx context.Context, q ListQuery) (items []byte, next *store.Cursor, err error) {
	err = e.store.View(ctx, func(r store.Reader) error {
		x, err := e.reading(ctx, r, 0, store.Needs{})
		if err != nil {
			return err
		}
		sq, err := x.storeQuery(&q)
		if err != nil {
			return err
		}
		page, err := r.List(ctx, sq)
		if err != nil {
			return err
		}
		next = page.Next
		var list []*command.Record
		for i := range page.Entities {
			record, err := x.listed(&page.Entities[i], &q)
			if err != nil {
				return err
			}
			if record != nil {
				list = append(list, record)
			}
		}
		items, err = x.documents(list)
		return err
	})
	return items, next, err
}

// storeQuery turns the query into one that the store can answer.
func (x *reading) storeQuery(q *ListQuery) (store.ListQuery, error) {
	sq := store.ListQuery{
		Kind: q.Kind, States: q.States, Reasons: q.Reasons, Segments: q.Segments, Offers: q.Offers,
		CustomNames: q.CustomNames, ExternalIDs: q.ExternalIDs,
		Customers: q.Customers, Accounts: q.Accounts, Subscribers: q.Subscribers,
		UpdatedSince: q.UpdatedSince, PlannedBefore: q.PlannedBefore, Test: q.Test,
		DueAt: x.now, After: q.After, Limit: q.Limit, Scan: maxScan,
	}
	for _, value := range q.Attributes {
		sq.Attributes = append(sq.Attributes, attributeHash(q.AttributeKey, value))
	}
	if len(q.Resources) == 0 {
		sq.ResourceTypes = q.ResourceTypes
		return sq, nil
	}
	types := q.ResourceTypes
	if len(types) == 0 {
		for _, item := range x.config.Items("resource-types") {
			types = append(types, item.Base().Code)
		}
	}
	sq.IDs = []uuid.UUID{}
	for _, t := range types {
		for _, value := range q.Resources {
			if r := x.view.ByResource(command.ResourceKey{Type: t, Value: value}); r != nil {
				above, _ := r.Superior()
				sq.IDs = append(sq.IDs, above.RefID)
			}
		}
	}
	return sq, x.present.err
}

// listed returns the row's entity with due plans in effect, or nil when it
// does not match then, or matched by the hash of an attribute only.
func (x *reading) listed(row *store.Entity, q *ListQuery) (*command.Record, error) {
	r, err := record(row)
	if err != nil {
		return nil, err
	}
	if _, due := command.NextDue(r, x.now); due {
		x.present.records[row.Key] = r
		if r = x.view.Get(row.Kind, row.RefID); x.present.err != nil || r == nil {
			return nil, x.present.err
		}
		s := r.Top().State
		if q.States != nil && !slices.Contains(q.States, s.State) ||
			q.Reasons != nil && !slices.Contains(q.Reasons, s.StateReason) ||
			q.PlannedBefore != 0 && (r.Planned() == 0 || r.Planned() >= q.PlannedBefore) {
			return nil, nil
		}
	}
	if q.Attributes != nil {
		value, has := r.Top().CustomAttributes[q.AttributeKey]
		if !has || !slices.Contains(q.Attributes, value) {
			return nil, nil
		}
	}
	return r, nil
}

// ListFilters are the query parameters that narrow a list of the kind, beside
// customAttributes.<key>.
func ListFilters(kind casm.Kind) []string {
	filters := []string{"state", "stateReason", "customName", "externalId", "updatedSince", "plannedBefore", "test"}
	if kind != casm.KindOfferSubscription {
		filters = append(filters, "segment")
	}
	switch kind {
	case casm.KindAccount:
		filters = append(filters, "customer", "account")
	case casm.KindSubscriber:
		filters = append(filters, "customer", "account", "resourceType", "resource")
	case casm.KindOfferSubscription:
		filters = append(filters, "customer", "account", "subscriber", "offer")
	}
	return filters
}
