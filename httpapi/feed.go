package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"casm"
	"casm/auth"
	"casm/relay"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// feedItem is one message of the feed (contract 7).
type feedItem struct {
	Position      string         `json:"position" doc:"Its place; give it as after to go on behind it."`
	TransactionID uuid.UUID      `json:"transactionId" doc:"The business transaction."`
	RequestID     string         `json:"requestId,omitzero" doc:"The client's id of the request."`
	Operation     string         `json:"operation" doc:"The operation."`
	MessageCode   string         `json:"messageCode" doc:"What the message is about."`
	Event         string         `json:"event" doc:"What happened to it."`
	Timestamp     casm.Time      `json:"timestamp" doc:"When."`
	RecordedAt    casm.Time      `json:"recordedAt,omitzero" doc:"When this version was recorded, where that is not timestamp: versions of one entity are a microsecond apart at least."`
	Actor         string         `json:"actor,omitzero" doc:"Who did it."`
	Comment       string         `json:"comment,omitzero" doc:"Why."`
	Payload       jsontext.Value `json:"payload" doc:"The message's body: the entity after the change."`
	Headers       jsontext.Value `json:"headers,omitzero" doc:"Where they were asked for: the message's headers on the stream, by name."`
}

// feedOptions say what a client asked for beside the items.
type feedOptions struct {
	headers bool
}

// appendFeedItem appends the item of an entry; epoch is the log's.
func (o feedOptions) appendFeedItem(b []byte, e *store.Entry, epoch int64) ([]byte, error) {
	t := &e.Transaction
	recorded := e.At
	if recorded == t.At {
		recorded = 0
	}
	var headers jsontext.Value
	if o.headers {
		headers = messageHeaders(e, epoch)
	}
	item, err := json.Marshal(feedItem{
		Position: e.Position.String(), TransactionID: t.ID, RequestID: t.RequestID, Operation: t.Operation,
		MessageCode: e.Kind.MessageCode(), Event: e.Event, Timestamp: t.At, RecordedAt: recorded, Actor: t.Actor, Comment: t.Comment,
		Payload: relay.Body(*e), Headers: headers,
	})
	if err != nil {
		return b, fmt.Errorf("feed: position %v: %w", e.Position, err)
	}
	return append(b, item...), nil
}

// messageHeaders are the headers with which the relay publishes an entry, in
// its order.
func messageHeaders(e *store.Entry, epoch int64) jsontext.Value {
	b := []byte{'{'}
	for i, h := range relay.Message(*e, epoch, relay.DefaultSource).Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, h.Name) // bad UTF-8, which the store does not give, would be replaced
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, h.Value)
	}
	return append(b, '}')
}

var (
	afterParam  = param{Name: "after", Type: casm.TypeString, Doc: "The position behind which to begin; 42 is behind all of transaction 42, 0 the beginning."}
	feedFilters = []param{
		{Name: "customer", Type: casm.TypeID, Doc: "Only what belongs to the customer with this refId."},
		{Name: "messageCode", Type: casm.TypeString, Enum: messageCodes(), Doc: "Only messages about this."},
		{Name: "headers", Type: casm.TypeBoolean, Doc: "Adds the headers with which each message is published on the stream."},
	}
	feedParams = append([]param{
		afterParam,
		{Name: "limit", Type: casm.TypeInteger, Min: 1, Max: 1000, Default: 100, Doc: "How many at most."},
	}, feedFilters...)
	streamParams = append([]param{afterParam}, feedFilters...)
)

func messageCodes() []string {
	var codes []string
	for _, k := range casm.Kinds {
		codes = append(codes, k.MessageCode())
	}
	return codes
}

