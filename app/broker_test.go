package app

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/stream/natsjs"
)

// slowBroker starts a broker for which nobody waits.
func slowBroker(t *testing.T, listen string) (b *broker, stop func(context.Context) error, failed chan error) {
	t.Helper()
	failed = make(chan error, 1)
	b, stop, err := startBroker(t.Context(), natsjs.ServerOptions{
		Dir: filepath.Join(t.TempDir(), "stream"), Listen: listen, Logger: quiet,
	}, 0, func(err error) { failed <- err })
	if err != nil {
		t.Fatal(err)
	}
	return b, stop, failed
}

// TestBrokerInTheBackground: what is to be published waits for a broker that
// takes its time, no longer than it is asked to.
func TestBrokerInTheBackground(t *testing.T) {
	b, stop, failed := slowBroker(t, "127.0.0.1:0")
	if b.isStarted() {
		t.Skip("it has started already")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Tail(over); err == nil || !strings.Contains(err.Error(), "still starting") {
		t.Errorf("a call that is over: %v", err)
	}
	if tail, err := b.Tail(t.Context()); err != nil || tail.Sequence != 0 || !b.isStarted() {
		t.Errorf("tail %+v, %v", tail, err)
	}
	if err := stop(t.Context()); err != nil || len(failed) > 0 {
		t.Errorf("%v, %d failures", err, len(failed))
	}
}

// TestBrokerStoppedEarly: a stop does not wait until the broker is up, and is
// no failure.
func TestBrokerStoppedEarly(t *testing.T) {
	b, stop, failed := slowBroker(t, "off")
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.wait(t.Context()); err == nil && b.server.Healthy() == nil {
		t.Error("it runs")
	}
	select {
	case err := <-failed:
		t.Error(err)
	case <-time.After(50 * time.Millisecond):
	}
}

// TestBrokerFailsLate: a broker that fails after the API is open ends the
// server, and says why.
func TestBrokerFailsLate(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	failed := make(chan error, 1)
	_, stop, err := startBroker(t.Context(), natsjs.ServerOptions{
		Dir: filepath.Join(t.TempDir(), "stream"), Listen: taken.Addr().String(), Logger: quiet,
	}, 0, func(err error) { failed <- err })
	if err != nil { // it was quick
		failed <- err
	} else {
		defer func() {
			if err := stop(t.Context()); err != nil {
				t.Error(err)
			}
		}()
	}
	select {
	case err := <-failed:
		if !strings.Contains(err.Error(), "--nats-listen") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it is not told")
	}
}
