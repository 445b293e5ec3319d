package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/store"

	"github.com/google/uuid"
)

const benchDoc = `{"refId":"%s","version":1,"externalId":"%s","customName":"Ada Lovelace","customerSegment":"b2b",` +
	`"state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2026-05-01T00:00:00.000000Z"},` +
	`"customAttributes":{"note":"%s"}}`

var benchNote = strings.Repeat("x", 200)

var benchNumber atomic.Int64

func benchID() string { return "C-" + strconv.FormatInt(benchNumber.Add(1), 10) }

// createCustomers commits n creations at once, each with a request's claim, an
// external id's, the entity, its transaction and a journal row, as the engine
// does.
func createCustomers(ctx context.Context, s store.Store, n int) error {
	type create struct {
		request, external store.ClaimKey
	}
	creates := make([]create, n)
	var needs store.Needs
	for i := range creates {
		creates[i] = create{store.Request(uuid.NewString(), -1), store.ExternalID(casm.KindCustomer, benchID())}
		needs.Requests = append(needs.Requests, creates[i].request)
		needs.Claims = append(needs.Claims, creates[i].external)
	}
	_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		set := &store.WriteSet{Uses: map[store.CodeKey]int64{{Collection: "customer-segments", Code: "b2b"}: int64(n)}}
		for _, c := range creates {
			id, tx := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
			key := store.Key{Kind: casm.KindCustomer, RefID: id}
			body := fmt.Appendf(nil, benchDoc, id, c.external.Key, benchNote)
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

// BenchmarkCreate creates customers with so many gathered in each commit, by
// one and by two committers; an operation is one customer. bare is the floor.
func BenchmarkCreate(b *testing.B) {
	ctx := context.Background()
	for _, gathered := range []int{1, 64, 256} {
		for _, committers := range []int{1, 2} {
			name := fmt.Sprintf("%d-a-commit/%d-committers", gathered, committers)
			run := func(b *testing.B, create func(n int) error) {
				if err := create(gathered); err != nil { // connects and prepares
					b.Fatal(err)
				}
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				b.ResetTimer()
				for range committers {
					wg.Go(func() {
						for {
							n := min(gathered, int(left.Add(-int64(gathered)))+gathered)
							if n <= 0 {
								return
							}
							if err := create(n); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
			}
			b.Run(name+"/store", func(b *testing.B) {
				s := open(b, database(b))
				defer s.Close()
				run(b, func(n int) error { return createCustomers(ctx, s, n) })
			})
			b.Run(name+"/bare", func(b *testing.B) {
				l := testkit.NewBare(b, startServer(b))
				run(b, func(n int) error {
					customers := make([]testkit.BareCustomer, n)
					for i := range customers {
						id := benchID()
						customers[i] = testkit.BareCustomer{RequestID: uuid.NewString(), ExternalID: id, Doc: fmt.Sprintf(benchDoc, uuid.NewString(), id, benchNote)}
					}
					return l.Commit(ctx, customers)
				})
			})
		}
	}
}

// BenchmarkUpdate changes entities from two processes, 32 changes gathered in
// each commit: all of one customer that both want, or each of another. An
// operation is one change.
func BenchmarkUpdate(b *testing.B) {
	ctx := context.Background()
	const gathered, customers = 32, 10_000
	url := database(b)
	s := openSeveral(b, url, 2)
	defer s.Close()
	keys := make([]store.Key, customers)
	for at := 0; at < customers; at += 1000 {
		_, err := s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			var entities []store.Entity
			for i := range 1000 {
				e := customer(l, newID(), "")
				e.Doc = fmt.Appendf(nil, benchDoc, e.RefID, "", benchNote)
				keys[at+i] = e.Key
				entities = append(entities, e)
			}
			return write(l, newID().String(), entities...), nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	change := func(s store.Store, keys []store.Key) error {
		needs := store.Needs{Entities: keys}
		for range gathered {
			needs.Requests = append(needs.Requests, store.Request(newID().String(), -1))
		}
		_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			set := &store.WriteSet{}
			now := l.Entities
			for i, request := range needs.Requests {
				e := &now[i%len(now)]
				*e = next(l, *e)
				one := write(l, request.Key, *e)
				set.Claims = append(set.Claims, one.Claims...)
				set.Transactions = append(set.Transactions, one.Transactions...)
			}
			set.Entities = now
			return set, nil
		})
		return err
	}
	for _, hot := range []bool{true, false} {
		name := map[bool]string{true: "hot", false: "separate"}[hot]
		b.Run(name, func(b *testing.B) {
			var left atomic.Int64
			left.Store(int64(b.N))
			var mu sync.Mutex
			var took []time.Duration
			b.ResetTimer()
			s.each(1, func(x store.Store, _ int) {
				for left.Add(-gathered) > -gathered {
					chosen := keys[:1]
					if !hot {
						at := rand.IntN(customers - gathered)
						chosen = keys[at : at+gathered]
					}
					began := time.Now()
					if err := change(x, chosen); err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					took = append(took, time.Since(began))
					mu.Unlock()
				}
			})
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
