package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"

	"casm"
	"casm/command"

	"github.com/google/uuid"
)

// dueView is a view in which due plans have taken effect. apply makes one due
// change hold in the layer.
type dueView struct {
	layer *command.Layer
	now   casm.Time
	apply func(*command.Record, command.DueChange) []command.Change
}

// settle applies what is due of the entity and returns it as it is then.
func (v *dueView) settle(r *command.Record) *command.Record {
	for r != nil {
		due, is := command.NextDue(r, v.now)
		if !is {
			return r
		}
		v.layer.Merge(v.apply(r, due))
		r = v.layer.Get(r.Kind(), r.ID())
	}
	return nil
}

// Get implements command.View.
func (v *dueView) Get(kind casm.Kind, id uuid.UUID) *command.Record {
	return v.settle(v.layer.Get(kind, id))
}

// ByExternalID implements command.View.
func (v *dueView) ByExternalID(kind casm.Kind, externalID string) *command.Record {
	return v.settle(v.layer.ByExternalID(kind, externalID))
}

// ByResource implements command.View. Whether a resource is valid depends on
// what is due of its subscriber.
func (v *dueView) ByResource(key command.ResourceKey) *command.Record {
	r := v.layer.ByResource(key)
	if r == nil {
		return nil
	}
	above, kind := r.Superior()
	v.Get(kind, above.RefID)
	return v.layer.ByResource(key)
}

// Children implements command.View.
func (v *dueView) Children(of uuid.UUID, kind casm.Kind) iter.Seq[*command.Record] {
	return func(yield func(*command.Record) bool) {
		for r := range v.layer.Children(of, kind) {
			if r = v.settle(r); r != nil && !yield(r) {
				return
			}
		}
	}
}

// decideDue decides a due change. It is the same whenever it is looked at:
// time, version and transaction id follow from the plan (contract rule 20).
func decideDue(view command.View, env command.Env, r *command.Record, due command.DueChange) (command.Env, []command.Change) {
	env.View = view
	env.Now = due.At
	if top := r.Top(); top != nil {
		env.Now = max(due.At, top.UpdatedAt+1)
	}
	env.TransactionID = dueTransactionID(r, env.Now)
	d := command.NewDecision(env)
	command.DecideDue(d, r, due)
	return env, d.Finish()
}

// dueTransactionID gives the id of the transaction that records a due change:
// a UUIDv7 of its time whose other bits follow from entity and version.
func dueTransactionID(r *command.Record, at casm.Time) uuid.UUID {
	id := r.ID()
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(id[:], uint64(r.Base().Version)))
	var out uuid.UUID
	copy(out[:], hash[:16])
	ms := uint64(at.UnixMicro() / 1000)
	for i := range 6 {
		out[i] = byte(ms >> (8 * (5 - i)))
	}
	out[6] = out[6]&0x0f | 0x70
	out[8] = out[8]&0x3f | 0x80
	return out
}
