package engine_test

import (
	"testing"
	"time"

	"casm"
	"casm/engine"
	"casm/store"

	"github.com/google/uuid"
)

// TestAuditRetention: the worker deletes what of the audit is older than it is
// kept, all of it by itself, and nothing else; below 0 nothing.
func TestAuditRetention(t *testing.T) {
	const day = 24 * time.Hour
	left := func(f *fixture) (n int) {
		t.Helper()
		err := f.View(t.Context(), func(r store.Reader) error {
			page, err := r.Audit(t.Context(), store.AuditQuery{Limit: 5000, Scan: 5000})
			n = len(page.Records)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for retention, want := range map[time.Duration]int{day: 1, 3 * day: 1301, -1: 1301} {
		f := newFixture(t, true, func(o *engine.Options) {
			o.AuditRetention = retention
			record := func(before time.Duration) store.AuditRecord {
				at := casm.TimeOf(time.Now().Add(-before))
				return store.AuditRecord{ID: store.AuditID(at, uuid.New()), Outcome: "denied", Count: 1, Details: []byte("{}")}
			}
			records := []store.AuditRecord{record(day - time.Hour)}
			for range 1300 { // several steps
				records = append(records, record(day+time.Hour))
			}
			if err := o.Store.AppendAudit(t.Context(), records); err != nil {
				t.Fatal(err)
			}
		})
		if want == 1 {
			for end := time.Now().Add(time.Minute); left(f) > want; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("what is old is still there")
				}
			}
		}
		if more, err := f.Forget(t.Context()); more || err != nil {
			t.Errorf("%v: there is more, %t, or %v", retention, more, err)
		}
		if n := left(f); n != want {
			t.Errorf("%v: %d records are left, want %d", retention, n, want)
		}
	}
}

// TestRequestRetention: a requestId is known as long as it is kept, whatever its age
// below 0, and one that is forgotten is as new.
func TestRequestRetention(t *testing.T) {
	const day = 24 * time.Hour
	const body = `{"requestId":"old","customerProfile":"b2b"}`
	for retention, kept := range map[time.Duration]bool{0: false, 10 * day: false, 90 * day: true, -1: true} {
		f := newFixture(t, true, func(o *engine.Options) { o.RequestRetention = retention })
		f.do("createCustomer", body)
		f.advance(31 * day)
		if more, err := f.Forget(t.Context()); more || err != nil {
			t.Errorf("%v: there is more, %t, or %v", retention, more, err)
		}
		if a := f.do("createCustomer", body); a.replayed != kept {
			t.Errorf("%v: after 31 days it is known, %t, want %t", retention, a.replayed, kept)
		}
	}
}
