package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// client is one keep-alive connection. Requests are written by hand into one
// buffer: generator and server often share a machine, and what the generator
// burns the server does not get.
type client struct {
	target  *Target
	conn    net.Conn
	in      *bufio.Reader
	buf     []byte
	timeout time.Duration
	renew   time.Time // when the connection's deadline is moved
}

// Target is the server to measure.
type Target struct {
	// URL is its address, such as http://127.0.0.1:8080.
	URL *url.URL
	// Bare: it answers all the same and keeps nothing, so nothing is prepared.
	Bare bool
	// Key is an API key; "" for a server that was started with --dev.
	Key string
	// TLS says how an https server is known, and the client to it; nil: as this
	// machine does.
	TLS *tls.Config
	// Others are more servers of the same installation; clients take turns.
	Others []*Target
}

// of is the server that a client uses.
func (t *Target) of(client int) *Target {
	if n := client % (1 + len(t.Others)); n > 0 {
		return t.Others[n-1]
	}
	return t
}

func (t *Target) address() string {
	port := t.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[t.URL.Scheme]
	}
	return net.JoinHostPort(t.URL.Hostname(), port)
}

func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	dialer := &net.Dialer{Timeout: c.timeout}
	var conn net.Conn
	var err error
	if c.target.URL.Scheme == "https" {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: c.target.TLS}).DialContext(ctx, "tcp", c.target.address())
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", c.target.address())
	}
	if err != nil {
		return err
	}
	c.conn, c.renew = conn, time.Time{}
	if c.in == nil {
		c.in = bufio.NewReaderSize(nil, 4<<10)
	}
	c.in.Reset(conn)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is under way that could be lost
		c.conn = nil
	}
}

// post sends a body and returns the status. An answer that is no 200 is
// returned with the start of its body as error.
func (c *client) post(ctx context.Context, path string, body []byte) (status int, err error) {
	b := append(c.buf[:0], "POST "...)
	b = append(b, path...)
	b = c.common(b)
	b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.buf = append(b, body...)
	return c.send(ctx)
}

// get is post for a read.
func (c *client) get(ctx context.Context, path []byte) (status int, err error) {
	b := append(c.buf[:0], "GET "...)
	b = append(b, path...)
	c.buf = append(c.common(b), "\r\n"...)
	return c.send(ctx)
}

// common appends the end of the request line and the headers of all requests.
func (c *client) common(b []byte) []byte {
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.target.URL.Host...)
	b = append(b, "\r\n"...)
	if c.target.Key != "" {
		b = append(b, "Authorization: Bearer "...)
		b = append(b, c.target.Key...)
		b = append(b, "\r\n"...)
	}
	return b
}

// send sends the request in buf and reads the answer.
func (c *client) send(ctx context.Context) (status int, err error) {
	if err := c.connect(ctx); err != nil {
		return 0, err
	}
	defer func() {
		if status == 0 {
			c.close() // what the connection holds is not known
		}
	}()
	if now := time.Now(); now.After(c.renew) { // a timer for each request would cost more than it tells
		if err := c.conn.SetDeadline(now.Add(c.timeout)); err != nil {
			return 0, err
		}
		c.renew = now.Add(c.timeout / 10)
	}
	if _, err := c.conn.Write(c.buf); err != nil {
		return 0, err
	}
	return c.answer()
}

// answer reads one answer and passes over its body, or returns the start of
// it as an error.
func (c *client) answer() (int, error) {
	h, err := readHead(c.in)
	if err != nil {
		return 0, err
	}
	body := io.LimitReader(c.in, h.length)
	if h.chunked {
		body = httputil.NewChunkedReader(c.in)
	}
	var refused error
	if h.status != http.StatusOK {
		start, err := io.ReadAll(io.LimitReader(body, 300))
		if err != nil {
			return 0, err
		}
		refused = fmt.Errorf("answered %d: %s", h.status, start)
	}
	switch n, err := io.Copy(io.Discard, io.LimitReader(body, maxAnswer)); {
	case err != nil:
		return 0, err
	case n == maxAnswer:
		return 0, errors.New("an answer is too large")
	}
	if h.chunked { // the reader stops before the line that ends the trailers
		if _, err := c.in.Discard(2); err != nil {
			return 0, err
		}
	}
	if h.close {
		c.close()
	}
	return h.status, refused
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20
