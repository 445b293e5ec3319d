package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/relay"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// streamName is the relay's name, and the code under which the configuration
// holds what is set about its stream.
const streamName = casm.BuiltinStream

// streams is the internal collection of what is set about streams.
const streams = "streams"

// holder names this process's relay among those of all servers: for people the
// machine and the process; the rest keeps containers apart that look alike.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8])
}

// relayPaused tells whether publishing is paused, on all servers.
func (a *App) relayPaused(ctx context.Context) (bool, error) {
	s, err := a.core.engine.Config(ctx)
	if err != nil {
		return false, err
	}
	set, _ := s.Item(streams, streamName).(*casm.Stream)
	return set != nil && set.Paused, nil
}

// pauseRelay pauses or resumes publishing on all servers, for good.
func (a *App) pauseRelay(ctx context.Context, actor string, paused bool) error {
	_, err := a.core.engine.EditConfig(ctx, actor, false, []command.ConfigEdit{{
		Collection: casm.CollectionByPath(streams), Code: streamName,
		Item: &casm.Stream{Item: casm.Item{Code: streamName, Name: "Stream of business transactions"}, Paused: paused},
	}})
	if err != nil {
		return err
	}
	if paused { // here at once; other servers look within a second
		a.relay.Pause()
	} else {
		a.relay.Resume()
	}
	return nil
}

// pauseBySocket is pauseRelay for who administers through the socket.
func (a *App) pauseBySocket(ctx context.Context, actor string, paused bool) error {
	if err := a.pauseRelay(ctx, actor, paused); err != nil {
		return err
	}
	act := "relay.resume"
	if paused {
		act = "relay.pause"
	}
	return auth.AuditDone(ctx, a.log, actor, act, "socket")
}

// RelayStatus is how far the relay of a server is.
type RelayStatus struct {
	// State is starting, running, standby (another server's relay works), paused, blocked or failing.
	State string `json:"state"`
	// Holder is the relay that works, by machine, process and a random part.
	Holder string `json:"holder,omitempty"`
	Leads  bool   `json:"leads"`
	Epoch  int64  `json:"epoch"`
	// Head is the last transaction of the store.
	Head int64 `json:"head"`
	// Published is the last message that is on the stream; of a server that stands by it is not told.
	Published       string  `json:"published,omitempty"`
	LagTransactions int64   `json:"lagTransactions"`
	LagSeconds      float64 `json:"lagSeconds"`
	Error           string  `json:"error,omitempty"`
}

func (a *App) relayStatus(ctx context.Context) (RelayStatus, error) {
	s := a.relay.Status()
	out := RelayStatus{
		State: string(s.State), Holder: s.Holder, Leads: s.Leads, Error: s.Error,
		LagTransactions: s.LagTransactions, LagSeconds: s.Lag.Round(time.Millisecond).Seconds(),
	}
	if s.State != relay.StateStandby {
		out.Published = s.Published.String()
	}
	head, err := a.core.head(ctx)
	out.Epoch, out.Head = head.Epoch, head.Position
	return out, err
}

// AdoptRequest is what Adopt is asked for.
type AdoptRequest struct {
	// After is the position behind which the stream goes on; "": it is found.
	After string `json:"after,omitempty"`
	Force bool   `json:"force"`
}

// Adopted is what an adoption came to.
type Adopted struct {
	Epoch int64  `json:"epoch"`
	After string `json:"after"`
	Lost  uint64 `json:"lost"`
}

func (a *App) adopt(ctx context.Context, actor string, q AdoptRequest) (Adopted, error) {
	var after *casm.Position
	if q.After != "" {
		p, err := casm.ParsePosition(q.After)
		if err != nil {
			return Adopted{}, casm.Violations{{Code: casm.InvalidValue, Pointer: "after", Detail: err.Error()}}
		}
		after = &p
	}
	done, err := a.relay.Adopt(ctx, after, q.Force)
	if errors.Is(err, relay.ErrAgree) {
		return Adopted{}, casm.Violations{{Code: casm.InvalidValue, Detail: "the stream's end is in the store: there is nothing to adopt. " +
			"To begin a new epoch all the same, so that those who follow the feed start again: --force"}}
	}
	if err != nil {
		return Adopted{}, err
	}
	err = auth.AuditDone(ctx, a.log, actor, "relay.adopt", "socket",
		slog.Int64("epoch", done.Epoch), slog.String("after", done.After.String()), slog.Uint64("lost", done.Lost))
	return Adopted{done.Epoch, done.After.String(), done.Lost}, err
}

// relayHandlers lets the relay be administered through the socket.
func (a *App) relayHandlers(handle adminRoute) {
	handle("GET /relay", func(r *http.Request, _ local) (any, error) { return a.relayStatus(r.Context()) })
	handle("POST /relay/pause", func(r *http.Request, l local) (any, error) {
		return struct{}{}, a.pauseBySocket(r.Context(), l.actor, true)
	})
	handle("POST /relay/resume", func(r *http.Request, l local) (any, error) {
		return struct{}{}, a.pauseBySocket(r.Context(), l.actor, false)
	})
	handle("POST /relay/adopt", func(r *http.Request, l local) (any, error) {
		var q AdoptRequest
		if err := json.UnmarshalRead(io.LimitReader(r.Body, 4<<10), &q); err != nil {
			return nil, casm.Violations{{Code: casm.MalformedJSON, Detail: err.Error()}}
		}
		return a.adopt(r.Context(), l.actor, q)
	})
}

// Relay administers the relays of an installation, through a running server.
type Relay struct{ remote remote }

// NewRelay gives the Relay of the server that works on a data folder. actor is
// recorded as who did it.
func NewRelay(data, actor string) Relay { return Relay{newRemote(data, actor)} }

// Status tells how far the server's relay is.
func (r Relay) Status(ctx context.Context) (s RelayStatus, err error) {
	return s, r.remote.call(ctx, http.MethodGet, "/relay", nil, &s)
}

// Pause stops publishing on all servers, until Resume.
func (r Relay) Pause(ctx context.Context) error {
	return r.remote.call(ctx, http.MethodPost, "/relay/pause", nil, &struct{}{})
}

// Resume ends a Pause.
func (r Relay) Resume(ctx context.Context) error {
	return r.remote.call(ctx, http.MethodPost, "/relay/resume", nil, &struct{}{})
}

// Adopt lets the stream follow a store that was put back to an earlier time.
func (r Relay) Adopt(ctx context.Context, q AdoptRequest) (done Adopted, err error) {
	return done, r.remote.call(ctx, http.MethodPost, "/relay/adopt", q, &done)
}
