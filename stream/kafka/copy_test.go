package kafka_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/stream"
	"casm/stream/kafka"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCopy: copies are in the topic by key, each key's in order, with their
// headers; what a person must change is told as that.
func TestCopy(t *testing.T) {
	k := testkit.SharedKafka(t)
	address, copies := "kafka://"+k.Address(), k.Topic()
	if _, err := kadm.NewClient(k.Client(t)).CreateTopic(t.Context(), 3, 1, nil, copies); err != nil {
		t.Fatal(err)
	}
	var all []stream.Message
	for i := range 100 {
		all = append(all, stream.Message{
			Position: casm.Position{Transaction: int64(i + 1)}, Key: fmt.Sprint("customer ", i%7), Body: fmt.Appendf(nil, `{"n":%d}`, i),
			Headers: []stream.Header{{Name: stream.HeaderID, Value: fmt.Sprint("id ", i)}, {Name: stream.HeaderMessageCode, Value: "customer"}},
		})
	}
	c, err := kafka.OpenCopy(kafka.CopyOptions{Addresses: []string{address}, Topic: copies})
	if err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(all, 30) {
		if n, err := c.Send(t.Context(), batch); n != len(batch) || err != nil {
			t.Fatalf("sent %d of %d, %v", n, len(batch), err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	reader := k.Client(t, kgo.ConsumeTopics(copies), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	got := map[string][]string{}
	partition := map[string]int32{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for n := 0; n < len(all); {
		fetched := reader.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			n++
			key := string(r.Key)
			if before, ok := partition[key]; ok && before != r.Partition {
				t.Errorf("%s is in partition %d and %d", key, before, r.Partition)
			}
			partition[key] = r.Partition
			got[key] = append(got[key], string(r.Headers[0].Value)+" "+string(r.Value))
		})
	}
	want := map[string][]string{}
	for _, m := range all {
		want[m.Key] = append(want[m.Key], m.Headers[0].Value+" "+string(m.Body))
	}
	for key := range want {
		if !slices.Equal(got[key], want[key]) {
			t.Errorf("%s got %v, want %v", key, got[key], want[key])
		}
	}

	none, err := kafka.OpenCopy(kafka.CopyOptions{Addresses: []string{address}, Topic: k.Topic()})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if n, err := none.Send(t.Context(), all[:2]); n != 0 || !errors.Is(err, stream.ErrSetup) {
		t.Errorf("a topic that is not there: %d, %v", n, err)
	}
	elsewhere, err := kafka.OpenCopy(kafka.CopyOptions{
		Addresses: []string{address}, Topic: copies, Networks: stream.Networks{netip.MustParsePrefix("10.0.0.0/8")}, Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if n, err := elsewhere.Send(t.Context(), all[:2]); n != 0 || err == nil {
		t.Errorf("an address that is not allowed: %d, %v", n, err)
	}
}

// TestCopyRefused: of what follows a message that the topic does not take
// nothing is stored, however often it is tried; what it takes in smaller
// batches comes, once.
func TestCopyRefused(t *testing.T) {
	k := testkit.SharedKafka(t)
	adm, topic := kadm.NewClient(k.Client(t)), k.Topic()
	set := func(s string) *string { return &s }
	if _, err := adm.CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": set("600000")}, topic); err != nil {
		t.Fatal(err)
	}
	stored := func() int64 {
		t.Helper()
		ends, err := adm.ListEndOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := ends.Lookup(topic, 0)
		return end.Offset
	}
	n := int64(0)
	message := func(size int) stream.Message {
		n++
		body := make([]byte, size)
		_, _ = rand.Read(body) // not to be compressed
		return stream.Message{Position: casm.Position{Transaction: n}, Key: "customer", Body: body}
	}
	c, err := kafka.OpenCopy(kafka.CopyOptions{Addresses: []string{"kafka://" + k.Address()}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []stream.Message
	for range 30 {
		all = append(all, message(50_000))
	}
	if sent, err := c.Send(t.Context(), all); sent != len(all) || err != nil {
		t.Fatalf("sent %d of %d, %v", sent, len(all), err)
	}
	if got := stored(); got != 30 {
		t.Fatalf("the topic has %d messages, not 30", got)
	}
	all = []stream.Message{message(100), message(900_000), message(500_000), message(100)}
	for try := range 3 {
		sent, err := c.Send(t.Context(), all)
		if want := 1 - min(try, 1); sent != want || !errors.Is(err, stream.ErrSetup) {
			t.Errorf("try %d: sent %d, not %d, %v", try, sent, want, err)
		}
		all = all[sent:]
		if got := stored(); got != 31 {
			t.Errorf("try %d: the topic has %d messages, not 31", try, got)
		}
	}
	if _, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: set("1000000")}}, topic); err != nil {
		t.Fatal(err)
	}
	if sent, err := c.Send(t.Context(), all); sent != len(all) || err != nil {
		t.Errorf("sent %d of %d, %v", sent, len(all), err)
	}
	if got := stored(); got != 34 {
		t.Errorf("the topic has %d messages, not 34", got)
	}
}

// TestCopyEnds: who sends to a broker that does not answer ends when they are
// told to, long before the broker is given up.
func TestCopyEnds(t *testing.T) {
	k, err := testkit.StartKafka(t)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := k.Stop(); err != nil {
			t.Error(err)
		}
	}()
	topic := k.Topic()
	if _, err := kadm.NewClient(k.Client(t)).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	c, err := kafka.OpenCopy(kafka.CopyOptions{Addresses: []string{"kafka://" + k.Address()}, Topic: topic, Timeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := []stream.Message{{Position: casm.Position{Transaction: 1}, Key: "customer", Body: []byte("{}")}}
	if _, err := c.Send(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := k.Freeze(true); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := k.Freeze(false); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // by then it waits for the broker
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Send(ctx, one)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a broker that stands still took a message")
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on waiting")
	}
}
