package natsjs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"casm/stream"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of JetStream. In a batch the expected sequence may stand in the
// first message only; it is judged, for the batch as a whole, at the commit.
const (
	hdrExpectedSeq = "Nats-Expected-Last-Sequence"
	hdrBatchID     = "Nats-Batch-Id"
	hdrBatchSeq    = "Nats-Batch-Sequence"
	hdrBatchCommit = "Nats-Batch-Commit"
)

// Publish implements stream.Target. Several messages go as one atomic batch,
// which costs one sync of the disk and one answer, to the message that
// commits it; a single one goes plainly, for it is cheaper that way.
func (t *Target) Publish(ctx context.Context, tail stream.Tail, messages []stream.Message) (stream.Tail, error) {
	n := len(messages)
	switch {
	case n == 0:
		return tail, nil
	case n > MaxBatch:
		return tail, fmt.Errorf("stream %s: %d messages at once, at most %d are taken", StreamName, n, MaxBatch)
	}
	ctx, cancel := t.bound(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return tail, err // rather than begin a batch and leave it
	}
	if !t.ensured.Load() {
		if _, err := t.ensure(ctx); err != nil {
			return tail, err
		}
	}
	if err := t.fits(messages); err != nil {
		return tail, err
	}
	batch := ""
	if n > 1 {
		batch = rand.Text()
	}
	var commit *nats.Msg
	for i := range messages {
		m := &nats.Msg{
			Subject: subjectPrefix + messages[i].Code + "." + messages[i].Event,
			Header:  header(messages[i].Headers),
			Data:    messages[i].Body,
		}
		if i == 0 {
			m.Header[hdrExpectedSeq] = []string{strconv.FormatUint(tail.Sequence, 10)}
		}
		if batch != "" {
			m.Header[hdrBatchID] = []string{batch}
			m.Header[hdrBatchSeq] = []string{strconv.Itoa(i + 1)}
		}
		if i == n-1 {
			commit = m
			break
		}
		if err := t.nc.PublishMsg(m); err != nil {
			return tail, fmt.Errorf("stream %s: message %s: %w", StreamName, messages[i].Position, err)
		}
	}
	if batch != "" {
		commit.Header[hdrBatchCommit] = []string{"1"}
	}
	reply, err := t.nc.RequestMsgWithContext(ctx, commit)
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			t.ensured.Store(false) // nobody listens: the stream was removed, or its leader is lost
		}
		return tail, fmt.Errorf("stream %s: commit at message %s: %w", StreamName, messages[n-1].Position, err)
	}
	seq, err := acknowledged(reply.Data, tail.Sequence, batch, n)
	if err != nil {
		return tail, err
	}
	last := &messages[n-1]
	return stream.Tail{Epoch: last.Epoch, Position: last.Position, ID: last.ID, Sequence: seq}, nil
}

// fits makes sure, before a batch is begun, that the server takes each message.
func (t *Target) fits(messages []stream.Message) error {
	const ours = 256 // what Publish adds to the headers
	most := int(t.nc.MaxPayload())
	for i := range messages {
		size := len(messages[i].Body) + ours
		for _, h := range messages[i].Headers {
			size += len(h.Name) + len(h.Value) + 4
		}
		if size > most {
			return fmt.Errorf("stream %s: message %s has %d bytes, the server takes %d (max_payload)",
				StreamName, messages[i].Position, size, most)
		}
	}
	return nil
}

// header makes a header map whose names are written as given. Two entries of
// room are kept for a batch, and two for its first and last message.
func header(hs []stream.Header) nats.Header {
	h := make(nats.Header, len(hs)+4)
	values := make([]string, len(hs)) // one allocation for all
	for i, kv := range hs {
		values[i] = kv.Value
		h[kv.Name] = values[i : i+1 : i+1]
	}
	return h
}

// acknowledged reads the answer to a publish and checks that it can be no
// other's: only then the messages count as published.
func acknowledged(data []byte, after uint64, batch string, n int) (uint64, error) {
	var a struct {
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
		Batch    string              `json:"batch"`
		Count    int                 `json:"count"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return 0, fmt.Errorf("stream %s: acknowledgement: %w", StreamName, err)
	}
	if a.Error != nil {
		switch a.Error.ErrorCode {
		case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			return 0, stream.ErrConflict
		}
		return 0, fmt.Errorf("stream %s: refused: %w", StreamName, a.Error)
	}
	if a.Stream != StreamName || a.Batch != batch || (batch != "" && a.Count != n) || a.Sequence != after+uint64(n) {
		return 0, fmt.Errorf("stream %s: unexpected acknowledgement %.200q", StreamName, data)
	}
	return a.Sequence, nil
}
