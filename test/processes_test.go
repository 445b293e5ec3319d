package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

// several are two servers on one database, under many clients at once.
type several struct {
	*testing.T
	apps []*testkit.App
}

// TestSeveralServers: what is right on one server is right on two of them.
func TestSeveralServers(t *testing.T) {
	s := &several{t, servers(t, 2, testkit.Database(t))}
	for _, test := range []struct {
		name string
		run  func(*several)
	}{
		{"an external id has one holder", (*several).uniqueness},
		{"a request takes effect once", (*several).requests},
		{"nothing is lost on a hot entity", (*several).hot},
		{"parents form no circle", (*several).circles},
		{"a cascade meets all that stood before it", (*several).cascades},
		{"a configuration change is seen by each write after it", (*several).configuration},
		{"due changes are recorded once", (*several).due},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&several{t, s.apps}) })
	}
	leader(t, s.apps)
	messages := feed(t, s.apps[0])
	checkVersions(t, messages)
	checkStream(t.Context(), t, s.apps[1], messages)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *several) on(n int, path, body string) answer {
	status, header, b, err := s.apps[n%len(s.apps)].Post(s.Context(), "/v1/casm"+path, body)
	if err != nil {
		s.Error(err)
	}
	return answer{status, header, string(b)}
}

func (s *several) must(n int, path, body string) answer {
	s.Helper()
	a := s.on(n, path, body)
	if a.status != 200 {
		s.Fatalf("%s %s: %d %s", path, body, a.status, a.body)
	}
	return a
}

// clients runs fn for many clients at once.
func (s *several) clients(n int, fn func(client int)) {
	var all sync.WaitGroup
	for c := range n {
		all.Go(func() { fn(c) })
	}
	all.Wait()
}

func (s *several) uniqueness() {
	const names, clients = 20, 8
	var won [names]atomic.Int64
	s.clients(clients, func(c int) {
		for n := range names {
			a := s.on(c, "/customers/create", fmt.Sprintf(`{"requestId":"u%d-%d","externalId":"u%d","customerProfile":"b2b"}`, c, n, n))
			switch {
			case a.status == 200:
				won[n].Add(1)
			case a.status != 400 || !strings.Contains(a.body, "duplicate_external_id"):
				s.Errorf("%d %s", a.status, a.body)
			}
		}
	})
	for n := range won {
		if won[n].Load() != 1 {
			s.Errorf("u%d was given %d times", n, won[n].Load())
		}
	}
}

func (s *several) requests() {
	const requests, clients = 20, 8
	var fresh [requests]atomic.Int64
	var answers [requests]sync.Map
	s.clients(clients, func(c int) {
		for n := range requests {
			a := s.on(c, "/customers/create", fmt.Sprintf(`{"requestId":"same%d","customerProfile":"b2b"}`, n))
			if a.status != 200 {
				s.Errorf("%d %s", a.status, a.body)
			}
			if a.header.Get("Idempotent-Replayed") == "" {
				fresh[n].Add(1)
			}
			answers[n].Store(a.body, true)
		}
	})
	for n := range fresh {
		different := 0
		answers[n].Range(func(_, _ any) bool { different++; return true })
		if fresh[n].Load() != 1 || different != 1 {
			s.Errorf("request %d took effect %d times, with %d answers", n, fresh[n].Load(), different)
		}
	}
}

func (s *several) hot() {
	const clients, each = 16, 10
	s.must(0, "/customers/create", `{"requestId":"hot","externalId":"hot","customerProfile":"b2b"}`)
	s.clients(clients, func(c int) {
		for n := range each {
			s.must(c, "/customers/custom-name/update", fmt.Sprintf(`{"requestId":"hot%d-%d","customer":{"externalId":"hot"},"customName":"%d-%d"}`, c, n, c, n))
		}
	})
	if v := s.read("/customers/read?externalId=hot").Version; v != clients*each+1 {
		s.Errorf("version %d, want %d", v, clients*each+1)
	}
}

type entity struct {
	RefID   string
	Version int
	State   struct{ State string }
	Parent  struct{ ExternalID string }
}

func (s *several) read(path string) (e entity) {
	s.Helper()
	status, _, body, err := s.apps[0].Get(s.Context(), "/v1/casm"+path)
	if err != nil || status != 200 || json.Unmarshal(body, &e) != nil {
		s.Fatalf("%s: %d %s %v", path, status, body, err)
	}
	return e
}

