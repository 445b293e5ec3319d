package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/store"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// TestOnPostgres runs what clients do at once with several committers.
func TestOnPostgres(t *testing.T) {
	defer func(was bool) { *onPostgres = was }(*onPostgres)
	*onPostgres = true
	for name, test := range map[string]func(*testing.T){
		"OneCustomer": TestConcurrentChangesOfOneCustomer, "Repeats": TestConcurrentRepeatsHaveOneEffect,
		"RepeatsOfABatch": TestConcurrentRepeatsOfABatch, "Parents": TestConcurrentParentsNeverMakeACircle,
		"CascadeAgainstCreates": TestConcurrentCascadeAgainstCreates, "Claims": TestConcurrentClaims,
		"Linearizable": TestLinearizable,
		"Held":         testHeld, "HeldConfig": testHeldConfig, "Far": testFar, "StopWithHeld": testStopWithHeld,
		"TwoEngines": testTwoEngines,
		"HeldDue":    testHeldDue, "ConfigUnderWay": testConfigUnderWay, "OneDueWorker": testOneDueWorker, "UnknownOutcome": TestUnknownOutcome,
	} {
		t.Run(name, test)
	}
}

// holdCustomer holds what belongs to a customer, as a long commit of another
// process does, until release is called.
func (f *fixture) holdCustomer(externalID string) (release func()) {
	return f.holdNeeds(store.Needs{Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, externalID)}})
}

// testHeld: what others hold waits, whichever way it is named, and everything
// else goes on beside it.
func testHeld(t *testing.T) {
	f := newFixture(t, true)
	f.tree()
	f.do("createCustomer", customer("other"))
	f.do("createCustomer", customer("due"))
	at := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)
	for _, name := range []string{"c", "due"} {
		f.do("updateCustomerState", fmt.Sprintf(`{"customer":{"externalId":%q},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended","stateValidFrom":%q}}`, name, at))
	}
	release := f.holdCustomer("c")
	account := f.read(casm.KindAccount, "b", 0)["refId"]
	below := []struct{ operation, body string }{
		{"updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"x"}`},
		{"updateAccountCustomName", `{"account":{"externalId":"a"},"customName":"x"}`},
		{"updateAccountCustomName", fmt.Sprintf(`{"account":{"refId":%q},"customName":"x"}`, account)},
		{"updateSubscriberCustomName", `{"subscriber":{"externalId":"s"},"customName":"x"}`},
		{"updateSubscriptionCustomName", `{"subscription":{"externalId":"ot"},"customName":"x"}`},
		{"createSubscriber", `{"externalId":"n","subscriberProfile":"mobile","account":{"externalId":"b"}}`},
		{"updateAccountState", `{"account":{"externalId":"b"},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended"},"subordinateUpdated":true}`},
	}
	done := make(chan error, 4*len(below))
	for range 4 {
		for n, x := range below {
			go func() {
				_, err := f.try(x.operation, x.body)
				if n == 5 && err != nil { // three of four have the name taken
					err = nil
				}
				done <- err
			}()
		}
	}
	f.waitFor(4 * len(below))
	for n := range 50 {
		f.do("updateCustomerCustomName", name("other", fmt.Sprint(n)))
	}
	f.do("createCustomer", customer("new"))
	for deadline := time.Now().Add(20 * time.Second); len(f.transactionsOf("due")) < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what is due is not recorded while a customer is held")
		}
	}
	select {
	case err := <-done:
		t.Errorf("something of the held customer was answered: %v", err)
	default:
	}
	if n := len(f.transactionsOf("c")); n != 2 {
		t.Errorf("%d transactions of the held customer", n)
	}
	release()
	for range 4 * len(below) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "customName", "x", "state.state", "SUSPENDED")
	f.want(f.read(casm.KindOfferSubscription, "ot", 0), "customName", "x", "state.state", "SUSPENDED")
}

