package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"casm"
	"casm/stream"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// How much one request takes of a partition. A broker gives one batch at the
// least, however large.
const (
	glanceBytes = 128 << 10 // when one record is looked for
	readBytes   = 1 << 20   // when all are read
)

// lookBack bounds, in records, how far back the last message of a partition is
// looked for behind what others wrote or what was given up.
const lookBack = 1 << 18

// mostLocated bounds the places that are kept.
const mostLocated = 256

// retryPause is between looks at brokers that take a moment.
const retryPause = 20 * time.Millisecond

// reader reads the committed messages of a topic, at any place, without being
// a member of a consumer group.
type reader struct {
	cl      *kgo.Client
	adm     *kadm.Client
	topic   string
	timeout time.Duration
	log     *slog.Logger

	mu      sync.Mutex
	id      kadm.TopicID
	leaders map[int32]int32 // by partition; nil: to be asked for
	// located are places that were found since the end was last read, by their
	// number: one search among them narrows the next.
	located map[uint64]place
}

func newReader(url string, o *Options) (*reader, address, error) {
	a, err := parse(url)
	if err != nil {
		return nil, a, fmt.Errorf("stream: the address %w", err)
	}
	if o.Topic != "" {
		a.topic = o.Topic
	}
	opts, err := a.connection(o.Password)
	if err != nil {
		return nil, a, err
	}
	o.connection = append(opts,
		kgo.ClientID(o.Name), kgo.WithLogger(logger{o.Logger}), kgo.DisableClientMetrics(),
		kgo.DialTimeout(min(o.Timeout, 5*time.Second)), kgo.RetryTimeout(o.Timeout),
		kgo.MetadataMinAge(100*time.Millisecond))
	cl, err := kgo.NewClient(o.connection...)
	if err != nil {
		return nil, a, fmt.Errorf("stream: %w", err)
	}
	return &reader{cl: cl, adm: kadm.NewClient(cl), topic: a.topic, timeout: o.Timeout, log: o.Logger}, a, nil
}

func (r *reader) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.timeout)
}

// wrap says what an error was about; where no broker can be reached, why.
func (r *reader) wrap(ctx context.Context, what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if e := r.cl.Ping(ctx); e != nil && !errors.Is(e, context.DeadlineExceeded) {
			err = fmt.Errorf("no broker answers: %w: %w", e, err)
		}
	}
	return fmt.Errorf("stream %s: %s: %w", r.topic, what, err)
}

// partitions gives the leader of each partition, and the topic's id.
func (r *reader) partitions(ctx context.Context) (map[int32]int32, kadm.TopicID, error) {
	r.mu.Lock()
	leaders, id := r.leaders, r.id
	r.mu.Unlock()
	if leaders != nil {
		return leaders, id, nil
	}
	topics, err := r.adm.ListTopics(ctx, r.topic)
	if err == nil {
		err = topics[r.topic].Err
	}
	if err != nil {
		return nil, id, r.wrap(ctx, "its partitions", err)
	}
	leaders = map[int32]int32{}
	for p, d := range topics[r.topic].Partitions {
		if d.Err != nil {
			return nil, id, r.wrap(ctx, fmt.Sprintf("partition %d", p), d.Err)
		}
		leaders[p] = d.Leader
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaders, r.id = leaders, topics[r.topic].ID
	return r.leaders, r.id, nil
}

// forget lets the leaders be asked for again.
func (r *reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaders, r.located = nil, nil
}

// place is an offset for each of some partitions.
type place map[int32]int64

// page is what a partition gave.
type page struct {
	messages []message // those that are the relay's
	next     int64     // the offset behind what was read
	stable   int64     // the end of what is committed
	high     int64     // the end of all, with what is not committed yet
}

// message is a record that the relay wrote.
type message struct {
	offset int64
	tail   stream.Tail
	record *kgo.Record
}

// bounds gives where the partitions begin and where what is committed ends.
func (r *reader) bounds(ctx context.Context) (from, to place, err error) {
	list := func(of func(context.Context, ...string) (kadm.ListedOffsets, error)) (place, error) {
		listed, err := of(ctx, r.topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, r.wrap(ctx, "where it ends", err)
		}
		at := place{}
		for p, o := range listed[r.topic] {
			at[p] = o.Offset
		}
		return at, nil
	}
	if from, err = list(r.adm.ListStartOffsets); err == nil {
		to, err = list(r.adm.ListCommittedOffsets)
	}
	return from, to, err
}

// fetch reads one page of each partition of a place, and waits for the first
// record if there is none.
func (r *reader) fetch(ctx context.Context, at place, most int32, wait time.Duration) (map[int32]page, error) {
	leaders, id, err := r.partitions(ctx)
	if err != nil {
		return nil, err
	}
	requests := map[int32]*kmsg.FetchRequest{}
	for p := range at {
		if _, ok := leaders[p]; !ok { // partitions were added
			r.forget()
			if leaders, id, err = r.partitions(ctx); err != nil {
				return nil, err
			}
			break
		}
	}
	for p, offset := range at { // in random order: a broker may fill its answer with the first ones
		broker := leaders[p]
		q := requests[broker]
		if q == nil {
			q = kmsg.NewPtrFetchRequest()
			q.ReplicaID, q.IsolationLevel, q.SessionEpoch = -1, 1, -1
			q.MinBytes, q.MaxBytes, q.MaxWaitMillis = 1, 16*readBytes, int32(wait.Milliseconds())
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = r.topic, id
			q.Topics = append(q.Topics, t)
			requests[broker] = q
		}
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p, offset, most
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, part)
	}
	type answer struct {
		response *kmsg.FetchResponse
		err      error
	}
	answers := make(chan answer, len(requests))
	for broker, q := range requests {
		go func() {
			response, err := q.RequestWith(ctx, r.cl.Broker(int(broker)))
			answers <- answer{response, err}
		}()
	}
	pages := map[int32]page{}
	for range requests {
		a := <-answers
		if a.err == nil {
			a.err = kerr.ErrorForCode(a.response.ErrorCode)
		}
		if a.err == nil {
			a.err = r.read(a.response, at, pages)
		}
		if a.err != nil {
			r.forget()
			err = r.wrap(ctx, "read", a.err)
		}
	}
	return pages, err
}

