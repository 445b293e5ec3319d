package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"casm"
	"casm/store"
	"casm/store/sqlite"

	"github.com/google/uuid"
)

func openBench(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// createCustomers commits n creations at once, each with a request's claim, an
// external id's, the entity, its transaction and a journal row, as the engine does.
func createCustomers(ctx context.Context, s *sqlite.Store, first, n int) error {
	type create struct {
		request, external store.ClaimKey
	}
	creates := make([]create, n)
	var needs store.Needs
	for i := range creates {
		creates[i] = create{
			store.Request(uuid.NewString(), -1),
			store.ExternalID(casm.KindCustomer, "C-"+strconv.Itoa(first+i)),
		}
		needs.Requests = append(needs.Requests, creates[i].request)
		needs.Claims = append(needs.Claims, creates[i].external)
	}
	doc := `{"refId":"%s","version":1,"externalId":"%s","customName":"Ada Lovelace","customerSegment":"b2b",` +
		`"state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2026-05-01T00:00:00.000000Z"},` +
		`"customAttributes":{"note":"` + strings.Repeat("x", 200) + `"}}`
	_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		set := &store.WriteSet{Uses: map[store.CodeKey]int64{{Collection: "customerSegments", Code: "b2b"}: int64(n)}}
		for _, c := range creates {
			id, tx := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
			key := store.Key{Kind: casm.KindCustomer, RefID: id}
			body := fmt.Appendf(nil, doc, id, c.external.Key)
			set.Claims = append(set.Claims,
				store.ClaimChange{ClaimKey: c.request, To: tx}, store.ClaimChange{ClaimKey: c.external, To: id})
			set.Entities = append(set.Entities, store.Entity{
				Key: key, Version: 1, Customer: id, ExternalID: c.external.Key, State: "ACTIVE", Reason: "dfltActive",
				Segment: "b2b", CustomName: "Ada Lovelace", Created: l.Now, Updated: l.Now, Doc: body,
			})
			set.Transactions = append(set.Transactions, store.Transaction{
				ID: tx, RequestID: c.request.Key, Operation: "createCustomer", At: l.Now, Actor: "crm",
				Hash: make([]byte, 32), Claim: c.request,
				Changes: []store.Change{{
					Key: key, Version: 1, Customer: id, Event: "created",
					Lines: store.LineState | store.LineSegment, At: l.Now, Doc: body,
				}},
			})
		}
		return set, nil
	})
	return err
}

// BenchmarkCreate creates customers with so many gathered in each commit; an
// operation is one customer.
func BenchmarkCreate(b *testing.B) {
	for _, gathered := range []int{1, 64, 256} {
		b.Run(strconv.Itoa(gathered)+"-a-commit", func(b *testing.B) {
			s, ctx := openBench(b), context.Background()
			b.ResetTimer()
			for done := 0; done < b.N; done += gathered {
				if err := createCustomers(ctx, s, done, min(gathered, b.N-done)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
		})
	}
}

// BenchmarkUpdate changes customers that exist, one version each, 64 a commit.
func BenchmarkUpdate(b *testing.B) {
	s, ctx := openBench(b), context.Background()
	const stored, gathered = 20_000, 64
	for i := 0; i < stored; i += 250 {
		if err := createCustomers(ctx, s, i, 250); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for done := 0; done < b.N; done += gathered {
		var needs store.Needs
		for i := range gathered {
			needs.Claims = append(needs.Claims, store.ExternalID(casm.KindCustomer, "C-"+strconv.Itoa((done*7919+i*31)%stored)))
		}
		_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			set := &store.WriteSet{}
			for _, e := range l.Entities {
				request := store.Request(uuid.NewString(), -1)
				tx := uuid.Must(uuid.NewV7())
				e.Version++
				e.Updated = l.Now
				set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: request, To: tx})
				set.Entities = append(set.Entities, e)
				set.Transactions = append(set.Transactions, store.Transaction{
					ID: tx, RequestID: request.Key, Operation: "updateCustomerCustomName", At: l.Now, Actor: "crm",
					Hash: make([]byte, 32), Claim: request,
					Changes: []store.Change{{Key: e.Key, Version: e.Version, Customer: e.Customer, Event: "updated", At: l.Now, Doc: e.Doc}},
				})
			}
			return set, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkLookup finds customers by external id, each in a View of its own.
func BenchmarkLookup(b *testing.B) {
	s, ctx := openBench(b), context.Background()
	const stored = 50_000
	for i := 0; i < stored; i += 250 {
		if err := createCustomers(ctx, s, i, 250); err != nil {
			b.Fatal(err)
		}
	}
	lookup := func(b *testing.B, i int) {
		key := store.ExternalID(casm.KindCustomer, "C-"+strconv.Itoa(i*7919%stored))
		err := s.View(ctx, func(r store.Reader) error {
			l, err := r.Load(ctx, store.Needs{Claims: []store.ClaimKey{key}})
			if err == nil && len(l.Entities) != 1 {
				b.Errorf("%s: %d entities", key.Key, len(l.Entities))
			}
			return err
		})
		if err != nil {
			b.Error(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		for i := range b.N {
			lookup(b, i)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				lookup(b, i)
			}
		})
	})
}
