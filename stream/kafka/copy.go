package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
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
// be there. Records have the customer's refId as their key. It is for one at a
// time.
type Copy struct {
	cl    *kgo.Client
	topic string
	wary  bool // the last Send failed
}

// copyBytes is how much is sent at once. It makes one batch of a partition,
// which is stored as a whole or not at all.
const copyBytes = 900 << 10

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
		kgo.ManualFlushing(), kgo.ProducerBatchMaxBytes(MaxMessageBytes),
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
	return &Copy{cl: cl, topic: o.Topic}, nil
}

// Send publishes messages in their order and returns how many of them, from the
// first, are stored by all replicas in sync. When ctx ends before that the Copy
// is closed: what is under way could not be given up otherwise.
func (c *Copy) Send(ctx context.Context, messages []stream.Message) (sent int, err error) {
	// What failed is tried by itself, so that what follows does not come again each time.
	most := copyBytes
	if c.wary {
		most = 0
	}
	defer func() { c.wary = err != nil }()
	stored := make([]bool, len(messages))
	for sent < len(messages) {
		n, size := 1, sizeOf(&messages[sent])
		for ; sent+n < len(messages); n++ {
			if size += sizeOf(&messages[sent+n]); size > most {
				break
			}
		}
		done, err := c.produce(ctx, messages[sent:sent+n], stored[sent:sent+n])
		sent += done
		switch {
		case err == nil && c.wary:
			c.wary, most = false, copyBytes
		case errors.Is(err, kerr.MessageTooLarge) && n > 1:
			most = 0 // the topic takes smaller batches: it is seen which message is too large
		case errors.Is(err, kerr.MessageTooLarge):
			return sent, fmt.Errorf("%w: the topic %s takes no message as large as %s, of %d bytes: raise its max.message.bytes",
				stream.ErrSetup, c.topic, messages[sent].Position, len(messages[sent].Body))
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return sent, fmt.Errorf("%w: the brokers have no topic %s; make it", stream.ErrSetup, c.topic)
		case err != nil:
			return sent, fmt.Errorf("topic %s, message %s: %w", c.topic, messages[sent].Position, err)
		}
	}
	return sent, nil
}

// sizeOf is what a message takes of a batch, at the most.
func sizeOf(m *stream.Message) int {
	size := len(m.Key) + len(m.Body) + 128
	for _, h := range m.Headers {
		size += len(h.Name) + len(h.Value) + 16
	}
	return size
}

// produce publishes those of messages that are not stored, of which there is
// one batch to a partition, and notes which are then. It returns how many are up
// to the first that is not, and its error.
func (c *Copy) produce(ctx context.Context, messages []stream.Message, stored []bool) (int, error) {
	errs := make([]error, len(messages))
	var under sync.WaitGroup
	for i := range messages {
		if stored[i] {
			continue
		}
		m := &messages[i]
		r := &kgo.Record{Key: []byte(m.Key), Value: m.Body, Headers: make([]kgo.RecordHeader, 0, len(m.Headers))}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: []byte(h.Value)})
		}
		under.Add(1)
		c.cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			errs[i], stored[i] = err, err == nil
			under.Done()
		})
	}
	if c.cl.Flush(ctx) != nil {
		c.cl.Close()
	}
	under.Wait()
	for i, err := range errs {
		if err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

// Close closes the connections.
func (c *Copy) Close() error {
	c.cl.Close()
	return nil
}
