package store

import (
	"context"
	"time"
)

// Who is to work has asked for its lease within TurnEvery, and has it for
// turnSpan: so one that dies or hangs is followed by another within the two of
// them.
const (
	// TurnEvery is how often a lease is asked for.
	TurnEvery = time.Second
	turnSpan  = 3 * time.Second
)

// Leaser gives leases, as a Store does.
type Leaser interface {
	Lease(ctx context.Context, name, holder string, span time.Duration) (string, error)
}

// Turn lets one of several processes work at a time, by a lease that it keeps
// as long as it asks. It is for one goroutine at a time.
type Turn struct {
	leaser       Leaser
	name, holder string
	asked        time.Time // when the lease was last asked for
	has          string    // who has it since
}

// NewTurn gives a Turn at the lease of a name. holder must be unlike that of
// all others.
func NewTurn(l Leaser, name, holder string) *Turn {
	return &Turn{leaser: l, name: name, holder: holder}
}

// Ask returns who has the lease, and whether that is this one. It asks the
// store when it has not done so for TurnEvery.
func (t *Turn) Ask(ctx context.Context) (has string, mine bool, err error) {
	if t.has == "" || time.Since(t.asked) >= TurnEvery {
		ctx, cancel := context.WithTimeout(ctx, turnSpan)
		defer cancel()
		begun := time.Now()
		if has, err = t.leaser.Lease(ctx, t.name, t.holder, turnSpan); err != nil {
			t.has = ""
			return "", false, err
		}
		t.asked, t.has = begun, has
	}
	return t.has, t.has == t.holder, nil
}

// GiveUp lets another have the lease at once, also when ctx has ended. When it
// fails, the lease runs out.
func (t *Turn) GiveUp(ctx context.Context) error {
	if t.has != t.holder {
		return nil
	}
	t.has = ""
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TurnEvery)
	defer cancel()
	_, err := t.leaser.Lease(ctx, t.name, t.holder, 0)
	return err
}
