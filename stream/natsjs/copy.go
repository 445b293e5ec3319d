package natsjs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"casm/stream"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// CopyOptions are how a Copy is opened.
type CopyOptions struct {
	URL string // nats:// or tls://
	// Prefix is what subjects begin with: messages go to
	// <Prefix>.<messageCode>.<event>.
	Prefix string
	// Code is that of a message that will be sent: by its subject the stream is
	// found.
	Code string
	// Secret is user:password, a token, or what a file of credentials (.creds)
	// holds; "" for none.
	Secret string
	// Networks are those that the servers may be in.
	Networks stream.Networks
	Timeout  time.Duration // of one request; 0 for 10 s
	Logger   *slog.Logger
}

// Copy publishes copies of messages to a JetStream that is somebody else's: the
// stream that takes its subjects must be there.
type Copy struct {
	o      CopyOptions
	nc     *nats.Conn
	js     jetstream.JetStream
	stream string
}

// OpenCopy connects and finds the stream. The error is a stream.ErrSetup where
// a person must change something; it holds no secret.
func OpenCopy(ctx context.Context, o CopyOptions) (*Copy, error) {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	dialer := &noting{Dialer: o.Networks.Dialer()}
	opts := []nats.Option{
		nats.Name("casm endpoint"), nats.Timeout(5 * time.Second), nats.SetCustomDialer(dialer),
		nats.IgnoreAuthErrorAbort(), nats.MaxReconnects(math.MaxInt), nats.ReconnectWait(time.Second),
		nats.ReconnectBufSize(-1), // nothing is kept for later: it is known what was not sent
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Logger.Warn("endpoint connection", "error", err)
		}),
	}
	switch s := strings.TrimSpace(o.Secret); {
	case s == "":
	case strings.Contains(s, "BEGIN NATS USER JWT"):
		opts = append(opts, nats.UserCredentialBytes([]byte(s)))
	case strings.Contains(s, ":"):
		user, password, _ := strings.Cut(s, ":")
		opts = append(opts, nats.UserInfo(user, password))
	default:
		opts = append(opts, nats.Token(s))
	}
	nc, err := nats.Connect(o.URL, opts...)
	if refused := dialer.refused(); err != nil && refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("the NATS server cannot be reached: %w", err)
	}
	c := &Copy{o: o, nc: nc}
	if c.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(o.Timeout)); err == nil {
		err = c.find(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// find finds the stream that takes the subjects.
func (c *Copy) find(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	subject := c.o.Prefix + "." + c.o.Code + ".created"
	c.stream, err = c.js.StreamNameBySubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("%w: no stream of the NATS server takes the subject %s; make one with the subjects %s.>", stream.ErrSetup, subject, c.o.Prefix)
	case err != nil:
		return fmt.Errorf("the stream of the subject %s cannot be looked up: %w", subject, err)
	case c.stream == StreamName:
		return fmt.Errorf("%w: the subject %s belongs to the stream %s, which the built-in relay alone may write; give another topic", stream.ErrSetup, subject, StreamName)
	}
	return nil
}

// Send publishes messages one after another, each when the one before is
// stored, and returns how many are. The stream drops what it was sent twice
// within its window of duplicates, by the message's id.
func (c *Copy) Send(ctx context.Context, messages []stream.Message) (int, error) {
	for i := range messages {
		m := &nats.Msg{Subject: c.o.Prefix + "." + messages[i].Code + "." + messages[i].Event, Header: header(messages[i].Headers), Data: messages[i].Body}
		// A stream that was put in the place of the one that was found could be
		// the relay's own.
		if _, err := c.js.PublishMsg(ctx, m, jetstream.WithMsgID(messages[i].ID), jetstream.WithExpectStream(c.stream)); err != nil {
			return i, fmt.Errorf("stream %s, message %s: %w", c.stream, messages[i].Position, err)
		}
	}
	return len(messages), nil
}

// Close closes the connection.
func (c *Copy) Close() error {
	c.nc.Close()
	return nil
}

// noting notes which address was refused: the client tells only that it could
// not connect.
type noting struct {
	*net.Dialer
	mu  sync.Mutex
	err error
}

// Dial implements nats.CustomDialer.
func (d *noting) Dial(network, address string) (net.Conn, error) {
	c, err := d.Dialer.Dial(network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = nil
	if errors.Is(err, stream.ErrSetup) {
		d.err = err
	}
	return c, err
}

func (d *noting) refused() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
