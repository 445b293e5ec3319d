package endpoints_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/relay/endpoints"
	"casm/store"

	"github.com/google/uuid"
)

// all waits until the receiver has all messages of the journal, and checks that
// each customer's came in order.
func (h *house) all(r *receiver) {
	h.Helper()
	want := h.journal()
	h.until("everything is delivered", func() bool { return messages(r.first()) >= messages(want) })
	if got := r.first(); !reflect.DeepEqual(got, want) {
		for customer, ids := range want {
			if !slices.Equal(ids, got[customer]) {
				h.Errorf("customer %s got\n%v\nwant\n%v", customer, got[customer], ids)
			}
		}
	}
}

// TestWebhookOrder: each customer's messages come in order, whatever fails
// meanwhile, and none is lost.
func TestWebhookOrder(t *testing.T) {
	h := newHouse(t)
	random := rand.New(rand.NewPCG(3, 4))
	r := newReceiver(t, func(string, string) int {
		switch random.IntN(100) {
		case 0:
			return 0 // hangs
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
			return http.StatusServiceUnavailable
		case 13:
			return http.StatusFound
		}
		return http.StatusOK
	})
	h.configure(hook(r.URL))
	e, _ := h.start()
	var wg sync.WaitGroup
	for c := range 12 {
		wg.Go(func() {
			name := fmt.Sprint("customer ", c)
			h.customer(name)
			for n := range 20 {
				h.rename(name, n)
			}
		})
	}
	wg.Wait()
	h.all(r)
	h.until("nobody is behind", func() bool {
		s := h.status(e)
		return s.Behind == 0 && s.LagTransactions == 0 && s.State == endpoints.Running
	})
	if s := h.status(e); s.LastError == "" || s.LastErrorAt.IsZero() || s.LagSeconds != 0 {
		t.Errorf("status %+v", s)
	}
	if n := r.repeats(); n > 0 {
		t.Errorf("%d messages were taken twice", n) // none was lost on its way back
	}
	if strings.Contains(h.logged(), secret) || strings.Contains(h.logged(), "name 1") {
		t.Errorf("the log tells too much:\n%s", h.logged())
	}
}

