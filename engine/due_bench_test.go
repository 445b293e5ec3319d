package engine_test

import (
	"fmt"
	"testing"
	"time"

	"casm"
	"casm/store"
)

// BenchmarkDue measures how many changes that are due at one instant the worker
// records a second.
func BenchmarkDue(b *testing.B) {
	f := newFixture(b, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	f.do("createSubscriptionOnCustomer", `{"customer":{"externalId":"c"},"externalId":"o","offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`)
	const many = 10_000
	f.crowd(many - 2) // and the customer and its first subscription
	due := func() (n int) {
		err := f.View(b.Context(), func(r store.Reader) error {
			list, err := r.Due(b.Context(), casm.TimeOf(f.now()), 1)
			n = len(list)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	states := []string{casm.Suspended, casm.Active}
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		f.do("updateCustomerState", stateBody(casm.KindCustomer, "c", states[n%2], cascade, fmt.Sprintf(`"stateValidFrom":%q`, casm.TimeOf(f.now().Add(time.Hour)))))
		b.StartTimer()
		f.advance(time.Hour + time.Second)
		for due() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	b.ReportMetric(float64(many)*float64(b.N)/b.Elapsed().Seconds(), "due/s")
}
