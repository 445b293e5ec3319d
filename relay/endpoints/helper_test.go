package endpoints_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/internal/testkit"
	"casm/relay"
	"casm/relay/endpoints"
	"casm/store"
	"casm/store/sqlite"
	"casm/stream/webhook"

	"github.com/google/uuid"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// house is an engine on a store, with a clock that tests move.
type house struct {
	testing.TB
	*engine.Engine
	store  store.Store
	offset atomic.Int64
	log    bytes.Buffer
	mu     sync.Mutex // guards log
}

func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *house) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.offset.Load())) }

func newHouse(t testing.TB) *house {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return houseOn(t, s, engine.Options{Exclusive: true})
}

func houseOn(t testing.TB, s store.Store, o engine.Options) *house {
	t.Helper()
	h := &house{TB: t, store: s}
	o.Store = s
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.Engine = e
	e.Start()
	t.Cleanup(func() {
		if err := e.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.EditConfig(t.Context(), "test", false, testkit.Config()); err != nil {
		t.Fatal(err)
	}
	return h
}

// write runs an operation and returns the refId of its payload.
func (h *house) write(operation, body string) uuid.UUID {
	h.Helper()
	body = fmt.Sprintf(`{"requestId":%q,%s`, uuid.NewString(), strings.TrimPrefix(body, "{"))
	in, v := command.OperationByID(operation).Decode([]byte(body), "", false)
	if len(v) > 0 {
		h.Fatal(v)
	}
	a, err := h.Engine.Write(h.Context(), engine.Write{Input: in, Body: []byte(body), Actor: "test"})
	if err != nil {
		h.Fatal(err)
	}
	var out struct {
		Payload struct {
			RefID uuid.UUID `json:"refId"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(a.Body, &out); err != nil {
		h.Fatal(err)
	}
	return out.Payload.RefID
}

func (h *house) customer(name string) uuid.UUID {
	h.Helper()
	return h.write("createCustomer", fmt.Sprintf(`{"customerProfile":"b2b","externalId":%q}`, name))
}

func (h *house) rename(name string, n int) {
	h.Helper()
	h.write("updateCustomerCustomName", fmt.Sprintf(`{"customer":{"externalId":%q},"customName":"name %d"}`, name, n))
}

// configure sets an endpoint.
func (h *house) configure(p *casm.PubSubEndpoint) {
	h.Helper()
	if p.Code == "" {
		p.Code = "crm"
	}
	p.Name = "CRM"
	_, err := h.EditConfig(h.Context(), "test", false, []command.ConfigEdit{{Collection: casm.CollectionByPath(casm.PubSubEndpoints), Code: p.Code, Item: p}})
	if err != nil {
		h.Fatal(err)
	}
}

func hook(url string) *casm.PubSubEndpoint {
	return &casm.PubSubEndpoint{Type: casm.EndpointWebhook, URL: url, SecretEnv: "CASM_ENDPOINT_CRM"}
}

// start runs endpoints until stopped, which the end of the test does too.
func (h *house) start(options ...func(*endpoints.Options)) (*endpoints.Endpoints, func()) {
	h.Helper()
	o := endpoints.Options{
		Log: h.store, Config: h.Config, Wake: h.Committed, Now: h.now, FirstPause: 2 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(h, nil)),
		Open: func(_ context.Context, p *casm.PubSubEndpoint) (endpoints.Sender, error) {
			return webhook.New(webhook.Options{URL: p.URL, Secret: func() (string, error) { return secret, nil }, Timeout: 300 * time.Millisecond}), nil
		},
	}
	for _, option := range options {
		option(&o)
	}
	e := endpoints.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-done
	}
	h.Cleanup(stop)
	return e, stop
}

// until waits for something that is to come about by itself.
func (h *house) until(what string, is func() bool) {
	h.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("it never came to this: %s\n%s", what, h.logged())
		}
	}
}

func (h *house) status(e *endpoints.Endpoints) endpoints.Status {
	h.Helper()
	c, err := h.Config(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	s, err := e.Status(h.Context(), c.Item(casm.PubSubEndpoints, "crm").(*casm.PubSubEndpoint))
	if err != nil {
		h.Fatal(err)
	}
	return s[0]
}

// journal gives the ids of all messages by customer, in order.
func (h *house) journal() map[string][]string {
	h.Helper()
	all := map[string][]string{}
	err := h.store.View(h.Context(), func(r store.Reader) error {
		entries, err := r.Feed(h.Context(), casm.Start, store.FeedFilter{}, 100_000)
		for _, e := range entries {
			all[e.Customer.String()] = append(all[e.Customer.String()], relay.ID(e))
		}
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// receiver is an HTTP server that takes messages.
type receiver struct {
	testing.TB
	*httptest.Server
	mu    sync.Mutex
	taken map[string][]string // ids by customer, as they were answered 200
	count int                 // requests
	// answer gives the status for a message; 0: none in time.
	answer func(customer, id string) int
}

func newReceiver(t testing.TB, answer func(customer, id string) int) *receiver {
	r := &receiver{TB: t, taken: map[string][]string{}, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP takes a message if its signature holds.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // it was cut
	}
	if wrong := verify(q.Header, body); wrong != "" {
		r.Error(wrong)
	}
	id, customer := q.Header.Get("ce-id"), q.Header.Get("ce-partitionkey")
	r.mu.Lock()
	r.count++
	status := http.StatusNoContent
	if r.answer != nil {
		status = r.answer(customer, id)
	}
	if status/100 == 2 {
		r.taken[customer] = append(r.taken[customer], id)
	}
	r.mu.Unlock()
	if status == 0 {
		<-q.Context().Done()
		return
	}
	w.WriteHeader(status)
}

// verify checks a message as a receiver that knows Standard Webhooks does.
func verify(h http.Header, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err.Error()
	}
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age > 5*time.Minute || age < -5*time.Minute {
		return fmt.Sprintf("time stamp %q: %v", h.Get("webhook-timestamp"), err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), seconds, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for given := range strings.FieldsSeq(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(given), []byte(want)) {
			return ""
		}
	}
	return "the signature does not hold"
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// first gives what was taken by customer, repeats left out.
func (r *receiver) first() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string][]string{}
	for customer, ids := range r.taken {
		seen := map[string]bool{}
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				all[customer] = append(all[customer], id)
			}
		}
	}
	return all
}

func (r *receiver) repeats() (n int) {
	first := r.first()
	r.mu.Lock()
	defer r.mu.Unlock()
	for customer, ids := range r.taken {
		n += len(ids) - len(first[customer])
	}
	return n
}

func messages(all map[string][]string) (n int) {
	for _, ids := range all {
		n += len(ids)
	}
	return n
}