func (s *several) circles() {
	s.must(0, "/customers/create", `{"requestId":"tree","externalId":"tree","customerProfile":"b2b"}`)
	const accounts = 3
	for n := range accounts {
		s.must(0, "/accounts/create", fmt.Sprintf(`{"requestId":"tree%d","externalId":"tree%d","customer":{"externalId":"tree"},"accountProfile":"postpaid"}`, n, n))
	}
	var refused atomic.Int64
	for round := range 10 {
		s.clients(accounts, func(c int) { // each below the next, which is a circle
			a := s.on(c, "/accounts/parent/update", fmt.Sprintf(`{"requestId":"circle%d-%d","account":{"externalId":"tree%d"},"parent":{"externalId":"tree%d"}}`, round, c, c, (c+1)%accounts))
			if a.status != 200 {
				refused.Add(1)
				if !strings.Contains(a.body, "hierarchy_cycle") {
					s.Errorf("%d %s", a.status, a.body)
				}
			}
		})
		parents := map[string]string{}
		for n := range accounts {
			name := fmt.Sprintf("tree%d", n)
			parents[name] = s.read("/accounts/read?externalId=" + name).Parent.ExternalID
		}
		at := "tree0"
		for range accounts {
			at = parents[at]
		}
		if at != "" {
			s.Fatalf("round %d: a circle: %v", round, parents)
		}
		for n := range accounts {
			s.must(n, "/accounts/parent/update", fmt.Sprintf(`{"requestId":"apart%d-%d","account":{"externalId":"tree%d"},"parent":null}`, round, n, n))
		}
	}
	if refused.Load() < 10 {
		s.Errorf("%d were refused, want one of each round at least", refused.Load())
	}
}

func (s *several) cascades() {
	customer := s.must(0, "/customers/create", `{"requestId":"top","externalId":"top","customerProfile":"b2b"}`)
	var cascade atomic.Value
	s.clients(9, func(c int) {
		if c == 8 { // in the middle of what the others do
			time.Sleep(50 * time.Millisecond)
			a := s.must(c, "/customers/state/update", `{"requestId":"suspend","customer":{"externalId":"top"},"subordinateUpdated":true,"state":{"state":"SUSPENDED","stateReason":"debt"}}`)
			cascade.Store(id(s.T, a.body, "transactionId"))
			return
		}
		for n := range 20 {
			s.must(c, "/accounts/create", fmt.Sprintf(`{"requestId":"below%d-%d","customer":{"externalId":"top"},"accountProfile":"postpaid"}`, c, n))
		}
	})
	top := id(s.T, customer.body, "refId")
	status, _, body, err := s.apps[1].Get(s.Context(), "/v1/business-transactions?limit=1000&customer="+top)
	var page struct{ Items []message }
	if err != nil || status != 200 || json.Unmarshal(body, &page) != nil {
		s.Fatalf("%d %s %v", status, body, err)
	}
	before, met := 0, 0
	for _, m := range page.Items {
		switch {
		case m.TransactionID == cascade.Load():
			met++
		case met == 0:
			before++ // the customer and the accounts that stood
		case m.Event != "created":
			s.Errorf("after the cascade: %+v", m)
		}
	}
	s.Logf("%d stood before the cascade, of 161", before)
	if before != met || len(page.Items) != 161+met {
		s.Errorf("%d stood before the cascade, which met %d; %d messages in all", before, met, len(page.Items))
	}
}

// id reads a member of an answer, of its payload where that has it.
func id(t *testing.T, body, member string) string {
	t.Helper()
	var a map[string]any
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if v, ok := a[member].(string); ok {
		return v
	}
	payload, _ := a["payload"].(map[string]any)
	v, _ := payload[member].(string)
	return v
}

func (s *several) configuration() {
	for n := range 20 {
		retired := n%2 == 0
		body := fmt.Sprintf(`{"code":"standard","name":"Standard","retired":%t}`, retired)
		req, err := http.NewRequestWithContext(s.Context(), http.MethodPut, s.apps[n%2].URL+"/v1/config/account-segments/standard", strings.NewReader(body))
		if err != nil {
			s.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			s.Fatalf("%d for %s", res.StatusCode, body)
		}
		a := s.on(n+1, "/accounts/create", fmt.Sprintf(`{"requestId":"seg%d","customer":{"externalId":"tree"},"accountProfile":"postpaid","accountSegment":"standard"}`, n))
		if refused := a.status == 400 && strings.Contains(a.body, "retired"); refused != retired || !refused && a.status != 200 {
			s.Errorf("retired %t: %d %s", retired, a.status, a.body)
		}
	}
}

func (s *several) due() {
	const customers = 50
	at := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)
	s.clients(10, func(c int) {
		for n := c; n < customers; n += 10 {
			s.must(n, "/customers/create", fmt.Sprintf(`{"requestId":"due%d","externalId":"due%d","customerProfile":"b2b","state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"%s"}}`, n, n, at))
		}
	})
	var applied map[string]int
	eventually(s.T, 10*time.Second, "all that is due is recorded", func() bool {
		applied = map[string]int{}
		total := 0
		for _, m := range feed(s.T, s.apps[0]) {
			if strings.HasPrefix(m.RequestID, "due") && m.version > 1 {
				applied[m.RequestID]++
				total++
			}
		}
		return total >= customers
	})
	for request, n := range applied {
		if n != 1 {
			s.Errorf("the plan of %s was recorded %d times", request, n)
		}
	}
	for n := range customers {
		if e := s.read(fmt.Sprintf("/customers/read?externalId=due%d", n)); e.State.State != "ACTIVE" || e.Version != 2 {
			s.Errorf("due%d: %+v", n, e)
		}
	}
}
