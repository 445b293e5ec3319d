package httpapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"strconv"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/engine"

	"github.com/google/uuid"
)

// write serves one write of contract 2.
func write(op *command.Operation) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		body, ok := x.body(maxBody)
		if !ok {
			return
		}
		defer release(body)
		in, v := op.Decode(body.Bytes(), "", false)
		x.requestID = in.RequestID
		if v.Has(casm.MalformedJSON) {
			x.refuse(v)
			return
		}
		query := x.readQuery(&v)
		version := x.ifMatch(&v)
		if version != 0 && !names(in) && !notObject(v) {
			v.Add(casm.InvalidValue, ifMatchHeader, "the request names no customer, account, subscriber or subscription whose version could be compared; leave the header out")
		}
		if len(v) > 0 {
			v.Sort()
			x.refuse(v[:min(len(v), maxViolations)])
			return
		}
		answer, err := s.engine.Write(x.context(), engine.Write{
			Input: in, Body: body.Bytes(), Actor: x.who.Actor, IfMatch: version, DryRun: query["dryRun"].boolean,
		})
		if err != nil {
			x.fail(err)
			return
		}
		x.answer(answer)
	}
}

// answer sends what the engine says.
func (x *exchange) answer(a *engine.Answer) {
	x.etag(a.ETag)
	if a.Replayed {
		x.Header()["Idempotent-Replayed"] = replayed
	}
	x.transactionID = transactionID(a.Body)
	x.json(http.StatusOK, a.Body)
}

var replayed = []string{"true"}

// transactionID finds the id in the answer to a write, for the log. It stands
// first there; an answer that begins otherwise has none.
func transactionID(body []byte) string {
	const before = `{"transactionId":"`
	n := len(before) + len(uuid.UUID{}.String())
	if len(body) < n || !bytes.HasPrefix(body, []byte(before)) {
		return ""
	}
	return string(body[len(before):n])
}

// names reports whether a body names an entity that If-Match could be
// compared with (contract rule 4).
func names(in *command.Input) bool {
	if in.Operation.Subject != 0 {
		return true
	}
	for _, f := range in.Operation.Object.References() {
		switch f.Name {
		case "customer", "account", "subscriber", "subscription":
			if in.Given.Has(f.Name) {
				return true
			}
		}
	}
	return false
}

// notObject reports whether the body is no object: then it is not known what
// it would name.
func notObject(v casm.Violations) bool {
	for _, x := range v {
		if x.Code == casm.WrongType && x.Pointer == "" {
			return true
		}
	}
	return false
}

// writeBatch serves the operation batch.
func writeBatch(s *Server, x *exchange) {
	body, ok := x.body(maxBatchBody)
	if !ok {
		return
	}
	defer release(body)
	b, v := command.DecodeBatch(body.Bytes())
	if v.Has(casm.MalformedJSON) {
		x.refuse(v)
		return
	}
	x.requestID = b.RequestID
	query := x.readQuery(&v)
	if len(x.r.Header["If-Match"]) > 0 {
		v.Add(casm.InvalidValue, ifMatchHeader, "a batch names no entity; give ifMatch in its operations")
	}
	checkBatchMatches(b, &v)
	if len(v) > 0 {
		v.Sort()
		x.refuse(v[:min(len(v), maxViolations)])
		return
	}
	if !x.mayBatch(b) {
		return
	}
	answer, err := s.engine.Batch(x.context(), engine.BatchWrite{
		Batch: b, Body: body.Bytes(), Actor: x.who.Actor, DryRun: query["dryRun"].boolean,
	})
	if err != nil {
		x.fail(err)
		return
	}
	x.answer(answer)
}

// checkBatchMatches is contract rule 4 for each operation of a batch. In one
// that is not atomic it refuses the operation, as the header would.
func checkBatchMatches(b *command.Batch, v *casm.Violations) {
	next := 0
	for n, item := range b.Operations {
		if item.Body == nil || command.OperationByID(item.Operation) == nil {
			continue // has no input
		}
		in := b.Inputs[next]
		next++
		if item.Version == 0 || names(in) || notObject(item.Violations) {
			continue
		}
		const detail = "the operation names no customer, account, subscriber or subscription whose version could be compared; leave ifMatch out"
		if b.IsAtomic() {
			v.Add(casm.InvalidValue, "/operations/"+strconv.Itoa(n)+"/ifMatch", detail)
		} else {
			refused := &b.Operations[n].Violations
			refused.Add(casm.InvalidValue, ifMatchHeader, detail)
			refused.Sort()
		}
	}
}

// mayBatch checks the permissions of a batch's operations, which comes after
// its shape (contract rule 2). It answers when one is missing.
func (x *exchange) mayBatch(b *command.Batch) bool {
	var v casm.Violations
	for n, in := range b.Inputs {
		if p := in.Operation.Permission; !x.who.May(p) && len(v) < maxViolations {
			v.Add(casm.Forbidden, "/operations/"+strconv.Itoa(n)+"/operation", "%s needs the permission %s, which the credential does not have", in.Operation.ID, p)
		}
	}
	if len(v) == 0 {
		return true
	}
	x.audit(auth.OutcomeDenied, slog.String("reason", v[0].Detail), slog.String("key", x.who.Key))
	v.Sort()
	x.refuse(v)
	return false
}
