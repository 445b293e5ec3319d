package natsjs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"casm/stream"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of what a subscription holds that was not fetched yet. The second is
// of bytes: messages are read ahead within it, so it must hold the largest one.
const (
	readAhead      = 4000
	readAheadBytes = 16 << 20
)

// forgetConsumer is after how long without a subscriber the server forgets its
// place, which subscribers keep themselves.
const forgetConsumer = 30 * 24 * time.Hour

// Subscription reads the stream through a durable pull consumer.
type Subscription struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	name    string
	timeout time.Duration

	consumer jetstream.Consumer
	consume  jetstream.ConsumeContext
	coming   chan arrival
	failed   chan error
	replies  []reply // of what was fetched and not acknowledged
}

// arrival is a message, and where to acknowledge it.
type arrival struct {
	stream.Delivery
	reply string
}

// reply is where to acknowledge the message with a sequence.
type reply struct {
	sequence uint64
	to       string
}

var _ stream.Subscription = (*Subscription)(nil)

// Subscribe makes a subscription on a connection that has a reader's rights;
// it takes the connection over. The name is the consumer's: two subscriptions
// with one name share their messages.
func Subscribe(nc *nats.Conn, name string) (*Subscription, error) {
	const timeout = 10 * time.Second
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(timeout))
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return &Subscription{nc: nc, js: js, name: name, timeout: timeout}, nil
}

// ConnectReader connects to the servers of a nats:// or tls:// URL (several
// with commas), to read. They need not be up: until they are, calls fail.
func ConnectReader(url, name string) (*nats.Conn, error) {
	nc, err := nats.Connect(url, nats.Name(name), nats.Timeout(5*time.Second), nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("stream: connect: %w", err)
	}
	return nc, nil
}

func (s *Subscription) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// Tail implements stream.Subscription.
func (s *Subscription) Tail(ctx context.Context) (stream.Tail, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	js, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return stream.Tail{}, fmt.Errorf("stream %s: %w", StreamName, err)
	}
	info := js.CachedInfo()
	if info.State.LastSeq == 0 {
		return stream.Tail{}, nil
	}
	if tail, ok := adopted(info); ok {
		return tail, nil
	}
	return s.At(ctx, info.State.LastSeq)
}

// At implements stream.Subscription.
func (s *Subscription) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	js, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return stream.Tail{}, fmt.Errorf("stream %s: %w", StreamName, err)
	}
	m, err := js.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stream.Tail{Sequence: sequence}, fmt.Errorf("%w: sequence %d", stream.ErrNoMessage, sequence)
	}
	if err != nil {
		return stream.Tail{}, fmt.Errorf("stream %s: get message %d: %w", StreamName, sequence, err)
	}
	return tailOf(sequence, m.Header)
}

// Begin implements stream.Subscription. The consumer that is there is used
// where it stands at the place; else it is made anew.
func (s *Subscription) Begin(ctx context.Context, after uint64) error {
	s.end()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	js, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return fmt.Errorf("stream %s: %w", StreamName, err)
	}
	consumer, err := js.Consumer(ctx, s.name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		consumer = nil
	case err != nil:
		return fmt.Errorf("stream %s: consumer %s: %w", StreamName, s.name, err)
	case !stands(consumer.CachedInfo(), after):
		if err := js.DeleteConsumer(ctx, s.name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("stream %s: consumer %s: %w", StreamName, s.name, err)
		}
		consumer = nil
	}
	if consumer == nil {
		consumer, err = js.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: s.name, Description: "A subscriber that keeps its place itself",
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
			// One acknowledgement stands for all messages up to it.
			AckPolicy: jetstream.AckAllPolicy, AckWait: 30 * time.Second, MaxAckPending: 10 * readAhead,
			InactiveThreshold: forgetConsumer,
		})
		if err != nil {
			return fmt.Errorf("stream %s: consumer %s: %w", StreamName, s.name, err)
		}
	}
	s.consumer = consumer
	return s.start()
}

