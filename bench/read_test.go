package bench

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"casm/internal/testkit"

	"go.uber.org/goleak"
)

// bareVariable tells the test binary to be a bare server instead.
// The variables by which this binary is told to be a bare server.
const (
	bareAnswer = "CASM_BENCH_BARE_ANSWER"
	bareListen = "CASM_BENCH_BARE_LISTEN"
)

func TestMain(m *testing.M) {
	if os.Getenv(bareListen) != "" {
		err := errors.New("it is not said what to serve")
		if answer := os.Getenv(bareAnswer); answer != "" {
			err = serveBare([]byte(answer))
		} else if database := os.Getenv(bareDatabase); database != "" {
			err = serveLoop(database)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	testkit.CleanUp()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// serveBare answers every request with the same bytes, on the address that
// its first argument names, until it is killed.
func serveBare(body []byte) error {
	return http.ListenAndServe(os.Getenv(bareListen), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Type"] = []string{"application/json"}
		h["Etag"] = []string{`"1"`}
		h["X-Request-Id"] = []string{"00000000000000000000000000000000"}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		h["Cache-Control"] = []string{"no-store"}
		_, _ = w.Write(body) // a client that went away
	}))
}

// BenchmarkReads compares reads of customers by external id at 64 clients
// with a bare net/http server in a process of its own that sends the same
// bytes, in turns: share is which part of the bare server's rate they reach.
//
//	go test ./bench -run '^$' -bench Reads -benchtime 1x
func BenchmarkReads(b *testing.B) {
	app := testkit.NewApp(b, "--log-level", "warn")
	target, err := url.Parse(app.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := startBare(b, bareAnswer+"="+anAnswer(b, app))
	for range b.N {
		var sums [2]Result
		for range 3 {
			for i, t := range []*Target{{URL: target}, {URL: bare, Bare: true}} {
				r, err := Measure(b.Context(), t, Run{Scenario: "read", Clients: 64, Duration: 2 * time.Second, Warmup: 500 * time.Millisecond})
				if err != nil {
					b.Fatal(err)
				}
				if r.Errors() > 0 {
					b.Fatal(r.FirstError)
				}
				sums[i].Add(r)
			}
		}
		b.ReportMetric(sums[0].Rate(), "casm/s")
		b.ReportMetric(sums[1].Rate(), "bare/s")
		b.ReportMetric(100*sums[0].Rate()/sums[1].Rate(), "share-%")
		b.ReportMetric(float64(sums[0].Latency(0.99))/1e6, "p99-ms")
	}
}

// anAnswer is what a read of a customer answers.
func anAnswer(b *testing.B, app *testkit.App) string {
	b.Helper()
	status, _, body, err := app.Post(b.Context(), createCustomer, string(appendCustomer(nil, "sample", 0, 0)))
	if err != nil || status != http.StatusOK {
		b.Fatalf("%d %s %v", status, body, err)
	}
	status, _, body, err = app.Get(b.Context(), "/v1/casm/customers/read?externalId=sample-0-0")
	if err != nil || status != http.StatusOK {
		b.Fatalf("%d %s %v", status, body, err)
	}
	return string(body)
}

// startBare starts this binary as a bare server, of what a variable says.
func startBare(b *testing.B, variable string) *url.URL {
	b.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(b))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable, bareListen+"="+address)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return &url.URL{Scheme: "http", Host: address}
		}
		if time.Since(begun) > 10*time.Second {
			b.Fatal(err)
		}
	}
}
