package endpoints

import (
	"context"
	"errors"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// Status is how far an endpoint is, of all servers together.
type Status struct {
	// State is as the configuration or who works on it has it.
	State  State
	Holder string // who works on it, or did last
	// Position is up to where all is done, but for who is behind.
	Position        casm.Position
	LagTransactions int64
	LagSeconds      float64
	LastError       string // also when all is well since
	LastErrorAt     casm.Time
	Behind, Parked  int
}

// Status tells how far each of some endpoints is, in one look at the store.
func (e *Endpoints) Status(ctx context.Context, list ...*casm.PubSubEndpoint) (all []Status, err error) {
	err = e.o.Log.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		for _, p := range list {
			s, err := e.statusOf(ctx, r, p, head)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

func (e *Endpoints) statusOf(ctx context.Context, r store.Reader, p *casm.PubSubEndpoint, head store.Head) (s Status, err error) {
	progress, err := r.Progress(ctx, keyOf(p.Code))
	if err != nil || progress == nil {
		return s, err
	}
	state := stateOf(progress.Doc)
	s = Status{
		State: state.State, Holder: state.Holder, Position: progress.After,
		LastError: state.Error, LastErrorAt: state.ErrorAt, Behind: progress.Behind, Parked: progress.Parked,
	}
	if !Active(p) {
		s.State = Paused
	}
	next, err := r.Feed(ctx, progress.After, store.FeedFilter{}, 1)
	if err == nil && len(next) > 0 {
		s.LagTransactions = head.Position - next[0].Position.Transaction + 1
		s.LagSeconds = max(e.now().Sub(next[0].Transaction.At), 0).Seconds()
	}
	return s, err
}

// Customer is a customer that is behind.
type Customer struct {
	Customer   uuid.UUID
	ExternalID string
	// After is behind which of its messages it waits.
	After    casm.Position
	Parked   bool
	Since    casm.Time // of the first failure in a row; zero: none since it was resumed
	Attempts int
	Error    string
}

// Behind lists customers that are behind, by refId.
func (e *Endpoints) Behind(ctx context.Context, code string, q store.BehindQuery) (list []Customer, err error) {
	err = e.o.Log.View(ctx, func(r store.Reader) error {
		stored, err := r.Behind(ctx, keyOf(code), q)
		if err != nil {
			return err
		}
		keys := make([]store.Key, len(stored))
		for i, s := range stored {
			keys[i] = store.Key{Kind: casm.KindCustomer, RefID: s.Customer}
		}
		names, err := r.ExternalIDs(ctx, keys)
		for _, s := range stored {
			b := behindOf(s)
			list = append(list, Customer{b.customer, names[b.customer], b.after, b.parked, b.Since, b.Attempts, b.Error})
		}
		return err
	})
	return list, err
}

// ErrNoProgress: the endpoint is being made or deleted.
var ErrNoProgress = errors.New("endpoints: there is no such endpoint")

// change changes how far an endpoint is, whoever works on it: that one finds
// out within a second, and goes on from there.
func (e *Endpoints) change(ctx context.Context, code string, fn func(r store.Reader, p *store.ProgressChange) error) error {
	key := keyOf(code)
	_, err := e.o.Log.Commit(ctx, store.Needs{}, func(r store.Reader, _ *store.Loaded) (*store.WriteSet, error) {
		p, err := r.Progress(ctx, key)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, ErrNoProgress
		}
		c := store.ProgressChange{Progress: *p}
		if err := fn(r, &c); err != nil {
			return nil, err
		}
		c.Version++
		return &store.WriteSet{Progress: []store.ProgressChange{c}}, nil
	})
	return err
}

// Resume lets parked customers be tried again, one or all, and returns how many.
func (e *Endpoints) Resume(ctx context.Context, code string, customer *uuid.UUID) (n int, err error) {
	err = e.change(ctx, code, func(r store.Reader, p *store.ProgressChange) error {
		n = 0
		all, err := allBehind(ctx, r, p.CodeKey)
		for _, s := range all {
			if s.Parked && (customer == nil || s.Customer == *customer) {
				b := behindOf(s)
				b.parked, b.Since, b.Attempts = false, 0, 0
				p.Put = append(p.Put, b.stored())
				n++
			}
		}
		return err
	})
	return n, err
}

// Errors of Replay.
var (
	ErrAhead      = errors.New("endpoints: the position is ahead of the endpoint")
	ErrBehindHead = errors.New("endpoints: the position is behind the end of the log")
)

// Replay sends again what follows a position: everything, which must not lie
// ahead of the endpoint, or one customer's messages. A customer that is behind
// can be set ahead, too: so what its receiver will never take is given up.
func (e *Endpoints) Replay(ctx context.Context, code string, after casm.Position, customer *uuid.UUID) error {
	return e.change(ctx, code, func(r store.Reader, p *store.ProgressChange) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		if after.Transaction > head.Position {
			return ErrBehindHead
		}
		all, err := allBehind(ctx, r, p.CodeKey)
		if err != nil {
			return err
		}
		if customer != nil {
			b := &behind{customer: *customer}
			for _, s := range all {
				if s.Customer == *customer {
					b = behindOf(s)
				}
			}
			b.after, b.parked, b.Last = after, false, later(b.Last, p.After)
			b.Since, b.Attempts, b.Error = 0, 0, ""
			p.Put = []store.Behind{b.stored()}
			return nil
		}
		if after.Compare(p.After) > 0 {
			return ErrAhead
		}
		for _, s := range all {
			if s.After.Compare(after) > 0 {
				b := behindOf(s)
				b.after = after
				p.Put = append(p.Put, b.stored())
			}
		}
		p.After = after
		return nil
	})
}

// scan is how many messages PositionAt looks at in one place: what fell due
// while no server ran is recorded under an earlier time than what stands around it.
const scan = 256

// PositionAt returns the position behind which everything is that was written
// at or after an instant, as transactions tell their time.
func (e *Endpoints) PositionAt(ctx context.Context, at casm.Time) (after casm.Position, err error) {
	err = e.o.Log.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		// All up to low was written earlier.
		for low, high := int64(0), head.Position; ; {
			if low >= high {
				after = casm.Position{Transaction: low, Ordinal: casm.MaxOrdinal}
				break
			}
			middle := low + (high-low)/2
			entries, err := r.Feed(ctx, casm.Position{Transaction: middle, Ordinal: casm.MaxOrdinal}, store.FeedFilter{}, scan)
			if err != nil {
				return err
			}
			earlier := len(entries) > 0
			for i := range entries {
				earlier = earlier && entries[i].Transaction.At < at
			}
			if earlier {
				low = min(entries[len(entries)-1].Position.Transaction, high)
			} else {
				high = middle
			}
		}
		// The first that was not may stand a little further on.
		entries, err := r.Feed(ctx, after, store.FeedFilter{}, scan)
		for i := range entries {
			if entries[i].Transaction.At >= at {
				break
			}
			after = entries[i].Position
		}
		return err
	})
	return after, err
}
