package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestManyDue: 10,000 changes are due at one instant (rules 18 and 20). From
// that instant on reads and lists show them as taken effect; the worker records
// each once, while writes go on.
func TestManyDue(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes many seconds")
	}
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) { manyDue(t, store.start(t)) })
	}
}

const dueCustomers, dueEach = 10, 1000

func manyDue(t *testing.T, app *testkit.App) {
	var ids []string
	began := time.Now()
	for n := range dueCustomers {
		var c struct{ Payload struct{ RefID string } }
		ask(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId": "c%d", "externalId": "c%d", "customerProfile": "b2b"}`, n, n), &c)
		ids = append(ids, c.Payload.RefID)
		operations := make([]string, dueEach-1) // and the customer
		for i := range operations {
			operations[i] = fmt.Sprintf(`{"operation": "createSubscriptionOnCustomer", "body": {"customer": {"externalId": "c%d"}, "offer": "loyalty", "externalId": "s%d-%d", %s}}`, n, n, i, active)
		}
		ask(t, app, "/v1/casm/batch", fmt.Sprintf(`{"requestId": "b%d", "operations": [%s]}`, n, strings.Join(operations, ",")), nil)
	}
	// Planned as far ahead as the machine takes for it, by what a thousand took.
	perBatch := time.Since(began) / dueCustomers
	at := time.Now().Add(4*time.Second + 2*dueCustomers*perBatch).Truncate(time.Microsecond)
	for n := range dueCustomers {
		ask(t, app, "/v1/casm/customers/state/update", fmt.Sprintf(
			`{"requestId": "p%d", "customer": {"externalId": "c%d"}, "subordinateUpdated": true, "state": {"state": "SUSPENDED", "stateReason": "debt", "stateValidFrom": %q}}`,
			n, n, at.UTC().Format(time.RFC3339Nano)), nil)
	}
	if late := time.Since(at); late > 0 {
		t.Fatalf("10,000 changes were planned %v too late", late)
	}
	position := lastPosition(t, app)
	time.Sleep(time.Until(at))

	// at once, whatever is recorded by then
	wantSubscription(t, app, "s9-998")
	if got := countSuspended(t, app, ids[5]); got != dueEach-1 {
		t.Errorf("a list shows %d as suspended, want %d", got, dueEach-1)
	}
	shown := time.Since(at)
	var slowest time.Duration
	recorded, writes := 0, 0
	for recorded < dueCustomers*dueEach {
		began := time.Now()
		ask(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId": "w%d", "customerProfile": "b2b"}`, writes), nil)
		slowest = max(slowest, time.Since(began))
		writes++
		var page struct {
			Items []struct{ Position, Operation, RequestID string }
		}
		ask(t, app, "/v1/business-transactions?limit=1000&after="+position, "", &page)
		for _, item := range page.Items {
			position = item.Position
			if item.Operation == "applyPlannedState" {
				recorded++
			}
		}
		if time.Since(at) > time.Minute {
			t.Fatalf("after a minute %d are recorded", recorded)
		}
	}
	t.Logf("shown %v after they fell due, recorded within %v (read at 1,000 a page), %d writes meanwhile, the slowest %v",
		shown.Round(time.Millisecond), time.Since(at).Round(time.Millisecond), writes, slowest.Round(time.Millisecond))
	wantSubscription(t, app, "s9-998")
	if got := countSuspended(t, app, ids[0]); got != dueEach-1 {
		t.Errorf("recorded, a list shows %d as suspended, want %d", got, dueEach-1)
	}
}

// ask sends a request and decodes its answer, which must be a 200.
func ask(t *testing.T, app *testkit.App, path, body string, into any) {
	t.Helper()
	var status int
	var got []byte
	var err error
	if body == "" {
		status, _, got, err = app.Get(t.Context(), path)
	} else {
		status, _, got, err = app.Post(t.Context(), path, body)
	}
	if err == nil && status == http.StatusOK && into != nil {
		err = json.Unmarshal(got, into)
	}
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %v: %s", path, clip(body), status, err, clip(string(got)))
	}
}

func wantSubscription(t *testing.T, app *testkit.App, externalID string) {
	t.Helper()
	var s struct {
		Version      int
		State        struct{ State, StateReason string }
		PlannedState any
	}
	ask(t, app, "/v1/casm/subscriptions/read?externalId="+externalID, "", &s)
	if s.Version != 3 || s.State.State != "SUSPENDED" || s.State.StateReason != "debt" || s.PlannedState != nil {
		t.Errorf("%s is %+v", externalID, s)
	}
}

func countSuspended(t *testing.T, app *testkit.App, customer string) (n int) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items      []any
			NextCursor string
		}
		ask(t, app, "/v1/casm/subscriptions?state=SUSPENDED&limit=500&customer="+customer+cursor, "", &page)
		if n += len(page.Items); page.NextCursor == "" {
			return n
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

func lastPosition(t *testing.T, app *testkit.App) string {
	t.Helper()
	for position := "0"; ; {
		var page struct{ Items []struct{ Position string } }
		ask(t, app, "/v1/business-transactions?limit=1000&after="+position, "", &page)
		if len(page.Items) == 0 {
			return position
		}
		position = page.Items[len(page.Items)-1].Position
	}
}
