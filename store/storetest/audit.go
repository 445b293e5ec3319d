package storetest

import (
	"fmt"
	"slices"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

var auditTests = []test{
	{"what was added is read, newest first", auditReads},
	{"pages hold every record once", auditPages},
	{"what is added again stands once", auditAgain},
	{"what is too long is refused, with all that came with it", auditRefuses},
	{"old records are forgotten, in steps", auditForgets},
}

func (w *world) record(at casm.Time, actor, act, outcome string) store.AuditRecord {
	return store.AuditRecord{
		ID: store.AuditID(at, uuid.New()), Actor: actor, Act: act, Outcome: outcome, Remote: "192.0.2.1", Count: 1,
		Details: fmt.Appendf(nil, `{"reason": "ü %s"}`, actor),
	}
}

func (w *world) append(records ...store.AuditRecord) {
	w.Helper()
	if err := w.store.AppendAudit(w.ctx, records); err != nil {
		w.Fatal(err)
	}
}

// audit reads all that a query asks for, in pages.
func (w *world) audit(q store.AuditQuery) (all []store.AuditRecord) {
	w.Helper()
	for {
		var page store.AuditPage
		w.view(func(r store.Reader) { page = must(r.Audit(w.ctx, q))(w) })
		if len(page.Records) > q.Limit {
			w.Fatalf("%d records, asked for %d", len(page.Records), q.Limit)
		}
		all = append(all, page.Records...)
		if page.Next == uuid.Nil {
			return all
		}
		q.Before = page.Next
	}
}

func auditReads(w *world) {
	at := w.tick()
	first := w.record(at, "local:anna", "key.create", "done")
	second := w.record(at+1, "", "listCustomers", "denied")
	second.Count, second.Details = 1<<40, []byte(`{}`)
	third := w.record(at+2, "key:crm", "listCustomers", "denied")
	w.append()
	w.append(second)
	w.append(third, first)
	check := func(q store.AuditQuery, want ...store.AuditRecord) {
		w.Helper()
		for _, limit := range []int{1, 100} {
			q.Limit, q.Scan = limit, 100
			same(w, fmt.Sprintf("%+v", q), w.audit(q), want)
		}
	}
	for range 2 {
		check(store.AuditQuery{}, third, second, first)
		check(store.AuditQuery{Actor: "key:crm"}, third)
		check(store.AuditQuery{Act: "listCustomers"}, third, second)
		check(store.AuditQuery{Outcome: "done"}, first)
		check(store.AuditQuery{Act: "listCustomers", Outcome: "denied", Until: at + 2}, second)
		check(store.AuditQuery{Act: "listCustomers", Outcome: "done"})
		check(store.AuditQuery{Actor: "key:crm", Act: "key.create"})
		check(store.AuditQuery{Since: at + 1}, third, second)
		check(store.AuditQuery{Until: at + 1}, first)
		check(store.AuditQuery{Since: at + 1, Until: at + 2}, second)
		check(store.AuditQuery{Actor: "key"})
		w.reopen()
	}
	if got := store.AuditTime(second.ID); got != at+1 {
		w.Errorf("the id says %v, want %v", got, at+1)
	}
}

func auditPages(w *world) {
	var all, done []store.AuditRecord
	for n := range 100 {
		r := w.record(w.tick(), fmt.Sprint("a", n%3), fmt.Sprint("b", n%7), "denied")
		if n == 10 || n == 80 {
			r.Outcome = "done"
			done = append(done, r)
		}
		all = append(all, r)
	}
	w.append(all...)
	slices.Reverse(all)
	slices.Reverse(done)
	for _, scan := range []int{7, 33, 1000} {
		same(w, "all", w.audit(store.AuditQuery{Limit: 7, Scan: scan}), all)
		same(w, "done", w.audit(store.AuditQuery{Outcome: "done", Limit: 7, Scan: scan}), done)
		var want []store.AuditRecord
		for _, r := range all {
			if r.Actor == "a1" && r.Act == "b2" {
				want = append(want, r)
			}
		}
		same(w, "two filters", w.audit(store.AuditQuery{Actor: "a1", Act: "b2", Limit: 3, Scan: scan}), want)
	}
}

func auditAgain(w *world) {
	a, b := w.record(w.tick(), "a", "x", "done"), w.record(w.tick(), "b", "x", "done")
	w.append(a)
	w.append(a, b)
	same(w, "records", w.audit(store.AuditQuery{Limit: 10, Scan: 10}), []store.AuditRecord{b, a})
}

func auditRefuses(w *world) {
	good, long := w.record(w.tick(), "a", "x", "done"), w.record(w.tick(), "b", "x", "done")
	long.Details = fmt.Appendf(nil, `{"reason":"%02100d"}`, 7)
	if err := w.store.AppendAudit(w.ctx, []store.AuditRecord{good, long}); err == nil {
		w.Error("details of more than 2 KiB were taken")
	}
	same(w, "records", w.audit(store.AuditQuery{Limit: 10, Scan: 10}), nil)
}

func auditForgets(w *world) {
	now := w.tick()
	var kept []store.AuditRecord
	for n := range 10 {
		r := w.record(now.Add(time.Duration(n)*time.Hour), "a", "x", "denied")
		if n >= 6 {
			kept = append(kept, r)
		}
		w.append(r)
	}
	before := now.Add(6 * time.Hour)
	for _, want := range []int{4, 2, 0} {
		if n, err := w.store.ForgetAudit(w.ctx, before, 4); n != want || err != nil {
			w.Errorf("%d forgotten, %v; want %d", n, err, want)
		}
	}
	slices.Reverse(kept)
	same(w, "kept", w.audit(store.AuditQuery{Limit: 10, Scan: 100}), kept)
}
