// Package bench measures a running server over HTTP with closed-loop clients:
// each sends its next request when it has the answer to the one before, or at a
// rate that is held.
package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Run says what to measure.
type Run struct {
	Scenario string
	Clients  int           // 1 to MaxClients
	Duration time.Duration // of the measurement, after Warmup
	Warmup   time.Duration
	// Rate is how many requests a second all clients send together; 0: as many
	// as are answered. Latencies then count from when a request was due.
	Rate float64
	// Timeout bounds one request; 0: 10 s.
	Timeout time.Duration
	// Progress is called now and then while it runs; nil for not.
	Progress func(elapsed time.Duration, requests uint64)
}

// MaxClients bounds how many connections are opened.
const MaxClients = 4096

// Result is what was measured. Latencies are of successful requests.
type Result struct {
	requests  uint64
	errors    uint64
	elapsed   time.Duration
	latencies histogram
	// FirstError is an example of what went wrong.
	FirstError error
}

// Requests is how many requests succeeded.
func (r *Result) Requests() uint64 { return r.requests }

// Errors is how many requests failed.
func (r *Result) Errors() uint64 { return r.errors }

// Rate is the successful requests a second.
func (r *Result) Rate() float64 {
	if r.elapsed <= 0 {
		return 0
	}
	return float64(r.requests) / r.elapsed.Seconds()
}

// Latency returns the latency that the share q of the requests did not exceed.
func (r *Result) Latency(q float64) time.Duration { return r.latencies.quantile(q) }

// Add adds what another run measured.
func (r *Result) Add(o *Result) {
	r.requests += o.requests
	r.errors += o.errors
	r.elapsed += o.elapsed
	r.latencies.merge(&o.latencies)
	if r.FirstError == nil {
		r.FirstError = o.FirstError
	}
}

// request appends the body of a client's n-th request, of a read its path.
type request func(b []byte, client int, n uint64) []byte

// scenario is a kind of load.
type scenario struct {
	path string // "": it reads
	// prepare makes what is changed; nil for nothing.
	prepare func(ctx context.Context, c *client, id string, clients int) error
	request func(id string) request
}

const createCustomer = "/v1/casm/customers/create"

func appendCustomer(b []byte, id string, client int, n uint64) []byte {
	name := func(b []byte) []byte {
		b = append(b, id...)
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(client), 10)
		b = append(b, '-')
		return strconv.AppendUint(b, n, 10)
	}
	b = name(append(b, `{"requestId":"`...))
	b = name(append(b, `","externalId":"`...))
	b = name(append(b, `","customerProfile":"b2b","customName":"Customer `...))
	return append(b, `","customAttributes":{"street":"1 Main Street","language":"en"}}`...)
}

// change gives requests that each change the entity of the client that of
// tells: member names it, what says what is changed, and ends with the number
// of the request and after.
func change(of func(client int) int, member, what, after string) func(id string) request {
	return func(id string) request {
		return func(b []byte, client int, n uint64) []byte {
			b = append(b, `{"requestId":"`...)
			b = append(b, id...)
			b = append(b, "-u"...)
			b = strconv.AppendInt(b, int64(client), 10)
			b = append(b, '-')
			b = strconv.AppendUint(b, n, 10)
			b = append(b, `","`...)
			b = append(b, member...)
			b = append(b, `":{"externalId":"`...)
			b = append(b, id...)
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(of(client)), 10)
			b = append(b, `-0"},`...)
			b = append(b, what...)
			b = strconv.AppendInt(b, int64(client), 10)
			b = append(b, '-')
			b = strconv.AppendUint(b, n, 10)
			return append(b, after...)
		}
	}
}

func rename(of func(client int) int) func(id string) request {
	return change(of, "customer", `"customName":"Name `, `"}`)
}

func deduct(of func(client int) int) func(id string) request {
	return change(of, "subscription", `"service":"balance","action":"DEDUCT","amount":1,"comment":"`, `"}`)
}

func makeBalances(ctx context.Context, c *client, id string, n int) error {
	if err := makeCustomers(ctx, c, id, n); err != nil {
		return err
	}
	for i := range n {
		body := fmt.Appendf(nil, `{"requestId":"%s-b%d","externalId":"%s-%d-0","customer":{"externalId":"%s-%d-0"},"offer":"individual_balance",
			"attributes":{"grantedBalance":9000000000000000,"unitOfMeasure":"EVENT"},"state":{"state":"ACTIVE","stateReason":"dfltActive"}}`, id, i, id, i, id, i)
		if _, err := c.post(ctx, "/v1/casm/subscriptions/individual/balance/create", body); err != nil {
			return fmt.Errorf("make a balance to change: %w", err)
		}
	}
	return nil
}

func makeCustomers(ctx context.Context, c *client, id string, n int) error {
	for i := range n {
		if _, err := c.post(ctx, createCustomer, appendCustomer(nil, id, i, 0)); err != nil {
			return fmt.Errorf("make a customer to change: %w", err)
		}
	}
	return nil
}

// readable is how many customers reads choose from.
const readable = 1000

// read gives requests that each read a customer by external id, one after
// another of those that there are.
func read(id string) request {
	return func(b []byte, client int, n uint64) []byte {
		b = append(b, "/v1/casm/customers/read?externalId="...)
		b = append(b, id...)
		b = append(b, '-')
		b = strconv.AppendUint(b, (uint64(client)*61+n*7)%readable, 10)
		return append(b, "-0"...)
	}
}

