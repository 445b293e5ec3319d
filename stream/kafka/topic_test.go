package kafka_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/streamtest"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func mustTail(t testing.TB, g stream.Target) stream.Tail {
	t.Helper()
	tail, err := g.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tail
}

func mustPublish(t testing.TB, g stream.Target, tail stream.Tail, ms []stream.Message) stream.Tail {
	t.Helper()
	next, err := g.Publish(t.Context(), tail, ms)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// target opens a target on a new topic, closed with the test.
func target(t testing.TB, more string) (g *kafka.Target, k *testkit.Kafka, url, topic string) {
	t.Helper()
	k = testkit.SharedKafka(t)
	url = k.URL()
	topic = testkit.TopicOf(url)
	url += more
	g = open(t, url)
	t.Cleanup(func() { _ = g.Close() })
	return g, k, url, topic
}

// TestTopicMade: the topic is made as it is documented.
func TestTopicMade(t *testing.T) {
	g, k, _, topic := target(t, "&partitions=3")
	mustTail(t, g)
	adm := kadm.NewClient(k.Client(t))
	topics, err := adm.ListTopics(t.Context(), topic)
	if err != nil || len(topics[topic].Partitions) != 3 || topics[topic].Partitions.NumReplicas() != 1 {
		t.Errorf("%+v %v", topics[topic], err)
	}
	configs, err := adm.DescribeTopicConfigs(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "1",
		"unclean.leader.election.enable": "false", "max.message.bytes": "4194304",
	}
	for _, c := range configs[0].Configs {
		if w, ok := want[c.Key]; ok && c.MaybeValue() != w {
			t.Errorf("%s is %s, want %s", c.Key, c.MaybeValue(), w)
		}
	}
}

// TestTopicFound: one that is of no use is refused, one that keeps less is
// warned of, and its bound of messages holds.
func TestTopicFound(t *testing.T) {
	k := testkit.SharedKafka(t)
	adm := kadm.NewClient(k.Client(t))
	set := func(s string) *string { return &s }
	made := func(config map[string]*string) *kafka.Target {
		url := k.URL()
		if _, err := adm.CreateTopic(t.Context(), 2, 1, config, testkit.TopicOf(url)); err != nil {
			t.Fatal(err)
		}
		g := open(t, url)
		t.Cleanup(func() { _ = g.Close() })
		return g
	}
	if _, err := made(map[string]*string{"cleanup.policy": set("compact")}).Tail(t.Context()); err == nil || !strings.Contains(err.Error(), "cleanup.policy") {
		t.Errorf("a compacted topic: %v", err)
	}
	g := made(map[string]*string{"max.message.bytes": set("5000")})
	tail := mustTail(t, g)
	ms := streamtest.Messages(1, 3)
	ms[1].Body = make([]byte, 6000)
	if _, err := g.Publish(t.Context(), tail, ms); err == nil || !strings.Contains(err.Error(), "max.message.bytes") || !strings.Contains(err.Error(), "2-0") {
		t.Errorf("a message that is too large: %v", err)
	}
	tail = mustPublish(t, g, tail, streamtest.Messages(1, 200)) // in batches that the topic takes
	if now := mustTail(t, g); now != tail {
		t.Errorf("the tail is %+v, want %+v", now, tail)
	}
}

// TestTopicChanges: one that was removed is made anew, and is empty; one that
// got more partitions goes on.
func TestTopicChanges(t *testing.T) {
	g, k, url, topic := target(t, "&partitions=2")
	tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 10))
	adm := kadm.NewClient(k.Client(t))
	if _, err := adm.CreatePartitions(t.Context(), 6, topic); err != nil {
		t.Fatal(err)
	}
	other := open(t, url)
	defer other.Close()
	if now := mustTail(t, other); now != tail {
		t.Fatalf("with more partitions the tail is %+v, want %+v", now, tail)
	}
	mustPublish(t, other, tail, streamtest.Messages(11, 30))
	wantDelivered(t, subscribe(t, url), 0, 40)
	if tail = mustTail(t, g); tail.Sequence != 40 {
		t.Fatalf("the tail is %+v", tail)
	}
	if _, err := adm.DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Publish(t.Context(), tail, streamtest.Messages(41, 1)); err == nil {
		t.Error("published to a topic that was removed")
	}
	var err error
	for range 20 { // the first calls find that it is gone
		if tail, err = g.Tail(t.Context()); err == nil {
			break
		}
	}
	if err != nil || tail != (stream.Tail{}) {
		t.Fatalf("tail of a topic made anew: %+v, %v", tail, err)
	}
	mustPublish(t, g, tail, streamtest.Messages(1, 3))
	wantDelivered(t, subscribe(t, url), 0, 3)
}

