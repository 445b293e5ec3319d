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
	row       []sqldb.Value // as the present one, unless what is above makes it a test entity
	note      []sqldb.Value // in the table of messages
}

// body is what a message's body holds: the entity, and what it is told with.
type body[E any] struct {
	Entity E    `json:",embed"`
	Told   told `json:",embed"`
}

type told struct {
	TransactionID passed `json:"transactionId,omitzero"` // a header says it, too
	Operation     string `json:"operation,omitzero"`
	Comment       string `json:"comment,omitzero"`
	Threshold     int64  `json:"threshold,omitzero"`
}

// passed is a value that is of no use.
type passed struct{}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (*passed) UnmarshalJSONFrom(d *jsontext.Decoder) error { return d.SkipValue() }

// decode reads a body, once.
func decode[E any, P interface {
	*E
	casm.Entity
}](data []byte) (casm.Entity, *told, error) {
	var b body[E]
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, nil, err
	}
	return P(&b.Entity), &b.Told, nil
}

var decoders = map[casm.Kind]func([]byte) (casm.Entity, *told, error){
	casm.KindCustomer: decode[casm.Customer], casm.KindAccount: decode[casm.Account],
	casm.KindSubscriber: decode[casm.Subscriber], casm.KindSubscriberResource: decode[casm.SubscriberResource],
	casm.KindOfferSubscription: decode[casm.OfferSubscription], casm.KindBalance: decode[casm.Balance],
}

// read reads a message's body and makes its rows. What is wrong with it stands
// in the change: then it is set aside.
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
	entity, t, err := decoders[kind](m.Body)
	if err != nil {
		c.err = fmt.Errorf("%v: %w", kind, err)
		return c
	}
	b := entity.Base()
	c.entity, c.refID, c.version, c.threshold = entity, b.RefID, b.Version, t.Threshold
	if c.Operation == "" { // the stream says it in the body only
		c.Operation, c.Comment = t.Operation, t.Comment
	}
	switch {
	case c.refID == uuid.Nil:
		c.err = errors.New("the body has no refId")
	case c.version < 1:
		c.err = fmt.Errorf("the body's version is %d", c.version)
	default:
		c.err = c.makeRows()
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

// makeRows makes the row of the entity, with room for valid_to, and that of the
// message.
func (c *change) makeRows() error {
	t := c.table
	columns := len(t.current.Columns)
	all := make([]sqldb.Value, columns+1+len(messageTable.Columns))
	row := all[: 0 : columns+1]
	v := reflect.ValueOf(c.entity).Elem()
	for i := range t.columns {
		value, err := t.columns[i].value(v)
		if err != nil {
			return fmt.Errorf("%s: %w", t.columns[i].Name, err)
		}
		row = append(row, value)
	}
	c.row = append(row, sqldb.Bool(isTest(c.entity)), sqldb.At(c.RecordedAt), sqldb.UUID(c.TransactionID), sqldb.Int(c.Position.Transaction),
		sqldb.Str(c.Event), sqldb.OptStr(string(c.entity.Base().Unknown)), sqldb.Null)
	c.row[columns-1] = sqldb.Int(t.rowHash(c.row))
	c.note = append(all[columns+1:columns+1], sqldb.Int(c.Position.Transaction), sqldb.Int(c.Position.Ordinal), sqldb.Str(c.kind.String()),
		sqldb.UUID(c.refID), sqldb.Int(c.version), sqldb.Str(c.Event), optInt(c.threshold), sqldb.At(c.RecordedAt))
	return nil
}