const (
	renameCustomer = "/v1/casm/customers/custom-name/update"
	updateBalance  = "/v1/casm/subscriptions/balance/update"
)

var scenarios = map[string]scenario{
	"create-customer": {
		path: createCustomer,
		request: func(id string) request {
			return func(b []byte, client int, n uint64) []byte { return appendCustomer(b, id, client, n) }
		},
	},
	"update-one": {
		path:    renameCustomer,
		prepare: func(ctx context.Context, c *client, id string, _ int) error { return makeCustomers(ctx, c, id, 1) },
		request: rename(func(int) int { return 0 }),
	},
	"balance-one": {
		path:    updateBalance,
		prepare: func(ctx context.Context, c *client, id string, _ int) error { return makeBalances(ctx, c, id, 1) },
		request: deduct(func(int) int { return 0 }),
	},
	"balance-each": {
		path:    updateBalance,
		prepare: makeBalances,
		request: deduct(func(client int) int { return client }),
	},
	"update-each": {
		path:    renameCustomer,
		prepare: makeCustomers,
		request: rename(func(client int) int { return client }),
	},
	"read": {
		prepare: func(ctx context.Context, c *client, id string, _ int) error {
			return makeCustomers(ctx, c, id, readable)
		},
		request: read,
	},
}

// Scenarios are the names of the kinds of load.
var Scenarios = []string{"create-customer", "update-one", "update-each", "balance-one", "balance-each", "read"}

// Measure runs clients against a target. Requests that fail are counted; an
// error is returned when none succeeded, or ctx ended.
func Measure(ctx context.Context, t *Target, r Run) (*Result, error) {
	s, ok := scenarios[r.Scenario]
	if !ok {
		return nil, fmt.Errorf("there is no scenario %q", r.Scenario)
	}
	if r.Clients < 1 || r.Clients > MaxClients {
		return nil, fmt.Errorf("%d clients: must be from 1 to %d", r.Clients, MaxClients)
	}
	if r.Timeout <= 0 {
		r.Timeout = 10 * time.Second
	}
	var random [6]byte
	rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	if s.prepare != nil && !t.Bare {
		c := &client{target: t, timeout: r.Timeout}
		defer c.close()
		if err := s.prepare(ctx, c, id, r.Clients); err != nil {
			return nil, err
		}
	}
	m := &measurement{target: t, run: r, path: s.path, request: s.request(id)}
	result := m.do(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if result.requests == 0 && result.FirstError != nil {
		return nil, fmt.Errorf("no request succeeded: %w", result.FirstError)
	}
	return result, nil
}

// The phases of a measurement.
const (
	warming int32 = iota
	measuring
	over
)

type measurement struct {
	target  *Target
	run     Run
	path    string
	request request
	phase   atomic.Int32
	done    atomic.Uint64 // requests that succeeded while measuring
	begun   time.Time
}

// due waits until a client's n-th request is due, where a rate is held, and
// returns that time.
func (m *measurement) due(ctx context.Context, client int, n uint64) time.Time {
	if m.run.Rate <= 0 {
		return time.Now()
	}
	number := float64(n-1)*float64(m.run.Clients) + float64(client)
	at := m.begun.Add(time.Duration(number / m.run.Rate * float64(time.Second)))
	const look = 20 * time.Millisecond // whether it is over
	for ctx.Err() == nil && m.phase.Load() != over {
		d := time.Until(at)
		if d <= 0 {
			break
		}
		pause(ctx, min(d, look))
	}
	return at
}

func (m *measurement) do(ctx context.Context) *Result {
	results := make([]Result, m.run.Clients)
	m.begun = time.Now()
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { m.client(ctx, i, &results[i]) })
	}
	m.sleep(ctx, m.run.Warmup, false)
	m.phase.Store(measuring)
	begun := time.Now()
	m.sleep(ctx, m.run.Duration, true)
	m.phase.Store(over)
	elapsed := time.Since(begun)
	wg.Wait()
	sum := &Result{}
	for i := range results {
		sum.Add(&results[i])
	}
	sum.elapsed = elapsed
	return sum
}

// sleep waits, telling the progress while it is measured.
func (m *measurement) sleep(ctx context.Context, d time.Duration, tell bool) {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	for {
		select {
		case <-end.C:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if tell && m.run.Progress != nil {
				m.run.Progress(time.Since(begun), m.done.Load())
			}
		}
	}
}

// client sends requests until the measurement is over. A request counts in the
// phase in which its answer came.
func (m *measurement) client(ctx context.Context, number int, result *Result) {
	c := &client{target: m.target.of(number), timeout: m.run.Timeout}
	defer c.close()
	var body []byte
	for n := uint64(1); ctx.Err() == nil && m.phase.Load() != over; n++ {
		body = m.request(body[:0], number, n)
		begun := m.due(ctx, number, n)
		if ctx.Err() != nil || m.phase.Load() == over {
			return
		}
		var err error
		if m.path == "" {
			_, err = c.get(ctx, body)
		} else {
			_, err = c.post(ctx, m.path, body)
		}
		took := time.Since(begun)
		switch {
		case err != nil:
			result.errors++
			if result.FirstError == nil {
				result.FirstError = err
			}
			pause(ctx, 10*time.Millisecond) // a server that refuses at once is not to be flooded
		case m.phase.Load() == measuring:
			result.requests++
			result.latencies.add(took)
			m.done.Add(1)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
