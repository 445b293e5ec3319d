package kafka_test

import (
	"cmp"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/streamtest"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

func TestTarget(t *testing.T) {
	streamtest.Run(t, func(t testing.TB) streamtest.Platform {
		k := testkit.SharedKafka(t)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the broker's log:\n%s", k.Tail())
			}
		})
		return &platform{k, k.URL()}
	})
}

// platform is a topic of the real broker.
type platform struct {
	k   *testkit.Kafka
	url string
}

func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func open(t testing.TB, url string) *kafka.Target {
	t.Helper()
	g, err := kafka.Open(t.Context(), url, kafka.Options{Logger: quiet(t), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (p *platform) Open(t testing.TB) stream.Target { return open(t, p.url) }

func (p *platform) Restart(t testing.TB) {
	if err := p.k.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.k.Start(); err != nil {
		t.Fatal(err)
	}
}

func (p *platform) Read(t testing.TB) []stream.Message {
	t.Helper()
	return read(t, p.k, testkit.TopicOf(p.url))
}

// read gives all messages of a topic in the order of the stream, and makes sure
// that each key's are in one partition and each partition in that order.
func read(t testing.TB, k *testkit.Kafka, topic string) []stream.Message {
	t.Helper()
	type numbered struct {
		n int
		m stream.Message
	}
	var all []numbered
	partition := map[string]int32{}
	for p, records := range k.Committed(t, topic) {
		before := 0
		for _, r := range records {
			n, m := message(t, r)
			if n <= before {
				t.Errorf("in partition %d, message %d follows %d", p, n, before)
			}
			before = n
			if other, ok := partition[m.Key]; ok && other != p {
				t.Errorf("the key %s is in the partitions %d and %d", m.Key, p, other)
			}
			partition[m.Key] = p
			all = append(all, numbered{n, m})
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	out := make([]stream.Message, len(all))
	for i, m := range all {
		if m.n != i+1 {
			t.Fatalf("the message after %d is number %d", i, m.n)
		}
		out[i] = m.m
	}
	return out
}

func message(t testing.TB, r *kgo.Record) (int, stream.Message) {
	t.Helper()
	m := stream.Message{Key: string(r.Key), Body: r.Value}
	n, kind := 0, ""
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, stream.Header{Name: h.Key, Value: string(h.Value)})
		var err error
		switch h.Key {
		case stream.HeaderSequence:
			n, err = strconv.Atoi(string(h.Value))
		case stream.HeaderID:
			m.ID = string(h.Value)
		case stream.HeaderMessageCode:
			m.Code = string(h.Value)
		case stream.HeaderType:
			kind = string(h.Value)
		case stream.HeaderPosition:
			err = m.Position.UnmarshalText(h.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if f := strings.Split(kind, "."); len(f) == 4 {
		m.Event = f[2]
	}
	return n, m
}
