package kafka_test

import (
	"context"
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
