// Package endpoints carries copies of the log to the pub-sub endpoints that are
// configured (contract 5 and 7), beside the built-in stream. An endpoint is one
// more cursor over the one log: how far it has come is kept in the store, so
// any server can go on where another one stopped.
package endpoints

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Log is what is needed of a store.
type Log interface {
	View(ctx context.Context, fn func(store.Reader) error) error
	Commit(ctx context.Context, needs store.Needs, decide func(store.Reader, *store.Loaded) (*store.WriteSet, error)) (store.Head, error)
	store.Leaser
}

// Sender brings messages to where an endpoint's copies go.
type Sender interface {
	// Send sends messages in their order and returns how many were taken for
	// good: all, or with an error fewer. The error is a stream.ErrSetup when it
	// is the fault of no message.
	Send(ctx context.Context, messages []stream.Message) (int, error)
	Close() error
}

// Options are what Endpoints are made with.
type Options struct {
	Log Log
	// Config gives the configuration as it is now; it is asked about once a second.
	Config func(context.Context) (*casm.Snapshot, error)
	// Open makes the sender of an endpoint.
	Open func(context.Context, *casm.PubSubEndpoint) (Sender, error)
	// Holder names this process; it must be unlike all others. "" for a random one.
	Holder string
	// Source is the ce-source of messages; "" for relay.DefaultSource.
	Source string
	// Wake gives a channel that is closed at the next commit; nil for none.
	Wake func() <-chan struct{}
	// Poll is how often to look without being woken; 0 for 250 ms.
	Poll time.Duration
	// Workers is to how many customers of one webhook is sent at once; 0 for 8.
	Workers int
	// Park is after how long of failing a customer's messages are parked; 0 for
	// 24 hours.
	Park time.Duration
	// MaxBehind is how many customers of an endpoint may be behind before it
	// stops; 0 for 10,000.
	MaxBehind int
	// FirstPause is the pause after the first failure; it doubles with each. 0
	// for a second.
	FirstPause time.Duration
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// The longest pauses: of one customer (contract 7), and of an endpoint that
// nobody can be sent to.
const (
	maxPause     = 10 * time.Minute
	maxDownPause = time.Minute
)

// Endpoints runs all endpoints of an installation that are this process's turn.
type Endpoints struct {
	o       Options
	metrics metrics
}

// New gives Endpoints that do nothing before Run.
func New(o Options) *Endpoints {
	o.Holder = cmp.Or(o.Holder, uuid.NewString())
	o.Source = cmp.Or(o.Source, relay.DefaultSource)
	o.Poll = cmp.Or(o.Poll, 250*time.Millisecond)
	o.Workers = cmp.Or(o.Workers, 8)
	o.Park = cmp.Or(o.Park, 24*time.Hour)
	o.MaxBehind = cmp.Or(o.MaxBehind, 10_000)
	o.FirstPause = cmp.Or(o.FirstPause, time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Endpoints{o: o, metrics: newMetrics(o.Metrics)}
}

func (e *Endpoints) now() casm.Time { return casm.TimeOf(e.o.Now()) }

// running is an endpoint that runs as it was configured at a version.
type running struct {
	version int64
	stop    context.CancelFunc
	stopped chan struct{}
}

func (r *running) end() {
	r.stop()
	<-r.stopped
}

// configEvery is how often the configuration is looked at.
const configEvery = time.Second

// Run runs what is configured until ctx ends. Then it saves how far each
// endpoint is; what is not saved is sent again by who goes on.
func (e *Endpoints) Run(ctx context.Context) {
	all := map[string]*running{}
	ticker := time.NewTicker(configEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if s, err := e.o.Config(ctx); err == nil {
			e.adjust(ctx, s, all)
		} else if ctx.Err() == nil {
			e.o.Logger.Warn("endpoints: the configuration cannot be read, and is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	for _, r := range all {
		r.stop()
	}
	for _, r := range all {
		<-r.stopped
	}
}

// Active reports whether an endpoint sends: it is neither paused nor retired.
func Active(p *casm.PubSubEndpoint) bool { return !p.Paused && !p.Retired }

// adjust ends what is not configured so any more, and begins what is new.
func (e *Endpoints) adjust(ctx context.Context, s *casm.Snapshot, all map[string]*running) {
	wanted := map[string]*casm.PubSubEndpoint{}
	for _, item := range s.Items(casm.PubSubEndpoints) {
		if p := item.(*casm.PubSubEndpoint); Active(p) {
			wanted[p.Code] = p
		}
	}
	for code, r := range all {
		if p := wanted[code]; p == nil || p.Version != r.version {
			r.end()
			delete(all, code)
			if p == nil {
				e.metrics.drop(code)
			}
			e.o.Logger.Info("endpoint ends, or is run as it was changed", "endpoint", code, "version", r.version)
		}
	}
	for code, p := range wanted {
		if all[code] == nil {
			own, stop := context.WithCancel(ctx)
			r := &running{p.Version, stop, make(chan struct{})}
			all[code] = r
			go func() {
				defer close(r.stopped)
				e.newEndpoint(p).run(own)
			}()
		}
	}
}

// keyOf names an endpoint in the store.
func keyOf(code string) store.CodeKey {
	return store.CodeKey{Collection: casm.PubSubEndpoints, Code: code}
}
