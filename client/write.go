package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"casm"
	"casm/command"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Transaction is the answer to a write: its business transaction.
type Transaction struct {
	TransactionID uuid.UUID      `json:"transactionId"` // none of a dry run
	RequestID     string         `json:"requestId"`
	Operation     string         `json:"operation"`
	Timestamp     time.Time      `json:"timestamp"`
	DryRun        bool           `json:"dryRun"`
	Payload       jsontext.Value `json:"payload"` // the entity as JSON; As reads it
	ImpactedTotal int64          `json:"impactedTotal"`
	Impacted      []Impacted     `json:"impacted"` // the first 100

	// Version is what a following IfMatch would be compared with; 0: not known.
	Version int64 `json:"-"`
	// Replayed: an earlier request with this requestId had the effect.
	Replayed bool `json:"-"`
}

// Impacted is an entity that got a new version.
type Impacted struct {
	Type       string    `json:"type"`
	RefID      uuid.UUID `json:"refId"`
	ExternalID string    `json:"externalId"`
	Version    int64     `json:"version"`
}

// As reads the payload of a transaction, such as As[casm.Customer].
func As[E any](t *Transaction) (*E, error) {
	e := new(E)
	if err := json.Unmarshal(t.Payload, e); err != nil {
		return nil, fmt.Errorf("casm: the payload of %s is no %T: %w", t.Operation, *e, err)
	}
	return e, nil
}

// Do carries out a write, such as createCustomer. The body is anything whose
// JSON is an object, or that JSON as []byte or string; without a requestId it
// gets one. Refusals are *Problem.
func (c *Client) Do(ctx context.Context, operationID string, body any, options ...Option) (*Transaction, error) {
	op := command.OperationByID(operationID)
	if op == nil {
		return nil, fmt.Errorf("casm: there is no write with the operationId %q", operationID)
	}
	call, err := write(op.Path, body, options)
	if err != nil {
		return nil, err
	}
	t := &Transaction{}
	header, err := c.send(ctx, call, t)
	if err != nil {
		return nil, err
	}
	t.Version, t.Replayed = version(header), header.Get("Idempotent-Replayed") == "true"
	return t, nil
}

func write(path string, body any, options []Option) (*call, error) {
	text, err := encode(body)
	if err != nil {
		return nil, err
	}
	call := &call{method: http.MethodPost, path: "/v1/casm" + path, query: url.Values{}, header: http.Header{}}
	if call.body, err = withRequestID(text); err != nil {
		return nil, err
	}
	for _, o := range options {
		o(call)
	}
	return call, nil
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case []byte:
		return b, nil
	case string:
		return []byte(b), nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("casm: the body has no JSON form: %w", err)
	}
	return text, nil
}

// withRequestID gives a body a requestId, a UUIDv7, unless it has one.
func withRequestID(body []byte) ([]byte, error) {
	var given struct {
		RequestID jsontext.Value `json:"requestId"`
	}
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, fmt.Errorf("casm: the body is no JSON object: %w", err)
	}
	if body = bytes.TrimSpace(body); body[0] != '{' { // null
		return nil, errors.New("casm: the body is no JSON object")
	}
	if given.RequestID != nil {
		return body, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	rest := bytes.TrimSpace(body[1:])
	out := append([]byte(`{"requestId":"`), id.String()...)
	out = append(out, '"')
	if rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...), nil
}

// BatchOperation is one write of a batch; its body has no requestId.
type BatchOperation struct {
	Operation string `json:"operation"`
	Body      any    `json:"body"`
	// IfMatch is the version that the named entity must have; 0: any.
	IfMatch int64 `json:"ifMatch,omitzero"`
}

// BatchResult is what became of one write of a batch.
type BatchResult struct {
	Status      int           `json:"status"`
	Transaction *Transaction  `json:"transaction"`
	Problem     *casm.Problem `json:"problem"`
}

// Err returns the result's problem as *Problem, nil when there is none.
func (r *BatchResult) Err() error {
	if r.Problem == nil {
		return nil
	}
	return &Problem{Problem: *r.Problem}
}

// Batch carries out 1 to 1,000 writes in order: atomic, all or none, and a
// refusal is a *Problem; else each by itself, and what became of each is in
// the results. Repeated with the requestId "", it is another batch.
func (c *Client) Batch(ctx context.Context, requestID string, atomic bool, operations []BatchOperation, options ...Option) ([]BatchResult, error) {
	body := map[string]any{"atomic": atomic, "operations": operations}
	if requestID != "" {
		body["requestId"] = requestID
	}
	call, err := write("/batch", body, options)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []BatchResult `json:"results"`
	}
	if _, err := c.send(ctx, call, &answer); err != nil {
		return nil, err
	}
	return answer.Results, nil
}