// TestTopicGrows: who subscribes gets what goes to partitions that were added
// since, in order.
func TestTopicGrows(t *testing.T) {
	g, k, url, topic := target(t, "&partitions=1")
	s := subscribe(t, url)
	tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 10))
	wantDelivered(t, s, 0, 10)
	if _, err := kadm.NewClient(k.Client(t)).CreatePartitions(t.Context(), 12, topic); err != nil {
		t.Fatal(err)
	}
	other := open(t, url)
	defer other.Close()
	mustPublish(t, other, mustTail(t, other), streamtest.Messages(11, 30))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for next := tail.Sequence + 1; next <= 40; {
		got, err := s.Fetch(ctx, 7, time.Second)
		if err != nil {
			t.Fatalf("before %d: %v", next, err)
		}
		for _, d := range got {
			if d.Sequence != next {
				t.Fatalf("message %d comes in the place of %d", d.Sequence, next)
			}
			next++
		}
	}
}

// TestLastBehindOthers: the stream's end is found behind transactions that were
// given up and records of others, and these are passed over.
func TestLastBehindOthers(t *testing.T) {
	g, k, url, topic := target(t, "&partitions=3")
	if tail := mustTail(t, g); tail != (stream.Tail{}) {
		t.Fatalf("the tail of an empty topic is %+v", tail)
	}
	abort := func(n int) {
		cl := k.Client(t, kgo.TransactionalID(topic+".relay"), kgo.DefaultProduceTopic(topic))
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range n {
			cl.Produce(t.Context(), &kgo.Record{Value: []byte("x")}, nil)
		}
		if err := errors.Join(cl.Flush(t.Context()), cl.EndTransaction(t.Context(), kgo.TryAbort)); err != nil {
			t.Fatal(err)
		}
	}
	abort(5)
	if tail := mustTail(t, g); tail != (stream.Tail{}) {
		t.Fatalf("when all was given up, the tail is %+v", tail)
	}
	tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 20))
	abort(3000)
	other := k.Client(t, kgo.DefaultProduceTopic(topic))
	for range 50 {
		other.Produce(t.Context(), &kgo.Record{Value: []byte("of somebody else"), Headers: []kgo.RecordHeader{{Key: stream.HeaderSequence, Value: []byte("999")}}}, nil)
	}
	if err := other.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := mustTail(t, g); now != tail {
		t.Fatalf("the tail is %+v, want %+v", now, tail)
	}
	if _, err := g.Publish(t.Context(), tail, streamtest.Messages(21, 5)); !errors.Is(err, stream.ErrConflict) {
		t.Fatalf("fenced: %v, want ErrConflict", err)
	}
	mustPublish(t, g, mustTail(t, g), streamtest.Messages(21, 5))
	wantDelivered(t, subscribe(t, url), 0, 25)
}

