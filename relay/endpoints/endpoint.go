package endpoints

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"casm"
	"casm/relay"
	"casm/store"
	"casm/stream"
)

// endpoint is one endpoint as this process runs it.
type endpoint struct {
	*Endpoints
	config *casm.PubSubEndpoint
	key    store.CodeKey
	log    *slog.Logger
	sender Sender

	// saving guards saved, which is what the store holds as far as known.
	saving sync.Mutex
	saved  store.Progress

	// What follows is for the one goroutine that works.
	read  casm.Position // up to where the log was read
	entry string        // id of the message at read; "" when it is not known
	head  store.Head    // as last read
	state state
}

// errMoved: somebody else wrote how far the endpoint is. One begins again with
// what stands.
var errMoved = errors.New("endpoints: it was set elsewhere")

func (e *Endpoints) newEndpoint(p *casm.PubSubEndpoint) *endpoint {
	return &endpoint{Endpoints: e, config: p, key: keyOf(p.Code), log: e.o.Logger.With("endpoint", p.Code)}
}

// run works while it is this process's turn, until ctx ends.
func (e *endpoint) run(ctx context.Context) {
	turn := store.NewTurn(e.o.Log, "endpoint/"+e.config.Code, e.o.Holder)
	defer func() {
		if err := turn.GiveUp(ctx); err != nil {
			e.log.Debug("the endpoint's lease could not be given up", "error", err)
		}
	}()
	var work *running
	defer func() {
		if work != nil {
			work.end()
		}
	}()
	for ctx.Err() == nil {
		_, mine, err := turn.Ask(ctx)
		if err == nil && mine && work != nil {
			err = e.unmoved(ctx)
		}
		if work != nil && (err != nil || !mine || closed(work.stopped)) {
			work.end()
			work = nil
		}
		switch {
		case err != nil && !errors.Is(err, errMoved):
			if ctx.Err() == nil {
				e.log.Warn("endpoint: the store fails, and is tried again", "error", err)
			}
		case mine && work == nil:
			work = e.begin(ctx)
		}
		var stopped <-chan struct{}
		if work != nil {
			stopped = work.stopped
		}
		relay.Wait(ctx, store.TurnEvery, stopped)
		if closed(stopped) {
			relay.Wait(ctx, restPause, nil)
		}
	}
}

// restPause is how long to rest before work that ended by itself is begun again.
const restPause = 200 * time.Millisecond

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// begin begins to work, until stopped or something is wrong.
func (e *endpoint) begin(ctx context.Context) *running {
	own, stop := context.WithCancel(ctx)
	r := &running{stop: stop, stopped: make(chan struct{})}
	go func() {
		defer close(r.stopped)
		defer e.metrics.forget(e.config.Code)
		err := e.work(own)
		if err != nil && own.Err() == nil && !errors.Is(err, errMoved) {
			e.log.Warn("endpoint: it begins again after an error", "error", err)
		}
	}()
	return r
}

// work sends, from where the store says.
func (e *endpoint) work(ctx context.Context) (err error) {
	behind, err := e.load(ctx)
	if err != nil {
		return err
	}
	e.sender, err = e.o.Open(ctx, e.config)
	for pause := e.o.FirstPause; err != nil; pause = min(2*pause, maxDownPause) {
		e.trouble(ctx, err)
		if err := e.save(ctx, store.ProgressChange{Progress: store.Progress{After: e.saved.After}}); err != nil {
			return err
		}
		relay.Wait(ctx, jitter(pause), nil)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is no error
		}
		e.sender, err = e.o.Open(ctx, e.config)
	}
	defer func() { err = errors.Join(err, e.sender.Close()) }()
	e.state.State = Running
	e.log.Info("endpoint begins", "type", e.config.Type, "after", e.read)
	if e.config.Type == casm.EndpointWebhook {
		return newLanes(e, behind).work(ctx)
	}
	return e.inOrder(ctx)
}

