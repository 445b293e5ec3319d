package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// How denied acts are gathered. A flood of them costs the store this many
// records a second at the most, and the memory of two such seconds.
const (
	gatherFor   = time.Second
	maxGathered = 200
)

// How long a record of an act that was done is tried to be written, and the
// pause after a failure.
const (
	writeFor   = 5 * time.Second
	writeAgain = 250 * time.Millisecond
)

// further is the act of the record that counts what was too much to be kept
// apart.
const further = "further"

// Trail keeps the audit in a store. Acts that were done are written before
// write returns; denied ones are gathered, equal ones as one record with a
// count, and written together a second after the first. It may be used by many
// at once, and must be closed.
type Trail struct {
	store   store.Auditor
	log     *slog.Logger // one that is not Audited
	now     func() time.Time
	metrics trailMetrics

	mu       sync.Mutex
	gathered map[gatherKey]*store.AuditRecord
	order    []*store.AuditRecord // of gathered, as they came
	further  *store.AuditRecord   // nil: none
	closed   bool

	wake    chan struct{} // something was gathered
	quit    chan struct{}
	ended   chan struct{}
	context context.Context // of what is written in the background
	abort   context.CancelFunc
}

// gatherKey is by what denied acts are equal.
type gatherKey struct{ actor, act, outcome, remote, details string }

// TrailOptions are what a Trail is made with.
type TrailOptions struct {
	Store store.Auditor
	// Logger gets what could not be written; nil: nobody.
	Logger *slog.Logger
	// Metrics is where its metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

type trailMetrics struct{ records, dropped, failures prometheus.Counter }

// NewTrail makes a Trail and lets it run.
func NewTrail(o TrailOptions) *Trail {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	t := &Trail{
		store: o.Store, log: o.Logger, now: o.Now,
		metrics: trailMetrics{
			records:  counter("casm_audit_records_total", "Records written to the audit."),
			dropped:  counter("casm_audit_dropped_total", "Denied acts that the audit counts only, because too many different ones came within a second, or that it lost, because they could not be written."),
			failures: counter("casm_audit_write_failures_total", "Writes to the audit that failed; they are tried again."),
		},
		gathered: map[gatherKey]*store.AuditRecord{},
		wake:     make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.now == nil {
		t.now = time.Now
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(t.metrics.records, t.metrics.dropped, t.metrics.failures)
	}
	t.context, t.abort = context.WithCancel(context.Background())
	go t.run()
	return t
}

// Close writes what is gathered and ends the trail; what is not written when
// ctx ends is lost. Denied acts that come later are in the log alone. Closing
// again does nothing.
func (t *Trail) Close(ctx context.Context) {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if !closed {
		close(t.quit)
	}
	select {
	case <-t.ended:
	case <-ctx.Done():
	}
	t.abort()
	<-t.ended
}

// record makes the record of an act.
func (t *Trail) record(actor, act, outcome, remote, details string) store.AuditRecord {
	return store.AuditRecord{
		ID: store.AuditID(casm.TimeOf(t.now()), uuid.New()), Actor: cut(actor, maxActor), Act: cut(act, maxAct), Outcome: outcome,
		Remote: hostOf(remote), Count: 1, Details: []byte(details),
	}
}

// hostOf returns a remote address without the port, which differs for each connection.
func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	return cut(remote, maxRemote)
}

// write writes the record of an act that was done. The act cannot be taken
// back, so that the one who asked for it has gone does not end it.
func (t *Trail) write(ctx context.Context, actor, act, remote string, attrs []slog.Attr) error {
	records := []store.AuditRecord{t.record(actor, act, OutcomeDone, remote, details(attrs, ""))}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
	defer cancel()
	for {
		err := t.store.AppendAudit(ctx, records)
		if err == nil {
			t.metrics.records.Inc()
			return nil
		}
		t.metrics.failures.Inc()
		if !passing(err) || !pause(ctx, nil, writeAgain) {
			return err
		}
	}
}

// passing reports whether an error of the store may be over when the same is
// written again.
func passing(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown)
}

// pause waits; it reports false when ctx or quit, unless nil, ended first.
func pause(ctx context.Context, quit <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-quit:
	case <-ctx.Done():
	}
	return false
}

// gather takes a denied act. It waits for nothing but the lock.
func (t *Trail) gather(actor, act, outcome, remote string, attrs []slog.Attr) {
	r := t.record(actor, act, outcome, remote, details(attrs, ""))
	key := gatherKey{r.Actor, r.Act, r.Outcome, r.Remote, details(attrs, requestAttr)}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch equal := t.gathered[key]; {
	case equal != nil:
		equal.Count++
	case t.closed:
		t.metrics.dropped.Inc()
		return
	case len(t.order) < maxGathered:
		t.gathered[key] = &r
		t.order = append(t.order, &r)
	default:
		t.metrics.dropped.Inc()
		if t.further != nil {
			t.further.Count++
			return
		}
		more := t.record("", further, OutcomeDenied, "", fmt.Sprintf(`{"reason":"more than %d different denied acts within a second"}`, maxGathered))
		t.further = &more
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take returns what is gathered, and begins anew.
func (t *Trail) take() []store.AuditRecord {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := make([]store.AuditRecord, 0, len(t.order)+1)
	for _, r := range t.order {
		records = append(records, *r)
	}
	if t.further != nil {
		records = append(records, *t.further)
	}
	clear(t.gathered)
	t.order, t.further = nil, nil
	return records
}

// run writes what is gathered until the trail is closed.
func (t *Trail) run() {
	defer close(t.ended)
	for {
		select {
		case <-t.wake:
			pause(t.context, t.quit, gatherFor)
		case <-t.quit:
			t.flush(t.take())
			return
		}
		t.flush(t.take())
	}
}

// flush writes records, again and again while the store is away; meanwhile
// what comes is gathered.
func (t *Trail) flush(records []store.AuditRecord) {
	if len(records) == 0 {
		return
	}
	for tries := 0; ; tries++ {
		err := t.store.AppendAudit(t.context, records)
		if err == nil {
			t.metrics.records.Add(float64(len(records)))
			return
		}
		t.metrics.failures.Inc()
		again := passing(err) && pause(t.context, nil, gatherFor)
		if tries == 0 || !again {
			t.log.Error("denied acts could not be written to the audit", "records", len(records), "lost", !again, "error", err)
		}
		if again {
			continue
		}
		for i := range records {
			t.metrics.dropped.Add(float64(records[i].Count))
		}
		return
	}
}
