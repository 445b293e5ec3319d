// Package acceptance is what casm must do, as a client sees it: one list of
// cases, run against a started binary on each store. A case is some requests
// with what each must answer; read customers_test.go first.
package acceptance

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"casm/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}

// stores says how a server is started on each store that the cases must pass on.
var stores = []struct {
	name  string
	start func(t *testing.T) *testkit.App
}{
	{"embedded", func(t *testing.T) *testkit.App { return testkit.NewApp(t) }},
	{"postgres", func(t *testing.T) *testkit.App { return testkit.NewApp(t, "--database", testkit.Database(t)) }},
}

// allCases is the list.
var allCases = slices.Concat(
	seedCases, customerCases, accountCases, parentCases, billCycleCases, subscriberCases, resourceCases,
	subscriptionCases, individualCases, balanceCases, stateCases, cascadeCases, attributeCases,
	requestCases, shapeCases, batchCases, readCases, listCases, historyCases, configCases, configRuleCases,
	feedCases, systemCases, accessCases,
)

// beyond are the codes of contract 4 that a healthy server in --dev does not
// answer, with where they are asserted.
var beyond = map[string]string{
	"unauthenticated": "TestAccess",
	"forbidden":       "TestAccess",
	"rate_limited":    "TestAccess",
	"overloaded":      "TestTooManyStreams",
	"outcome_unknown": "httpapi, TestFaults: only a store that is lost during a commit answers it",
	"internal":        "httpapi, TestFaults: only a mistake of ours answers it",
}

// TestAcceptance runs all cases on each store, and fails when an operation of
// the OpenAPI document or a code of contract 4 has no case.
func TestAcceptance(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			app := store.start(t)
			r := &runner{app: app, api: testkit.LoadOpenAPI(t, app), seen: coverage{succeeded: map[string]bool{}, refused: map[string]bool{}, codes: map[string]bool{}}}
			ran := 0
			t.Run("cases", func(t *testing.T) {
				var mu sync.Mutex
				names := map[string]bool{}
				for _, c := range allCases {
					if names[c.Name] {
						t.Errorf("two cases are named %q", c.Name)
					}
					names[c.Name] = true
					t.Run(c.Name, func(t *testing.T) {
						mu.Lock()
						ran++
						mu.Unlock()
						t.Parallel()
						r.run(t, c)
					})
				}
			})
			if ran == len(allCases) {
				r.seen.check(t, r.api)
			}
		})
	}
}

// coverage is what the cases have asserted.
type coverage struct {
	mu                        sync.Mutex
	succeeded, refused, codes map[string]bool // operationIds, and codes
}

func (c *coverage) add(op *testkit.APIOperation, status int, codes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range codes {
		c.codes[code] = true
	}
	switch {
	case op == nil:
	case status < 300:
		c.succeeded[op.ID] = true
	default:
		c.refused[op.ID] = true
	}
}

// withProvider are operations that succeed with an OIDC provider alone:
// TestOIDCOnServers has one.
var withProvider = []string{"beginOIDCSignIn", "finishOIDCSignIn"}

// check fails when something was never asserted.
func (c *coverage) check(t *testing.T, api *testkit.OpenAPI) {
	var missing []string
	for _, op := range api.Operations {
		if !c.succeeded[op.ID] && !slices.Contains(withProvider, op.ID) {
			missing = append(missing, op.ID+" succeeds")
		}
		if op.Refuses() && !c.refused[op.ID] {
			missing = append(missing, op.ID+" refuses")
		}
	}
	for _, code := range api.Codes {
		if !c.codes[code] && beyond[code] == "" {
			missing = append(missing, "the code "+code)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no case asserts that:\n%s", strings.Join(missing, "\n"))
	}
}
