package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"casm"
	"casm/store"
	"casm/stream"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Log is what a relay needs of a store.
type Log interface {
	// View runs fn on one consistent snapshot of what is committed.
	View(ctx context.Context, fn func(store.Reader) error) error
	// Lease gives one of several relays the work, for a time.
	Lease(ctx context.Context, name, holder string, span time.Duration) (string, error)
	// RaiseEpoch begins a new epoch, above the store's and over.
	RaiseEpoch(ctx context.Context, over int64) (store.Head, error)
}

// Options are the settings of a relay; the zero value is good.
type Options struct {
	// Name tells relays apart in logs and metrics; "" for "stream".
	Name string
	// Holder names this relay to people who ask which of several works; it must
	// be unlike that of all others. "" for a random one.
	Holder string
	// Paused tells whether publishing is paused for all relays, of all
	// processes; it is asked about once a second. nil for never.
	Paused func(context.Context) (bool, error)
	// Source is the ce-source of all messages; "" for DefaultSource.
	Source string
	// Wake gives a channel that is closed at the next commit; nil for none.
	Wake func() <-chan struct{}
	// Poll is how often to look without being woken: other processes may
	// commit too. 0 for 250 ms.
	Poll time.Duration
	// Gather is the least time from one publish to the next, as long as less
	// than a full batch waits: under load, fewer and larger batches leave more
	// of the disk to the store. A message that comes after a quiet time is
	// published at once. 0 for 10 ms, negative for none.
	Gather time.Duration
	// MaxPause bounds the growing pauses after errors; 0 for 5 s. A blocked
	// relay looks whether it still is each second, or as often as this.
	MaxPause time.Duration
	// MaxBytes bounds, roughly, the bytes of one batch; 0 for 8 MiB. A relay
	// holds two batches at most.
	MaxBytes int
	// Logger, nil for slog.Default.
	Logger *slog.Logger
	// Metrics takes the relay's metrics, once per Name; nil for none.
	Metrics prometheus.Registerer
	// Now is the clock that lag is measured with; nil for time.Now.
	Now func() time.Time
}

// State says what a relay is about.
type State string

// The states of a relay.
const (
	StateStarting State = "starting" // until the stream was found for the first time
	StateRunning  State = "running"  // publishing, or waiting for something to publish
	StateStandby  State = "standby"  // another relay has the lease
	StatePaused   State = "paused"   // by hand
	StateBlocked  State = "blocked"  // stream and store disagree; a person decides
	StateFailing  State = "failing"  // an error; it tries again by itself
)

// Status is how far a relay is.
type Status struct {
	State State
	// Holder is the relay that has the lease, as far as known; Leads tells
	// whether that is this one.
	Holder string
	Leads  bool
	// Error is why it is blocked or failing; else "".
	Error string
	// LastError is the last error, also when all is well again since.
	LastError   string
	LastErrorAt casm.Time
	// Published is the last message that is on the stream as far as known.
	Published casm.Position
	// Head is the store's end of the log as last read.
	Head store.Head
	// LagTransactions is how many transactions wait wholly or in part.
	LagTransactions int64
	// Lag is the age of the oldest message that waits; 0 when none does.
	Lag time.Duration
}

// errPaused: Pause was called.
var errPaused = errors.New("relay: paused")

// Relay publishes a log to a stream. Any number may run on the same log and
// stream; each message is published by one of them. A lease lets one at a time
// work; what makes it right is that the stream takes a batch only behind the
// message that the relay knows as its last.
type Relay struct {
	log     Log
	target  stream.Target
	o       Options
	metrics metrics

	// turn is held by who reads and changes what follows: Run, Flush or Adopt.
	turn chan struct{}
	// tail is where the stream ends. It is not known at first, after errors,
	// and after a conflict; then it is read from the stream.
	tail  stream.Tail
	known bool
	// ahead is the batch after tail if it was read already.
	ahead *chunk
	lease *store.Turn

	mu      sync.Mutex // guards what follows
	status  Status
	done    int64     // all transactions up to this one are published
	located bool      // done means something: the tail was read once
	oldest  casm.Time // when the oldest message that waits was written; zero for none
	resumed chan struct{}
}

// New gives a relay that does nothing before Run or Flush. It panics when
// Metrics has a relay of the same Name already.
func New(log Log, target stream.Target, o Options) *Relay {
	setDefault(&o.Name, "stream")
	setDefault(&o.Source, DefaultSource)
	setDefault(&o.Holder, uuid.NewString())
	setDefault(&o.Poll, 250*time.Millisecond)
	setDefault(&o.Gather, 10*time.Millisecond)
	setDefault(&o.MaxPause, 5*time.Second)
	setDefault(&o.MaxBytes, 8<<20)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("relay", o.Name)
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Relay{
		log: log, target: target, o: o,
		turn:   make(chan struct{}, 1),
		status: Status{State: StateStarting},
		oldest: casm.TimeOf(o.Now()), // until the tail is known, lag counts from here
	}
	r.lease = store.NewTurn(log, "relay/"+o.Name, o.Holder)
	r.metrics = newMetrics(o.Metrics, r)
	return r
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Status says how far the relay is.
func (r *Relay) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	if s.State == StateStandby {
		return s // the one that works tells the lag
	}
	if r.located {
		s.LagTransactions = max(s.Head.Position-r.done, 0)
	}
	if !r.oldest.IsZero() && (s.LagTransactions > 0 || !r.located) {
		s.Lag = max(casm.TimeOf(r.o.Now()).Sub(r.oldest), 0)
	}
	return s
}

// take waits for the turn.
func (r *Relay) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Relay) give() { <-r.turn }
