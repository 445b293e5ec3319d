package sqlite

import (
	"path/filepath"
	"testing"

	"casm"
	"casm/store"
)

// TestHashesLeaveHistory: of users whom an older release wrote the history keeps all but
// their passwords' hashes; nobody's present hash is touched.
func TestHashesLeaveHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "casm.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	user := func(hash string) []byte {
		doc, err := casm.EncodeItem(&casm.User{
			Item:  casm.Item{Code: "ann", Name: "Ann,", Description: "a \x00 and ,\"hash\":\"not one\",\\"},
			Roles: []string{"hash"}, Hash: hash, Era: "e",
		})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	ann, bob, key := store.CodeKey{Collection: "users", Code: "ann"}, store.CodeKey{Collection: "users", Code: "bob"}, store.CodeKey{Collection: "api-keys", Code: "k"}
	present, ofKey := user("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$b3RoZXI"), []byte(`{"code":"k","hash":"00"}`)
	_, err = s.write(&store.WriteSet{Config: []store.ConfigChange{
		{CodeKey: ann, Version: 1, Doc: user("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA+/")},
		{CodeKey: ann, Version: 2, Doc: present},
		{CodeKey: bob, Version: 1, Doc: present},
		{CodeKey: bob, Version: 2},
		{CodeKey: key, Version: 1, Doc: ofKey},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, `PRAGMA user_version = 6`) // as before the step
	if s, err = Open(t.Context(), path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	without := string(user(""))
	err = s.View(t.Context(), func(r store.Reader) error {
		items, err := r.Config(t.Context())
		for _, item := range items {
			if want := map[string][]byte{"ann": present, "k": ofKey}[item.Code]; string(item.Doc) != string(want) {
				t.Errorf("%s is %s now, want %s", item.Code, item.Doc, want)
			}
		}
		for of, want := range map[store.CodeKey][]string{ann: {without, without}, bob: {"", without}, key: {string(ofKey)}} {
			list, err := r.ConfigHistory(t.Context(), of, 10)
			if err != nil || len(list) != len(want) {
				t.Errorf("the history of %s has %d versions, %v", of.Code, len(list), err)
				continue
			}
			for i := range list {
				if string(list[i].Doc) != want[i] {
					t.Errorf("version %d of %s is kept as %s, want %s", list[i].Version, of.Code, list[i].Doc, want[i])
				}
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
