package relay_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/store/sqlite"
	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"

	"github.com/google/uuid"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger is a store with a short way to write to it, which wakes relays.
type ledger struct {
	*sqlite.Store
	t    testing.TB
	mu   sync.Mutex
	next chan struct{}
}

func newLedger(t testing.TB) *ledger {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ledger{Store: s, t: t, next: make(chan struct{})}
}

func (l *ledger) wake() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// commit writes transactions of so many messages each; 0 is one that changed nothing.
func (l *ledger) commit(sizes ...int) {
	l.t.Helper()
	l.commitDocs(sizes, []byte(`{"customName":"Ada"}`))
}

func (l *ledger) commitDocs(sizes []int, doc []byte) {
	l.t.Helper()
	_, err := l.Commit(context.Background(), store.Needs{}, func(_ store.Reader, ld *store.Loaded) (*store.WriteSet, error) {
		set := &store.WriteSet{}
		for _, n := range sizes {
			t := store.Transaction{ID: uuid.Must(uuid.NewV7()), RequestID: uuid.NewString(), Operation: "test", At: ld.Now, Actor: "tester"}
			for range n {
				id := uuid.Must(uuid.NewV7())
				t.Changes = append(t.Changes, store.Change{
					Key: store.Key{Kind: casm.KindCustomer, RefID: id}, Version: 1, Customer: id, Event: "created", At: ld.Now, Doc: doc,
				})
			}
			set.Transactions = append(set.Transactions, t)
		}
		return set, nil
	})
	if err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.next)
	l.next = make(chan struct{})
}

// feed gives the ids of all messages that the log stands for.
func (l *ledger) feed() (ids []string) {
	l.t.Helper()
	err := l.View(context.Background(), func(r store.Reader) error {
		var after casm.Position
		for {
			es, err := r.Feed(context.Background(), after, store.FeedFilter{}, 1000)
			if err != nil || len(es) == 0 {
				return err
			}
			for _, e := range es {
				ids, after = append(ids, e.Position.String()+" "+relay.ID(e)), e.Position
			}
		}
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return ids
}

// wantOnStream checks that the stream holds the log's messages once, in order.
func wantOnStream(t testing.TB, srv *natsjs.Server, l *ledger) {
	t.Helper()
	want, got := l.feed(), natstest.Read(t, srv)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Fatalf("the stream ends after %d of %d messages", len(got), len(want))
		case i >= len(want):
			t.Fatalf("the stream has %d messages instead of %d", len(got), len(want))
		case got[i].Position.String()+" "+got[i].ID != want[i]:
			t.Fatalf("message %d is %s %s, want %s", i, got[i].Position, got[i].ID, want[i])
		}
	}
}

func options(t testing.TB, l *ledger) relay.Options {
	return relay.Options{Wake: l.wake, Logger: natstest.Logger(t), MaxPause: 100 * time.Millisecond, Poll: 50 * time.Millisecond}
}

// run runs a relay until the returned function is called, or the test's end.
func run(t testing.TB, r *relay.Relay) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func flush(t testing.TB, r *relay.Relay) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something to become true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestEachMessageOnceWhateverIsKilled(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for range 150 {
			sizes := make([]int, 1+rand.IntN(20))
			for i := range sizes {
				sizes[i] = rand.IntN(4)
			}
			l.commit(sizes...)
			time.Sleep(rand.N(8 * time.Millisecond))
		}
	}()
	for alive := true; alive; {
		select {
		case <-writing:
			alive = false
		default:
		}
		// Each life has its own connection, cut in the middle of whatever it does.
		g, err := srv.Target(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, relay.New(l, g, options(t, l)))
		time.Sleep(rand.N(25 * time.Millisecond))
		if rand.IntN(2) == 0 {
			_ = g.Close()
		}
		stop()
		_ = g.Close()
	}
	flush(t, relay.New(l, natstest.Target(t, srv), options(t, l)))
	wantOnStream(t, srv, l)
}

