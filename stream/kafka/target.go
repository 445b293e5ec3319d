// Package kafka is the stream on Apache Kafka (contract 7): one topic, whose
// records have the customer's refId as their key, so that all that belongs to
// one customer is in one partition, in order.
//
// A batch is one transaction, of a transactional id that is the same for all
// relays of the topic: who begins to publish fences whoever did before. As the
// partitions of a topic have no order among each other, each record carries its
// number in the stream, by which a subscriber can put them in order.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"casm/stream"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are the settings of a connection to Kafka beside its address.
type Options struct {
	// Topic is the topic's name; "" for the address's, or DefaultTopic.
	Topic string
	// Name is shown to the brokers; "" for "casm".
	Name string
	// Password gives the password of the address's user. It is asked for at
	// each new connection; nil when there is no user.
	Password func() (string, error)
	// Timeout bounds one call; 0 for 10 s.
	Timeout time.Duration
	// Logger takes what is to be told; nil for slog.Default.
	Logger *slog.Logger

	connection []kgo.Opt // what both clients of a target have in common
}

func (o *Options) setDefaults() {
	if o.Name == "" {
		o.Name = "casm"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Target publishes to a topic of Kafka.
type Target struct {
	*reader
	address address
	o       Options

	use      sync.Mutex // guards what follows, and one use at a time
	ensured  bool
	most     int // bytes of a record batch
	producer *producer
	unknown  bool // the last transaction ended with the brokers' unknown error
}

var _ stream.Target = (*Target)(nil)

// Open gives a target at the brokers of an address: kafka://host:port, with
// several brokers by commas, or kafka+tls://. They need not be up: until they
// are, calls fail. The topic is made when something is first asked of it.
func Open(ctx context.Context, url string, o Options) (*Target, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.setDefaults()
	r, a, err := newReader(url, &o)
	if err != nil {
		return nil, err
	}
	return &Target{reader: r, address: a, o: o}, nil
}

// MaxBatch implements stream.Target.
func (t *Target) MaxBatch() int { return maxBatch }

// Close implements stream.Target.
func (t *Target) Close() error {
	t.use.Lock()
	defer t.use.Unlock()
	t.release()
	t.cl.Close()
	return nil
}

// Tail implements stream.Target.
func (t *Target) Tail(ctx context.Context) (stream.Tail, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	t.use.Lock()
	defer t.use.Unlock()
	if err := t.ensure(ctx); err != nil {
		return stream.Tail{}, err
	}
	done, err := t.settled(ctx)
	if err == nil && !done {
		err = t.hold(ctx) // who left a transaction open is fenced
	}
	if err != nil {
		return stream.Tail{}, t.lost(err)
	}
	tail, err := t.tail(ctx)
	return tail, t.lost(err)
}

// lost notes, where an error says that the topic is gone, that it must be made
// anew. The caller holds use.
func (t *Target) lost(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
		t.ensured = false
		t.release()
		t.forget()
	}
	return err
}

// At implements stream.Target.
func (t *Target) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	tail, err := t.at(ctx, sequence)
	if errors.Is(err, stream.ErrNoMessage) { // or it is about to be there
		if _, err := t.settled(ctx); err != nil {
			return tail, err
		}
		t.forget()
		tail, err = t.at(ctx, sequence)
	}
	return tail, err
}

// Adopt implements stream.Target. The word is kept as what a consumer group
// notes beside its offset, where no subscriber meets it. Brokers forget it,
// seven days after it was given unless set otherwise (offsets.retention.minutes),
// if nothing was published until then.
func (t *Target) Adopt(ctx context.Context, tail stream.Tail) error {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	t.use.Lock()
	defer t.use.Unlock()
	if err := t.ensure(ctx); err != nil {
		return err
	}
	// Nobody else publishes from here on without reading the tail again.
	if err := t.hold(ctx); err != nil {
		return err
	}
	last, err := t.last(ctx)
	if err != nil && !errors.Is(err, stream.ErrTailUnknown) {
		return err
	}
	if last.Sequence != tail.Sequence {
		return stream.ErrConflict
	}
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{
		Topic: t.topic, LeaderEpoch: -1,
		Metadata: fmt.Sprintf("%d %d %s", tail.Sequence, tail.Epoch, tail.Position),
	})
	answers, err := t.adm.CommitOffsets(ctx, relayID(t.topic), offsets)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return t.wrap(ctx, "adopt (group "+relayID(t.topic)+")", err)
	}
	return nil
}