// TestParked: the messages of a customer that fails for 24 hours wait for a
// person, over restarts, while others go on; then they come in order.
func TestParked(t *testing.T) {
	h := newHouse(t)
	var poison string
	mended := false
	r := newReceiver(t, nil)
	r.answer = func(customer, _ string) int {
		if customer == poison && !mended {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
	bad := h.customer("bad")
	poison = bad.String()
	h.configure(hook(r.URL))
	h.rename("bad", 1)
	h.customer("good")
	before := h.journal()[poison][:1] // from before the endpoint
	e, stop := h.start()
	h.until("it is behind", func() bool { s := h.status(e); return s.Behind == 1 && s.Parked == 0 && s.LagTransactions == 0 })
	list, err := e.Behind(t.Context(), "crm", store.BehindQuery{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Customer != bad || list[0].ExternalID != "bad" || list[0].Since.IsZero() ||
		list[0].Attempts == 0 || !strings.Contains(list[0].Error, "400") || list[0].Parked {
		t.Errorf("behind %+v, %v", list, err)
	}
	h.offset.Store(int64(24*time.Hour + time.Second))
	h.until("it is parked", func() bool { return h.status(e).Parked == 1 })
	stop()
	h.rename("bad", 2)
	h.rename("good", 2)
	e, _ = h.start()
	h.until("the others go on", func() bool {
		return len(r.first()) == 1 && messages(r.first()) == 2 && h.status(e).LagTransactions == 0
	})
	if s := h.status(e); s.Parked != 1 || s.State != endpoints.Running {
		t.Errorf("status %+v", s)
	}
	r.mu.Lock()
	mended = true
	r.mu.Unlock()
	other := uuid.New()
	if n, err := e.Resume(t.Context(), "crm", &other); n != 0 || err != nil {
		t.Errorf("resumed another: %d, %v", n, err)
	}
	if n, err := e.Resume(t.Context(), "crm", &bad); n != 1 || err != nil {
		t.Errorf("resumed %d, %v", n, err)
	}
	h.until("nobody is behind", func() bool { return h.status(e).Behind == 0 })
	if got, want := append(before, r.first()[poison]...), h.journal()[poison]; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	h.rename("bad", 3)
	h.until("it goes on", func() bool { return len(r.first()[poison]) == 3 })
}

// TestDown: a receiver that is switched off is tried now and then, and few fall
// behind; when it is back, everything comes.
func TestDown(t *testing.T) {
	h := newHouse(t)
	down := true
	r := newReceiver(t, nil)
	r.answer = func(string, string) int {
		if down {
			return http.StatusBadGateway
		}
		return http.StatusOK
	}
	h.configure(hook(r.URL))
	for n := range 60 {
		h.customer(fmt.Sprint("c", n))
	}
	e, _ := h.start(func(o *endpoints.Options) { o.FirstPause = 300 * time.Millisecond })
	h.until("it fails", func() bool { return h.status(e).State == endpoints.Failing })
	if s := h.status(e); s.Behind > 20 || s.LagTransactions == 0 || !strings.Contains(s.LastError, "502") {
		t.Errorf("status %+v", s)
	}
	if n := r.requests(); n > 20 {
		t.Errorf("%d requests to a receiver that is down", n)
	}
	r.mu.Lock()
	down = false
	r.mu.Unlock()
	h.all(r)
	h.until("it is well", func() bool { s := h.status(e); return s.State == endpoints.Running && s.Behind == 0 })
}

// TestTooManyBehind: an endpoint stops when too many customers are behind, says
// so, and goes on by itself.
func TestTooManyBehind(t *testing.T) {
	h := newHouse(t)
	var good string
	mended := false
	r := newReceiver(t, nil)
	r.answer = func(customer, _ string) int {
		if customer == good || mended {
			return http.StatusOK
		}
		return http.StatusUnprocessableEntity
	}
	good = h.customer("good").String()
	h.configure(hook(r.URL))
	for n := range 10 {
		h.customer(fmt.Sprint("c", n))
		h.rename("good", n) // so that it is not the receiver as a whole that fails
	}
	e, _ := h.start(func(o *endpoints.Options) { o.MaxBehind, o.Workers = 4, 2 })
	h.until("it stops", func() bool {
		s := h.status(e)
		return s.State == endpoints.Blocked && strings.Contains(s.LastError, "as many customers")
	})
	r.mu.Lock()
	mended = true
	r.mu.Unlock()
	h.until("it is well", func() bool {
		s := h.status(e)
		return s.Behind == 0 && s.LagTransactions == 0 && s.State == endpoints.Running
	})
	got, want := r.first(), h.journal()
	want[good] = want[good][1:]
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestRestarts: whoever stops at any time, nothing is lost and the order stays.
func TestRestarts(t *testing.T) {
	h := newHouse(t)
	random := rand.New(rand.NewPCG(5, 6))
	r := newReceiver(t, func(string, string) int {
		if random.IntN(10) == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	h.configure(hook(r.URL))
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() {
			h.customer(fmt.Sprint("c", c))
			for n := range 30 {
				h.rename(fmt.Sprint("c", c), n)
			}
		})
	}
	for n := range 8 {
		_, stop := h.start()
		h.until("something is delivered", func() bool { return messages(r.first()) > 15*n })
		stop()
	}
	wg.Wait()
	h.start()
	h.all(r)
}

// TestReplay: everything, or a customer's messages, are sent again from a
// position or a time on.
func TestReplay(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, nil)
	a, b := h.customer("a"), h.customer("b")
	h.configure(hook(r.URL))
	e, _ := h.start()
	h.rename("a", 1)
	h.rename("b", 1)
	middle := casm.TimeOf(time.Now())
	h.rename("a", 2)
	idle := func(want int) {
		t.Helper()
		h.until(fmt.Sprint(want, " messages are there"), func() bool {
			r.mu.Lock()
			n := messages(r.taken)
			r.mu.Unlock()
			s := h.status(e)
			return n == want && s.LagTransactions == 0 && s.Behind == 0
		})
	}
	idle(3)
	if err := e.Replay(t.Context(), "crm", casm.Start, &a); err != nil {
		t.Fatal(err)
	}
	idle(6) // from before the endpoint's creation, too
	journal := h.journal()
	if got := r.taken[a.String()][2:]; !slices.Equal(got, journal[a.String()]) {
		t.Errorf("of the customer came %v", got)
	}
	after, err := e.PositionAt(t.Context(), middle)
	if err != nil || after.Transaction != 4 {
		t.Errorf("position %v, %v", after, err)
	}
	if err := e.Replay(t.Context(), "crm", after, nil); err != nil {
		t.Fatal(err)
	}
	idle(7)
	if err := e.Replay(t.Context(), "crm", casm.Start, nil); err != nil {
		t.Fatal(err)
	}
	idle(12)
	if n := len(r.taken[b.String()]); n != 3 {
		t.Errorf("of the other came %d", n)
	}
	if err := e.Replay(t.Context(), "crm", casm.Position{Transaction: 9}, nil); err != endpoints.ErrBehindHead { //nolint:errorlint // as it is
		t.Errorf("behind the head: %v", err)
	}
	if err := e.Replay(t.Context(), "other", casm.Start, nil); err != endpoints.ErrNoProgress { //nolint:errorlint // as it is
		t.Errorf("of none: %v", err)
	}
}

// TestChangesAct: what is changed of an endpoint acts without a restart.
func TestChangesAct(t *testing.T) {
	h := newHouse(t)
	first, second := newReceiver(t, nil), newReceiver(t, nil)
	e, _ := h.start()
	h.configure(hook(first.URL))
	h.customer("a")
	h.until("the first gets it", func() bool { return messages(first.first()) == 1 })
	p := hook(first.URL)
	p.Paused = true
	h.configure(p)
	h.until("it is paused", func() bool {
		return h.status(e).State == endpoints.Paused && strings.Contains(h.logged(), "endpoint ends")
	})
	moved := hook(second.URL)
	moved.Messages = []string{"account"}
	h.customer("b")
	h.configure(moved)
	h.until("it is passed", func() bool { s := h.status(e); return s.State == endpoints.Running && s.LagTransactions == 0 })
	h.write("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"b"}}`)
	h.until("the second gets the account", func() bool { return messages(second.first()) == 1 })
	if n := messages(first.first()); n != 1 {
		t.Errorf("the first got %d", n)
	}
	if _, err := h.EditConfig(t.Context(), "test", false, []command.ConfigEdit{{Collection: casm.CollectionByPath(casm.PubSubEndpoints), Code: "crm"}}); err != nil {
		t.Fatal(err)
	}
	h.until("it ends", func() bool { return strings.Count(h.logged(), "endpoint ends") == 2 })
	h.write("createAccount", `{"accountProfile":"postpaid","customer":{"externalId":"b"}}`)
	h.configure(hook(second.URL))
	h.customer("c")
	h.until("the new one begins anew", func() bool { return messages(second.first()) >= 2 })
	if got := slices.Collect(maps.Values(second.first())); len(got) != 2 || messages(second.first()) != 2 {
		t.Errorf("got %v", got)
	}
}
