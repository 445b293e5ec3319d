package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

// rounds is how often the process is killed: 5, or CASM_ROUNDS.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("CASM_ROUNDS")); err == nil {
		return n
	}
	return 5
}

// sent is a request that was sent, with the answer if one came.
type sent struct {
	path, body string
	answer     string // "" when none came
}

// TestKill kills the process at random moments under 16 clients. Nothing that
// was acknowledged may be lost, repeats have one effect, versions have no
// gaps, and the stream holds exactly the journal's messages.
func TestKill(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { killed(t, testkit.NewApp(t)) })
	t.Run("postgres", func(t *testing.T) { killed(t, testkit.NewApp(t, "--database", testkit.Database(t))) })
	t.Run("Kafka", func(t *testing.T) { killed(t, testkit.NewApp(t, onKafka(t)...)) })
}

func killed(t *testing.T, app *testkit.App) {
	ctx := t.Context()
	for n := range 4 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"hot%d","externalId":"hot%d","customerProfile":"b2b"}`, n, n))
	}
	var all []sent
	for round := range rounds() {
		all = append(all, killRound(t, app, round)...)
		app.Start()
		for _, s := range sample(all, 300) {
			checkRepeat(t, app, s)
		}
	}
	acknowledged := 0
	for _, s := range all {
		if s.answer != "" {
			acknowledged++
		}
	}
	t.Logf("%d requests, %d acknowledged, over %d kills", len(all), acknowledged, rounds())
	for _, s := range all {
		checkRepeat(t, app, s)
	}
	messages := feed(t, app)
	checkVersions(t, messages)
	checkStream(ctx, t, app, messages)
}

// killRound lets 16 clients write, kills the process at a random moment, and
// returns what they sent.
func killRound(t *testing.T, app *testkit.App, round int) []sent {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var all []sent
	var count atomic.Int64
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("k%d-%d-%d", round, c, n)
				s := sent{path: "/v1/casm/customers/create", body: fmt.Sprintf(`{"requestId":"%s","externalId":"%s","customerProfile":"b2b"}`, id, id)}
				switch n % 3 {
				case 1:
					s.path = "/v1/casm/customers/custom-name/update"
					s.body = fmt.Sprintf(`{"requestId":"%s","customer":{"externalId":"hot%d"},"customName":"%s"}`, id, c%4, id)
				case 2:
					s.path = "/v1/casm/subscribers/create"
					s.body = fmt.Sprintf(`{"requestId":"%s","externalId":"%s","subscriberProfile":"mobile","primaryResource":"49%03d%02d%07d"}`, id, id, round, c, n)
				}
				status, _, body, err := app.Post(ctx, s.path, s.body)
				if err == nil && status != 200 && status != 503 {
					t.Errorf("%d for %s: %s", status, s.body, body)
				}
				if err == nil && status == 200 {
					s.answer = string(body)
					count.Add(1)
				}
				mu.Lock()
				all = append(all, s)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	for count.Load() < 50 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
	app.Kill()
	cancel()
	wg.Wait()
	return all
}

// checkRepeat sends a request again: what was acknowledged must be answered
// the same, and what was not must take effect or have done so.
func checkRepeat(t *testing.T, app *testkit.App, s sent) {
	t.Helper()
	status, header, body, err := app.Post(t.Context(), s.path, s.body)
	switch {
	case err != nil:
		t.Fatal(err)
	case status != 200:
		t.Errorf("the repeat of %s: %d %s", s.body, status, body)
	case s.answer != "" && (string(body) != s.answer || header.Get("Idempotent-Replayed") != "true"):
		t.Errorf("the repeat of %s differs:\n%s\n%s", s.body, s.answer, body)
	}
}

func sample(all []sent, n int) []sent {
	out := make([]sent, 0, n)
	for range min(n, len(all)) {
		out = append(out, all[rand.IntN(len(all))])
	}
	return out
}

func post(t *testing.T, app *testkit.App, path, body string) []byte {
	t.Helper()
	status, _, answer, err := app.Post(t.Context(), path, body)
	if err != nil || status != 200 {
		t.Fatalf("%s %s: %d %s %v", path, body, status, answer, err)
	}
	return answer
}

// message is an item of the feed.
type message struct {
	Position      string          `json:"position"`
	TransactionID string          `json:"transactionId"`
	RequestID     string          `json:"requestId"`
	Operation     string          `json:"operation"`
	Event         string          `json:"event"`
	MessageCode   string          `json:"messageCode"`
	Payload       json.RawMessage `json:"payload"`

	refID   string
	version int
}

// feed reads all business transactions.
func feed(t *testing.T, app *testkit.App) []message {
	t.Helper()
	var all []message
	for after := "0"; ; {
		status, _, body, err := app.Get(t.Context(), "/v1/business-transactions?limit=1000&after="+url.QueryEscape(after))
		if err != nil || status != 200 {
			t.Fatalf("%d %s %v", status, body, err)
		}
		var page struct {
			Items []message `json:"items"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == 0 {
			return all
		}
		for _, m := range page.Items {
			var payload struct {
				RefID   string `json:"refId"`
				Version int    `json:"version"`
			}
			if err := json.Unmarshal(m.Payload, &payload); err != nil {
				t.Fatal(err)
			}
			m.refID, m.version = payload.RefID, payload.Version
			all = append(all, m)
		}
		after = page.Items[len(page.Items)-1].Position
	}
}

func checkVersions(t *testing.T, messages []message) {
	t.Helper()
	last := map[string]int{}
	effects := map[string]map[string]bool{}
	for _, m := range messages {
		if m.version != last[m.refID]+1 {
			t.Errorf("%s %s: version %d follows %d", m.MessageCode, m.refID, m.version, last[m.refID])
		}
		last[m.refID] = m.version
		if strings.HasPrefix(m.Operation, "applyPlanned") {
			continue // a transaction of its own, under the request that planned it
		}
		if effects[m.RequestID] == nil {
			effects[m.RequestID] = map[string]bool{}
		}
		effects[m.RequestID][m.TransactionID] = true
	}
	for id, transactions := range effects {
		if len(transactions) != 1 {
			t.Errorf("the request %s took effect %d times", id, len(transactions))
		}
	}
}
