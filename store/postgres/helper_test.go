package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// several are stores on one database, as of several processes, behind one
// name: each call goes to the next.
type several struct {
	at     string
	stores []store.Store
	calls  atomic.Int64
}

func openSeveral(tb testing.TB, url string, n int) *several {
	tb.Helper()
	s := &several{at: url}
	for range n {
		s.stores = append(s.stores, open(tb, url))
	}
	return s
}

func (s *several) next() store.Store { return s.stores[int(s.calls.Add(1))%len(s.stores)] }

func (s *several) Commit(ctx context.Context, needs store.Needs, decide func(store.Reader, *store.Loaded) (*store.WriteSet, error)) (store.Head, error) {
	return s.next().Commit(ctx, needs, decide)
}

func (s *several) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.next().View(ctx, fn)
}

func (s *several) Forget(ctx context.Context, before casm.Time, limit int) (int, error) {
	return s.next().Forget(ctx, before, limit)
}

func (s *several) AppendAudit(ctx context.Context, records []store.AuditRecord) error {
	return s.next().AppendAudit(ctx, records)
}

func (s *several) ForgetAudit(ctx context.Context, before casm.Time, limit int) (int, error) {
	return s.next().ForgetAudit(ctx, before, limit)
}

func (s *several) Lease(ctx context.Context, name, holder string, span time.Duration) (string, error) {
	return s.next().Lease(ctx, name, holder, span)
}

func (s *several) RaiseEpoch(ctx context.Context, over int64) (store.Head, error) {
	return s.next().RaiseEpoch(ctx, over)
}

func (s *several) AddSession(ctx context.Context, n casm.Session, most int) error {
	return s.next().AddSession(ctx, n, most)
}

func (s *several) Session(ctx context.Context, hash [sha256.Size]byte) (*casm.Session, error) {
	return s.next().Session(ctx, hash)
}

func (s *several) ExtendSession(ctx context.Context, hash [sha256.Size]byte, ends casm.Time) error {
	return s.next().ExtendSession(ctx, hash, ends)
}

func (s *several) EndSession(ctx context.Context, hash [sha256.Size]byte) error {
	return s.next().EndSession(ctx, hash)
}

func (s *several) EndSessions(ctx context.Context, user string) error {
	return s.next().EndSessions(ctx, user)
}

func (s *several) Close() (err error) {
	for _, x := range s.stores {
		err = errors.Join(err, x.Close())
	}
	return err
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// customer is a new customer as a store keeps it.
func customer(l *store.Loaded, id uuid.UUID, externalID string) store.Entity {
	return store.Entity{
		Key: store.Key{Kind: casm.KindCustomer, RefID: id}, Version: 1, Customer: id, ExternalID: externalID,
		State: "ACTIVE", Reason: "dfltActive", Created: l.Now, Updated: l.Now, Doc: []byte(`{"refId":"` + id.String() + `"}`),
	}
}

// write is a set of one transaction with entities as they are; what makes them
// new takes their external ids.
func write(l *store.Loaded, requestID string, entities ...store.Entity) *store.WriteSet {
	t := store.Transaction{
		ID: newID(), RequestID: requestID, Operation: "test", At: l.Now, Actor: "tester", Claim: store.Request(requestID, -1),
	}
	set := &store.WriteSet{Claims: []store.ClaimChange{{ClaimKey: t.Claim, To: t.ID}}, Entities: entities}
	for _, e := range entities {
		if e.ExternalID != "" && e.Version == 1 {
			set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: store.ExternalID(e.Kind, e.ExternalID), To: e.RefID})
		}
		t.Changes = append(t.Changes, store.Change{
			Key: e.Key, Version: e.Version, Customer: e.Customer, Event: "updated", Lines: store.LineState, At: e.Updated, Doc: e.Doc,
		})
	}
	set.Transactions = []store.Transaction{t}
	return set
}

// createCustomer commits a new customer.
func createCustomer(tb testing.TB, s store.Store, externalID string) store.Key {
	tb.Helper()
	id := newID()
	_, err := s.Commit(context.Background(), store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		return write(l, newID().String(), customer(l, id, externalID)), nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return store.Key{Kind: casm.KindCustomer, RefID: id}
}

// next is an entity's next version.
func next(l *store.Loaded, e store.Entity) store.Entity {
	e.Version++
	e.Updated = max(l.Now, e.Updated+1)
	return e
}

// each runs fn n times for each store at once.
func (s *several) each(n int, fn func(s store.Store, i int)) {
	var wg sync.WaitGroup
	for _, x := range s.stores {
		for i := range n {
			wg.Go(func() { fn(x, i) })
		}
	}
	wg.Wait()
}

// deadlocks counts what PostgreSQL had to end.
func deadlocks(tb testing.TB, url string) (n int) {
	tb.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func find(l *store.Loaded, key store.Key) (store.Entity, bool) {
	for _, e := range l.Entities {
		if e.Key == key {
			return e, true
		}
	}
	return store.Entity{}, false
}
