package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"casm"
	"casm/auth"
	"casm/command"

	"github.com/google/uuid"
)

// Streams are the built-in stream and the endpoints that get copies.
type Streams interface {
	// Streams tells how far each is, the built-in one first.
	Streams(ctx context.Context) ([]Stream, error)
	// StreamBehind lists the customers that an endpoint could not send to yet,
	// by refId, behind one.
	StreamBehind(ctx context.Context, code string, parkedOnly bool, after uuid.UUID, limit int) ([]StreamCustomer, error)
	// PauseStream stops one until ResumeStream.
	PauseStream(ctx context.Context, actor, code string) error
	// ResumeStream ends a pause and lets parked customers be tried again; with a
	// customer only that is done of it.
	ResumeStream(ctx context.Context, actor, code string, customer casm.Ref) error
	// ReplayStream sends again what an endpoint got.
	ReplayStream(ctx context.Context, code string, r StreamReplay) error
}

// ErrNoStream is the error of Streams for a code that there is none with.
var ErrNoStream = errors.New("httpapi: there is no such stream")

// Stream is how far a stream or an endpoint is.
type Stream struct {
	Code            string    `json:"code" doc:"The endpoint's code, or stream for the built-in one."`
	Name            string    `json:"name" doc:"A name for people."`
	Type            string    `json:"type" is:"enum=STREAM|WEBHOOK|NATS|KAFKA" doc:"STREAM is the built-in one."`
	State           string    `json:"state" is:"enum=starting|running|standby|paused|blocked|failing" doc:"running: it sends, or waits for something to send; paused: by hand, or it is retired; failing: it tries again by itself; blocked: a person must change something, see lastError; starting: no server works on it yet. Of the built-in one what this server is about; standby: another server publishes."`
	Holder          string    `json:"holder,omitzero" doc:"The server that works on it, or did last."`
	Position        string    `json:"position,omitzero" doc:"Up to where in the log everything is sent, but for customers behind; 42 is behind all of transaction 42. Of the built-in one of a server that stands by it is not told."`
	LagTransactions *int64    `json:"lagTransactions,omitzero" doc:"How many business transactions wait."`
	LagSeconds      *int64    `json:"lagSeconds,omitzero" doc:"The age of the oldest of them, in whole seconds."`
	LastError       string    `json:"lastError,omitzero" doc:"The last error, also when all is well since."`
	LastErrorAt     casm.Time `json:"lastErrorAt,omitzero" doc:"When that was."`
	CustomersBehind *int64    `json:"customersBehind,omitzero" doc:"Of a webhook: customers whose messages it did not take, parked ones among them."`
	Parked          *int64    `json:"parked,omitzero" doc:"Of them those that failed for 24 hours and wait for a resume."`
}

// StreamCustomer is a customer whose messages an endpoint did not take.
type StreamCustomer struct {
	Customer casm.Ref  `json:"customer" ref:"Customer" doc:"The customer."`
	Position string    `json:"position" doc:"Behind this position its next message waits."`
	Parked   bool      `json:"parked" doc:"Whether it waits for a resume."`
	Since    casm.Time `json:"since,omitzero" doc:"Since when that message fails; none: it was not tried since it was resumed or replayed."`
	Attempts int64     `json:"attempts" doc:"How often that message was tried."`
	Error    string    `json:"error,omitzero" doc:"Why it failed last."`
}

// StreamReplay says from where on is sent again: After or Since.
type StreamReplay struct {
	After    *casm.Position
	Since    casm.Time
	Customer casm.Ref // zero: everything
}

// resumeRequest and replayRequest are bodies.
type resumeRequest struct {
	Customer casm.Ref `json:"customer,omitzero" in:"update" ref:"Customer" doc:"Only the parked messages of this customer; none: the endpoint, with all that are parked."`
}

type replayRequest struct {
	After    string    `json:"after,omitzero" in:"update" is:"max=50" doc:"The position behind which to begin, as the feed gives them; 42: behind all of transaction 42; 0: the first message."`
	Since    casm.Time `json:"since,omitzero" in:"update" doc:"Begins with what was written then, instead of after."`
	Customer casm.Ref  `json:"customer,omitzero" in:"update" ref:"Customer" doc:"Only this customer's messages; webhooks alone."`
}

var streamCode = []param{{Name: "code", Type: casm.TypeString, Doc: "The endpoint's code, or stream for the built-in one."}}

func streamEndpoints() []*endpoint {
	list := &endpoint{
		Method: http.MethodGet, Path: "/v1/streams", ID: "listStreams", Tag: tagStream, Permission: command.ReadStream,
		Summary: "Tells how far the built-in stream and each pub-sub endpoint are.", Answer: answer{Schema: "StreamItems"}, serve: listStreams,
	}
	behind := &endpoint{
		Method: http.MethodGet, Path: "/v1/streams/{code}/behind", ID: "listStreamBehind", Tag: tagStream, Permission: command.ReadStream,
		Summary: "Lists the customers whose messages a webhook did not take, by refId.", PathParams: streamCode,
		Params: []param{
			{Name: "parked", Type: casm.TypeBoolean, Doc: "Only those that are parked."},
			limitParam,
			{Name: "cursor", Type: casm.TypeID, Doc: "nextCursor of the page before."},
		},
		Answer: answer{Schema: "StreamCustomers"}, serve: streamBehind,
	}
	act := func(act, id, summary string, request *casm.Object, example string, serve func(*Server, *exchange)) *endpoint {
		return &endpoint{
			Method: http.MethodPost, Path: "/v1/streams/{code}/" + act, ID: id, Tag: tagStream, Permission: command.Admin, Summary: summary,
			PathParams: streamCode, Request: request, Example: example, Answer: answer{Schema: "Stream"}, serve: serve,
		}
	}
	resume := act("resume", "resumeStream", "Goes on where it was paused, and tries parked customers again; with customer only that one's messages.",
		casm.Describe[resumeRequest](), `{}`, resumeStream)
	resume.OptionalBody = true
	return []*endpoint{
		list, behind,
		act("pause", "pauseStream", "Stops the built-in stream or an endpoint, on all servers, until it is resumed.", nil, "", pauseStream),
		resume,
		act("replay", "replayStream", "Lets an endpoint send again what follows a position or a time.", casm.Describe[replayRequest](), `{"after": "0"}`, replayStream),
	}
}

