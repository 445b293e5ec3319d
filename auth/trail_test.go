package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"casm/auth"
	"casm/store"
	"casm/store/sqlite"

	"github.com/prometheus/client_golang/prometheus"
)

// auditing is a trail on a store, with the log that leads to it.
type auditing struct {
	t       *testing.T
	store   *sqlite.Store
	trail   *auth.Trail
	log     *slog.Logger
	lines   *bytes.Buffer
	metrics *prometheus.Registry
}

func newAuditing(t *testing.T, on func(store.Auditor) store.Auditor) *auditing {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &auditing{t: t, store: st, lines: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
	a.trail = auth.NewTrail(auth.TrailOptions{Store: on(st), Metrics: a.metrics})
	a.log = auth.Audited(slog.New(slog.NewTextHandler(a.lines, nil)), a.trail)
	t.Cleanup(func() {
		a.trail.Close(context.Background())
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func directly(s store.Auditor) store.Auditor { return s }

// records are those of the audit, newest first.
func (a *auditing) records() (list []store.AuditRecord) {
	a.t.Helper()
	err := a.store.View(context.Background(), func(r store.Reader) error {
		page, err := r.Audit(context.Background(), store.AuditQuery{Limit: 1000, Scan: 1000})
		list = page.Records
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// metric is the value of a counter.
func (a *auditing) metric(name string) float64 {
	a.t.Helper()
	families, err := a.metrics.Gather()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	a.t.Fatalf("no metric %s", name)
	return 0
}

// TestDoneIsWrittenAtOnce: a record of what was done can be read as soon as the
// call is back; the log has a line, too, also through With.
func TestDoneIsWrittenAtOnce(t *testing.T) {
	a := newAuditing(t, directly)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // who asked for it has gone
	for n, log := range []*slog.Logger{a.log, a.log.With("part", "x"), a.log.WithGroup("g")} {
		if err := auth.AuditDone(ctx, log, "local:anna", "relay.pause", "socket", slog.Int("n", n), slog.String("empty", "")); err != nil {
			t.Fatal(err)
		}
		auth.Audit(ctx, log, "local:anna", "relay.adopt", auth.OutcomeDone, "[2001:db8::1]:4711")
		if got := len(a.records()); got != 2*n+2 {
			t.Errorf("%d records after %d acts", got, 2*n+2)
		}
	}
	list := a.records()
	if r := list[len(list)-1]; r.Actor != "local:anna" || r.Act != "relay.pause" || r.Outcome != "done" || r.Remote != "socket" || r.Count != 1 || string(r.Details) != `{"n":"0"}` {
		t.Errorf("%+v %s", r, r.Details)
	}
	if r := list[0]; r.Remote != "2001:db8::1" || string(r.Details) != `{}` {
		t.Errorf("%+v %s", r, r.Details)
	}
	if n := strings.Count(a.lines.String(), "msg=audit"); n != 6 {
		t.Errorf("%d lines:\n%s", n, a.lines)
	}
	if n := a.metric("casm_audit_records_total"); n != 6 {
		t.Errorf("%v records are counted", n)
	}
}

// TestFlood: many equal denials are one record with a count, of many different
// ones some are kept and the others counted; all of them are accounted for.
func TestFlood(t *testing.T) {
	a := newAuditing(t, directly)
	const equal, different = 5_000, 3_000
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range equal / 8 {
				auth.Audit(t.Context(), a.log, "", "listCustomers", auth.OutcomeDenied, fmt.Sprint("192.0.2.1:", 1000+i),
					slog.String("reason", "no credential"), slog.String("id", fmt.Sprint(n, i)))
			}
		})
	}
	all.Wait()
	for n := range different {
		auth.Audit(t.Context(), a.log, "", "listCustomers", auth.OutcomeDenied, fmt.Sprintf("198.51.100.%d:1", n%250), slog.String("key", fmt.Sprint("k", n)))
	}
	a.trail.Close(t.Context())
	list := a.records()
	var sum, more int64
	for _, r := range list {
		if sum += r.Count; r.Act == "further" {
			more += r.Count
		}
		if strings.Contains(r.Remote, ":") {
			t.Errorf("%+v", r)
		}
	}
	if sum != equal+different {
		t.Errorf("%d denied acts are recorded, want %d", sum, equal+different)
	}
	// A second may have gone by on the way: then there are two such sets.
	if len(list) > 4*201 || more == 0 || a.metric("casm_audit_dropped_total") != float64(more) {
		t.Errorf("%d records, %d further ones, %v are counted", len(list), more, a.metric("casm_audit_dropped_total"))
	}
	// What comes after the end is in the log, and not lost without a trace.
	dropped := a.metric("casm_audit_dropped_total")
	auth.Audit(t.Context(), a.log, "", "late", auth.OutcomeDenied, "")
	if n := a.metric("casm_audit_dropped_total"); n != dropped+1 || !strings.Contains(a.lines.String(), "act=late") {
		t.Errorf("%v were dropped, %v before", n, dropped)
	}
}

// failing is a store that is away for so many times.
type failing struct {
	store.Auditor
	times atomic.Int64
	done  bool // it does what it says it may not have done
}

func (f *failing) AppendAudit(ctx context.Context, records []store.AuditRecord) error {
	if f.times.Add(-1) < 0 {
		return f.Auditor.AppendAudit(ctx, records)
	}
	if f.done {
		return errors.Join(store.ErrOutcomeUnknown, f.Auditor.AppendAudit(ctx, records))
	}
	return store.ErrUnavailable
}

// TestStoreIsAway: records come, once, when the store is back; meanwhile what
// was done is said not to be recorded.
func TestStoreIsAway(t *testing.T) {
	t.Parallel()
	var f *failing
	a := newAuditing(t, func(s store.Auditor) store.Auditor { f = &failing{Auditor: s}; return f })
	for _, f.done = range []bool{false, true} {
		f.times.Store(1)
		if err := auth.AuditDone(t.Context(), a.log, "a", "x", ""); err != nil {
			t.Fatal(err)
		}
	}
	f.times.Store(1 << 40)
	f.done = false
	var u *auth.Unrecorded
	if err := auth.AuditDone(t.Context(), a.log, "a", "y", ""); !errors.As(err, &u) || u.Act != "y" || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
	// A key of which that is so is there, but not shown.
	keys := auth.Keys{Configuration: newEngine(t), Logger: a.log}
	key, _, err := keys.Create(t.Context(), "root", "socket", auth.NewKey{Name: "crm", Permissions: []string{"Reader"}})
	if !errors.As(err, &u) || u.Act != "key.create" || key != "" {
		t.Errorf("a key that is not recorded: %q, %v", key, err)
	}
	if list, err := keys.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	auth.Audit(t.Context(), a.log, "", "z", auth.OutcomeDenied, "")
	f.times.Store(1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := make(chan struct{})
	go func() { defer close(closed); a.trail.Close(ctx) }()
	<-closed
	var acts []string
	for _, r := range a.records() {
		acts = append(acts, r.Act)
	}
	if strings.Join(acts, " ") != "z x x" || a.metric("casm_audit_write_failures_total") < 3 {
		t.Errorf("recorded: %v; %v failures", acts, a.metric("casm_audit_write_failures_total"))
	}
}

// TestCloseIsBounded: a store that stays away does not hold up the end, and
// what is lost is counted.
func TestCloseIsBounded(t *testing.T) {
	a := newAuditing(t, func(s store.Auditor) store.Auditor {
		f := &failing{Auditor: s}
		f.times.Store(1 << 40)
		return f
	})
	for range 3 {
		auth.Audit(t.Context(), a.log, "", "z", auth.OutcomeRefused, "")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a.trail.Close(ctx)
	if n := a.metric("casm_audit_dropped_total"); n != 3 {
		t.Errorf("%v were dropped", n)
	}
}

// TestDetailsAreBounded: whatever is given, a record has a JSON object of texts
// that the store takes.
func TestDetailsAreBounded(t *testing.T) {
	a := newAuditing(t, directly)
	hostile := []string{strings.Repeat("x", 100_000), strings.Repeat("\x00\x1b\"\\", 5000), strings.Repeat("\xff", 5000), strings.Repeat("ü", 5000), strings.Repeat("\u2028<", 5000)}
	for _, text := range hostile {
		var attrs []slog.Attr
		for n := range 20 {
			attrs = append(attrs, slog.String(fmt.Sprint("a", n), text))
		}
		if err := auth.AuditDone(t.Context(), a.log, text, text, text, attrs...); err != nil {
			t.Error(err)
		}
	}
	for _, r := range a.records() {
		var texts map[string]string
		if err := json.Unmarshal(r.Details, &texts); err != nil || len(texts) == 0 || len(r.Details) > 2048 {
			t.Errorf("%v, %d bytes: %s", err, len(r.Details), r.Details)
		}
		if len(r.Actor) > 1024 || len(r.Act) > 100 || len(r.Remote) > 100 || !utf8.ValidString(r.Actor+r.Act+r.Remote) || strings.ContainsFunc(r.Actor+r.Act+r.Remote, unicode.IsControl) {
			t.Errorf("%q %q %q", r.Actor, r.Act, r.Remote)
		}
	}
}