// stands reports whether a consumer delivers what is behind a sequence next.
func stands(info *jetstream.ConsumerInfo, after uint64) bool {
	return info.Config.AckPolicy == jetstream.AckAllPolicy && info.Delivered.Stream == after && info.NumAckPending == 0
}

// start lets messages come.
func (s *Subscription) start() (err error) {
	coming, failed := make(chan arrival, readAhead), make(chan error, 1)
	closed := s.nc.StatusChanged(nats.CLOSED)
	s.coming, s.failed, s.replies = coming, failed, nil
	stop := make(chan struct{})
	s.consume, err = s.consumer.Consume(func(m jetstream.Msg) {
		a, err := arrived(m)
		if err != nil {
			fail(failed, err)
			return
		}
		select {
		case coming <- a:
		case <-closed:
		case <-stop:
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(readAhead, readAheadBytes),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			// A heartbeat that is missed tells that the connection is being made
			// anew, after which messages go on coming.
			if !errors.Is(err, jetstream.ErrNoHeartbeat) {
				fail(failed, err)
			}
		}))
	if err != nil {
		return fmt.Errorf("stream %s: consumer %s: %w", StreamName, s.name, err)
	}
	s.consume = stopping{s.consume, stop}
	return nil
}

// stopping is a ConsumeContext that also frees a handler that waits.
type stopping struct {
	jetstream.ConsumeContext
	stop chan struct{}
}

func (s stopping) Stop() {
	close(s.stop)
	s.ConsumeContext.Stop()
}

func fail(failed chan error, err error) {
	select {
	case failed <- err:
	default: // one tells enough
	}
}

func arrived(m jetstream.Msg) (arrival, error) {
	meta, err := m.Metadata()
	if err != nil {
		return arrival{}, err
	}
	d := stream.Delivery{Sequence: meta.Sequence.Stream, Pending: meta.NumPending, Headers: m.Headers(), Body: m.Data()}
	return arrival{d, m.Reply()}, nil
}

// Fetch implements stream.Subscription.
func (s *Subscription) Fetch(ctx context.Context, most int, wait time.Duration) ([]stream.Delivery, error) {
	if s.coming == nil {
		return nil, errors.New("stream: the subscription has not begun")
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var got []stream.Delivery
	add := func(a arrival) {
		s.replies = append(s.replies, reply{a.Sequence, a.reply})
		got = append(got, a.Delivery)
	}
	select {
	case a := <-s.coming:
		add(a)
	case err := <-s.failed:
		return nil, fmt.Errorf("stream %s: consumer %s: %w", StreamName, s.name, err)
	case <-timer.C:
		if !s.nc.IsConnected() {
			return nil, fmt.Errorf("stream %s: %w", StreamName, nats.ErrDisconnected)
		}
		return nil, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(got) < most {
		select {
		case a := <-s.coming:
			add(a)
		default:
			return got, nil
		}
	}
	return got, nil
}

// Ack implements stream.Subscription.
func (s *Subscription) Ack(ctx context.Context, upTo uint64) error {
	to := ""
	s.replies = slices.DeleteFunc(s.replies, func(r reply) bool {
		if r.sequence == upTo {
			to = r.to
		}
		return r.sequence <= upTo
	})
	if to == "" {
		return nil // it came before the last Begin
	}
	if err := s.nc.Publish(to, []byte("+ACK")); err != nil {
		return fmt.Errorf("stream %s: acknowledge %s: %w", StreamName, strconv.FormatUint(upTo, 10), err)
	}
	return ctx.Err()
}

// end stops what start began.
func (s *Subscription) end() {
	if s.consume != nil {
		s.consume.Stop()
		<-s.consume.Closed()
	}
	s.consume, s.coming, s.replies = nil, nil, nil
}

// Close implements stream.Subscription.
func (s *Subscription) Close() error {
	s.end()
	s.nc.Close()
	return nil
}
