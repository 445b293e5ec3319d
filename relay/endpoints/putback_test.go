package endpoints_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/engine"
	"casm/relay/endpoints"
	"casm/store"
	"casm/store/sqlite"
)

// standing is the store that stands at present, behind one address, as a database
// is after a fail-over.
type standing struct{ at atomic.Pointer[house] }

func (s *standing) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.at.Load().store.View(ctx, fn)
}

func (s *standing) Commit(ctx context.Context, needs store.Needs, decide func(store.Reader, *store.Loaded) (*store.WriteSet, error)) (store.Head, error) {
	return s.at.Load().store.Commit(ctx, needs, decide)
}

func (s *standing) Lease(ctx context.Context, name, holder string, span time.Duration) (string, error) {
	return s.at.Load().store.Lease(ctx, name, holder, span)
}

// TestPutBack: the store goes back to an earlier time under an endpoint that
// runs, and other transactions get the positions that it has read already. All
// of them are delivered.
func TestPutBack(t *testing.T) {
	for _, saved := range []bool{true, false} {
		before := newHouse(t)
		r := newReceiver(t, nil)
		before.configure(hook(r.URL))
		before.customer("a")
		var now standing
		now.at.Store(before)
		e, stop := before.start(func(o *endpoints.Options) {
			o.Log, o.Wake = &now, nil
			o.Config = func(ctx context.Context) (*casm.Snapshot, error) { return now.at.Load().Config(ctx) }
		})
		before.until("the first is delivered and saved", func() bool { return before.status(e).LagTransactions == 0 })
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := before.store.(*sqlite.Store).Backup(t.Context(), path, func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"lost 1", "lost 2", "lost 3"} {
			before.customer(name)
		}
		before.until("what is lost later is delivered", func() bool { return messages(r.first()) == 4 })
		if saved { // then the version that was saved goes back, too
			before.until("and saved", func() bool { return before.status(e).LagTransactions == 0 })
		}
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		after := houseOn(t, s, engine.Options{Exclusive: true})
		for _, name := range []string{"b", "c", "d", "e", "f"} {
			after.customer(name)
		}
		now.at.Store(after)
		want := after.journal()
		after.until("what stands is delivered", func() bool {
			got := r.first()
			for customer, ids := range want {
				if !slices.Equal(got[customer], ids) {
					return false
				}
			}
			return true
		})
		stop()
	}
}