// TestExpired: where all messages are gone a person decides; what follows is
// numbered above all that were there.
func TestExpired(t *testing.T) {
	g, k, url, topic := target(t, "&partitions=2")
	tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 30))
	s := subscribe(t, url)
	wantDelivered(t, s, 0, 30)
	adm := kadm.NewClient(k.Client(t))
	ends, err := adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteRecords(t.Context(), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	now, err := g.Tail(t.Context())
	if !errors.Is(err, stream.ErrTailUnknown) || now.Sequence < tail.Sequence {
		t.Fatalf("when all is gone: %+v %v", now, err)
	}
	if _, err := g.At(t.Context(), 5); !errors.Is(err, stream.ErrNoMessage) {
		t.Errorf("a message that is gone: %v", err)
	}
	adopted := stream.Tail{Epoch: 4, Position: casm.Position{Transaction: 30}, Sequence: now.Sequence}
	if err := g.Adopt(t.Context(), adopted); err != nil {
		t.Fatal(err)
	}
	if got := mustTail(t, g); got != adopted {
		t.Fatalf("adopted, the tail is %+v, want %+v", got, adopted)
	}
	mustPublish(t, g, adopted, streamtest.Messages(31, 5))
	wantDelivered(t, s, adopted.Sequence, 5) // goes on over the numbers that no message has
}

// TestLeftOpen: a transaction that somebody left open holds up nobody but
// until the next one publishes.
func TestLeftOpen(t *testing.T) {
	g, k, url, topic := target(t, "&partitions=2")
	tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 10))
	cl := k.Client(t, kgo.TransactionalID(topic+".relay"), kgo.DefaultProduceTopic(topic), kgo.TransactionTimeout(5*time.Minute))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("left"), kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Publish(t.Context(), tail, streamtest.Messages(11, 1)); !errors.Is(err, stream.ErrConflict) {
		t.Fatalf("fenced: %v, want ErrConflict", err)
	}
	if now := mustTail(t, g); now != tail {
		t.Fatalf("the tail is %+v, want %+v", now, tail)
	}
	mustPublish(t, g, tail, streamtest.Messages(11, 10))
	wantDelivered(t, subscribe(t, url), 0, 20)
}

func subscribe(t testing.TB, url string) *kafka.Subscription {
	t.Helper()
	s, err := kafka.Subscribe(url, kafka.Options{Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// wantDelivered checks that n messages come behind a number, in order, and then
// none.
func wantDelivered(t testing.TB, s *kafka.Subscription, after uint64, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Begin(ctx, after); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for len(got) < n {
		ds, err := s.Fetch(ctx, 7, time.Second)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(got), n, err)
		}
		for _, d := range ds {
			got = append(got, d.Sequence)
			if want := uint64(n) + after - d.Sequence; d.Pending > want {
				t.Errorf("%d are told to be behind message %d, there are %d", d.Pending, d.Sequence, want)
			}
		}
	}
	want := make([]uint64, n)
	for i := range want {
		want[i] = after + uint64(i) + 1
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if more, err := s.Fetch(ctx, 7, 50*time.Millisecond); err != nil || len(more) > 0 {
		t.Errorf("more came: %+v %v", more, err)
	}
}

// TestSubscription: from every place on, messages come in the stream's order,
// and a gap in the numbers holds nobody up.
func TestSubscription(t *testing.T) {
	g, _, url, _ := target(t, "")
	tail := mustTail(t, g)
	for n := int64(0); n < 200; n += 10 {
		tail = mustPublish(t, g, tail, streamtest.Messages(n+1, 10))
	}
	s := subscribe(t, url)
	for _, after := range []uint64{0, 1, 99, 199, 200} {
		wantDelivered(t, s, after, 200-int(after))
	}
	for _, sequence := range []uint64{1, 77, 200} {
		if at, err := s.At(t.Context(), sequence); err != nil || at.Position.Transaction != int64(sequence) || at.Sequence != sequence {
			t.Errorf("message %d: %+v %v", sequence, at, err)
		}
	}
	// What is published while it waits comes, too.
	done := make(chan error, 1)
	go func() {
		_, err := g.Publish(t.Context(), tail, streamtest.Messages(201, 3))
		done <- err
	}()
	got, err := s.Fetch(t.Context(), 10, 10*time.Second)
	if err != nil || len(got) == 0 || got[0].Sequence != 201 || got[0].Header(stream.HeaderID) != "id-201" {
		t.Errorf("%+v %v", got, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Ack(t.Context(), 201); err != nil {
		t.Error(err)
	}
}
