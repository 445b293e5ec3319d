package engine_test

import (
	"strings"
	"testing"

	"casm"
	"casm/store"
)

// TestLaterRelease: members that only a later release knows survive writes of
// this one, in the entity and in the journal, as servers of two releases serve
// side by side while one follows the other.
func TestLaterRelease(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", `{"externalId":"c","customName":"Ann","state":{"state":"ACTIVE","stateReason":"dfltActive"}}`)
	const later = `"loyalty":{"tier":"gold","since":[1,2]},`
	// What the later release writes: the entity with a member more.
	claim := store.ExternalID(casm.KindCustomer, "c")
	_, err := f.store.Commit(t.Context(), store.Needs{Claims: []store.ClaimKey{claim}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		e := l.Entities[0]
		e.Version, e.Updated = e.Version+1, max(l.Now, e.Updated+1)
		doc := strings.Replace(string(e.Doc), `{`, `{`+later, 1)
		e.Doc = []byte(strings.Replace(doc, `"version":1`, `"version":2`, 1))
		return &store.WriteSet{Entities: []store.Entity{e}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.do("updateCustomerCustomName", `{"customer":{"externalId":"c"},"customName":"Bea"}`)
	f.do("updateCustomerState", `{"customer":{"externalId":"c"},"state":{"state":"SUSPENDED","stateReason":"dfltSuspended"}}`)
	err = f.store.View(t.Context(), func(r store.Reader) error {
		l, err := r.Load(t.Context(), store.Needs{Claims: []store.ClaimKey{claim}})
		if err != nil {
			return err
		}
		e := l.Entities[0]
		versions, err := r.Versions(t.Context(), []store.VersionKey{{Key: e.Key, Version: 3}, {Key: e.Key, Version: 4}})
		if err != nil {
			return err
		}
		if e.Version != 4 || len(versions) != 2 {
			t.Fatalf("version %d, %d versions in the journal", e.Version, len(versions))
		}
		for _, doc := range [][]byte{e.Doc, versions[0].Doc, versions[1].Doc} {
			if !strings.Contains(string(doc), strings.TrimSuffix(later, ",")) {
				t.Errorf("lost: %s", doc)
			}
		}
		if !strings.Contains(string(e.Doc), `"customName":"Bea"`) || !strings.Contains(string(e.Doc), `SUSPENDED`) {
			t.Errorf("not changed: %s", e.Doc)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
