// Package streamtest is the one suite that every stream.Target passes.
package streamtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casm"
	"casm/stream"

	"github.com/google/go-cmp/cmp"
)

// Platform is one streaming platform with one stream, empty at first.
type Platform interface {
	// Open gives another publisher of the stream; several are open at once.
	// The suite closes it.
	Open(t testing.TB) stream.Target
	// Restart stops the platform and starts it on the same data. Targets that
	// were open before are of no use afterwards.
	Restart(t testing.TB)
	// Read gives all messages from the first, as a subscriber from outside
	// gets them. Headers of the platform's own may stand among theirs.
	Read(t testing.TB) []stream.Message
}

// Run tests targets; fresh gives a new platform, and ends it with the test.
func Run(t *testing.T, fresh func(t testing.TB) Platform) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"an empty stream has an empty tail", emptyTail},
		{"what was published is the tail", roundTrip},
		{"subscribers get order, headers and bodies exactly", exact},
		{"a stale tail is a conflict and changes nothing", conflict},
		{"a refused batch leaves nothing", allOrNone},
		{"a batch may be as large as MaxBatch says", fullBatch},
		{"nothing published is no change", nothing},
		{"bodies of 600 KiB pass", large},
		{"the tail survives a restart", restart},
		{"publishers in a race write each place once", race},
		{"an adopted tail holds until something is published", adopt},
		{"a message tells its place", at},
		{"a context that ended ends a call", canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t, &fixture{Platform: fresh(t)})
		})
	}
}

type fixture struct{ Platform }

// target opens a target that is closed with the test.
func (f *fixture) target(t testing.TB) stream.Target {
	t.Helper()
	g := f.Open(t)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return g
}

// Messages makes n messages with the positions first-0, first+1-0 and so on.
func Messages(first int64, n int) []stream.Message {
	ms := make([]stream.Message, n)
	for i := range ms {
		ms[i] = message(first+int64(i), fmt.Appendf(nil, `{"n":%d}`, first+int64(i)))
	}
	return ms
}

