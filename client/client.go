// Package client is for Go programs that use the API of casm. Operations are
// called by their operationId, with a body of the caller's own making:
//
//	c, err := client.New("https://casm.example", client.Options{Key: key})
//	t, err := c.Do(ctx, "createCustomer", map[string]any{"externalId": "c-1", "customerProfile": "b2b"})
//	customer, err := client.As[casm.Customer](t)
//
// Each write carries a requestId, and is repeated with the same one while the
// server is overloaded, an outcome is not known or a connection breaks: it has
// one effect (contract rule 1). What is refused comes back as *Problem.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"casm"

	"github.com/go-json-experiment/json"
)

// Options are what a Client may be made with.
type Options struct {
	// Key is the API key; "" for a server with --dev.
	Key string
	// HTTP sends the requests; nil: a client of its own with a time limit of
	// 30 s for each attempt. For a private CA or a client's certificate, give
	// one whose http.Transport has a TLSClientConfig with them.
	HTTP *http.Client
	// Attempts is how often a request is sent at most; 0: 6. Between attempts
	// it waits 0.1 s, then twice as long each time up to 5 s, or as long as the
	// server says.
	Attempts int
}

// Client calls one server. It may be used by several goroutines at once.
type Client struct {
	base     *url.URL
	key      string
	http     *http.Client
	attempts int
}

// New returns a client of the server at an address such as https://casm.example.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil {
		return nil, fmt.Errorf("casm: %w", err)
	}
	if base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("casm: %q is no address such as https://casm.example", address)
	}
	c := &Client{base: base, key: o.Key, http: o.HTTP, attempts: o.Attempts}
	if c.http == nil {
		c.http = &http.Client{
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.attempts <= 0 {
		c.attempts = 6
	}
	return c, nil
}

// Problem is an answer that refuses (contract 4). Errors says everything that
// is wrong, each with a code and a pointer into the request.
type Problem struct {
	casm.Problem
	// RetryAfter is how long the server asks to wait; 0: it does not.
	RetryAfter time.Duration
	// HTTPRequestID is under what the server's log has the request.
	HTTPRequestID string
}

// Error implements error.
func (p *Problem) Error() string {
	if len(p.Errors) > 0 {
		return fmt.Sprintf("casm: %d: %v", p.Status, p.Errors)
	}
	return fmt.Sprintf("casm: %d %s: %s", p.Status, p.Title, p.Detail)
}

// Has reports whether err is a Problem that has the code.
func Has(err error, code casm.Code) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Errors.Has(code)
}

// call is one request, which may be sent several times.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

// Option changes a call.
type Option func(*call)

// IfMatch makes a write conditional on the version of the entity that it names;
// the Problem of another version has the code version_mismatch (contract rule 4).
func IfMatch(version int64) Option {
	return func(c *call) { c.header.Set("If-Match", `"`+strconv.FormatInt(version, 10)+`"`) }
}

// DryRun asks what a write would answer; it does nothing (contract rule 3).
func DryRun() Option { return func(c *call) { c.query.Set("dryRun", "true") } }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 20

// The pauses between attempts.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// send sends a call until it is answered otherwise than by 429, 503 or 504, or
// the attempts or ctx are at their end. into, if not nil, is what the answer's
// JSON is decoded to.
func (c *Client) send(ctx context.Context, call *call, into any) (http.Header, error) {
	for attempt, pause := 1, firstPause; ; attempt++ {
		header, err := c.once(ctx, call, into)
		if err == nil || attempt == c.attempts || ctx.Err() != nil || !again(err) {
			return header, err
		}
		wait := pause/2 + rand.N(pause)
		if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
			wait = p.RetryAfter + rand.N(pause)
		}
		pause = min(2*pause, maxPause)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// again reports whether a request that ended so may be sent again: nothing was
// done, or it is not known, and then the requestId makes the repeat harmless.
func again(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok { // nor will it be another server soon
		return false
	}
	_, broken := errors.AsType[*connectionError](err)
	return broken
}

// connectionError is a request without an answer.
type connectionError struct{ err error }

func (e *connectionError) Error() string { return "casm: " + e.err.Error() }
func (e *connectionError) Unwrap() error { return e.err }

func (c *Client) once(ctx context.Context, call *call, into any) (http.Header, error) {
	u := *c.base
	u.Path += call.path
	u.RawQuery = call.query.Encode()
	req, err := http.NewRequestWithContext(ctx, call.method, u.String(), strings.NewReader(string(call.body)))
	if err != nil {
		return nil, fmt.Errorf("casm: %w", err)
	}
	if call.header != nil {
		req.Header = call.header.Clone()
	}
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &connectionError{err}
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, &connectionError{err}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, problem(res, body)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			return nil, fmt.Errorf("casm: the answer of %s cannot be read: %w", call.path, err)
		}
	}
	return res.Header, nil
}

// problem makes the error of an answer that is no success.
func problem(res *http.Response, body []byte) *Problem {
	p := &Problem{HTTPRequestID: res.Header.Get("X-Request-Id")}
	if err := json.Unmarshal(body, &p.Problem); err != nil || p.Status == 0 { // of a proxy, not of casm
		p.Problem = casm.Problem{Status: res.StatusCode, Title: http.StatusText(res.StatusCode), Detail: clip(string(body))}
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

func clip(s string) string {
	const most = 500
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// version reads the ETag of an answer; 0 for none.
func version(h http.Header) int64 {
	n, err := strconv.ParseInt(strings.Trim(h.Get("Etag"), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
