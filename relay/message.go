// Package relay carries the log to a streaming platform: each journal row
// becomes one message (contract 7), in the log's order. The stream follows the
// store: what was published is read from the stream itself, so a relay keeps
// nothing of its own and can be stopped, killed, or run twice at any time.
package relay

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"casm/store"
	"casm/stream"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Headers of CloudEvents 1.0 in binary mode, as its NATS binding spells them.
const (
	headerSpecVersion  = "ce-specversion"
	headerSource       = "ce-source"
	headerSubject      = "ce-subject"
	headerPartitionKey = "ce-partitionkey"
)

// DefaultSource is the ce-source of a relay whose Options name none.
const DefaultSource = "/casm"

// Message builds the message of a journal row. Source names the installation
// in the sense of CloudEvents.
func Message(e store.Entry, epoch int64, source string) stream.Message {
	m := stream.Message{
		Position: e.Position,
		Epoch:    epoch,
		ID:       ID(e),
		Code:     e.Kind.MessageCode(),
		Event:    e.Event,
		Key:      e.Customer.String(),
		Body:     Body(e),
	}
	m.Headers = []stream.Header{
		{Name: stream.HeaderTransactionID, Value: e.Transaction.ID.String()},
		{Name: stream.HeaderMessageCode, Value: m.Code},
		{Name: stream.HeaderPayload, Value: e.Kind.String()},
		{Name: headerSpecVersion, Value: "1.0"},
		{Name: stream.HeaderID, Value: m.ID},
		{Name: headerSource, Value: source},
		{Name: stream.HeaderType, Value: "casm." + m.Code + "." + m.Event + ".v1"},
		{Name: headerSubject, Value: e.RefID.String()},
		{Name: stream.HeaderTime, Value: e.At.String()},
		{Name: stream.HeaderContentType, Value: "application/json"},
		{Name: headerPartitionKey, Value: m.Key},
		{Name: stream.HeaderPosition, Value: e.Position.String()},
		{Name: stream.HeaderEpoch, Value: strconv.FormatInt(epoch, 10)},
	}
	t := &e.Transaction
	for _, h := range []stream.Header{{Name: stream.HeaderRequestID, Value: t.RequestID}, {Name: stream.HeaderActor, Value: t.Actor}} {
		if h.Value != "" {
			m.Headers = append(m.Headers, h)
		}
	}
	if t.At != e.At {
		m.Headers = append(m.Headers, stream.Header{Name: stream.HeaderTransactionTime, Value: t.At.String()})
	}
	return m
}

// ID returns the id of a journal row's message. It follows from the
// transaction's id, which is random, and from what the row is about, not from
// positions: these are given out again after the store was put back to an
// earlier time, when a message that is sent again must keep its id and another
// one must not get it.
func ID(e store.Entry) string {
	var name [len(uuid.UUID{}) + 2*binary.MaxVarintLen64]byte
	n := copy(name[:], e.RefID[:])
	n += binary.PutVarint(name[n:], e.Version)
	n += binary.PutVarint(name[n:], int64(e.Threshold))
	return uuid.NewSHA1(e.Transaction.ID, name[:n]).String()
}

// Body returns the body of a journal row's message, which is the feed's
// payload too: the entity's document, byte for byte, with the members that say
// which transaction it comes from at its end.
func Body(e store.Entry) []byte {
	const space = " \t\r\n"
	doc := bytes.TrimRight(e.Doc, space)
	if len(doc) < 2 || doc[len(doc)-1] != '}' {
		doc = []byte("{}") // no store gives this; a message is due all the same
	}
	doc = bytes.TrimRight(doc[:len(doc)-1], space)
	t := &e.Transaction
	// The comment may grow by escapes; then append allocates once more.
	b := make([]byte, 0, len(doc)+len(t.Operation)+len(t.Comment)+
		len(`,"transactionId":"00000000-0000-0000-0000-000000000000","operation":"","threshold":3,"comment":""}`))
	b = append(b, doc...)
	if doc[len(doc)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, `"transactionId":"`...)
	b = appendUUID(b, t.ID)
	b = append(b, `","operation":`...)
	b = appendString(b, t.Operation)
	if e.Threshold > 0 {
		b = append(b, `,"threshold":`...)
		b = strconv.AppendInt(b, int64(e.Threshold), 10)
	}
	if t.Comment != "" {
		b = append(b, `,"comment":`...)
		b = appendString(b, t.Comment)
	}
	return append(b, '}')
}

// appendString appends s as JSON. Bad UTF-8, which no request can bring, would
// become the replacement character.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}