// feedQuery reads the query of the feed or of the live stream.
func (x *exchange) feedQuery() (q values, start casm.Position, filter store.FeedFilter, o feedOptions, ok bool) {
	q, ok = x.query(func(q values, v *casm.Violations) {
		var err error
		if q.has("after") {
			if start, err = casm.ParsePosition(q["after"].text); err != nil {
				v.Add(casm.InvalidValue, "after", "%s", err)
			}
		}
		if last := x.r.Header.Get(lastEventID); last != "" && x.endpoint.ID == streamID {
			if start, err = casm.ParsePosition(last); err != nil {
				v.Add(casm.InvalidValue, lastEventID, "%s", err)
			}
		}
	})
	filter.Customer = q["customer"].id
	filter.Kind, _ = casm.KindByMessageCode(q["messageCode"].text)
	o.headers = q["headers"].boolean
	return q, start, filter, o, ok
}

// Bounds of what a page of the feed keeps in memory.
const (
	feedChunk = 100     // rows read at once
	feedBytes = 8 << 20 // when a page is long enough, however few items it has
)

// feed serves pages of all business transactions, from the first.
func feed(s *Server, x *exchange) {
	q, after, filter, o, ok := x.feedQuery()
	if !ok {
		return
	}
	var head store.Head
	body := []byte(`{"items":[`)
	err := s.engine.View(x.context(), func(r store.Reader) (err error) {
		if head, err = r.Head(x.context()); err != nil {
			return err
		}
		for left := int(x.integer(q, "limit")); left > 0 && len(body) < feedBytes; {
			chunk := min(left, feedChunk)
			entries, err := r.Feed(x.context(), after, filter, chunk)
			if err != nil {
				return err
			}
			for i := range entries {
				if body[len(body)-1] != '[' {
					body = append(body, ',')
				}
				if body, err = o.appendFeedItem(body, &entries[i], head.Epoch); err != nil {
					return err
				}
				after = entries[i].Position
			}
			if left -= chunk; len(entries) < chunk {
				break
			}
		}
		return nil
	})
	if err != nil {
		x.fail(err)
		return
	}
	x.json(http.StatusOK, fmt.Appendf(body, `],"epoch":%d,"head":%d}`, head.Epoch, head.Position))
}

// How the live stream goes on.
const (
	streamID    = "streamBusinessTransactions"
	streamPage  = 100                   // messages in one read
	streamPause = 20 * time.Millisecond // between reads, however often something is committed
	streamPoll  = time.Second           // for what other servers commit
	streamBeat  = 15 * time.Second      // between comments that keep the connection open
	streamWrite = 15 * time.Second      // for one write to a slow client
	endOfTx     = math.MaxInt32         // an ordinal behind all of a transaction

	lastEventID = "Last-Event-ID"
)

// live is one client that follows the feed.
type live struct {
	s      *Server
	x      *exchange
	out    *http.ResponseController
	after  casm.Position
	filter store.FeedFilter
	o      feedOptions
	buf    []byte
}

// stream serves business transactions as they happen, as server-sent events.
// It begins behind Last-Event-ID, else behind after, else at the present end.
func stream(s *Server, x *exchange) {
	q, after, filter, o, ok := x.feedQuery()
	if !ok {
		return
	}
	given := q.has("after") || x.r.Header.Get(lastEventID) != ""
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		x.wait(streamBeat)
		x.refuseOne(casm.Overloaded, "", "%d clients follow the business transactions already; nothing was done, try again later", maxStreams)
		return
	}
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	l := &live{s: s, x: x, out: http.NewResponseController(x.ResponseWriter), after: after, filter: filter, o: o}
	if !given {
		if err := l.toEnd(); err != nil {
			x.fail(err)
			return
		}
	}
	x.Header().Set("Content-Type", "text/event-stream")
	x.Header().Set("X-Accel-Buffering", "no")
	if x.r.Method == http.MethodHead {
		x.WriteHeader(http.StatusOK)
		return
	}
	// The id lets a client resume behind where it began, also when nothing came.
	if err := l.write(fmt.Appendf(nil, "retry: 1000\nid: %v\n\n", l.after)); err != nil {
		return
	}
	if err := l.follow(); err != nil && x.context().Err() == nil {
		x.s.log.LogAttrs(x.context(), slog.LevelWarn, "a live stream ended", slog.String("id", x.id), slog.Any("error", err))
	}
}