// streamFails answers for an error of Streams.
func (x *exchange) streamFails(err error) {
	if errors.Is(err, ErrNoStream) {
		x.absent("", "there is no stream or endpoint with the code "+clip(x.r.PathValue("code"))+"; /v1/streams lists them")
		return
	}
	x.fail(err)
}

// hasStreams answers where nothing is known of streams.
func (x *exchange) hasStreams() bool {
	if x.s.streamsOf == nil {
		x.absent("", "this server knows no streams")
	}
	return x.s.streamsOf != nil
}

func listStreams(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok || !x.hasStreams() {
		return
	}
	items, err := s.streamsOf.Streams(x.context())
	if err != nil {
		x.fail(err)
		return
	}
	x.marshal(struct {
		Items []Stream `json:"items"`
	}{items})
}

func streamBehind(s *Server, x *exchange) {
	q, ok := x.query(nil)
	if !ok || !x.hasStreams() {
		return
	}
	limit := int(x.integer(q, "limit"))
	items, err := s.streamsOf.StreamBehind(x.context(), x.r.PathValue("code"), q["parked"].boolean, q["cursor"].id, limit+1)
	if err != nil {
		x.streamFails(err)
		return
	}
	out := struct {
		Items []StreamCustomer `json:"items"`
		Next  string           `json:"nextCursor,omitzero"`
	}{Items: items}
	if len(items) > limit {
		out.Items, out.Next = items[:limit], items[limit-1].Customer.RefID.String()
	}
	x.marshal(out)
}

// streamBody reads the body and the query of an act; it answers when something
// is wrong. A body that may be missing counts as empty then.
func (x *exchange) streamBody(into any) bool {
	data := []byte("{}")
	if !x.endpoint.OptionalBody || x.r.ContentLength != 0 {
		body, ok := x.body(maxBody)
		if !ok {
			return false
		}
		defer release(body)
		data = body.Bytes()
	}
	_, v := x.endpoint.Request.Decode(data, "", into)
	if !v.Has(casm.MalformedJSON) {
		x.readQuery(&v)
	}
	if len(v) > 0 {
		v.Sort()
		x.refuse(v)
		return false
	}
	return true
}

// acted audits an act on a stream, and answers with how the stream is then.
func (x *exchange) acted(err error, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("stream", clip(x.r.PathValue("code"))))
	if err != nil {
		x.audit(auth.OutcomeRefused, attrs...)
		x.streamFails(err)
		return
	}
	x.audit(auth.OutcomeDone, attrs...)
	all, err := x.s.streamsOf.Streams(x.context())
	if err != nil {
		x.fail(err)
		return
	}
	for _, stream := range all {
		if stream.Code == x.r.PathValue("code") {
			x.marshal(stream)
			return
		}
	}
	x.streamFails(ErrNoStream) // it was deleted since
}

func pauseStream(s *Server, x *exchange) {
	if _, ok := x.query(nil); ok && x.hasStreams() {
		x.acted(s.streamsOf.PauseStream(x.context(), x.who.Actor, x.r.PathValue("code")))
	}
}

func resumeStream(s *Server, x *exchange) {
	var q resumeRequest
	if !x.streamBody(&q) || !x.hasStreams() {
		return
	}
	x.acted(s.streamsOf.ResumeStream(x.context(), x.who.Actor, x.r.PathValue("code"), q.Customer), customerOf(q.Customer))
}

// customerOf is what an audit record has of a customer that was named.
func customerOf(ref casm.Ref) slog.Attr {
	switch {
	case ref.ExternalID != "":
		return slog.String("customer", clip(ref.ExternalID))
	case ref.RefID != uuid.Nil:
		return slog.String("customer", ref.RefID.String())
	}
	return slog.Attr{} // left out
}

func replayStream(s *Server, x *exchange) {
	var q replayRequest
	if !x.streamBody(&q) || !x.hasStreams() {
		return
	}
	r := StreamReplay{Since: q.Since, Customer: q.Customer}
	switch {
	case (q.After == "") == q.Since.IsZero():
		x.refuseOne(casm.OneOfRequired, "/after", "give after or since: from where on is to be sent again")
		return
	case q.After != "":
		at, err := casm.ParsePosition(q.After)
		if err != nil {
			x.refuseOne(casm.InvalidValue, "/after", "%s", err)
			return
		}
		r.After = &at
	}
	x.acted(s.streamsOf.ReplayStream(x.context(), x.r.PathValue("code"), r),
		customerOf(q.Customer), slog.String("after", q.After), slog.Any("since", q.Since))
}

// streamSchemas names the schemas of answers about streams.
func streamSchemas(s *schemas, items func(*object) *object) {
	s.named.set("StreamItems", items(s.name("Stream", casm.Describe[Stream](), reply)))
	customers := items(s.name("StreamCustomer", casm.Describe[StreamCustomer](), reply))
	properties, _ := find(customers, "properties")
	properties.(*object).set("nextCursor", obj("type", "string", "description", "Give it as cursor for the next page; none: this is the last."))
	s.named.set("StreamCustomers", customers)
}