func message(transaction int64, body []byte) stream.Message {
	const epoch = 3
	m := stream.Message{
		Position: casm.Position{Transaction: transaction},
		Epoch:    epoch,
		ID:       fmt.Sprintf("id-%d", transaction),
		Code:     "customer",
		Event:    "created",
		Key:      fmt.Sprintf("key-%d", transaction%7),
		Body:     body,
	}
	if transaction%2 == 0 {
		m.Event = "stateChanged"
	}
	m.Headers = []stream.Header{
		{Name: stream.HeaderTransactionID, Value: fmt.Sprintf("tx-%d", transaction)},
		{Name: stream.HeaderMessageCode, Value: m.Code},
		{Name: stream.HeaderPayload, Value: "Customer"},
		{Name: "ce-specversion", Value: "1.0"},
		{Name: stream.HeaderID, Value: m.ID},
		{Name: stream.HeaderType, Value: "casm." + m.Code + "." + m.Event + ".v1"},
		{Name: stream.HeaderPosition, Value: m.Position.String()},
		{Name: stream.HeaderEpoch, Value: strconv.Itoa(epoch)},
	}
	return m
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustTail(t testing.TB, g stream.Target) stream.Tail {
	t.Helper()
	tail, err := g.Tail(timeout(t))
	if err != nil {
		t.Fatalf("tail: %v", err)
	}
	return tail
}

func mustPublish(t testing.TB, g stream.Target, tail stream.Tail, ms []stream.Message) stream.Tail {
	t.Helper()
	next, err := g.Publish(timeout(t), tail, ms)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	if last := ms[len(ms)-1]; next.Position != last.Position || next.Epoch != last.Epoch || next.ID != last.ID {
		t.Fatalf("after a publish up to %v the tail is %+v", last.Position, next)
	}
	return next
}

// wantRead checks that subscribers get exactly these messages.
func (f *fixture) wantRead(t testing.TB, want []stream.Message) {
	t.Helper()
	got := f.Read(t)
	if len(got) != len(want) {
		t.Fatalf("a subscriber got %d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Code != want[i].Code || got[i].Event != want[i].Event {
			t.Fatalf("message %d is %s.%s, want %s.%s", i, got[i].Code, got[i].Event, want[i].Code, want[i].Event)
		}
		if !bytes.Equal(got[i].Body, want[i].Body) {
			t.Fatalf("message %d has a body of %d bytes, %.80q, want %d bytes, %.80q",
				i, len(got[i].Body), got[i].Body, len(want[i].Body), want[i].Body)
		}
		if d := cmp.Diff(headers(want[i]), own(got[i], want[i])); d != "" {
			t.Fatalf("headers of message %d (-want +got):\n%s", i, d)
		}
	}
}

func headers(m stream.Message) map[string]string {
	h := map[string]string{}
	for _, kv := range m.Headers {
		h[kv.Name] = kv.Value
	}
	return h
}

// own keeps of got's headers those that want names, in any case of letters:
// a name in another case is a difference.
func own(got, want stream.Message) map[string]string {
	h := map[string]string{}
	for _, kv := range got.Headers {
		for _, w := range want.Headers {
			if strings.EqualFold(kv.Name, w.Name) {
				h[kv.Name] = kv.Value
			}
		}
	}
	return h
}

func emptyTail(t *testing.T, f *fixture) {
	tail := mustTail(t, f.target(t))
	if tail.Position != casm.Start || tail.ID != "" {
		t.Fatalf("the tail of an empty stream is %+v", tail)
	}
}

func roundTrip(t *testing.T, f *fixture) {
	g := f.target(t)
	tail := mustPublish(t, g, mustTail(t, g), Messages(1, 1))
	tail = mustPublish(t, g, tail, Messages(2, 3))
	for name, g := range map[string]stream.Target{"the publisher": g, "another target": f.target(t)} {
		if d := cmp.Diff(tail, mustTail(t, g)); d != "" {
			t.Errorf("tail as %s reads it (-published +read):\n%s", name, d)
		}
	}
}

func exact(t *testing.T, f *fixture) {
	g := f.target(t)
	ms := Messages(1, 30)
	tail := mustTail(t, g)
	for from, to := range map[int]int{0: len(ms)} {
		tail = mustPublish(t, g, tail, ms[from:to])
	}
	more := Messages(31, 1)
	mustPublish(t, g, tail, more)
	f.wantRead(t, append(ms, more...))
}

func conflict(t *testing.T, f *fixture) {
	a, b := f.target(t), f.target(t)
	stale := mustTail(t, b) // then b is paused …
	tail := mustPublish(t, a, mustTail(t, a), Messages(1, 2))
	tail = mustPublish(t, a, tail, Messages(3, 1))
	for _, n := range []int{1, 2, 5} { // … and revived
		if _, err := b.Publish(timeout(t), stale, Messages(1, n)); !errors.Is(err, stream.ErrConflict) {
			t.Fatalf("%d messages after a stale tail: %v, want ErrConflict", n, err)
		}
	}
	read := mustTail(t, b)
	if d := cmp.Diff(tail, read); d != "" {
		t.Fatalf("tail after the conflict (-want +got):\n%s", d)
	}
	mustPublish(t, b, read, Messages(4, 2))
	f.wantRead(t, Messages(1, 5))
}

func allOrNone(t *testing.T, f *fixture) {
	g := f.target(t)
	ms := Messages(1, 5)
	ms[3].Body = make([]byte, 64<<20) // larger than any platform takes
	if _, err := g.Publish(timeout(t), mustTail(t, g), ms); err == nil || errors.Is(err, stream.ErrConflict) {
		t.Fatalf("a message of 64 MiB: %v, want an error", err)
	}
	tail := mustTail(t, g)
	if tail.Position != casm.Start {
		t.Fatalf("the tail after a refused batch is %+v", tail)
	}
	mustPublish(t, g, tail, Messages(1, 2))
	f.wantRead(t, Messages(1, 2))
}

func fullBatch(t *testing.T, f *fixture) {
	g := f.target(t)
	n := g.MaxBatch()
	if n < 100 {
		t.Fatalf("MaxBatch is %d, too few to keep up with the store", n)
	}
	tail := mustPublish(t, g, mustTail(t, g), Messages(1, n))
	mustPublish(t, g, tail, Messages(int64(n)+1, n))
	f.wantRead(t, Messages(1, 2*n))
}

func nothing(t *testing.T, f *fixture) {
	g := f.target(t)
	tail := mustPublish(t, g, mustTail(t, g), Messages(1, 1))
	same, err := g.Publish(timeout(t), tail, nil)
	if err != nil || same != tail {
		t.Fatalf("publishing nothing gave %+v, %v", same, err)
	}
}

func large(t *testing.T, f *fixture) {
	g := f.target(t)
	ms := make([]stream.Message, 6)
	for i := range ms {
		body := bytes.Repeat([]byte{byte('a' + i)}, 600<<10)
		body[0], body[len(body)-1] = '"', '"'
		ms[i] = message(int64(i)+1, body)
	}
	tail := mustPublish(t, g, mustTail(t, g), ms[:5])
	tail = mustPublish(t, g, tail, ms[5:])
	if d := cmp.Diff(tail, mustTail(t, g)); d != "" {
		t.Fatalf("tail (-published +read):\n%s", d)
	}
	f.wantRead(t, ms)
}

func restart(t *testing.T, f *fixture) {
	g := f.Open(t)
	tail := mustPublish(t, g, mustTail(t, g), Messages(1, 20))
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	f.Restart(t)
	h := f.target(t)
	if d := cmp.Diff(tail, mustTail(t, h)); d != "" {
		t.Fatalf("tail after a restart (-before +after):\n%s", d)
	}
	mustPublish(t, h, tail, Messages(21, 1))
	f.wantRead(t, Messages(1, 21))
}

func race(t *testing.T, f *fixture) {
	const publishers, total, step = 3, 120, 4
	var wg sync.WaitGroup
	for range publishers {
		g := f.target(t)
		wg.Go(func() {
			for {
				tail, err := g.Tail(timeout(t))
				if err != nil {
					t.Errorf("tail: %v", err)
					return
				}
				next := tail.Position.Transaction + 1
				if next > total {
					return
				}
				_, err = g.Publish(timeout(t), tail, Messages(next, step))
				if err != nil && !errors.Is(err, stream.ErrConflict) {
					t.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	f.wantRead(t, Messages(1, total))
}

func adopt(t *testing.T, f *fixture) {
	g := f.target(t)
	tail := mustPublish(t, g, mustTail(t, g), Messages(1, 9))
	want := stream.Tail{Epoch: tail.Epoch + 1, Position: casm.Position{Transaction: 4, Ordinal: 2}, Sequence: tail.Sequence}
	if err := g.Adopt(timeout(t), want); err != nil {
		t.Fatal(err)
	}
	other := f.target(t)
	if d := cmp.Diff(want, mustTail(t, other)); d != "" {
		t.Fatalf("adopted tail (-want +got):\n%s", d)
	}
	tail = mustPublish(t, other, want, Messages(5, 2))
	if d := cmp.Diff(tail, mustTail(t, g)); d != "" {
		t.Fatalf("tail after a publish on an adopted one (-want +got):\n%s", d)
	}
	if err := g.Adopt(timeout(t), want); !errors.Is(err, stream.ErrConflict) {
		t.Fatalf("adopting a stream that moved on: %v, want ErrConflict", err)
	}
	f.wantRead(t, append(Messages(1, 9), Messages(5, 2)...))
}

func at(t *testing.T, f *fixture) {
	g := f.target(t)
	ms := Messages(1, 9)
	tail := mustPublish(t, g, mustTail(t, g), ms)
	first := tail.Sequence - uint64(len(ms)) + 1
	for i, m := range ms {
		want := stream.Tail{Epoch: m.Epoch, Position: m.Position, ID: m.ID, Sequence: first + uint64(i)}
		got, err := g.At(timeout(t), want.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("message %d (-want +got):\n%s", i, d)
		}
	}
	if _, err := g.At(timeout(t), tail.Sequence+1); !errors.Is(err, stream.ErrNoMessage) {
		t.Errorf("behind the last message: %v, want ErrNoMessage", err)
	}
}

func canceled(t *testing.T, f *fixture) {
	g := f.target(t)
	tail := mustTail(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Tail(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("tail: %v, want context.Canceled", err)
	}
	if _, err := g.Publish(ctx, tail, Messages(1, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want context.Canceled", err)
	}
}