// jitter parts those that would do the same at the same time.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// load reads how far the endpoint is, and who is behind.
func (e *endpoint) load(ctx context.Context) (behind []store.Behind, err error) {
	var p *store.Progress
	var head store.Head
	err = e.o.Log.View(ctx, func(r store.Reader) (err error) {
		if head, err = r.Head(ctx); err != nil {
			return err
		}
		if p, err = r.Progress(ctx, e.key); err != nil || p == nil {
			return err
		}
		behind, err = allBehind(ctx, r, e.key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("endpoints: read how far %s is: %w", e.config.Code, err)
	}
	if p == nil || p.Began > e.config.Version { // it was deleted, or made again
		return nil, errMoved
	}
	e.saving.Lock()
	e.saved = *p
	e.saving.Unlock()
	e.read, e.entry, e.head = p.After, "", head
	e.state = stateOf(p.Doc)
	e.state.Holder = e.o.Holder
	return behind, nil
}

func allBehind(ctx context.Context, r store.Reader, key store.CodeKey) (all []store.Behind, err error) {
	q := store.BehindQuery{Limit: 1000}
	for {
		list, err := r.Behind(ctx, key, q)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if len(list) < q.Limit {
			return all, nil
		}
		q.After = list[len(list)-1].Customer
	}
}

// unmoved looks whether what was saved last still stands.
func (e *endpoint) unmoved(ctx context.Context) error {
	e.saving.Lock()
	defer e.saving.Unlock()
	return e.o.Log.View(ctx, func(r store.Reader) error {
		p, err := r.Progress(ctx, e.key)
		if err == nil && (p == nil || p.Version != e.saved.Version) {
			return errMoved
		}
		return err
	})
}

// save saves how far the endpoint is: c.After, and who is behind. When somebody
// else has written meanwhile nothing is saved, and it gives errMoved. It saves
// also when ctx has ended.
func (e *endpoint) save(ctx context.Context, c store.ProgressChange) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	e.saving.Lock()
	defer e.saving.Unlock()
	c.CodeKey, c.Version, c.Began = e.key, e.saved.Version+1, e.saved.Began
	if c.Doc == nil {
		c.Doc = e.state.doc()
	}
	_, err := e.o.Log.Commit(ctx, store.Needs{}, func(r store.Reader, _ *store.Loaded) (*store.WriteSet, error) {
		p, err := r.Progress(ctx, e.key)
		if err != nil {
			return nil, err
		}
		if p == nil || p.Version != e.saved.Version {
			return nil, errMoved
		}
		return &store.WriteSet{Progress: []store.ProgressChange{c}}, nil
	})
	if err != nil {
		return err
	}
	e.saved = c.Progress
	return nil
}

// gather is the least time from one reading of the log to the next, when nothing
// was left.
const gather = 20 * time.Millisecond

// saveTime is how long a save may take.
const saveTime = 2 * time.Second

// It is saved how far an endpoint is every second, and sooner after as many
// messages: what was sent since is sent again after a crash.
const (
	saveEvery    = time.Second
	saveMessages = 500
)

// page reads the log behind read, up to limit messages of any code; more tells
// whether there may be others. Where the log does not hold any more what was
// read last, the store was put back to an earlier time: then it gives errMoved,
// as what was saved went back with it.
func (e *endpoint) page(ctx context.Context, limit int) (entries []store.Entry, more bool, err error) {
	after, n := e.read, limit
	if e.entry != "" {
		after, n = before(e.read), limit+1
	}
	err = e.o.Log.View(ctx, func(r store.Reader) (err error) {
		if e.head, err = r.Head(ctx); err != nil {
			return err
		}
		entries, err = r.Feed(ctx, after, store.FeedFilter{}, n)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("endpoints: read the log after %s: %w", after, err)
	}
	more = len(entries) == n
	if e.entry != "" {
		if len(entries) == 0 || entries[0].Position != e.read || relay.ID(entries[0]) != e.entry {
			return nil, false, errMoved
		}
		entries = entries[1:]
	}
	if len(entries) > 0 {
		last := entries[len(entries)-1]
		e.read, e.entry = last.Position, relay.ID(last)
	}
	return entries, more, nil
}

// before is the position directly before another.
func before(p casm.Position) casm.Position {
	if p.Ordinal > 0 {
		return casm.Position{Transaction: p.Transaction, Ordinal: p.Ordinal - 1}
	}
	if p.Transaction > 0 {
		return casm.Position{Transaction: p.Transaction - 1, Ordinal: casm.MaxOrdinal}
	}
	return casm.Start
}

// wants reports whether the endpoint gets a message.
func (e *endpoint) wants(entry *store.Entry) bool {
	return len(e.config.Messages) == 0 || slices.Contains(e.config.Messages, entry.Kind.MessageCode())
}

// trouble notes that nobody can be sent to; save tells it to others.
func (e *endpoint) trouble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	to := Failing
	if errors.Is(err, stream.ErrSetup) {
		to = Blocked
	}
	if e.state.State != to || e.state.Error != err.Error() {
		e.log.Warn("nothing can be sent to the endpoint, and it is tried again", "state", to, "error", err)
	}
	e.state.State = to
	e.note(err)
}

// note notes an error.
func (e *endpoint) note(err error) {
	e.state.Error, e.state.ErrorAt = clip(err.Error()), e.now()
}

// well notes that it can be sent.
func (e *endpoint) well() {
	if e.state.State != Running {
		e.log.Info("the endpoint takes messages again")
		e.state.State = Running
	}
}

// clip bounds what is kept of an error.
func clip(s string) string {
	const most = 500
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
