package engine_test

import (
	"context"
	"sync/atomic"
	"testing"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/store"
)

// forgetful is a store of which the outcome of commits is not known.
type forgetful struct {
	store.Store
	done, undone atomic.Int32 // so many commits that are done, or not done
}

func (s *forgetful) Commit(ctx context.Context, needs store.Needs, decide func(store.Reader, *store.Loaded) (*store.WriteSet, error)) (store.Head, error) {
	if s.undone.Add(-1) >= 0 {
		lost := errLost{}
		_, err := s.Store.Commit(ctx, needs, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			if _, err := decide(r, l); err != nil {
				return nil, err
			}
			return nil, lost
		})
		if err == lost {
			err = store.ErrOutcomeUnknown
		}
		return store.Head{}, err
	}
	head, err := s.Store.Commit(ctx, needs, decide)
	if err == nil && s.done.Add(-1) >= 0 {
		return store.Head{}, store.ErrOutcomeUnknown
	}
	return head, err
}

type errLost struct{}

func (errLost) Error() string { return "lost" }

// TestUnknownOutcome: what a commit of unknown outcome did is answered as if
// nothing had happened, whether it was done or not.
func TestUnknownOutcome(t *testing.T) {
	var s *forgetful
	f := newFixture(t, true, func(o *engine.Options) {
		s = &forgetful{Store: o.Store}
		o.Store = s
	})
	const repeated = `{"requestId":"repeated","externalId":"c","customerProfile":"b2b"}`
	f.do("createCustomer", repeated)
	for _, c := range []struct {
		name         string
		done, undone int32
	}{{"done", 1, 0}, {"not done", 0, 1}, {"twice", 2, 0}, {"not done, then done", 1, 1}} {
		t.Run(c.name, func(t *testing.T) {
			lose := func() { s.done.Store(c.done); s.undone.Store(c.undone) }
			if c.done < 2 {
				lose()
				if a := f.do("createCustomer", customer(c.name)); a.replayed {
					t.Error("a request that was made once is told to be a repeat")
				}
			}
			lose()
			if a := f.do("createCustomer", repeated); !a.replayed {
				t.Error("a repeat is not told to be one")
			}
			segment := func(code, name string) *casm.Segment {
				return &casm.Segment{Item: casm.Item{Code: code, Name: name}}
			}
			lose()
			code := map[int32]string{0: "a", 1: "b", 2: "c"}[c.done] + map[int32]string{0: "a", 1: "b"}[c.undone]
			changes, err := f.EditConfig(t.Context(), "test", false, []command.ConfigEdit{create(edit("customer-segments", code, segment(code, "x")))})
			if err != nil || len(changes) != 1 || changes[0].Before != nil {
				t.Errorf("an item was created: %+v, %v", changes, err)
			}
			lose()
			changes, err = f.EditConfig(t.Context(), "test", false, []command.ConfigEdit{edit("customer-segments", code, segment(code, "y"))})
			if err != nil || len(changes) != 1 || changes[0].After.Base().Version != 2 {
				t.Errorf("an item was changed: %+v, %v", changes, err)
			}
			lose()
			changes, err = f.EditConfig(t.Context(), "test", false, []command.ConfigEdit{edit("customer-segments", code, nil)})
			if err != nil || len(changes) != 1 {
				t.Errorf("an item was deleted: %+v, %v", changes, err)
			}
		})
	}
}
