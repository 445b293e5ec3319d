package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"casm"
	"casm/store"
	"casm/store/sqlite"
)

func openAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ignore is the progress of a backup at which nobody looks.
func ignore(_, _ int64) {}

func headOf(t *testing.T, s store.Store) (head store.Head) {
	t.Helper()
	err := s.View(context.Background(), func(r store.Reader) (err error) {
		head, err = r.Head(context.Background())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// TestBackupWhileWriting takes a backup under writers: it is one state of the
// store, with everything that was committed before.
func TestBackupWhileWriting(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s := openAt(t, filepath.Join(dir, "casm.db"))
	if err := createCustomers(ctx, s, 0, 2000); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := 2000; ; i += 10 {
			select {
			case <-stop:
				return
			default:
			}
			if err := createCustomers(ctx, s, i, 10); err != nil {
				t.Error(err)
				return
			}
		}
	})
	before := headOf(t, s)
	copied := filepath.Join(dir, "copy.db")
	var told []int64
	err := s.Backup(ctx, copied, func(done, total int64) { told = append(told, done, total) })
	close(stop)
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}

	file, err := sqlite.Inspect(ctx, copied)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(copied + "?*"); left != nil {
		t.Errorf("beside the copy are %v", left)
	}
	if n := len(told); n == 0 || told[n-1] == 0 || told[n-2] != told[n-1] {
		t.Errorf("its progress was %v", told)
	}
	c := openAt(t, copied)
	head := headOf(t, c)
	if file.Head != head || file.Sums[casm.KindCustomer].Versions != head.Position {
		t.Errorf("inspected it holds %+v, it ends at %+v", file, head)
	}
	if head.Position < before.Position || head.Position > headOf(t, s).Position || head.Position%10 != 0 {
		t.Errorf("the copy ends at %d, the store was at %d and wrote tens", head.Position, before.Position)
	}
	err = c.View(ctx, func(r store.Reader) error {
		entries, err := r.Feed(ctx, casm.Position{Transaction: head.Position - 10, Ordinal: 0}, store.FeedFilter{}, 100)
		if len(entries) != 10 {
			t.Errorf("%d journal rows at the end, want 10", len(entries))
		}
		for _, e := range entries {
			l, err := r.Load(ctx, store.Needs{Entities: []store.Key{e.Key}})
			if err != nil || len(l.Entities) != 1 {
				t.Errorf("entity of %v: %v, %v", e.Position, l, err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	raised, err := c.RaiseEpoch(ctx, 0)
	if err != nil || raised.Epoch != head.Epoch+1 || raised != headOf(t, c) {
		t.Errorf("epoch raised from %+v to %+v: %v", head, raised, err)
	}
	if err := createCustomers(ctx, c, 1_000_000, 1); err != nil {
		t.Errorf("the copy takes no writes: %v", err)
	}
	if err := s.Backup(ctx, copied, ignore); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup over a file: %v", err)
	}
}

func TestBackupCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "casm.db"))
	path := filepath.Join(dir, "copy.db")
	if err := s.Backup(ctx, path, ignore); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left a file: %v", err)
	}
}

// TestBackupFile copies a store that nobody has open and that was not closed
// in order, as after a crash: its log is part of it.
func TestBackupFile(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "casm.db")
	s := openAt(t, path)
	if err := createCustomers(ctx, s, 0, 10); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(dir, "crashed.db")
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + end)
		if err == nil {
			err = os.WriteFile(crashed+end, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(dir, "copy.db")
	if err := sqlite.BackupFile(ctx, crashed, copied, ignore); err != nil {
		t.Fatal(err)
	}
	if f, err := sqlite.Check(ctx, copied); err != nil || f.Head.Position != 10 || f.Sums[casm.KindCustomer].Entities != 10 {
		t.Errorf("the copy holds %+v: %v", f, err)
	}
	if err := sqlite.BackupFile(ctx, filepath.Join(dir, "none.db"), filepath.Join(dir, "other.db"), ignore); err == nil {
		t.Error("copied what is not there")
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("made what was to be copied: %v", err)
	}
}
