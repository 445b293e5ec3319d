package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/engine"
	"casm/httpapi"
	"casm/relay"
	"casm/relay/endpoints"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// streamsOf are the built-in stream and the endpoints together.
type streamsOf struct{ *App }

var _ httpapi.Streams = streamsOf{}

// Streams implements httpapi.Streams.
func (a streamsOf) Streams(ctx context.Context) ([]httpapi.Stream, error) {
	own := a.relay.Status()
	built := httpapi.Stream{
		Code: streamName, Name: "Stream of business transactions", Type: "STREAM", State: string(own.State), Holder: own.Holder,
		LastError: own.LastError, LastErrorAt: own.LastErrorAt,
	}
	if own.State != relay.StateStandby {
		lag, seconds := own.LagTransactions, int64(math.Ceil(own.Lag.Seconds()))
		built.Position, built.LagTransactions, built.LagSeconds = own.Published.String(), &lag, &seconds
	}
	list := []httpapi.Stream{built}
	config, err := a.core.engine.Config(ctx)
	if err != nil {
		return nil, err
	}
	var configured []*casm.PubSubEndpoint
	for _, item := range config.Items(casm.PubSubEndpoints) {
		configured = append(configured, item.(*casm.PubSubEndpoint))
	}
	if len(configured) == 0 {
		return list, nil
	}
	statuses, err := a.endpoints.Status(ctx, configured...)
	if err != nil {
		return nil, err
	}
	for i, p := range configured {
		s := &statuses[i]
		seconds, behind, parked := int64(math.Ceil(s.LagSeconds)), int64(s.Behind), int64(s.Parked)
		x := httpapi.Stream{
			Code: p.Code, Name: p.Name, Type: p.Type, State: string(s.State), Holder: s.Holder, Position: s.Position.String(),
			LagTransactions: &s.LagTransactions, LagSeconds: &seconds, LastError: s.LastError, LastErrorAt: s.LastErrorAt,
		}
		if p.Type == casm.EndpointWebhook {
			x.CustomersBehind, x.Parked = &behind, &parked
		}
		list = append(list, x)
	}
	return list, nil
}

// endpoint returns the endpoint with a code; httpapi.ErrNoStream when there is
// none.
func (a streamsOf) endpoint(ctx context.Context, code string) (*casm.PubSubEndpoint, error) {
	config, err := a.core.engine.Config(ctx)
	if err != nil {
		return nil, err
	}
	p, ok := config.Item(casm.PubSubEndpoints, code).(*casm.PubSubEndpoint)
	if !ok {
		return nil, httpapi.ErrNoStream
	}
	return p, nil
}

// StreamBehind implements httpapi.Streams.
func (a streamsOf) StreamBehind(ctx context.Context, code string, parkedOnly bool, after uuid.UUID, limit int) ([]httpapi.StreamCustomer, error) {
	if code == streamName {
		return nil, nil
	}
	if _, err := a.endpoint(ctx, code); err != nil {
		return nil, err
	}
	customers, err := a.endpoints.Behind(ctx, code, store.BehindQuery{ParkedOnly: parkedOnly, After: after, Limit: limit})
	list := make([]httpapi.StreamCustomer, len(customers))
	for i, c := range customers {
		list[i] = httpapi.StreamCustomer{
			Customer: casm.Ref{RefID: c.Customer, ExternalID: c.ExternalID}, Position: c.After.String(),
			Parked: c.Parked, Since: c.Since, Attempts: int64(c.Attempts), Error: c.Error,
		}
	}
	return list, err
}

// PauseStream implements httpapi.Streams.
func (a streamsOf) PauseStream(ctx context.Context, actor, code string) error {
	return a.setPaused(ctx, actor, code, true)
}

func (a streamsOf) setPaused(ctx context.Context, actor, code string, paused bool) error {
	if code == streamName {
		return a.pauseRelay(ctx, actor, paused)
	}
	for {
		p, err := a.endpoint(ctx, code)
		if err != nil || p.Paused == paused {
			return err
		}
		set := *p
		set.Paused = paused
		_, err = a.core.engine.EditConfig(ctx, actor, false, []command.ConfigEdit{{
			Collection: casm.CollectionByPath(casm.PubSubEndpoints), Code: code, Item: &set, Replace: true, IfMatch: p.Version,
		}})
		if v, ok := errors.AsType[casm.Violations](err); ok && v.Has(casm.VersionMismatch) {
			continue // somebody else changed it
		}
		return err
	}
}

// ResumeStream implements httpapi.Streams.
func (a streamsOf) ResumeStream(ctx context.Context, actor, code string, customer casm.Ref) error {
	if code == streamName {
		if !customer.IsZero() {
			return refused("/customer", "the built-in stream parks no customers; leave customer out")
		}
		return a.pauseRelay(ctx, actor, false)
	}
	if _, err := a.endpoint(ctx, code); err != nil {
		return err
	}
	id, err := a.customer(ctx, customer)
	if err != nil {
		return err
	}
	if _, err := a.endpoints.Resume(ctx, code, id); err != nil || id != nil {
		return a.absent(err)
	}
	return a.setPaused(ctx, actor, code, false)
}

