package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"casm"
)

const clients = 64

// together runs fn for n clients at once.
func together(n int, fn func(n int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func TestConcurrentChangesOfOneCustomer(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	const each = 5
	var mu sync.Mutex
	versions := map[int64]bool{}
	together(clients, func(c int) {
		for n := range each {
			a, err := f.try("updateCustomerCustomAttributes", fmt.Sprintf(`{"requestId":"c%d-%d","customer":{"externalId":"c"},"customAttributes":{"k%d":"%d"},"merge":true}`, c, n, c, n))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if v := a.Impacted[0].Version; versions[v] {
				t.Errorf("version %d was given twice", v)
			} else {
				versions[v] = true
			}
			mu.Unlock()
		}
	})
	doc := f.read(casm.KindCustomer, "c", 0)
	f.want(doc, "version", 1+clients*each)
	for c := range clients {
		f.want(doc, fmt.Sprintf("customAttributes.k%d", c), fmt.Sprint(each-1))
	}
	last := int64(0)
	for _, e := range f.feed() {
		if e.Version != last+1 {
			t.Fatalf("version %d after %d", e.Version, last)
		}
		last = e.Version
	}
}

func TestConcurrentRepeatsHaveOneEffect(t *testing.T) {
	f := newFixture(t, true)
	var mu sync.Mutex
	answers, fresh := map[string]int{}, 0
	together(clients, func(int) {
		a, err := f.try("createCustomer", `{"requestId":"same","customerProfile":"b2b"}`)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		answers[a.raw]++
		if !a.replayed {
			fresh++
		}
	})
	if len(answers) != 1 || fresh != 1 || len(f.feed()) != 1 {
		t.Errorf("%d answers, %d of them fresh, %d effects", len(answers), fresh, len(f.feed()))
	}
	// with other bodies: one takes effect, the others are refused
	ok, reused := 0, 0
	together(clients, func(c int) {
		_, err := f.try("createCustomer", fmt.Sprintf(`{"requestId":"other","externalId":"o%d","customerProfile":"b2b"}`, c))
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			ok++
		case codes(err)[0] == "request_id_reused /requestId":
			reused++
		default:
			t.Error(err)
		}
	})
	if ok != 1 || reused != clients-1 {
		t.Errorf("%d took effect, %d were refused", ok, reused)
	}
}

func TestConcurrentRepeatsOfABatch(t *testing.T) {
	f := newFixture(t, true)
	for _, atomic := range []bool{true, false} {
		body := operations(fmt.Sprint("same", atomic), atomic, "createCustomer", customer(fmt.Sprint("c", atomic)), "updateCustomerCustomName", name(fmt.Sprint("c", atomic), "n"))
		var mu sync.Mutex
		answers := map[string]int{}
		together(clients/4, func(int) {
			b, err := f.tryBatch(body)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			answers[b.raw]++
			mu.Unlock()
		})
		if len(answers) != 1 {
			t.Errorf("%d different answers", len(answers))
		}
		f.want(f.read(casm.KindCustomer, fmt.Sprint("c", atomic), 0), "version", 2)
	}
}

func TestConcurrentParentsNeverMakeACircle(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	const accounts = 6
	for n := range accounts {
		f.do("createAccount", fmt.Sprintf(`{"externalId":"a%d","accountProfile":"postpaid","customer":{"externalId":"c"}}`, n))
	}
	for range 10 {
		done := 0
		var mu sync.Mutex
		together(accounts, func(n int) { // each below the next: all together a circle
			_, err := f.try("updateAccountParent", fmt.Sprintf(`{"account":{"externalId":"a%d"},"parent":{"externalId":"a%d"}}`, n, (n+1)%accounts))
			if err == nil {
				mu.Lock()
				done++
				mu.Unlock()
			} else if codes(err)[0] != "hierarchy_cycle /parent" {
				t.Error(err)
			}
		})
		if done != accounts-1 {
			t.Errorf("%d of %d became subordinates", done, accounts)
		}
		above := map[string]string{}
		for n := range accounts {
			name := fmt.Sprint("a", n)
			above[name] = fmt.Sprint(at(f.read(casm.KindAccount, name, 0), "parent.externalId"))
		}
		for name := range above {
			up, n := above[name], 0
			for ; up != "<nil>" && n <= accounts; n++ {
				up = above[up]
			}
			if n > accounts {
				t.Fatalf("a circle: %v", above)
			}
		}
		for n := range accounts {
			f.do("updateAccountParent", fmt.Sprintf(`{"account":{"externalId":"a%d"},"parent":null}`, n))
		}
	}
}

func TestConcurrentCascadeAgainstCreates(t *testing.T) {
	f := newFixture(t, true)
	for round := range 5 {
		c := fmt.Sprint("c", round)
		f.do("createCustomer", customer(c))
		f.do("createAccount", fmt.Sprintf(`{"externalId":"a%d","accountProfile":"postpaid","customer":{"externalId":%q}}`, round, c))
		together(32, func(n int) {
			switch {
			case n == 16:
				f.do("updateCustomerState", stateBody(casm.KindCustomer, c, "DEACTIVATED", cascade))
			case n%2 == 0:
				_, err := f.try("createSubscriber", fmt.Sprintf(`{"externalId":"s%d-%d","subscriberProfile":"mobile","account":{"externalId":"a%d"}}`, round, n, round))
				if err != nil && codes(err)[0] != "deactivated /account" {
					t.Error(err)
				}
			default:
				_, err := f.try("createSubscriptionOnCustomer", fmt.Sprintf(`{"customer":{"externalId":%q},"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"active"}}`, c))
				if err != nil && codes(err)[0] != "deactivated /customer" {
					t.Error(err)
				}
			}
		})
		doc := f.read(casm.KindCustomer, c, 0, "accounts", "offers")
		account := f.read(casm.KindAccount, fmt.Sprint("a", round), 0, "subscribers")
		for _, list := range []any{doc["accounts"], doc["offers"], account["subscribers"]} {
			for _, e := range list.([]any) {
				if at(e, "state.state") != "DEACTIVATED" {
					t.Errorf("%v below a deactivated customer", e)
				}
			}
		}
	}
}

func TestConcurrentClaims(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	f.do("createAccount", `{"externalId":"a","accountProfile":"postpaid","customer":{"externalId":"c"}}`)
	race := func(operation, body, refused string) {
		t.Helper()
		ok := 0
		var mu sync.Mutex
		together(clients, func(n int) {
			_, err := f.try(operation, strings.ReplaceAll(body, "%d", fmt.Sprint(n)))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ok++
			case codes(err)[0] != refused:
				t.Error(err)
			}
		})
		if ok != 1 {
			t.Errorf("%s: %d took effect", operation, ok)
		}
	}
	race("createCustomer", `{"externalId":"one","customerProfile":"b2b"}`, "duplicate_external_id /externalId")
	race("createSubscriber", `{"externalId":"s%d","subscriberProfile":"mobile","account":{"externalId":"a"},"primaryResource":"491700000001"}`, "resource_taken /primaryResource")
	for n := range clients {
		f.do("createSubscriber", fmt.Sprintf(`{"externalId":"t%d","subscriberProfile":"mobile","account":{"externalId":"a"}}`, n))
	}
	race("createSubscriberResource", `{"subscriber":{"externalId":"t%d"},"resourceType":"ipV4","resource":"10.0.0.1"}`, "resource_taken /resource")
	race("updateSubscriberExternalId", `{"subscriber":{"externalId":"t%d"},"externalId":"wanted"}`, "duplicate_external_id /externalId")
}

func TestARefusedCommandBetweenGoodOnes(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	release := f.hold()
	errs := make([]error, 9)
	var wg sync.WaitGroup
	for n := range errs {
		wg.Go(func() {
			switch n % 3 {
			case 1:
				_, errs[n] = f.try("createCustomer", customer("c"))
			default:
				_, errs[n] = f.try("updateCustomerCustomName", name("c", fmt.Sprint(n)))
			}
		})
		f.waitFor(n + 1)
	}
	release()
	wg.Wait()
	for n, err := range errs {
		if (err != nil) != (n%3 == 1) {
			t.Errorf("%d: %v", n, err)
		}
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 7, "customName", "8")
}
