package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
	"casm/stream/kafka"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// published is a message of the stream as a subscriber from outside gets it.
type published struct {
	event   string // code and event, such as customer.created
	headers map[string]string
	body    []byte
}

// onKafka gives the arguments of a server whose stream is a new topic of a real
// Kafka.
func onKafka(t *testing.T) []string {
	return []string{"--stream", testkit.SharedKafka(t).URL() + "&partitions=5"}
}

// onSecureKafka gives the arguments of a server that signs in to Kafka, over
// TLS, and may do there only what a relay must; and the stream as tests reach it.
func onSecureKafka(t *testing.T) (args []string, stream string) {
	k := testkit.SharedKafka(t)
	topic := k.Topic()
	k.AllowRelay(t, "casm", topic)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(testkit.KafkaPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--stream", fmt.Sprintf("kafka+tls://casm@%s?topic=%s&ca=%s", k.SecureAddress(), topic, k.CA),
		"--stream-password-file", password,
	}, "kafka://" + k.Address() + "?topic=" + topic
}

// onStream counts the messages of an app's stream.
func onStream(t *testing.T, app *testkit.App) uint64 {
	t.Helper()
	if kafka.IsAddress(app.Stream) {
		s, err := kafka.Subscribe(app.Stream, kafka.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tail, err := s.Tail(t.Context())
		if err != nil && !strings.Contains(err.Error(), "UNKNOWN_TOPIC") {
			t.Fatal(err)
		}
		return tail.Sequence
	}
	s, err := connectJetStream(t, app.Stream).Stream(t.Context(), "CASM")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

func connectJetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// streamed waits until an app's stream has so many messages and gives all that
// it has, in its order.
func streamed(t *testing.T, app *testkit.App, n int) []published {
	t.Helper()
	eventually(t, 20*time.Second, strconv.Itoa(n)+" messages are on the stream", func() bool { return onStream(t, app) >= uint64(n) })
	if kafka.IsAddress(app.Stream) {
		return fromKafka(t, kafka.Topic(app.Stream))
	}
	return fromJetStream(t, app)
}

func fromJetStream(t *testing.T, app *testkit.App) (all []published) {
	n := onStream(t, app)
	consumer, err := connectJetStream(t, app.Stream).OrderedConsumer(t.Context(), "CASM", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for uint64(len(all)) < n {
		batch, err := consumer.Fetch(1000, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		before := len(all)
		for m := range batch.Messages() {
			p := published{strings.TrimPrefix(m.Subject(), "casm."), map[string]string{}, m.Data()}
			for name := range m.Headers() {
				p.headers[name] = m.Headers().Get(name)
			}
			all = append(all, p)
		}
		if len(all) == before {
			t.Fatalf("the stream ends after %d messages, it has %d", before, n)
		}
	}
	return all
}

// fromKafka reads as one does who waits for transactions to be committed. What
// belongs to one customer is in one partition, and each partition is in order.
func fromKafka(t *testing.T, topic string) []published {
	type numbered struct {
		n int
		published
	}
	var all []numbered
	partition := map[string]int32{}
	for p, records := range testkit.SharedKafka(t).Committed(t, topic) {
		last := 0
		for _, r := range records {
			m := numbered{0, published{"", map[string]string{}, r.Value}}
			for _, h := range r.Headers {
				m.headers[h.Key] = string(h.Value)
			}
			var err error
			if m.n, err = strconv.Atoi(m.headers["Casm-Sequence"]); err != nil || m.n <= last {
				t.Errorf("partition %d: message %d follows %d: %v", p, m.n, last, err)
			}
			last = m.n
			m.event = strings.TrimSuffix(strings.TrimPrefix(m.headers["ce-type"], "casm."), ".v1")
			key := string(r.Key)
			if other, ok := partition[key]; ok && other != p {
				t.Errorf("the customer %s is in the partitions %d and %d", key, p, other)
			}
			partition[key] = p
			if key != m.headers["ce-partitionkey"] {
				t.Errorf("the key is %s, the message's %s", key, m.headers["ce-partitionkey"])
			}
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return a.n - b.n })
	out := make([]published, len(all))
	for i, m := range all {
		if m.n != i+1 {
			t.Fatalf("the message after %d is number %d", i, m.n)
		}
		out[i] = m.published
	}
	return out
}

// checkStream compares the stream with the journal, message by message: none is
// missing, none is there twice, and they are in order.
func checkStream(_ context.Context, t *testing.T, app *testkit.App, want []message) {
	t.Helper()
	got := streamed(t, app, len(want))
	for i, w := range want {
		g := got[i]
		var payload struct {
			RefID   string `json:"refId"`
			Version int    `json:"version"`
		}
		if err := json.Unmarshal(g.body, &payload); err != nil {
			t.Fatal(err)
		}
		if payload.RefID != w.refID || payload.Version != w.version || g.headers["X-Ocs-Io-transaction-id"] != w.TransactionID ||
			g.event != w.MessageCode+"."+w.Event || !bytes.Equal(g.body, w.Payload) {
			t.Fatalf("message %d of the stream is %s %s, the journal's is %+v %s", i, g.event, g.body, w, w.Payload)
		}
	}
	for _, g := range got[len(want):] {
		t.Errorf("the stream holds more than the journal: %s %s", g.event, g.body)
	}
}
