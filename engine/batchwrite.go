package engine

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"casm"
	"casm/store"

	"github.com/go-json-experiment/json"
)

// Batch runs a batch of writes (contract 2). Of an atomic one the errors are
// as of Write, with pointers into the batch; of another the answer holds them.
func (e *Engine) Batch(ctx context.Context, w BatchWrite) (*Answer, error) {
	j := &job{actor: w.Actor, atomic: w.Batch.IsAtomic(), dryRun: w.DryRun}
	var whole []byte
	if j.atomic && !w.DryRun {
		var err error
		if whole, err = requestHash("batch", w.Body); err != nil {
			return nil, err
		}
	}
	var steps []int // by operation: its step, or -1
	for n, in := range w.Batch.Inputs {
		if len(w.Batch.Operations[n].Violations) > 0 {
			steps = append(steps, -1)
			continue
		}
		steps = append(steps, len(j.steps))
		in.RequestID = w.Batch.RequestID
		item := w.Batch.Operations[n]
		at := "/operations/" + strconv.Itoa(n)
		s := &step{in: in, ifMatch: item.Version, ifMatchPointer: at + "/ifMatch", pointer: at + "/body", hash: whole}
		if !j.atomic {
			s.pointer, s.ifMatchPointer = "", "If-Match"
		}
		if !w.DryRun {
			s.claim = store.Request(w.Batch.RequestID, n)
			if !j.atomic {
				var err error
				if s.hash, err = requestHash(in.Operation.ID, item.Body); err != nil {
					return nil, err
				}
			}
		}
		j.steps = append(j.steps, s)
	}
	var out outcome
	if len(j.steps) > 0 {
		var err error
		if out, err = e.do(ctx, j); err != nil {
			return nil, err
		}
		if j.atomic && len(out.errs) > 0 {
			return nil, out.errs[0]
		}
	}
	all := outcome{answers: make([]*Answer, len(steps)), errs: make([]error, len(steps))}
	for n, step := range steps {
		switch {
		case step < 0:
			all.errs[n] = w.Batch.Operations[n].Violations
		case out.errs != nil:
			all.answers[n], all.errs[n] = out.answers[step], out.errs[step]
		default:
			all.answers[n] = out.answers[step]
		}
	}
	return batchAnswer(w.Batch.RequestID, all)
}

// batchAnswer makes a batch's answer: {"requestId", "results"}. A fault of our
// own in one operation fails the batch; its repeat goes on where it stopped.
func batchAnswer(requestID string, out outcome) (*Answer, error) {
	answer := &Answer{Replayed: true}
	var b bytes.Buffer
	b.WriteString(`{"requestId":`)
	b.Write(appendString(nil, requestID))
	b.WriteString(`,"results":[`)
	for n := range out.answers {
		if n > 0 {
			b.WriteByte(',')
		}
		if a := out.answers[n]; a != nil {
			answer.Replayed = answer.Replayed && a.Replayed
			b.WriteString(`{"status":200,"transaction":`)
			b.Write(a.Body)
			b.WriteByte('}')
			continue
		}
		answer.Replayed = false
		var v casm.Violations
		if !errors.As(out.errs[n], &v) {
			return nil, out.errs[n]
		}
		problem := casm.NewProblem(v, requestID)
		text, err := json.Marshal(problem)
		if err != nil {
			return nil, err
		}
		b.WriteString(`{"status":` + strconv.Itoa(problem.Status) + `,"problem":`)
		b.Write(text)
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	answer.Body = b.Bytes()
	return answer, nil
}