func TestTwoRelaysAtOnce(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	var relays []*relay.Relay
	for range 2 {
		r := relay.New(l, natstest.Target(t, srv), options(t, l))
		relays = append(relays, r)
		run(t, r)
	}
	for range 200 {
		l.commit(1, 2)
		time.Sleep(rand.N(3 * time.Millisecond))
	}
	for _, r := range relays {
		flush(t, r)
	}
	wantOnStream(t, srv, l)
}

// lossy publishes, and then says that it did not, or the other way round.
type lossy struct{ stream.Target }

var errLost = errors.New("connection lost")

func (g *lossy) Publish(ctx context.Context, tail stream.Tail, ms []stream.Message) (stream.Tail, error) {
	switch rand.IntN(4) {
	case 0:
		return tail, errLost
	case 1:
		_, err := g.Target.Publish(ctx, tail, ms)
		return tail, errors.Join(errLost, err)
	}
	return g.Target.Publish(ctx, tail, ms)
}

func TestUnknownOutcomes(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	o := options(t, l)
	o.MaxPause = 2 * time.Millisecond
	r := relay.New(l, &lossy{natstest.Target(t, srv)}, o)
	run(t, r)
	for range 50 {
		l.commit(1, 0, 3)
		time.Sleep(rand.N(4 * time.Millisecond))
	}
	flush(t, r)
	wantOnStream(t, srv, l)
}

func TestLargeTransaction(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	l.commit(1)
	l.commit(5000, 1, 0)
	g := &counting{Target: natstest.Target(t, srv)}
	r := relay.New(l, g, options(t, l))
	flush(t, r)
	if got := g.batches.Load(); got != 6 {
		t.Errorf("5,002 messages went in %d batches, want 6", got)
	}
	wantOnStream(t, srv, l)
	if s := r.Status(); s.LagTransactions != 0 || s.Lag != 0 || s.Published != (casm.Position{Transaction: 3}) || s.Head.Position != 4 {
		t.Errorf("status is %+v", s)
	}
}

// counting counts batches and notes the largest.
type counting struct {
	stream.Target
	batches, largest atomic.Int64
}

func (g *counting) Publish(ctx context.Context, tail stream.Tail, ms []stream.Message) (stream.Tail, error) {
	g.batches.Add(1)
	n := int64(0)
	for _, m := range ms {
		n += int64(len(m.Body))
	}
	g.largest.Store(max(g.largest.Load(), n))
	return g.Target.Publish(ctx, tail, ms)
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	doc := []byte(`{"a":"` + strings.Repeat("x", 50<<10) + `"}`)
	l.commitDocs([]int{30, 30}, doc)
	g := &counting{Target: natstest.Target(t, srv)}
	o := options(t, l)
	o.MaxBytes = 1 << 20
	flush(t, relay.New(l, g, o))
	if n := g.largest.Load(); n < 1<<20-100<<10 || n > 1<<20+100<<10 {
		t.Errorf("the largest batch had %d bytes, want about a MiB", n)
	}
	wantOnStream(t, srv, l)
}

func TestWokenAtOnce(t *testing.T) {
	l, srv := newLedger(t), natstest.Start(t, natsjs.ServerOptions{Dir: t.TempDir()})
	o := options(t, l)
	o.Poll = time.Hour
	r := relay.New(l, natstest.Target(t, srv), o)
	run(t, r)
	for i := range int64(100) {
		l.commit(1)
		eventually(t, "a commit is published without polling", func() bool { return r.Status().Published.Transaction == i+1 })
	}
	o.Wake, o.Poll = nil, 10*time.Millisecond
	run(t, relay.New(l, natstest.Target(t, srv), o))
	l.commit(1)
	eventually(t, "a commit is published without being woken", func() bool { return len(natstest.Read(t, srv)) == 101 })
}
