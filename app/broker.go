package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"casm/stream"
	"casm/stream/natsjs"
)

const (
	// brokerPatience is how long a start waits for the in-process broker, so
	// that subscribers usually find it as soon as the API is ready. After a
	// crash the broker reads its whole stream again; the API does not wait for
	// that.
	brokerPatience = 500 * time.Millisecond
	// brokerTimeout bounds what it may take.
	brokerTimeout = 15 * time.Minute
)

// broker is the in-process broker, and the stream on it. Until it has started,
// those who want to publish wait.
type broker struct {
	started chan struct{} // closed when what follows is set
	server  *natsjs.Server
	target  *natsjs.Target
	err     error
}

var _ stream.Target = (*broker)(nil)

// startBroker starts a broker. When that takes longer than patience it goes on
// in the background, and failed is called if it fails in the end. stop ends it.
func startBroker(ctx context.Context, o natsjs.ServerOptions, patience time.Duration, failed func(error)) (b *broker, stop func(context.Context) error, err error) {
	b = &broker{started: make(chan struct{})}
	o.ReadyTimeout = brokerTimeout
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(b.started)
		if b.server, b.err = natsjs.Start(running, o); b.err == nil {
			b.target, b.err = b.server.Target(running)
		}
	}()
	stop = func(ctx context.Context) error {
		cancel()
		select {
		case <-b.started:
		case <-ctx.Done():
			return fmt.Errorf("the broker is still starting: %w", ctx.Err())
		}
		var err error
		if b.target != nil {
			err = b.target.Close()
		}
		if b.server != nil {
			b.server.Stop()
		}
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-b.started:
		if b.err != nil {
			return nil, nil, errors.Join(b.err, stop(ctx))
		}
	case <-ctx.Done():
		return nil, nil, errors.Join(ctx.Err(), stop(context.WithoutCancel(ctx)))
	case <-timer.C:
		o.Logger.Info("the stream is being read again; the API does not wait for it")
		go func() {
			<-b.started
			if b.err != nil && running.Err() == nil {
				failed(b.err)
			}
		}()
	}
	return b, stop, nil
}

// wait waits until the broker has started, and returns why it has not.
func (b *broker) wait(ctx context.Context) error {
	select {
	case <-b.started:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("the broker is still starting: %w", ctx.Err())
	}
}

// isStarted reports whether the broker is up.
func (b *broker) isStarted() bool {
	select {
	case <-b.started:
		return b.err == nil
	default:
		return false
	}
}

// subscribe opens a subscriber's place in the stream.
func (b *broker) subscribe(ctx context.Context, name string) (stream.Subscription, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	nc, err := b.server.Reader(name)
	if err != nil {
		return nil, err
	}
	return natsjs.Subscribe(nc, name)
}

// Tail implements stream.Target.
func (b *broker) Tail(ctx context.Context) (stream.Tail, error) {
	if err := b.wait(ctx); err != nil {
		return stream.Tail{}, err
	}
	return b.target.Tail(ctx)
}

// At implements stream.Target.
func (b *broker) At(ctx context.Context, sequence uint64) (stream.Tail, error) {
	if err := b.wait(ctx); err != nil {
		return stream.Tail{}, err
	}
	return b.target.At(ctx, sequence)
}

// Publish implements stream.Target.
func (b *broker) Publish(ctx context.Context, tail stream.Tail, messages []stream.Message) (stream.Tail, error) {
	if err := b.wait(ctx); err != nil {
		return tail, err
	}
	return b.target.Publish(ctx, tail, messages)
}

// Adopt implements stream.Target.
func (b *broker) Adopt(ctx context.Context, tail stream.Tail) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	return b.target.Adopt(ctx, tail)
}

// MaxBatch implements stream.Target.
func (b *broker) MaxBatch() int { return natsjs.MaxBatch }

// Close implements stream.Target. The broker's own stop closes what is open.
func (b *broker) Close() error { return nil }
