package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"casm/auth"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// exchange is one request and its answer. It is the ResponseWriter that
// handlers see, so that what they write is known to logs and metrics.
type exchange struct {
	http.ResponseWriter
	s        *Server
	r        *http.Request
	endpoint *endpoint // nil until it is found, or when there is none
	who      *auth.Principal
	span     trace.Span // nil without a tracer

	id      string // of the HTTP request: X-Request-Id
	started time.Time
	status  int  // 0 until the answer begins
	gone    bool // the client went away; nothing is written

	// requestID and transactionID are those of the contract, for logs and problems.
	requestID, transactionID string
}

// statusGone is what logs and metrics say of a client that went away.
const statusGone = 499

var traceContext propagation.TraceContext

func newExchange(s *Server, w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, s: s, r: r, started: time.Now(), id: requestID(r)}
	h := w.Header()
	h["X-Request-Id"] = []string{x.id}
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	if s.tracer != nil {
		ctx := traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, x.span = s.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		x.r = r.WithContext(ctx)
	}
	return x
}

var (
	nosniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
	typeJSON = []string{"application/json"}
)

// requestID returns the client's X-Request-Id if it is sane, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 64 && strings.Trim(id, sane) == "" {
		return id
	}
	var b [16]byte
	for i, n := 0, uint64(0); i < len(b); i++ {
		if i%8 == 0 {
			n = rand.Uint64()
		}
		b[i] = byte(n)
		n >>= 8
	}
	return hex.EncodeToString(b[:])
}

const sane = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"

// clean reports whether the mux would leave the path as it is.
func clean(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	c := path.Clean(p)
	return c == p || c != "/" && c+"/" == p
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) context() context.Context { return x.r.Context() }

// json answers with a JSON value.
func (x *exchange) json(status int, body []byte) {
	h := x.Header()
	h["Content-Type"] = typeJSON
	x.send(status, body)
}

// send answers with a body whose Content-Type is set.
func (x *exchange) send(status int, body []byte) {
	x.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return
	}
	if _, err := x.Write(body); err != nil {
		x.s.log.LogAttrs(x.context(), slog.LevelDebug, "an answer could not be delivered", slog.String("id", x.id), slog.Any("error", err))
	}
}

// operation is the endpoint's id, for metrics and traces.
func (x *exchange) operation() string {
	if x.endpoint == nil {
		return "unknown"
	}
	return x.endpoint.ID
}

// finish ends the exchange: a panic becomes a 500, and what happened is
// measured and logged.
func (x *exchange) finish() {
	abort := false
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			abort = true
		} else {
			x.s.log.LogAttrs(x.context(), slog.LevelError, "a request panicked", slog.String("id", x.id),
				slog.String("operation", x.operation()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			if abort = x.status != 0; !abort {
				x.internal()
			}
		}
	}
	if x.status == 0 && x.gone {
		x.status, abort = statusGone, true
	}
	if x.status == 0 {
		x.status = http.StatusOK // what net/http sends when nothing was written
	}
	took := time.Since(x.started)
	x.s.metrics.observe(x.operation(), x.status, took)
	x.logDone(took)
	if x.span != nil {
		x.span.SetName(x.operation())
		x.span.SetAttributes(attribute.String("casm.operation", x.operation()), attribute.String("http.request.method", x.r.Method),
			attribute.Int("http.response.status_code", x.status), attribute.String("casm.request_id", x.requestID),
			attribute.String("casm.transaction_id", x.transactionID))
		if x.status >= 500 {
			x.span.SetStatus(codes.Error, http.StatusText(x.status))
		}
		x.span.End()
	}
	if abort {
		// Returning would send an empty 200, which a client that only closed
		// its sending side would take for an answer.
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) logDone(took time.Duration) {
	level := slog.LevelDebug
	switch {
	case x.status >= 500:
		level = slog.LevelError
	case x.r.Method != http.MethodGet && x.r.Method != http.MethodHead:
		level = slog.LevelInfo
	}
	if !x.s.log.Enabled(x.context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("id", x.id), slog.String("method", x.r.Method),
		slog.String("route", x.route()), slog.Int("status", x.status), slog.Duration("took", took))
	if x.who != nil {
		attrs = append(attrs, slog.String("actor", x.who.Actor))
	}
	if x.requestID != "" {
		attrs = append(attrs, slog.String("requestId", x.requestID))
	}
	if x.transactionID != "" {
		attrs = append(attrs, slog.String("transactionId", x.transactionID))
	}
	x.s.log.LogAttrs(x.context(), level, "request", attrs...)
}

// route is the pattern that matched: never what the client wrote.
func (x *exchange) route() string {
	if x.endpoint == nil {
		return "unknown"
	}
	return x.endpoint.Path
}
