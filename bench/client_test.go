package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server and returns it as a target.
func serve(t *testing.T, h http.HandlerFunc) *Target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &Target{URL: u, Key: "secret"}
}

// TestClient: answers of every form, one after the other on one connection.
func TestClient(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	connections := map[string]bool{}
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"n": 1}` || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		switch r.URL.Path {
		case "/short":
			fmt.Fprint(w, "{}")
		case "/chunked":
			fmt.Fprint(w, big)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, big)
		case "/empty":
		case "/refused":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "why"+big)
		case "/last":
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, big)
		}
	})
	c := &client{target: target, timeout: 5 * time.Second}
	defer c.close()
	for range 2 {
		for _, path := range []string{"/short", "/chunked", "/empty", "/refused", "/chunked", "/short"} {
			status, err := c.post(t.Context(), path, []byte(`{"n": 1}`))
			if path == "/refused" {
				if status != http.StatusBadRequest || err == nil || !strings.Contains(err.Error(), "why") {
					t.Errorf("%s: %d, %v", path, status, err)
				}
			} else if status != http.StatusOK || err != nil {
				t.Errorf("%s: %d, %v", path, status, err)
			}
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections were used", len(connections))
	}
	for range 2 {
		if status, err := c.post(t.Context(), "/last", []byte(`{"n": 1}`)); status != http.StatusOK || err != nil {
			t.Errorf("connection closed by the server: %d, %v", status, err)
		}
	}
}

// TestMeasureCounts: successes and failures are told apart, and warm-up and
// measurement, too.
func TestMeasureCounts(t *testing.T) {
	var all, failed atomic.Uint64
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if all.Add(1)%4 == 0 {
			failed.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var progress atomic.Int32
	r, err := Measure(t.Context(), target, Run{
		Scenario: "create-customer", Clients: 5, Duration: 500 * time.Millisecond, Warmup: 100 * time.Millisecond,
		Progress: func(time.Duration, uint64) { progress.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Errors() != failed.Load() || r.Requests() == 0 || r.Requests() >= all.Load()-failed.Load() {
		t.Errorf("%d requests and %d errors of %d with %d", r.Requests(), r.Errors(), all.Load(), failed.Load())
	}
	if r.FirstError == nil || !strings.Contains(r.FirstError.Error(), "503") {
		t.Errorf("an example of what went wrong: %v", r.FirstError)
	}
	if r.Rate() <= 0 || r.Latency(0.5) <= 0 || r.Latency(0.5) > r.Latency(1) || progress.Load() == 0 {
		t.Errorf("rate %v, median %v, max %v, progress %d", r.Rate(), r.Latency(0.5), r.Latency(1), progress.Load())
	}
}

// TestMeasureRate: a rate is held, and a request that is late counts from when
// it was due.
func TestMeasureRate(t *testing.T) {
	slow := time.Duration(0)
	target := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(slow) })
	run := Run{Scenario: "create-customer", Clients: 4, Duration: time.Second, Rate: 200}
	r, err := Measure(t.Context(), target, run)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rate() < 100 || r.Rate() > 210 {
		t.Errorf("the rate is %v, want 200", r.Rate())
	}
	slow = 40 * time.Millisecond // four clients get 100 a second, so the last are half a second late
	if r, err = Measure(t.Context(), target, run); err != nil {
		t.Fatal(err)
	}
	if r.Latency(1) < 300*time.Millisecond {
		t.Errorf("the slowest took %v", r.Latency(1))
	}
	run.Rate = 0.1
	begun := time.Now()
	if _, err := Measure(t.Context(), target, run); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("one request in ten seconds: %v after %v", err, time.Since(begun))
	}
}

func TestMeasureEnds(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Measure(ctx, target, Run{Scenario: "create-customer", Clients: 2, Duration: time.Hour}); err == nil {
		t.Error("a measurement that was stopped has a result")
	}
	for _, run := range []Run{{Scenario: "dance", Clients: 1}, {Scenario: "update-one"}, {Scenario: "update-one", Clients: MaxClients + 1}} {
		if _, err := Measure(t.Context(), target, run); err == nil {
			t.Errorf("taken: %+v", run)
		}
	}
}

// TestScenarios: requests are JSON, none twice, and name the customer that they
// should.
func TestScenarios(t *testing.T) {
	for _, name := range Scenarios {
		fn := scenarios[name].request("id")
		seen := map[string]bool{}
		for client := range 3 {
			for n := range uint64(3) {
				body := string(fn(nil, client, n+1))
				if seen[body] {
					t.Errorf("%s: twice: %s", name, body)
				}
				seen[body] = true
				want := map[string]string{
					"create-customer": fmt.Sprintf(`"externalId":"id-%d-%d"`, client, n+1),
					"update-one":      `"externalId":"id-0-0"`,
					"update-each":     fmt.Sprintf(`"externalId":"id-%d-0"`, client),
				}[name]
				if name == "read" { // a path, of one of many customers
					want = "/v1/casm/customers/read?externalId=id-"
				}
				if json.Valid([]byte(body)) == (name == "read") || !strings.Contains(body, want) {
					t.Errorf("%s: %s has no %s", name, body, want)
				}
			}
		}
	}
}
