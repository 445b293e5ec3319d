package relay

import (
	"context"
	"fmt"

	"casm/store"
)

// leaseTurn is how often a relay asks for what is to be known: whether it has
// the lease, and whether publishing is paused. The lease is asked for between
// batches, so a relay that cannot publish for long loses it, too.
const leaseTurn = store.TurnEvery

// lead reports whether this relay has the lease. The turn must be held.
func (r *Relay) lead(ctx context.Context) (bool, error) {
	has, leads, err := r.lease.Ask(ctx)
	if err != nil {
		return false, fmt.Errorf("relay: lease: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if leads != r.status.Leads {
		r.o.Logger.Info("relay lease", "leads", leads, "holder", has)
	}
	r.status.Holder, r.status.Leads = has, leads
	if leads && r.status.State == StateStandby {
		r.status.State = StateStarting
		r.located, r.oldest = false, 0 // until the tail is known
	}
	return leads, nil
}

// stand notes that another relay works.
func (r *Relay) stand() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State != StatePaused {
		r.status.State, r.status.Error = StateStandby, ""
	}
}

// giveUp lets another relay have the lease at once. When that fails, the lease
// runs out.
func (r *Relay) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTurn)
	defer cancel()
	if r.take(ctx) != nil {
		return
	}
	defer r.give()
	if err := r.lease.GiveUp(ctx); err != nil {
		r.o.Logger.Debug("relay lease could not be given up", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Leads = false
}

// govern pauses or resumes as all relays are told to.
func (r *Relay) govern(ctx context.Context) error {
	if r.o.Paused == nil {
		return nil
	}
	paused, err := r.o.Paused(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("relay: whether it is paused: %w", err)
	case paused:
		r.Pause()
	default:
		r.Resume()
	}
	return nil
}

// Pause stops publishing after the batch that is under way, until Resume, or
// until Options.Paused says otherwise.
func (r *Relay) Pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resumed == nil {
		r.resumed = make(chan struct{})
		r.status.State, r.status.Error = StatePaused, ""
		r.o.Logger.Info("publishing paused")
	}
}

// Resume ends a Pause.
func (r *Relay) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resumed != nil {
		close(r.resumed)
		r.resumed = nil
		r.status.State = StateStarting
		if r.located {
			r.status.State = StateRunning
		}
		r.o.Logger.Info("publishing resumed")
	}
}

// paused returns a channel that Resume closes, nil when not paused.
func (r *Relay) paused() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resumed
}