// ReplayStream implements httpapi.Streams.
func (a streamsOf) ReplayStream(ctx context.Context, code string, r httpapi.StreamReplay) error {
	if code == streamName {
		return refused("code", "the built-in stream holds each message once, and is not sent anything twice: a subscriber reads it again from where it likes, by a consumer of its own, or pages through /v1/business-transactions")
	}
	p, err := a.endpoint(ctx, code)
	if err != nil {
		return err
	}
	if !r.Customer.IsZero() && p.Type != casm.EndpointWebhook {
		return refused("/customer", "an endpoint of the type "+p.Type+" gets all messages in one order; leave customer out")
	}
	id, err := a.customer(ctx, r.Customer)
	if err != nil {
		return err
	}
	after, pointer := r.After, "/after"
	if after == nil {
		pointer = "/since"
		at, err := a.endpoints.PositionAt(ctx, r.Since)
		if err != nil {
			return err
		}
		after = &at
	}
	err = a.endpoints.Replay(ctx, code, *after, id)
	switch {
	case errors.Is(err, endpoints.ErrBehindHead):
		return casm.Violations{{Code: casm.OutOfRange, Pointer: pointer, Detail: "the log does not go that far"}}
	case errors.Is(err, endpoints.ErrAhead):
		return casm.Violations{{Code: casm.OutOfRange, Pointer: pointer, Detail: "the endpoint has not come that far: what lies between would never be sent; give an earlier place"}}
	}
	return a.absent(err)
}

func (streamsOf) absent(err error) error {
	if errors.Is(err, endpoints.ErrNoProgress) {
		return httpapi.ErrNoStream
	}
	return err
}

func refused(pointer, detail string) error {
	return casm.Violations{{Code: casm.InvalidValue, Pointer: pointer, Detail: detail}}
}

// customer finds a customer, nil for none.
func (a streamsOf) customer(ctx context.Context, ref casm.Ref) (*uuid.UUID, error) {
	if ref.IsZero() {
		return nil, nil
	}
	var q engine.Query
	for _, r := range engine.Reads {
		if r.Kind == casm.KindCustomer {
			q.Read = r
		}
	}
	q.Ref = ref
	answer, err := a.core.engine.Read(ctx, q)
	if v, ok := errors.AsType[casm.Violations](err); ok {
		for i := range v {
			v[i].Pointer = "/customer"
		}
		return nil, v
	}
	if err != nil {
		return nil, err
	}
	var found struct {
		RefID uuid.UUID `json:"refId"`
	}
	return &found.RefID, json.Unmarshal(answer.Body, &found)
}

// StreamRequest is what an act on an endpoint is asked for through the socket.
type StreamRequest struct {
	After    string    `json:"after,omitzero"`
	Since    casm.Time `json:"since,omitzero"`
	Customer casm.Ref  `json:"customer,omitzero"`
}

// streamHandlers lets endpoints be administered through the socket.
func (a *App) streamHandlers(handle adminRoute) {
	s := streamsOf{a}
	handle("GET /streams", func(r *http.Request, _ local) (any, error) { return s.Streams(r.Context()) })
	act := func(name string, fn func(ctx context.Context, l local, code string, q StreamRequest) error) {
		handle("POST /streams/{code}/"+name, func(r *http.Request, l local) (any, error) {
			var q StreamRequest
			if err := json.UnmarshalRead(io.LimitReader(r.Body, 4<<10), &q); err != nil {
				return nil, casm.Violations{{Code: casm.MalformedJSON, Detail: err.Error()}}
			}
			code, outcome, customer := r.PathValue("code"), auth.OutcomeDone, q.Customer.ExternalID
			if customer == "" && !q.Customer.IsIDZero() {
				customer = q.Customer.RefID.String()
			}
			err := fn(r.Context(), l, code, q)
			if err != nil {
				outcome = auth.OutcomeRefused
			}
			auth.Audit(r.Context(), a.log, l.actor, name+"Stream", outcome, "socket", slog.String("stream", code),
				slog.String("customer", customer), slog.String("after", q.After), slog.Any("since", q.Since))
			if errors.Is(err, httpapi.ErrNoStream) {
				err = casm.Violations{{Code: casm.NotFound, Pointer: "endpoint", Detail: "there is no endpoint with this code; casm relay status lists them"}}
			}
			return struct{}{}, err
		})
	}
	act("pause", func(ctx context.Context, l local, code string, _ StreamRequest) error {
		return s.PauseStream(ctx, l.actor, code)
	})
	act("resume", func(ctx context.Context, l local, code string, q StreamRequest) error {
		return s.ResumeStream(ctx, l.actor, code, q.Customer)
	})
	act("replay", func(ctx context.Context, _ local, code string, q StreamRequest) error {
		r := httpapi.StreamReplay{Since: q.Since, Customer: q.Customer}
		if q.After != "" {
			at, err := casm.ParsePosition(q.After)
			if err != nil {
				return refused("after", err.Error())
			}
			r.After = &at
		}
		if (q.After == "") == q.Since.IsZero() {
			return casm.Violations{{Code: casm.OneOfRequired, Pointer: "after", Detail: "give --after or --since"}}
		}
		return s.ReplayStream(ctx, code, r)
	})
}

// Streams tells how far the built-in stream and each endpoint are.
func (r Relay) Streams(ctx context.Context) (list []httpapi.Stream, err error) {
	return list, r.remote.call(ctx, http.MethodGet, "/streams", nil, &list)
}

// Act pauses, resumes or replays an endpoint: "pause", "resume", "replay".
func (r Relay) Act(ctx context.Context, code, act string, q StreamRequest) error {
	return r.remote.call(ctx, http.MethodPost, "/streams/"+url.PathEscape(code)+"/"+act, q, &struct{}{})
}
