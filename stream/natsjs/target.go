package natsjs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"casm"
	"casm/stream"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxBatch is how many messages an atomic batch of JetStream takes (ADR-50).
const MaxBatch = 1000

// adoptedKey is the stream's metadata in which Adopt keeps its word:
// "<sequence> <epoch> <position>".
const adoptedKey = "casm-adopted"

// TargetOptions are the settings of a connection to JetStream.
type TargetOptions struct {
	// Name is shown in the server's list of connections; "" for "casm relay".
	Name string
	// Timeout bounds one request; 0 for 10 s.
	Timeout time.Duration
	// Replicas is how many servers keep the stream when it is made here; 0 for 1.
	Replicas int
	// Logger takes changes of the connection; nil for slog.Default.
	Logger *slog.Logger
}

// Target publishes to the stream CASM of a NATS server.
type Target struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	timeout  time.Duration
	replicas int
	closing  atomic.Bool
	// ensured: the stream was there when last looked at.
	ensured atomic.Bool
	log     *slog.Logger
	warn    sync.Once
}

var _ stream.Target = (*Target)(nil)

// Connect gives a target at the servers of a nats:// or tls:// URL (several
// with commas). They need not be up: until they are, calls fail.
func Connect(ctx context.Context, url string, o TargetOptions) (*Target, error) {
	return connect(ctx, url, o)
}

func connect(ctx context.Context, url string, o TargetOptions, more ...nats.Option) (*Target, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "casm relay"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	t := &Target{timeout: o.Timeout, replicas: max(o.Replicas, 1), log: o.Logger}
	opts := append([]nats.Option{
		nats.Name(o.Name),
		nats.Timeout(min(o.Timeout, 5*time.Second)),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(),
		nats.MaxReconnects(math.MaxInt),
		nats.ReconnectWait(250 * time.Millisecond),
		// Nothing is kept for later while there is no connection: the relay
		// itself knows what was not published.
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(o.Timeout),
		// Requests wait on an inbox that no subscriber of the stream may hear.
		nats.CustomInboxPrefix("_casm_relay"),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			t.ensured.Store(false)
			if !t.closing.Load() {
				o.Logger.Warn("stream connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			o.Logger.Info("stream connected", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Logger.Warn("stream connection", "error", err)
		}),
	}, more...)
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("stream: connect: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(o.Timeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("stream: %w", err)
	}
	t.nc, t.js = nc, js
	return t, nil
}

// MaxBatch implements stream.Target.
func (t *Target) MaxBatch() int { return MaxBatch }

// Close implements stream.Target.
func (t *Target) Close() error {
	t.closing.Store(true)
	t.nc.Close()
	return nil
}

// ensure makes the stream where there is none, and sees that the relay can
// use it where there is one.
func (t *Target) ensure(ctx context.Context) (*jetstream.StreamInfo, error) {
	if !t.nc.IsConnected() {
		err := t.nc.LastError()
		if err == nil {
			err = nats.ErrDisconnected
		}
		return nil, fmt.Errorf("stream: not connected: %w", err)
	}
	s, err := t.js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		c := streamConfig()
		c.Replicas = t.replicas
		s, err = t.js.CreateStream(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", StreamName, err)
	}
	info := s.CachedInfo()
	if err := differences(info.Config); err != nil {
		return nil, err
	}
	if c := info.Config; mend(&c) {
		if s, err = t.js.UpdateStream(ctx, c); err != nil {
			return nil, fmt.Errorf("stream %s: allow atomic batches (the server must be 2.12 or later): %w", StreamName, err)
		}
		info = s.CachedInfo()
	}
	if !info.Config.AllowAtomicPublish {
		return nil, fmt.Errorf("stream %s: the server does not know atomic batches; 2.12 or later is needed", StreamName)
	}
	if most := t.nc.MaxPayload(); most < MaxPayload {
		t.warn.Do(func() {
			t.log.Warn("the stream's server refuses messages as large as an entity can be: raise its max_payload",
				"max_payload", most, "needed", MaxPayload)
		})
	}
	t.ensured.Store(true)
	return info, nil
}

// bound gives ctx at most the target's timeout.
func (t *Target) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.timeout)
}

