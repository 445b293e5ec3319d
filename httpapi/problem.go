package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"casm"
	"casm/auth"
	"casm/engine"

	"github.com/go-json-experiment/json"
)

var typeProblem = []string{"application/problem+json"}

// refuse answers with what is wrong.
func (x *exchange) refuse(v casm.Violations) { x.problem(casm.NewProblem(v, x.requestID)) }

// refuseOne answers with one thing that is wrong.
func (x *exchange) refuseOne(code casm.Code, pointer, detail string, args ...any) {
	x.refuse(casm.Violations{{Code: code, Pointer: pointer, Detail: fmt.Sprintf(detail, args...)}})
}

func (x *exchange) problem(p casm.Problem) {
	body, err := json.Marshal(p)
	if err != nil { // texts that are not UTF-8: our own mistake
		x.s.log.LogAttrs(x.context(), slog.LevelError, "a problem has no JSON form", slog.String("id", x.id), slog.Any("error", err))
		p.Status, body = http.StatusInternalServerError, []byte(`{"type":"/docs#internal","title":"Internal error","status":500,"detail":"internal error","errors":[]}`)
	}
	x.Header()["Content-Type"] = typeProblem
	x.send(p.Status, body)
}

// absent answers 404: no such path, or no such code of configuration
// (contract 4; an entity that is not found is a 400).
func (x *exchange) absent(pointer, detail string) {
	p := casm.NewProblem(casm.Violations{{Code: casm.NotFound, Pointer: pointer, Detail: detail}}, x.requestID)
	p.Status, p.Title = http.StatusNotFound, "Not found"
	x.problem(p)
}

// notFound answers for a path that does not exist, to those who may call at all.
func (x *exchange) notFound() {
	if x.authorize("") {
		x.absent("", "there is nothing at this path; /docs lists what there is")
	}
}

// internal answers 500 without saying more than how to find the log's record.
func (x *exchange) internal() {
	x.refuseOne(casm.Internal, "", "internal error; the log has it under the id %s", x.id)
}

// retryAfter is what clients are told to wait when nothing was done.
const retryAfter = time.Second

func (x *exchange) wait(d time.Duration) {
	x.Header().Set("Retry-After", strconv.Itoa(int(max(1, math.Ceil(d.Seconds())))))
}

// fail answers for an error of the engine or of authentication.
func (x *exchange) fail(err error) {
	if v, ok := errors.AsType[casm.Violations](err); ok {
		if v.Has(casm.Overloaded) {
			x.wait(retryAfter)
		}
		x.refuse(v)
		return
	}
	// What was done must not be answered with a 503, whatever kept it from the audit.
	if u, ok := errors.AsType[*auth.Unrecorded](err); ok {
		x.logFault(err)
		x.refuseOne(casm.Internal, "", "%s was done, but could not be written to the audit; the log has it under the id %s", u.Act, x.id)
		return
	}
	switch {
	case x.r.Context().Err() != nil:
		x.gone = true
	case errors.Is(err, engine.ErrOverloaded):
		x.wait(retryAfter)
		x.refuseOne(casm.Overloaded, "", "too much waits already, or the server is stopping; nothing was done, repeat it after Retry-After")
	case errors.Is(err, engine.ErrOutcomeUnknown):
		x.logFault(err)
		x.refuseOne(casm.OutcomeUnknown, "", "the store was lost at the moment of the commit, so it is not known whether the request took effect; repeat it with the same requestId")
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		x.logFault(err)
		x.wait(retryAfter)
		x.refuseOne(casm.Overloaded, "", "the store cannot be reached; nothing was done, repeat it after Retry-After")
	default:
		x.logFault(err)
		x.internal()
	}
}

func (x *exchange) logFault(err error) {
	x.s.log.LogAttrs(x.context(), slog.LevelError, "a request failed", slog.String("id", x.id),
		slog.String("operation", x.operation()), slog.String("requestId", x.requestID), slog.Any("error", err))
}

// deny answers a request that is not let in, and audits it.
func (x *exchange) deny(d *auth.Denied) {
	x.denied(d)
	x.refuse(casm.Violations{d.Violation})
}

// denied is deny but for the answer's body.
func (x *exchange) denied(d *auth.Denied) {
	x.audit(auth.OutcomeDenied, slog.String("reason", d.Reason), slog.String("key", d.Key), slog.String("user", d.User))
	if d.Code == casm.Unauthenticated {
		x.Header().Set("WWW-Authenticate", "Bearer")
	}
	if d.RetryAfter > 0 {
		x.wait(d.RetryAfter)
	}
}

// audit records a denied or administrative act (contract 11).
func (x *exchange) audit(outcome string, attrs ...slog.Attr) {
	actor := ""
	if x.who != nil {
		actor = x.who.Actor
	}
	auth.Audit(x.context(), x.s.log, actor, x.operation(), outcome, x.r.RemoteAddr, append(attrs, x.about()...)...)
}

// about is what a record of the audit tells of the request: as the log does.
func (x *exchange) about() []slog.Attr {
	return []slog.Attr{slog.String("id", x.id), slog.String("method", x.r.Method), slog.String("route", x.route())}
}