// transactionsOf gives the operations that made a customer's versions.
func (f *fixture) transactionsOf(externalID string) (operations []string) {
	f.Helper()
	id, err := uuid.Parse(f.read(casm.KindCustomer, externalID, 0)["refId"].(string))
	if err != nil {
		f.Fatal(err)
	}
	err = f.View(f.Context(), func(r store.Reader) error {
		list, err := r.History(f.Context(), store.Key{Kind: casm.KindCustomer, RefID: id}, 0, 0, 100)
		for _, e := range list {
			operations = append(operations, e.Transaction.Operation)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return operations
}

// testHeldConfig: a change of the configuration that has to wait for a long
// commit keeps no others waiting behind it.
func testHeldConfig(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	f.do("createCustomer", customer("other"))
	release := f.holdCustomer("c")
	done := make(chan error, 1)
	go func() {
		_, err := f.EditConfig(f.Context(), "test", false, []command.ConfigEdit{create(edit("customer-segments", "late", &casm.Segment{}))})
		done <- err
	}()
	f.waitFor(1)
	for n := range 50 {
		f.do("updateCustomerCustomName", name("other", fmt.Sprint(n)))
	}
	select {
	case err := <-done:
		t.Errorf("the configuration was changed beside a commit that rests on it: %v", err)
	default:
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.do("updateCustomerSegment", `{"customer":{"externalId":"other"},"customerSegment":"late"}`)
}

// testFar: a command that reaches far leaves its batch and has its effect.
func testFar(t *testing.T) {
	const below = 1500
	f := newFixture(t, true)
	f.tree()
	for n := 0; n < below; n += 500 {
		var list []string
		for i := range 500 {
			list = append(list, "createSubscriber", fmt.Sprintf(`{"externalId":"s%d","subscriberProfile":"mobile","account":{"externalId":"a"}}`, n+i))
		}
		f.batch(operations(fmt.Sprint("b", n), true, list...))
	}
	done := make(chan int, 2)
	go func() {
		a := f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended"},"subordinateUpdated":true}`)
		done <- a.ImpactedTotal
	}()
	go func() { // not atomic: it goes the long way as a whole
		b := f.batch(operations("mixed", false, "updateCustomerCustomName", name("c", "x"),
			"updateAccountState", `{"account":{"externalId":"b"},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended"},"subordinateUpdated":true}`))
		done <- len(b.Results)
	}()
	for n := range 20 {
		f.do("createCustomer", customer(fmt.Sprint("x", n)))
	}
	if got := <-done + <-done; got < below+2 {
		t.Errorf("%d changed", got)
	}
	f.want(f.read(casm.KindSubscriber, "s1499", 0), "state.state", "SUSPENDED", "version", 2)
	a := f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"DEACTIVATED","stateReason":"dfltDeactivated"},"subordinateUpdated":true}`)
	if a.ImpactedTotal < below {
		t.Errorf("%d changed", a.ImpactedTotal)
	}
}

// testStopWithHeld: what is held when the engine has to stop is refused.
func testStopWithHeld(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	release := f.holdCustomer("c")
	defer release()
	done := make(chan error, 10)
	for n := range 10 {
		go func() {
			_, err := f.try("updateCustomerCustomName", name("c", fmt.Sprint(n)))
			done <- err
		}()
	}
	f.waitFor(10)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); err == nil {
		t.Error("it stopped as if nothing waited")
	}
	for range 10 {
		if err := <-done; err == nil {
			t.Error("a held customer was changed")
		}
	}
}

// testTwoEngines: two engines change one customer, each request being sent to
// both at once. Each has one effect and one answer.
func testTwoEngines(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	other, err := engine.New(t.Context(), engine.Options{Store: f.store, Committers: 2})
	if err != nil {
		t.Fatal(err)
	}
	other.Start()
	defer func() {
		if err := other.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	engines := []*engine.Engine{f.Engine, other}
	op := command.OperationByID("updateCustomerCustomAttributes")
	const each = 8
	together(clients/2, func(c int) {
		for n := range each {
			body := []byte(fmt.Sprintf(`{"requestId":"c%d-%d","customer":{"externalId":"c"},"customAttributes":{"k%d":"%d"},"merge":true}`, c, n, c, n))
			var answers [2]*engine.Answer
			together(2, func(i int) {
				in, v := op.Decode(body, "", false)
				if len(v) > 0 {
					t.Error(v)
					return
				}
				var err error
				if answers[i], err = engines[i].Write(t.Context(), engine.Write{Input: in, Body: body}); err != nil {
					t.Error(err)
				}
			})
			a, b := answers[0], answers[1]
			if a == nil || b == nil {
				return
			}
			if string(a.Body) != string(b.Body) || a.Replayed == b.Replayed {
				t.Errorf("%s, replayed %t\n%s, replayed %t", a.Body, a.Replayed, b.Body, b.Replayed)
			}
		}
	})
	doc := f.read(casm.KindCustomer, "c", 0)
	f.want(doc, "version", 1+clients/2*each)
	for c := range clients / 2 {
		f.want(doc, fmt.Sprintf("customAttributes.k%d", c), fmt.Sprint(each-1))
	}
}

// testConfigUnderWay: while the configuration is being changed everybody
// waits, in the order in which they came.
func testConfigUnderWay(t *testing.T) {
	registry := prometheus.NewRegistry()
	f := newFixture(t, true, func(o *engine.Options) { o.Metrics = registry })
	f.do("createCustomer", customer("c"))
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	tries := 0
	go func() {
		_, err := f.store.Commit(context.Background(), store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			if tries++; tries == 2 { // with the lock of the configuration
				close(began)
				<-end
			}
			return &store.WriteSet{Config: []store.ConfigChange{{CodeKey: store.CodeKey{Collection: "unknown", Code: "x"}, Version: 1, Doc: []byte(`{}`), At: 1, Actor: "x"}}}, nil
		})
		done <- err
	}()
	<-began
	const clients = 50
	answers := make(chan error, clients)
	for n := range clients {
		go func() {
			_, err := f.try("createCustomer", customer(fmt.Sprint("x", n)))
			answers <- err
		}()
	}
	f.waitFor(clients)
	time.Sleep(300 * time.Millisecond)
	close(end)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range clients {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if n := counted(t, registry, "casm_put_aside_total"); n != 0 {
		t.Errorf("%v were put aside", n)
	}
}
