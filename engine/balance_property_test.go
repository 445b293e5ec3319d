package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"casm"
	"casm/engine"
	"casm/store"

	"pgregory.net/rapid"
)

// TestRule26Ledger updates two balances from many goroutines, with repeats, and
// recomputes each from its journal: granted plus the sum of its changes; never
// below zero; several all or none.
func TestRule26Ledger(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	rapid.Check(t, func(rt *rapid.T) {
		id := fmt.Sprintf("b%d", f.n.Add(1))
		f.do("createMonetaryBalanceSubscription", strings.Replace(own(casm.KindMonetaryBalance, `"grantedBalance":50`), "{", `{"externalId":"`+id+`",`, 1))
		type asked struct {
			body  string
			delta int64 // of ADD and DEDUCT
		}
		var list []asked
		for n := range rapid.IntRange(1, 40).Draw(rt, "requests") {
			amount := rapid.Int64Range(1, 30).Draw(rt, "amount")
			a := asked{delta: amount}
			action := "ADD"
			if rapid.Bool().Draw(rt, "deduct") {
				action, a.delta = "DEDUCT", -amount
			}
			a.body = fmt.Sprintf(`{"requestId":"%s-%d","subscription":{"externalId":"%s"},"service":"monetary-balance","action":"%s","amount":%d}`, id, n, id, action, amount)
			list = append(list, a)
		}
		var mu sync.Mutex
		took := map[string]int64{}
		var wg sync.WaitGroup
		for range 2 { // each request twice, at once
			for _, a := range list {
				wg.Go(func() {
					_, err := f.try("updateSubscriptionBalance", a.body)
					var v casm.Violations
					if err != nil && !(errors.As(err, &v) && v.Has(casm.InsufficientBalance)) {
						t.Errorf("%s: %v", a.body, err)
					}
					if err == nil {
						mu.Lock()
						took[a.body] = a.delta
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		want := int64(50)
		for _, delta := range took {
			want += delta
		}
		all, err := f.ReadBalances(t.Context(), engine.BalanceQuery{Ref: casm.Ref{ExternalID: id}, Service: "monetary-balance"})
		if err != nil {
			rt.Fatal(err)
		}
		e, err := casm.DecodeEntity(casm.KindBalance, all.Body)
		if err != nil {
			rt.Fatal(err)
		}
		b := e.(*casm.Balance)
		if b.ActualBalance != want {
			rt.Fatalf("%d left, want %d of %d requests", b.ActualBalance, want, len(took))
		}
		recomputed, last := int64(0), int64(0)
		err = f.View(t.Context(), func(r store.Reader) error {
			entries, err := r.History(t.Context(), store.Key{Kind: casm.KindBalance, RefID: b.RefID}, 0, 0, 1000)
			for i := len(entries) - 1; i >= 0 && err == nil; i-- {
				var v casm.Entity
				if v, err = casm.DecodeEntity(casm.KindBalance, entries[i].Doc); err != nil {
					break
				}
				actual := v.(*casm.Balance).ActualBalance
				if actual < 0 {
					rt.Fatalf("version %d fell to %d", entries[i].Version, actual)
				}
				recomputed += actual - last
				last = actual
			}
			return err
		})
		if err != nil || recomputed != b.ActualBalance {
			rt.Fatalf("the journal gives %d, the balance is %d: %v", recomputed, b.ActualBalance, err)
		}
	})
}
