package warehouse

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"casm"
	"casm/stream"
	"casm/warehouse/sqldb"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Message is one business transaction message, from the stream or the feed.
type Message struct {
	Epoch         int64
	Position      casm.Position
	Sequence      uint64 // the stream's own; 0 from the feed
	TransactionID uuid.UUID
	RequestID     string
	Operation     string
	Actor         string
	Comment       string
	Timestamp     casm.Time // of the transaction
	RecordedAt    casm.Time // of the version; it differs from Timestamp where versions come quicker than the clock
	Code          string    // message code, such as "customer"
	Event         string
	Body          []byte
}

// fromStream reads a message as a subscriber gets it. What stands in the
// headers only is read here; the body later.
func fromStream(d *stream.Delivery) (Message, error) {
	m := Message{Sequence: d.Sequence, Body: d.Body, Code: d.Header(stream.HeaderMessageCode), RequestID: d.Header(stream.HeaderRequestID), Actor: d.Header(stream.HeaderActor)}
	var err error
	if m.Position, err = casm.ParsePosition(d.Header(stream.HeaderPosition)); err != nil {
		return m, fmt.Errorf("header %s: %w", stream.HeaderPosition, err)
	}
	if m.Epoch, err = strconv.ParseInt(d.Header(stream.HeaderEpoch), 10, 64); err != nil {
		return m, fmt.Errorf("header %s: %w", stream.HeaderEpoch, err)
	}
	if m.TransactionID, err = uuid.Parse(d.Header(stream.HeaderTransactionID)); err != nil {
		return m, fmt.Errorf("header %s: %w", stream.HeaderTransactionID, err)
	}
	if m.RecordedAt, err = casm.ParseTime(d.Header(stream.HeaderTime)); err != nil {
		return m, fmt.Errorf("header %s: %w", stream.HeaderTime, err)
	}
	m.Timestamp = m.RecordedAt
	if at := d.Header(stream.HeaderTransactionTime); at != "" {
		if m.Timestamp, err = casm.ParseTime(at); err != nil {
			return m, fmt.Errorf("header %s: %w", stream.HeaderTransactionTime, err)
		}
	}
	m.Event = eventOf(d.Header(stream.HeaderType), m.Code)
	return m, nil
}

// eventOf takes the event out of a type such as casm.customer.created.v1.
func eventOf(ceType, code string) string {
	const head, tail = "casm.", ".v1"
	if n := len(head) + len(code) + 1; len(ceType) > n+len(tail) {
		return ceType[n : len(ceType)-len(tail)]
	}
	return ""
}

// change is a message that was read: the version of the entity that it tells.
type change struct {
	Message
	err       error // why it cannot be processed
	kind      casm.Kind
	table     *entityTable
	refID     uuid.UUID
	version   int64
	threshold int64
	entity    casm.Entity
	values    []sqldb.Value // of the entity's own columns
	unknown   string        // members that this release does not know
}

// envelope is what a body has beside the entity.
type envelope struct {
	TransactionID jsontext.Value `json:"transactionId,omitzero"`
	Operation     string         `json:"operation,omitzero"`
	Comment       string         `json:"comment,omitzero"`
	Threshold     int64          `json:"threshold,omitzero"`
	Unknown       jsontext.Value `json:",embed"`
}

// read reads a message's body. What is wrong with it stands in the change:
// then it is set aside.
func (l *layout) read(m Message) (c *change) {
	c = &change{Message: m}
	if c.err = c.check(); c.err != nil {
		return c
	}
	kind, ok := casm.KindByMessageCode(m.Code)
	if !ok {
		c.err = fmt.Errorf("message code %q is not known", m.Code)
		return c
	}
	c.kind, c.table = kind, l.entities[kind]
	c.entity, c.err = casm.DecodeEntity(kind, m.Body)
	if c.err != nil {
		return c
	}
	b := c.entity.Base()
	c.refID, c.version = b.RefID, b.Version
	var e envelope
	if len(b.Unknown) > 0 {
		if c.err = json.Unmarshal(b.Unknown, &e); c.err != nil {
			return c
		}
	}
	c.threshold, c.unknown = e.Threshold, string(e.Unknown)
	if c.Operation == "" { // the stream says it in the body only
		c.Operation, c.Comment = e.Operation, e.Comment
	}
	switch {
	case c.refID == uuid.Nil:
		c.err = errors.New("the body has no refId")
	case c.version < 1:
		c.err = fmt.Errorf("the body's version is %d", c.version)
	default:
		c.values, c.err = c.table.values(c.entity)
	}
	return c
}

// check makes sure of what every message has.
func (c *change) check() error {
	switch {
	case c.Position.Transaction < 1 || c.Position.Ordinal < 0:
		return fmt.Errorf("its position is %v", c.Position)
	case c.Timestamp < casm.MinTime || c.Timestamp >= casm.MaxTime || c.RecordedAt < casm.MinTime || c.RecordedAt >= casm.MaxTime:
		return fmt.Errorf("its time is %v", c.RecordedAt)
	case c.TransactionID == uuid.Nil:
		return errors.New("it has no transaction id")
	case c.Event == "":
		return errors.New("it has no event")
	}
	return nil
}

// values gives the values of an entity's own columns.
func (t *entityTable) values(e casm.Entity) ([]sqldb.Value, error) {
	v := reflect.ValueOf(e).Elem()
	out := make([]sqldb.Value, t.own, len(t.current.Columns)+1)
	for i := range t.own {
		var err error
		if out[i], err = t.columns[i].value(v); err != nil {
			return nil, fmt.Errorf("%s: %w", t.columns[i].Name, err)
		}
	}
	return out, nil
}
