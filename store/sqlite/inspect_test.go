package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// checked gives a closed store's file with customers in some versions.
func checked(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "casm.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		e := entity(`{"name":"` + strings.Repeat("x", 500) + `"}`)
		for e.Version = 1; e.Version <= 2; e.Version++ {
			tx := store.Transaction{ID: uuid.New(), Operation: "test", Changes: []store.Change{{Key: e.Key, Version: e.Version, Event: "test", Doc: e.Doc}}}
			if _, err := s.write(&store.WriteSet{Entities: []store.Entity{e}, Transactions: []store.Transaction{tx}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// change runs a statement on a file.
func change(t *testing.T, path, sql string) {
	t.Helper()
	c, err := connect(path, true)
	if err == nil {
		err = errors.Join(c.script(sql), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCheck: what is not as it was is found, and nothing is written.
func TestCheck(t *testing.T) {
	whole, err := os.ReadFile(checked(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string // "" for none
	}{
		"as it was":         {func(*testing.T, string) {}, ""},
		"a version is lost": {func(t *testing.T, p string) { change(t, p, `DELETE FROM journal WHERE version = 2 AND seq % 5 = 0`) }, "journal does not come to the sums"},
		"an entity is lost": {func(t *testing.T, p string) { change(t, p, `DELETE FROM entity WHERE id = 7`) }, "of the type Customer are not those"},
		"an entity is old":  {func(t *testing.T, p string) { change(t, p, `UPDATE entity SET version = 1 WHERE id = 7`) }, "of the type Customer are not those"},
		"an index is wrong": {func(t *testing.T, p string) {
			change(t, p, `PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX entity_updated ON entity (kind, version, ref_id)' WHERE name = 'entity_updated'`)
		}, "entity_updated"},
		"a page is damaged": {func(t *testing.T, p string) {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			copy(b[len(b)/2:], strings.Repeat("damage", 1000))
			if err := os.WriteFile(p, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ":"},
		"of a newer release": {func(t *testing.T, p string) { change(t, p, `PRAGMA user_version = 99`) }, ErrNewer.Error()},
		"another's":          {func(t *testing.T, p string) { change(t, p, `PRAGMA application_id = 5`) }, "another application's"},
		"empty": {func(t *testing.T, p string) {
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "casm.db")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			test.spoil(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Check(t.Context(), path)
			switch {
			case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("checked: %v, want %q", err, test.want)
			case test.want == "" && (f.Head.Position != 600 || f.Sums[casm.KindCustomer].Entities != 300 || f.Sums[casm.KindCustomer].Versions != 600):
				t.Errorf("it holds %+v", f)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("it was changed: %v", err)
			}
			if all, _ := filepath.Glob(path + "*"); len(all) != 1 {
				t.Errorf("beside it are %v", all)
			}
		})
	}
}

// TestInspectOlder: a file of an older release, which kept no sums, is counted.
func TestInspectOlder(t *testing.T) {
	path := checked(t)
	want, err := Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	change(t, path, fmt.Sprintf(`ALTER TABLE log_head DROP COLUMN sums; PRAGMA user_version = %d`, sumsSchema-1))
	for _, look := range []func(context.Context, string) (File, error){Inspect, Check} {
		got, err := look(t.Context(), path)
		if err != nil || got.Schema != 1 || got.Head != want.Head || len(got.Sums) != 1 || got.Sums[casm.KindCustomer] != want.Sums[casm.KindCustomer] {
			t.Errorf("the older file holds %+v (%v), want %+v", got, err, want)
		}
	}
	if _, err := Inspect(t.Context(), path+".none"); err == nil {
		t.Error("inspected what is not there")
	}
	if _, err := os.Stat(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made what is not there: %v", err)
	}
}
