package relay

import (
	"context"
	"fmt"
	"time"
)

// A relay that is to work has asked for the lease within leaseTurn, and has it
// for leaseSpan: so one that dies or hangs is followed by another within the
// two of them. It is asked for between batches, so a relay that cannot publish
// for long loses it, too.
const (
	leaseSpan = 3 * time.Second
	leaseTurn = time.Second
)

// lead reports whether this relay has the lease. The turn must be held.
func (r *Relay) lead(ctx context.Context) (bool, error) {
	if time.Since(r.asked) < leaseTurn {
		return r.leads, nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseSpan)
	defer cancel()
	begun := time.Now()
	has, err := r.log.Lease(ctx, r.leaseName(), r.o.Holder, leaseSpan)
	if err != nil {
		return false, fmt.Errorf("relay: lease: %w", err)
	}
	r.asked = begun
	if leads := has == r.o.Holder; leads != r.leads {
		r.leads = leads
		r.o.Logger.Info("relay lease", "leads", leads, "holder", has)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Holder, r.status.Leads = has, r.leads
	if r.leads && r.status.State == StateStandby {
		r.status.State = StateStarting
		r.located, r.oldest = false, 0 // until the tail is known
	}
	return r.leads, nil
}

func (r *Relay) leaseName() string { return "relay/" + r.o.Name }

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
	if !r.leads {
		return
	}
	r.leads, r.asked = false, time.Time{}
	if _, err := r.log.Lease(ctx, r.leaseName(), r.o.Holder, 0); err != nil {
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
