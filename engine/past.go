package engine

import (
	"cmp"
	"iter"
	"slices"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/google/uuid"
)

// pastView is a command.View of what was recorded at or before an instant, from
// the journal. External ids resolve as they do at present (contract rule 24).
type pastView struct {
	present *source
	at      casm.Time
	records map[store.Key]*command.Record
}

func (p *pastView) load(keys []store.Key) {
	var unknown []store.Key
	for _, k := range keys {
		if _, ok := p.records[k]; !ok {
			p.records[k] = nil
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 || p.present.err != nil {
		return
	}
	changes, err := p.present.reader.AsOf(p.present.ctx, unknown, p.at)
	if err != nil {
		p.present.fail(err)
		return
	}
	for _, c := range changes {
		entity, err := casm.DecodeEntity(c.Kind, c.Doc)
		if err != nil {
			p.present.fail(err)
			return
		}
		p.records[c.Key] = &command.Record{Entity: entity, Customer: c.Customer}
	}
}

// Get implements command.View.
func (p *pastView) Get(kind casm.Kind, id uuid.UUID) *command.Record {
	key := store.Key{Kind: kind, RefID: id}
	p.load([]store.Key{key})
	return p.records[key]
}

// ByExternalID implements command.View.
func (p *pastView) ByExternalID(kind casm.Kind, externalID string) *command.Record {
	if r := p.present.ByExternalID(kind, externalID); r != nil {
		return p.Get(kind, r.ID())
	}
	return nil
}

// ByResource implements command.View. Nothing that is due looks at it.
func (p *pastView) ByResource(command.ResourceKey) *command.Record { return nil }

// Children implements command.View.
func (p *pastView) Children(of uuid.UUID, kind casm.Kind) iter.Seq[*command.Record] {
	return func(yield func(*command.Record) bool) {
		q := store.ChildQuery{Of: of, Kind: kind, CreatedBefore: p.at, Limit: childPage}
		for p.present.err == nil {
			rows, err := p.present.reader.Children(p.present.ctx, q)
			if err != nil {
				p.present.fail(err)
				return
			}
			for _, r := range p.past(rows) {
				if r.Above() == of && !yield(r) {
					return
				}
			}
			if len(rows) < childPage {
				return
			}
			q.After = rows[len(rows)-1].RefID
		}
	}
}

// past returns the rows' entities as they were, in their order.
func (p *pastView) past(rows []store.Entity) []*command.Record {
	keys := make([]store.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	p.load(keys)
	var out []*command.Record
	for _, k := range keys {
		if r := p.records[k]; r != nil {
			out = append(out, r)
		}
	}
	return out
}

// children returns an included list: deactivated ones last, then by refId, up
// to maxIncluded, and whether there are more (contract 2). deep gives all of a
// customer's accounts instead of what is directly below.
func (x *reading) children(of *command.Record, kind casm.Kind, deep bool) ([]*command.Record, bool, error) {
	list, err := x.below(of, kind, deep)
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(list, func(a, b *command.Record) int {
		if a.Deactivated() != b.Deactivated() {
			if a.Deactivated() {
				return 1
			}
			return -1
		}
		return compareID(a.ID(), b.ID())
	})
	if len(list) > maxIncluded {
		return list[:maxIncluded], true, nil
	}
	return list, false, nil
}

func compareID(a, b uuid.UUID) int { return cmp.Compare(string(a[:]), string(b[:])) }

func (x *reading) validChildren(of *command.Record, kind casm.Kind) ([]*command.Record, bool, error) {
	list, err := x.below(of, kind, false)
	list = slices.DeleteFunc(list, func(r *command.Record) bool { return !valid(r, x.now) })
	if len(list) > maxIncluded {
		return list[:maxIncluded], true, err
	}
	return list, false, err
}

// below returns what stood below the entity at the instant, by refId, due
// changes shown; of present lists so many that it is clear that there are more
// than maxIncluded.
func (x *reading) below(of *command.Record, kind casm.Kind, deep bool) ([]*command.Record, error) {
	q := store.ChildQuery{Of: of.ID(), Deep: deep, Kind: kind, Limit: maxIncluded + 1, DeactivatedLast: true}
	past, _ := x.pastView()
	if past != nil {
		// who stood below then is known only from each one's journal; accounts may have moved
		q.DeactivatedLast, q.CreatedBefore, q.Limit = false, past.at, childPage
		if kind == casm.KindAccount && !deep {
			q.Of, q.Deep = of.Customer, true
		}
	}
	var out []*command.Record
	living, ended := 0, 0
	for {
		rows, err := x.reader.Children(x.ctx, q)
		if err != nil {
			return nil, err
		}
		if past != nil {
			past.past(rows) // read them at once
		} else {
			for i := range rows {
				r, err := record(&rows[i])
				if err != nil {
					return nil, err
				}
				if x.present.records[rows[i].Key] == nil {
					x.present.records[rows[i].Key] = r
				}
			}
		}
		for i := range rows {
			r := x.view.Get(rows[i].Kind, rows[i].RefID)
			if r == nil || !deep && r.Above() != of.ID() {
				continue
			}
			if r.Deactivated() {
				if ended++; past != nil && ended > maxIncluded+1 {
					continue // living ones may follow, which come first
				}
			} else {
				living++
			}
			out = append(out, r)
		}
		if past == nil || len(rows) < q.Limit || living > maxIncluded {
			return out, x.present.err
		}
		q.After = rows[len(rows)-1].RefID
	}
}

func (x *reading) pastView() (*pastView, bool) {
	if !x.asOf {
		return nil, false
	}
	p, ok := x.layer.Below().(*pastView)
	return p, ok
}
