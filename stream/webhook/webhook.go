// Package webhook sends messages to an HTTP endpoint (contract 7): a POST for
// each, signed as Standard Webhooks says, for which receivers have libraries.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"casm/stream"
)

// Options are how an Endpoint is made.
type Options struct {
	URL string
	// Secret gives the secret, as Sign takes it; it is asked for each message,
	// so that it can be changed meanwhile.
	Secret func() (string, error)
	// Networks are those that the address may be in.
	Networks stream.Networks
	// Connections bounds the connections that are open at once; 0 for 8.
	Connections int
	// Timeout is how long the receiver has to answer; 0 for 10 s.
	Timeout time.Duration
	// Now is the clock of signatures; nil for time.Now.
	Now func() time.Time
}

// Endpoint sends to one address. It may be used by many at once.
type Endpoint struct {
	o      Options
	client *http.Client
}

// New gives an Endpoint. Close it.
func New(o Options) *Endpoint {
	if o.Connections == 0 {
		o.Connections = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Endpoint{o: o, client: &http.Client{
		Transport: &http.Transport{
			DialContext:            o.Networks.Dialer().DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			MaxConnsPerHost:        o.Connections,
			MaxIdleConnsPerHost:    o.Connections,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
		},
		// A redirect could lead anywhere, and turns a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes connections that are idle.
func (e *Endpoint) Close() error {
	e.client.CloseIdleConnections()
	return nil
}

// Send sends messages one after another and returns how many the receiver took;
// the error is that of the next one. An error holds nothing of the address, of
// the secret, or of what the receiver answered beside its status.
func (e *Endpoint) Send(ctx context.Context, messages []stream.Message) (int, error) {
	for i := range messages {
		if err := e.send(ctx, &messages[i]); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

// drained is how much of an answer is read, so that its connection can be used again.
const drained = 16 << 10

func (e *Endpoint) send(ctx context.Context, m *stream.Message) error {
	secret, err := e.o.Secret()
	if err != nil {
		return err
	}
	at := e.o.Now()
	signature, err := Sign(secret, m.ID, at, m.Body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.o.URL, bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("%w: the address is none", stream.ErrSetup)
	}
	for _, h := range m.Headers {
		if h.Name != stream.HeaderContentType { // that is Content-Type
			req.Header[h.Name] = []string{headerValue(h.Value)} // spelled as given
		}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "casm")
	req.Header[HeaderID] = []string{m.ID}
	req.Header[HeaderTimestamp] = []string{strconv.FormatInt(at.Unix(), 10)}
	req.Header[HeaderSignature] = []string{signature}
	res, err := e.client.Do(req)
	if err != nil {
		return e.plain(ctx, err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, drained) // what it says beside the status counts for nothing
	_ = res.Body.Close()                           // likewise
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("the receiver answered %d; redirects are not followed: configure the address that it leads to", res.StatusCode)
	}
	return fmt.Errorf("the receiver answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
}

// plain leaves out of an error what may be secret: the address, and what came
// back. Where that is no HTTP, the client's error repeats it: so whoever
// configures an endpoint could read what only the server can reach.
func (e *Endpoint) plain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the receiver did not answer within %v", e.o.Timeout)
	}
	const unreached = "the receiver cannot be reached: %w"
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if errors.Is(op, stream.ErrSetup) {
			return fmt.Errorf(unreached, op.Err)
		}
		return fmt.Errorf(unreached, op)
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf(unreached, certificate)
	}
	for _, known := range []error{http.ErrSchemeMismatch, context.Canceled} {
		if errors.Is(err, known) {
			return fmt.Errorf(unreached, known)
		}
	}
	if failure, ok := errors.AsType[net.Error](err); ok && failure.Timeout() {
		return errors.New("the receiver cannot be reached: no connection in time")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the receiver closed the connection without an answer")
	}
	return errors.New("what the receiver answers is no HTTP")
}

// headerValue returns a value as a header can carry it: printable ASCII as it
// is, all else percent-encoded, as CloudEvents has it.
func headerValue(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == '%' || c < ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
