package app

import (
	"path/filepath"
	"testing"

	"casm/store/sqlite"

	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestBackupOlder: a store of an older release is copied as it is, so that the
// older release can restore it, and brought to this one's when it is restored.
func TestBackupOlder(t *testing.T) {
	dir := t.TempDir()
	data, saved, fresh := filepath.Join(dir, "data"), filepath.Join(dir, "saved"), filepath.Join(dir, "fresh")
	l, err := lock(data)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, storeFile)
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range []func() error{s.Close, l.Unlock} {
		if err := fn(); err != nil {
			t.Fatal(err)
		}
	}
	now, err := sqlite.Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.OpenConn(path, driver.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(c, `DROP TABLE progress; DROP TABLE behind; DROP TABLE audit; DROP TABLE session; ALTER TABLE log_head DROP COLUMN sums; PRAGMA user_version = 1`, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	var done, total int64
	m, err := Backup(t.Context(), data, saved, "test", func(d, of int64) { done, total = d, of })
	if err != nil || m.Schema != 1 || done != total || done != 2*m.Files[storeFile].Bytes {
		t.Fatalf("backup %+v, %d of %d bytes: %v", m, done, total, err)
	}
	if left, err := sqlite.Inspect(t.Context(), path); err != nil || left.Schema != 1 {
		t.Errorf("the store that was copied has schema %d: %v", left.Schema, err)
	}
	r, err := Restore(t.Context(), saved, fresh, false, func(d, of int64, _ string) { done, total = d, of })
	if err != nil || r.NewEpoch <= m.Epoch || done != total {
		t.Fatalf("restored %+v, %d of %d bytes: %v", r, done, total, err)
	}
	if f, err := sqlite.Check(t.Context(), filepath.Join(fresh, storeFile)); err != nil || f.Schema != now.Schema || f.Head.Epoch != r.NewEpoch {
		t.Errorf("the restored store is %+v: %v", f, err)
	}
}
