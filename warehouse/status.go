package warehouse

import (
	"context"
	"sync"
	"time"

	"casm"
	"casm/warehouse/sqldb"
)

// State is what a warehouse is doing.
type State string

// The states of a warehouse.
const (
	StateStopped    State = "stopped"
	StateStandby    State = "standby"    // another process follows
	StateFollowing  State = "following"  // the stream, or the feed
	StateCatchingUp State = "catchingUp" // from the feed
	StateRebuilding State = "rebuilding"
	StateFailing    State = "failing" // and trying again
)

// States lists them all.
var States = []State{StateStopped, StateStandby, StateFollowing, StateCatchingUp, StateRebuilding, StateFailing}

// Lag is how far the warehouse is behind: how many messages it lacks, and how
// old the first of them is.
type Lag struct {
	Messages int64   `json:"messages"`
	Seconds  float64 `json:"seconds"`
}

// Status is how a warehouse is.
type Status struct {
	State       State         `json:"state"`
	Error       string        `json:"error,omitzero"`
	Epoch       int64         `json:"epoch"`
	Position    casm.Position `json:"position"`
	Messages    int64         `json:"messages"`
	DeadLetters int64         `json:"deadLetters"`
	Lag         Lag           `json:"lag"`
}

// tracker keeps the status.
type tracker struct {
	now func() time.Time

	mu     sync.Mutex
	status Status
	behind int64     // messages of the stream that were not fetched
	held   int64     // messages that were fetched and not applied
	oldest casm.Time // when the first of those was recorded
	last   casm.Time // when the last message that took effect was recorded
	logged string
}

// set notes a state and reports whether its error is new.
func (t *tracker) set(s State, err error) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.State, t.status.Error = s, ""
	if err != nil {
		t.status.Error = err.Error()
	}
	news = t.status.Error != t.logged
	t.logged = t.status.Error
	return news
}

// set2 notes a state and returns the one before.
func (t *tracker) set2(s State) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.status.State
	t.status.State = s
	return before
}

// opened notes how far a database is that was opened.
func (t *tracker) opened(ctx context.Context, tables *tables, p progress) error {
	var dead int64
	err := tables.db.View(ctx, func(r sqldb.Reader) (err error) {
		dead, err = countDead(ctx, r)
		return err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == "" {
		t.status.State = StateStopped
	}
	t.status.DeadLetters = dead
	t.at(p)
	return err
}

func (t *tracker) at(p progress) {
	t.status.Epoch, t.status.Position, t.status.Messages = p.epoch, p.position, p.messages
	t.last = p.recordedAt
}

// holds notes what was fetched and is to be applied.
func (t *tracker) holds(d delivered) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.oldest, t.behind = int64(len(d.changes)), d.changes[0].RecordedAt, int64(d.pending)
}

// applied notes that it was.
func (t *tracker) applied(a applied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.dead > 0 {
		t.status.DeadLetters = a.deadLetters
	}
	t.held, t.oldest = 0, 0
	t.at(a.progress)
}

// pending notes how much of the stream was not fetched.
func (t *tracker) pending(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.behind = int64(n)
}

// idle notes that nothing comes.
func (t *tracker) idle() { t.pending(0) }

// Status tells how the warehouse is.
func (w *Warehouse) Status() Status { return w.status.get() }

func (t *tracker) get() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.status
	s.Lag.Messages = t.behind + t.held
	since := t.last // what is behind follows it
	if t.held > 0 {
		since = t.oldest
	}
	if s.Lag.Messages > 0 && !since.IsZero() {
		s.Lag.Seconds = max(0, t.now().Sub(since.Std()).Seconds())
	}
	return s
}
