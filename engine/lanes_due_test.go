package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"casm"
	"casm/engine"

	"github.com/prometheus/client_golang/prometheus"
)

// testHeldDue: what is due of a held customer, however much it is, does not
// keep what is due of others waiting.
func testHeldDue(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	for _, id := range []string{"other", "last"} {
		f.do("createCustomer", customer(id))
	}
	var list []string
	for i := range 300 {
		list = append(list, "createSubscriber", fmt.Sprintf(`{"externalId":"s%d","subscriberProfile":"mobile","account":{"externalId":"a"}}`, i))
	}
	f.batch(operations("many", true, list...))
	f.do("updateCustomerState", stateBody(casm.KindCustomer, "c", casm.Suspended, cascade, fmt.Sprintf(`"stateValidFrom":%q`, casm.TimeOf(f.now().Add(time.Hour)))))
	f.do("updateCustomerState", stateBody(casm.KindCustomer, "other", casm.Suspended, fmt.Sprintf(`"stateValidFrom":%q`, casm.TimeOf(f.now().Add(time.Hour+time.Second)))))
	release := f.holdCustomer("c")
	f.advance(time.Hour + time.Minute)
	for deadline := time.Now().Add(5 * time.Second); len(f.transactionsOf("other")) < 3 && !t.Failed(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("what is due is not recorded while much of a held customer is due")
		}
	}
	release()
	for deadline := time.Now().Add(10 * time.Second); len(f.transactionsOf("c")) < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was due of the held customer is not recorded")
		}
	}
}

// testOneDueWorker: of several processes one records what is due. When one is
// lost another does within five seconds, and at once when it ends.
func testOneDueWorker(t *testing.T) {
	registries := []*prometheus.Registry{prometheus.NewRegistry(), prometheus.NewRegistry()}
	var taken time.Time
	f := newFixture(t, true, func(o *engine.Options) {
		o.Metrics, taken = registries[0], time.Now()
		if has, err := o.Store.Lease(t.Context(), "due", "lost", 3*time.Second); err != nil || has != "lost" {
			t.Fatal(has, err)
		}
	})
	other, err := engine.New(t.Context(), engine.Options{Store: f.store, Committers: 2, Metrics: registries[1]})
	if err != nil {
		t.Fatal(err)
	}
	other.Start()
	engines := []*engine.Engine{f.Engine, other}
	stop := func(n int) {
		if err := engines[n].Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	defer stop(1)
	recorded := func(n int) float64 { return counted(t, registries[n], "casm_due_changes_total") }
	round := func(id string, within time.Duration) {
		t.Helper()
		var list []string
		for i := range 200 {
			list = append(list, "createCustomer", fmt.Sprintf(`{"externalId":"%s%d","customerProfile":"b2b","state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":%q}}`,
				id, i, casm.TimeOf(f.now().Add(100*time.Millisecond))))
		}
		before, begun := recorded(0)+recorded(1), time.Now()
		f.batch(operations(id, true, list...))
		for recorded(0)+recorded(1) < before+200 {
			if time.Since(begun) > within {
				t.Fatalf("%v of 200 are recorded after %v", recorded(0)+recorded(1)-before, within)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	round("a", 5*time.Second)
	if took := time.Since(taken); took < 2900*time.Millisecond {
		t.Errorf("another had the lease, and it was recorded after %v", took)
	}
	round("b", 2*time.Second)
	works := 0
	if recorded(1) > 0 {
		works = 1
	}
	if a, b := recorded(works), recorded(1-works); a != 400 || b != 0 {
		t.Errorf("one recorded %v, the other %v", a, b)
	}
	stop(works)
	f.Engine = engines[1-works]
	round("c", 2*time.Second)
}

// counted gives a counter's value.
func counted(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