// read takes the pages out of an answer.
func (r *reader) read(response *kmsg.FetchResponse, at place, pages map[int32]page) error {
	for i := range response.Topics {
		for j := range response.Topics[i].Partitions {
			rp := &response.Topics[i].Partitions[j]
			got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
				Offset: at[rp.Partition], IsolationLevel: kgo.ReadCommitted(), Topic: r.topic, Partition: rp.Partition,
			}, rp, decompressor, nil)
			if got.Err != nil {
				return fmt.Errorf("partition %d at %d: %w", rp.Partition, at[rp.Partition], got.Err)
			}
			pg := page{next: max(next, at[rp.Partition]), stable: got.LastStableOffset, high: got.HighWatermark}
			for _, record := range got.Records {
				if tail, ok := told(record); ok {
					pg.messages = append(pg.messages, message{record.Offset, tail, record})
				}
			}
			pages[rp.Partition] = pg
		}
	}
	return nil
}

var decompressor = kgo.DefaultDecompressor()

// told reads a record's own word on where it stands; not ok: it is not the relay's.
func told(record *kgo.Record) (t stream.Tail, ok bool) {
	var errs [3]error
	found := 0
	for _, h := range record.Headers {
		switch h.Key {
		case stream.HeaderSequence:
			t.Sequence, errs[0] = strconv.ParseUint(string(h.Value), 10, 64)
		case stream.HeaderEpoch:
			t.Epoch, errs[1] = strconv.ParseInt(string(h.Value), 10, 64)
		case stream.HeaderPosition:
			t.Position, errs[2] = casm.ParsePosition(string(h.Value))
		case stream.HeaderID:
			t.ID = string(h.Value)
			continue
		default:
			continue
		}
		found++
	}
	return t, found == 3 && errors.Join(errs[:]...) == nil && t.Sequence > 0
}

// scan reads from a place to another one until each says of every partition
// that it is enough.
func (r *reader) scan(ctx context.Context, from, to place, most int32, each func(p int32, pg page) (enough bool)) error {
	left := place{}
	for p, offset := range from {
		if offset < to[p] {
			left[p] = offset
		}
	}
	for len(left) > 0 {
		pages, err := r.fetch(ctx, left, most, 0)
		if err != nil {
			return err
		}
		for p, pg := range pages {
			if each(p, pg) || pg.next >= to[p] {
				delete(left, p)
			} else {
				left[p] = pg.next
			}
		}
	}
	return nil
}

// errExpired: there were messages, and all of them are gone.
var errExpired = fmt.Errorf("%w: all messages are gone", stream.ErrTailUnknown)