// Tail implements stream.Target: it asks the stream's leader for the last
// sequence and for that message.
func (t *Target) Tail(ctx context.Context) (stream.Tail, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	info, err := t.ensure(ctx)
	if err != nil {
		return stream.Tail{}, err
	}
	seq := info.State.LastSeq
	if seq == 0 {
		return stream.Tail{}, nil
	}
	if tail, ok := adopted(info); ok {
		return tail, nil
	}
	tail, err := t.at(ctx, seq)
	if errors.Is(err, stream.ErrNoMessage) {
		err = fmt.Errorf("%w: %w", stream.ErrTailUnknown, err)
	}
	return tail, err
}

// At implements stream.Target.
func (t *Target) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	return t.at(ctx, sequence)
}

func (t *Target) at(ctx context.Context, seq uint64) (stream.Tail, error) {
	msg, err := t.message(ctx, seq)
	if err != nil {
		return stream.Tail{Sequence: seq}, err
	}
	return tailOf(seq, msg)
}

// tailOf reads a message's own word on where it stands.
func tailOf(seq uint64, h nats.Header) (stream.Tail, error) {
	first := func(name string) string {
		if v := h[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	epoch, err1 := strconv.ParseInt(first(stream.HeaderEpoch), 10, 64)
	pos, err2 := casm.ParsePosition(first(stream.HeaderPosition))
	if err := errors.Join(err1, err2); err != nil {
		return stream.Tail{Sequence: seq}, fmt.Errorf("stream %s, sequence %d: %w: %w", StreamName, seq, stream.ErrTailUnknown, err)
	}
	return stream.Tail{Epoch: epoch, Position: pos, ID: first(stream.HeaderID), Sequence: seq}, nil
}

// message gives the headers of a message, from the stream's leader. (The
// library would ask any replica, also one that lags.)
func (t *Target) message(ctx context.Context, seq uint64) (nats.Header, error) {
	reply, err := t.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+StreamName,
		fmt.Appendf(nil, `{"seq":%d}`, seq))
	if err != nil {
		return nil, fmt.Errorf("stream %s: get message %d: %w", StreamName, seq, err)
	}
	var r struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Header []byte `json:"hdrs"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &r); err != nil {
		return nil, fmt.Errorf("stream %s: get message %d: %w", StreamName, seq, err)
	}
	switch {
	case r.Error != nil && r.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, fmt.Errorf("stream %s, sequence %d: %w", StreamName, seq, stream.ErrNoMessage)
	case r.Error != nil:
		return nil, fmt.Errorf("stream %s: get message %d: %w", StreamName, seq, r.Error)
	case r.Message == nil:
		return nil, fmt.Errorf("stream %s: get message %d: no message in the answer", StreamName, seq)
	case len(r.Message.Header) == 0:
		return nil, nil
	}
	h, err := nats.DecodeHeadersMsg(r.Message.Header)
	if err != nil {
		return nil, fmt.Errorf("stream %s: headers of message %d: %w", StreamName, seq, err)
	}
	return h, nil
}

// adopted gives the tail that Adopt set, as long as it is the stream's end.
func adopted(info *jetstream.StreamInfo) (stream.Tail, bool) {
	f := strings.Fields(info.Config.Metadata[adoptedKey])
	if len(f) != 3 {
		return stream.Tail{}, false
	}
	seq, err1 := strconv.ParseUint(f[0], 10, 64)
	epoch, err2 := strconv.ParseInt(f[1], 10, 64)
	pos, err3 := casm.ParsePosition(f[2])
	if err1 != nil || err2 != nil || err3 != nil || seq != info.State.LastSeq {
		return stream.Tail{}, false
	}
	return stream.Tail{Epoch: epoch, Position: pos, Sequence: seq}, true
}

// Adopt implements stream.Target. The word is kept in the stream's metadata,
// where no subscriber meets it.
func (t *Target) Adopt(ctx context.Context, tail stream.Tail) error {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	info, err := t.ensure(ctx)
	if err != nil {
		return err
	}
	if info.State.LastSeq != tail.Sequence {
		return stream.ErrConflict
	}
	c := info.Config
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[adoptedKey] = fmt.Sprintf("%d %d %s", tail.Sequence, tail.Epoch, tail.Position)
	if _, err := t.js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("stream %s: adopt: %w", StreamName, err)
	}
	return nil
}
