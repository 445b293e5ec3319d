// Package stream is the contract of a streaming platform to which the relay
// publishes business transactions (contract 7). The suite in streamtest says
// the same as tests.
package stream

import (
	"context"
	"errors"
	"time"

	"casm"
)

// Header names of contract 7.
const (
	HeaderTransactionID = "X-Ocs-Io-transaction-id"
	HeaderMessageCode   = "X-Ocs-Io-message-code"
	HeaderPayload       = "X-Ocs-Io-message-payload"
	// HeaderPosition carries the message's place in the log, HeaderEpoch the
	// log's epoch: from the last message a relay knows where to go on.
	HeaderPosition = "Casm-Position"
	HeaderEpoch    = "Casm-Epoch"
	// HeaderSequence carries the message's number in the stream, one more with
	// each, on platforms that do not number the messages of a stream themselves.
	HeaderSequence = "Casm-Sequence"
	// HeaderRequestID and HeaderActor carry what the feed tells of the
	// transaction beside; HeaderTransactionTime its time, where it is not
	// HeaderTime.
	HeaderRequestID       = "Casm-Request-Id"
	HeaderActor           = "Casm-Actor"
	HeaderTransactionTime = "Casm-Transaction-Time"
	// HeaderID is the CloudEvents id: unique per message, the same on redelivery.
	HeaderID = "ce-id"
	// HeaderType is the CloudEvents type, such as casm.customer.created.v1,
	// HeaderTime when the version was recorded.
	HeaderType = "ce-type"
	HeaderTime = "ce-time"
	// HeaderContentType is the type of the body, which HTTP has a header of its
	// own for.
	HeaderContentType = "ce-datacontenttype"
)

// Message is one business transaction message, ready to be published.
type Message struct {
	// Position, Epoch and ID stand in Headers too; a target hands back those
	// of the last message as the new Tail.
	Position casm.Position
	Epoch    int64
	ID       string
	Code     string // message code, such as "customer"
	Event    string // such as "created"
	Key      string // refId of the customer: what has the same key stays in order
	Headers  []Header
	Body     []byte // JSON
}

// Header is one header of a message. Names are written exactly as given.
type Header struct{ Name, Value string }

// Tail is the end of a stream: what was published last.
type Tail struct {
	Epoch    int64
	Position casm.Position // casm.Start when the stream is empty
	// ID is that of the last message: with it the relay makes sure that the
	// log still holds what was published. Empty when the stream is empty, or
	// when the tail was set by Adopt.
	ID string
	// Sequence is the stream's own number of its last message: one more with
	// each, of the platform's or of HeaderSequence. It is handed back to Publish.
	Sequence uint64
}

// ErrConflict: somebody else published since Tail was read; read it again.
var ErrConflict = errors.New("stream: the stream has moved on")

// ErrTailUnknown: the stream is not empty, and its last message does not say
// where in the log it stands (it expired, was removed, or is not the relay's).
// Publishing from the first again would double everything, so a person decides.
var ErrTailUnknown = errors.New("stream: the last message does not tell its place in the log")

// Target is a stream that the relay alone writes.
type Target interface {
	// Tail reads what was published last, from the platform itself. With
	// ErrTailUnknown the Tail holds the Sequence, for Adopt.
	Tail(ctx context.Context) (Tail, error)
	// At reads the place of the message with a sequence, or ErrNoMessage;
	// ErrTailUnknown when the message does not tell it.
	At(ctx context.Context, sequence uint64) (Tail, error)
	// Publish appends the messages durably, all or none, directly after tail,
	// and returns the new one. ErrConflict when the stream does not end at
	// tail. Any other error may leave the outcome open: read Tail again.
	Publish(ctx context.Context, tail Tail, messages []Message) (Tail, error)
	// Adopt records durably that the stream's present end stands for tail's
	// epoch and position, whatever its last message says; Tail then gives
	// them until something is published. ErrConflict when the stream does not
	// end at tail.Sequence.
	Adopt(ctx context.Context, tail Tail) error
	// MaxBatch is how many messages one Publish takes.
	MaxBatch() int
	Close() error
}

// Delivery is a message as a subscriber gets it.
type Delivery struct {
	// Sequence is the stream's own: one more with each message of the stream.
	Sequence uint64
	// Pending is how many messages were behind it when it was delivered.
	Pending uint64
	Headers map[string][]string
	Body    []byte
}

// Header returns a header's value, "" when there is none.
func (d *Delivery) Header(name string) string {
	if v := d.Headers[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// ErrNoMessage: the stream does not hold the message that was asked for.
var ErrNoMessage = errors.New("stream: there is no such message")

// Subscription is the place of one subscriber in a stream. It is for one
// goroutine at a time.
type Subscription interface {
	// Tail reads where the stream ends; its Sequence is 0 when it is empty.
	// ErrTailUnknown as of a Target.
	Tail(ctx context.Context) (Tail, error)
	// At reads the place of the message with a sequence, or ErrNoMessage.
	At(ctx context.Context, sequence uint64) (Tail, error)
	// Begin lets Fetch go on behind a sequence, whatever was acknowledged.
	Begin(ctx context.Context, after uint64) error
	// Fetch returns what has come, up to most messages in the order they came,
	// and waits for the first; nothing when none comes within the time. After
	// an error call Begin again.
	Fetch(ctx context.Context, most int, wait time.Duration) ([]Delivery, error)
	// Ack acknowledges all messages up to a sequence: they do not come again.
	Ack(ctx context.Context, upTo uint64) error
	// Close ends the subscription; the place is kept.
	Close() error
}