// toEnd begins behind what is committed now.
func (l *live) toEnd() error {
	return l.s.engine.View(l.x.context(), func(r store.Reader) error {
		head, err := r.Head(l.x.context())
		l.after = casm.Position{Transaction: head.Position, Ordinal: endOfTx}
		return err
	})
}

// follow sends messages until the client leaves, its credential ends, or the
// server stops.
func (l *live) follow() error {
	ctx := l.x.context()
	poll, beat := time.NewTicker(streamPoll), time.NewTicker(streamBeat)
	defer poll.Stop()
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		committed := l.s.engine.Committed() // before the read, so that no commit is missed
		more, err := l.page(ctx)
		if err != nil {
			return err
		}
		if more && !l.ended(ctx) {
			if !l.stillMay() { // who is far behind does not get to where it is looked now and then
				return nil
			}
			continue
		}
		pause.Reset(streamPause)
		select {
		case <-ctx.Done():
			return nil
		case <-l.s.closing:
			return nil
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.s.closing:
			return nil
		case <-committed:
		case <-poll.C:
			if !l.stillMay() {
				return nil
			}
		case <-beat.C:
			if err := l.write([]byte(": \n\n")); err != nil {
				return err
			}
		}
	}
}

// ended reports whether client or server are leaving.
func (l *live) ended(ctx context.Context) bool {
	select {
	case <-l.s.closing:
		return true
	default:
		return ctx.Err() != nil
	}
}

// stillMay reports whether the credential holds: a revocation ends the stream.
func (l *live) stillMay() bool {
	if l.s.dev {
		return true
	}
	who, err := l.s.auth.Recheck(l.x.r)
	if d := auth.DeniedBy(err); d != nil {
		l.x.audit(auth.OutcomeDenied, slog.String("reason", d.Reason), slog.String("key", d.Key), slog.String("user", d.User))
		return false
	}
	// That the store cannot be asked is no reason to send anybody away; the
	// next read will say so.
	if err != nil || who.May(l.x.endpoint.Permission) {
		return true
	}
	l.x.audit(auth.OutcomeDenied, slog.String("reason", "needs "+string(l.x.endpoint.Permission)), slog.String("key", who.Key), slog.String("user", who.User))
	return false
}

// page sends what is new, and reports whether there may be more at once.
func (l *live) page(ctx context.Context) (more bool, err error) {
	l.buf = l.buf[:0]
	err = l.s.engine.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		entries, err := r.Feed(ctx, l.after, l.filter, streamPage)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := l.event(&entries[i], head.Epoch); err != nil {
				return err
			}
			l.after = entries[i].Position
		}
		if more = len(entries) == streamPage; !more {
			// Nothing up to the head is left for this client: the next read
			// need not look at it again.
			if end := (casm.Position{Transaction: head.Position, Ordinal: endOfTx}); end.Compare(l.after) > 0 {
				l.after = end
			}
		}
		return nil
	})
	if err != nil || len(l.buf) == 0 {
		return more, err
	}
	return more, l.write(l.buf)
}

// event appends one message as a server-sent event.
func (l *live) event(e *store.Entry, epoch int64) error {
	l.buf = fmt.Appendf(l.buf, "id: %v\ndata: ", e.Position)
	at := len(l.buf)
	var err error
	if l.buf, err = l.o.appendFeedItem(l.buf, e, epoch); err != nil {
		return err
	}
	if bytes.ContainsAny(l.buf[at:], "\r\n") { // a document that was not written by this release
		var v jsontext.Value = bytes.Clone(l.buf[at:])
		if err := v.Compact(); err != nil {
			return err
		}
		l.buf = append(l.buf[:at], v...)
	}
	l.buf = append(l.buf, "\n\n"...)
	return nil
}

// write sends bytes to the client at once; one that does not take them in time
// is cut off.
func (l *live) write(b []byte) error {
	if err := l.out.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := l.x.Write(b); err != nil {
		return err
	}
	return l.out.Flush()
}
