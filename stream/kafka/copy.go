package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"casm/stream"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// CopyOptions are how a Copy is opened.
type CopyOptions struct {
	// Addresses are kafka://host:port or kafka+tls://host:port, one for each
	// broker; port 9092 when none is given.
	Addresses []string
	// Topic is where messages go. Neither DefaultTopic nor Builtin is taken: the
	// copies would stand among the messages of a built-in stream.
	Topic string
	// Builtin is the topic of the server's own stream, "" for none.
	Builtin string
	// Secret gives user:password for SCRAM-SHA-512, "" for none; it is asked for
	// at each new connection. nil for none.
	Secret func() (string, error)
	// Networks are those that the brokers may be in.
	Networks stream.Networks
	Timeout  time.Duration // of one Send; 0 for 10 s
}

// Copy publishes copies of messages to a topic that is somebody else's: it must
// be there. Records have the customer's refId as their key.
type Copy struct {
	cl    *kgo.Client
	topic string
}

// OpenCopy makes a client. The brokers need not be up: until they are, Send
// fails. The error is a stream.ErrSetup; it holds no secret.
func OpenCopy(o CopyOptions) (*Copy, error) {
	if o.Topic == DefaultTopic || o.Topic == o.Builtin {
		return nil, fmt.Errorf("%w: the topic %s is that of a built-in stream, which its relay alone may write; give another topic", stream.ErrSetup, o.Topic)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	var brokers []string
	secure := false
	for _, address := range o.Addresses {
		scheme, host, _ := strings.Cut(address, "://")
		brokers, secure = append(brokers, strings.TrimSuffix(host, "/")), scheme == "kafka+tls"
	}
	dialer := o.Networks.Dialer()
	dial := dialer.DialContext
	if secure {
		dial = (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ClientID("casm endpoint"), kgo.Dialer(dial), kgo.DefaultProduceTopic(o.Topic),
		// The producer is idempotent by default: what is sent again within it is
		// stored once, in order.
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(o.Timeout), kgo.RetryTimeout(o.Timeout),
		// As Java's clients do, so that everybody finds a customer's partition.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.UnknownTopicRetries(1),
	}
	if o.Secret != nil {
		now, err := o.Secret()
		if err != nil {
			return nil, err
		}
		if now != "" {
			opts = append(opts, kgo.SASL(scram.Sha512(func(context.Context) (scram.Auth, error) {
				s, err := o.Secret()
				user, password, ok := strings.Cut(s, ":")
				if err == nil && !ok {
					err = fmt.Errorf("%w: the secret is not user:password", stream.ErrSetup)
				}
				return scram.Auth{User: user, Pass: password}, err
			})))
		}
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stream.ErrSetup, err)
	}
	return &Copy{cl, o.Topic}, nil
}

// Send publishes messages in their order and returns how many of them, from the
// first, are stored by all replicas in sync.
func (c *Copy) Send(ctx context.Context, messages []stream.Message) (int, error) {
	records := make([]*kgo.Record, len(messages))
	for i := range messages {
		m := &messages[i]
		r := &kgo.Record{Key: []byte(m.Key), Value: m.Body, Headers: make([]kgo.RecordHeader, 0, len(m.Headers))}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: []byte(h.Value)})
		}
		records[i] = r
	}
	failed := make(map[*kgo.Record]error)
	for _, result := range c.cl.ProduceSync(ctx, records...) { // in the order in which they were acknowledged
		if result.Err != nil {
			failed[result.Record] = result.Err
		}
	}
	for i, r := range records {
		if err := failed[r]; err != nil {
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				return i, fmt.Errorf("%w: the brokers have no topic %s; make it", stream.ErrSetup, c.topic)
			}
			return i, fmt.Errorf("topic %s, message %s: %w", c.topic, messages[i].Position, err)
		}
	}
	return len(records), nil
}

// Close closes the connections.
func (c *Copy) Close() error {
	c.cl.Close()
	return nil
}
