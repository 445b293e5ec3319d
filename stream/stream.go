// Package stream is the contract of a streaming platform to which the relay
// publishes business transactions (contract 7). The suite in streamtest says
// the same as tests.
package stream

import (
	"context"
	"errors"

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
	// HeaderID is the CloudEvents id: unique per message, the same on redelivery.
	HeaderID = "ce-id"
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
	// Sequence is the platform's own, handed back to Publish.
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
