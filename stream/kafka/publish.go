package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"casm/stream"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// maxBatch is how many messages one transaction takes.
const maxBatch = 1000

// producer is a client that no other one has fenced as far as known.
type producer struct {
	cl *kgo.Client
	// tail is where the stream ends, as long as nobody fences; known tells
	// whether it was read since the others were fenced.
	tail  stream.Tail
	known bool
	// The producer as the brokers know it after its last transaction. A client
	// that makes another one of itself could fence who fenced it.
	id    int64
	epoch int16
}

// release lets go of the producer; a transaction that is open is given up by
// whoever fences it, or by the brokers after its time.
func (t *Target) release() {
	if t.producer != nil {
		t.producer.cl.Close()
		t.producer = nil
	}
}

// hold fences all others: what they have not committed is given up, and what
// they have is to be seen when it returns.
func (t *Target) hold(ctx context.Context) error {
	t.release()
	cl, err := kgo.NewClient(append(t.o.connection[:len(t.o.connection):len(t.o.connection)],
		kgo.TransactionalID(relayID(t.topic)), kgo.TransactionTimeout(t.timeout),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(t.timeout),
		// What a transaction has is sent when all of it is there.
		kgo.ManualFlushing(), kgo.MaxBufferedRecords(2*maxBatch),
		kgo.ProducerBatchMaxBytes(int32(t.most)),
		// As Java's clients do, so that everybody finds a customer's partition.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)...)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	p := &producer{cl: cl}
	if p.id, p.epoch, err = cl.ProducerID(ctx); err != nil {
		cl.Close()
		return t.wrap(ctx, "begin to publish (transactional id "+relayID(t.topic)+")", err)
	}
	t.producer = p
	return nil
}

// Publish implements stream.Target.
func (t *Target) Publish(ctx context.Context, tail stream.Tail, messages []stream.Message) (stream.Tail, error) {
	n := len(messages)
	switch {
	case n == 0:
		return tail, nil
	case n > maxBatch:
		return tail, fmt.Errorf("stream %s: %d messages at once, at most %d are taken", t.topic, n, maxBatch)
	}
	ctx, cancel := t.bound(ctx)
	defer cancel()
	t.use.Lock()
	defer t.use.Unlock()
	if err := ctx.Err(); err != nil {
		return tail, err
	}
	if err := t.ensure(ctx); err != nil {
		return tail, err
	}
	records, err := t.records(tail, messages)
	if err != nil {
		return tail, err
	}
	if p := t.producer; p == nil || !p.known || p.tail != tail {
		if err := t.begin(ctx, tail); err != nil {
			return tail, t.lost(err)
		}
	}
	if err := t.producer.transact(ctx, records); err != nil {
		t.release()
		// Kafka 4.1 answers so, too, to a commit while another one fences; once.
		unknown := errors.Is(err, kerr.UnknownServerError) && !t.unknown
		if t.unknown = unknown; unknown || fenced(err) {
			// The later of two wins, who may be fenced in turn: chance parts them.
			pause(ctx, time.Duration(rand.Int64N(int64(100*time.Millisecond))))
			return tail, stream.ErrConflict
		}
		return tail, t.lost(t.wrap(ctx, "publish up to "+messages[n-1].Position.String(), err))
	}
	t.unknown = false
	last := &messages[n-1]
	t.producer.tail = stream.Tail{Epoch: last.Epoch, Position: last.Position, ID: last.ID, Sequence: tail.Sequence + uint64(n)}
	return t.producer.tail, nil
}

// begin makes sure that the stream ends at tail and that nobody else moves it.
func (t *Target) begin(ctx context.Context, tail stream.Tail) error {
	if err := t.hold(ctx); err != nil {
		return err
	}
	now, err := t.tail(ctx)
	if err != nil {
		return err
	}
	if now != tail {
		return stream.ErrConflict
	}
	t.producer.tail, t.producer.known = now, true
	return nil
}

// records makes the records of messages that follow tail.
func (t *Target) records(tail stream.Tail, messages []stream.Message) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, len(messages))
	for i := range messages {
		m := &messages[i]
		r := &kgo.Record{Topic: t.topic, Key: []byte(m.Key), Value: m.Body, Headers: make([]kgo.RecordHeader, 0, len(m.Headers)+1)}
		size := len(r.Key) + len(r.Value) + 128
		for _, h := range append(m.Headers[:len(m.Headers):len(m.Headers)],
			stream.Header{Name: stream.HeaderSequence, Value: strconv.FormatUint(tail.Sequence+uint64(i)+1, 10)}) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: []byte(h.Value)})
			size += len(h.Name) + len(h.Value) + 8
		}
		if size > t.most {
			return nil, fmt.Errorf("stream %s: message %s has %d bytes, the topic takes %d: raise its max.message.bytes to %d",
				t.topic, m.Position, size, t.most, MaxMessageBytes)
		}
		records[i] = r
	}
	return records, nil
}

// errReplaced: the client became another producer, which it must not.
var errReplaced = errors.New("the transaction's producer has changed")

// transact publishes records as one transaction.
func (p *producer) transact(ctx context.Context, records []*kgo.Record) error {
	same := func() error {
		id, epoch, err := p.cl.ProducerID(ctx)
		if err == nil && (id != p.id || epoch != p.epoch) {
			err = errReplaced
		}
		return err
	}
	if err := p.cl.BeginTransaction(); err != nil {
		return err
	}
	if err := same(); err != nil {
		return err
	}
	failed := make(chan error, len(records))
	for _, r := range records {
		p.cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed <- err
			}
		})
	}
	if err := p.cl.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
	}
	if err := same(); err != nil {
		return err
	}
	err := p.cl.EndTransaction(ctx, kgo.TryCommit)
	if err == nil {
		p.id, p.epoch, err = p.cl.ProducerID(ctx)
	}
	return err
}

// fenced reports whether an error says that another one publishes, or that the
// brokers gave the transaction up: what is on the stream must be read again.
func fenced(err error) bool {
	for _, e := range []error{
		kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping,
		kerr.InvalidTxnState, kerr.TransactionAbortable, errReplaced,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
