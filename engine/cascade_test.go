package engine_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
	"casm/store"

	"github.com/google/uuid"
)

// crowd puts n copies of the subscription o below its owner.
func (f *fixture) crowd(n int) {
	f.Helper()
	claim := store.ExternalID(casm.KindOfferSubscription, "o")
	for at := 0; at < n; {
		_, err := f.store.Commit(f.Context(), store.Needs{Claims: []store.ClaimKey{claim}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			i := slices.IndexFunc(l.Entities, func(e store.Entity) bool { return e.RefID == l.Claims[claim] })
			model := l.Entities[i]
			entity, err := casm.DecodeEntity(model.Kind, model.Doc)
			if err != nil {
				return nil, err
			}
			entity.Top().ExternalID, model.ExternalID = "", ""
			doc, err := casm.EncodeEntity(entity)
			if err != nil {
				return nil, err
			}
			set := &store.WriteSet{Uses: map[store.CodeKey]int64{}}
			for ; at < n && len(set.Entities) < 10_000; at++ {
				e := model
				e.RefID = uuid.Must(uuid.NewV7())
				e.Doc = bytes.Replace(doc, []byte(model.RefID.String()), []byte(e.RefID.String()), 1)
				set.Entities = append(set.Entities, e)
			}
			for _, code := range command.EntityCodes(entity) {
				set.Uses[store.CodeKey(code)] += int64(len(set.Entities))
			}
			return set, nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}

// TestRule21AtMost100000: a cascade reaches up to 100,000 entities. One that
// would reach more is refused, and does not read what it will not change.
func TestRule21AtMost100000(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds")
	}
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customerProfile":"b2b"}`)
	for _, name := range []string{"o", "p"} {
		f.do("createSubscriptionOnCustomer", fmt.Sprintf(`{"customer":{"externalId":"c"},"externalId":%q,"offer":"offer_code","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`, name))
	}
	measure := func(what string, do func()) (allocated uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		do()
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated = after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %v, %d MiB allocated, %d MiB of heap", what, took.Round(time.Millisecond), allocated>>20, after.HeapSys>>20)
		return allocated
	}
	suspend := stateBody(casm.KindCustomer, "c", casm.Suspended, cascade)
	refused := func() { f.refused("updateCustomerState", suspend, "too_many /subordinateUpdated") }
	f.crowd(100_000 - 1)
	few := measure("100,001 refused", refused)
	f.do("updateSubscriptionState", stateBody(casm.KindOfferSubscription, "p", casm.Deactivated))
	measure("100,000 tried", func() {
		a := f.do("updateCustomerState", suspend, func(w *engine.Write) { w.DryRun = true })
		if a.ImpactedTotal != 100_001 || len(a.Impacted) != 100 {
			t.Errorf("%d impacted, %d listed", a.ImpactedTotal, len(a.Impacted))
		}
	})
	f.crowd(50_000)
	many := measure("150,000 refused", refused)
	if many > few+few/5 {
		t.Errorf("to refuse 150,000 took %d MiB, 100,001 %d MiB", many>>20, few>>20)
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 1, "state.state", casm.Active)
}
