package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestFuzzOpenAPI sends what the OpenAPI document allows, and what it does not,
// to every operation: no answer is a 500, each is as the document says, and
// each refusal says what is wrong and where. CASM_FUZZ_SEED repeats a run,
// CASM_FUZZ_REQUESTS makes it longer.
func TestFuzzOpenAPI(t *testing.T) {
	app := testkit.NewApp(t, "--log-level", "error")
	api := testkit.LoadOpenAPI(t, app)
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("CASM_FUZZ_SEED"), 10, 64); err == nil {
		seed = n
	}
	total := 4000
	if n, err := strconv.Atoi(os.Getenv("CASM_FUZZ_REQUESTS")); err == nil {
		total = n
	}
	t.Logf("CASM_FUZZ_SEED=%d", seed)
	pool := newPool(t, app)
	operations := slices.DeleteFunc(slices.Clone(api.Operations), func(op *testkit.APIOperation) bool {
		return op.ID == "streamBusinessTransactions" // never ends
	})
	begun := time.Now()
	var sent, good atomic.Int64
	var mu sync.Mutex
	statuses := map[int]int{}
	succeeded := map[string]bool{}
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			g := &generator{Rand: rand.New(rand.NewPCG(seed, worker)), api: api, pool: pool}
			for {
				n := int(sent.Add(1)) - 1
				if n >= total || t.Failed() {
					return
				}
				r := g.request(operations[n%len(operations)])
				status := r.send(t, app, api, pool)
				mu.Lock()
				statuses[status]++
				if status < 300 {
					good.Add(1)
					succeeded[r.op.ID] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d requests in %v: %v; %d of %d operations succeeded", total, time.Since(begun).Round(time.Millisecond), statuses, len(succeeded), len(operations))
	if !t.Failed() && good.Load() < int64(total/20) {
		t.Errorf("only %d of %d requests succeeded: what is generated is no good", good.Load(), total)
	}
}

// pool is what there is to refer to: it grows with what is created.
type pool struct {
	mu    sync.Mutex
	ids   map[string][]string // external ids and refIds, by type of entity
	codes map[string][]string // by collection
}

func newPool(t *testing.T, app *testkit.App) *pool {
	t.Helper()
	p := &pool{ids: map[string][]string{}, codes: map[string][]string{}}
	status, header, body, err := app.Get(t.Context(), "/v1/config/export")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %v %s %v", status, header, body, err)
	}
	// The document lists each collection's items by code.
	var collection string
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutSuffix(strings.TrimRight(line, "\n"), ":"); ok && !strings.HasPrefix(line, " ") {
			collection = name
		}
		if code, ok := strings.CutPrefix(line, "  - code: "); ok {
			p.codes[collection] = append(p.codes[collection], strings.Trim(strings.TrimSpace(code), `"'`))
		}
	}
	// What is no part of that document.
	p.codes["roles"], p.codes["users"], p.codes["keys"] = []string{"reader", "fuzz1"}, []string{"fuzz1", "fuzz2"}, []string{"none"}
	if len(p.codes["offers"]) < 3 {
		t.Fatalf("the codes of the configuration were not found: %v", p.codes)
	}
	return p
}

func (p *pool) add(kind, id string) {
	if id == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ids[kind]) < 200 {
		p.ids[kind] = append(p.ids[kind], id)
	}
}

// learn remembers the entity of a successful write.
func (p *pool) learn(body []byte) {
	var answer struct {
		Impacted []struct{ Type, RefID, ExternalID string }
	}
	if json.Unmarshal(body, &answer) != nil {
		return // no write
	}
	for _, e := range answer.Impacted {
		p.add(e.Type, e.RefID)
		p.add(e.Type, e.ExternalID)
	}
}

// send sends the request and checks its answer.
func (r *fuzzed) send(t *testing.T, app *testkit.App, api *testkit.OpenAPI, pool *pool) int {
	req, err := http.NewRequestWithContext(t.Context(), r.op.Method, app.URL+r.path, bytes.NewReader(r.body))
	if err != nil {
		return 0 // a path that cannot be sent
	}
	req.Header = r.headers
	res, err := fuzzClient.Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", r.op.Method, r.path, err)
		return 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", r.op.Method, r.path, err)
		return 0
	}
	op := r.op
	if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed {
		op = nil // the path that came of it may be another
	}
	err = api.CheckAnswer(op, res.StatusCode, res.Header, body)
	if err == nil && res.StatusCode >= 500 {
		err = fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	if err != nil {
		t.Errorf("%s %s %v\n%.3000s\n%v", r.op.Method, r.path, r.headers, r.body, err)
	}
	if res.StatusCode < 300 && r.op.Method == http.MethodPost {
		pool.learn(body)
	}
	return res.StatusCode
}

var fuzzClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 20 * time.Second}
