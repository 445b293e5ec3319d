package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
)

func openTest(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "casm.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func (s *Store) write(set *store.WriteSet) (store.Head, error) {
	return s.Commit(context.Background(), store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		return set, nil
	})
}

func entity(doc string) store.Entity {
	id := uuid.New()
	return store.Entity{Key: store.Key{Kind: casm.KindCustomer, RefID: id}, Version: 1, Customer: id, Doc: []byte(doc)}
}

// TestDurable: the settings on which durability rests.
func TestDurable(t *testing.T) {
	s := openTest(t, Options{})
	w := <-s.writer
	defer func() { s.writer <- w }()
	for name, want := range map[string]int64{"synchronous": 2, "wal_autocheckpoint": checkpointPages, "busy_timeout": busyTimeout.Milliseconds()} {
		if got, err := w.pragma(name); err != nil || got != want {
			t.Errorf("%s is %d, want %d (%v)", name, got, want, err)
		}
	}
	stmt, _, err := w.PrepareTransient("PRAGMA journal_mode")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Finalize()
	if _, err := stmt.Step(); err != nil || stmt.ColumnText(0) != "wal" {
		t.Errorf("journal mode %s, want wal (%v)", stmt.ColumnText(0), err)
	}
}

func TestForeignFiles(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"of a newer release": {fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 99", applicationID), "newer release"},
		"of another program": {"PRAGMA application_id = 1", "another application"},
		"without a mark":     {"CREATE TABLE t (a); PRAGMA user_version = 1", "another application"},
	} {
		path := filepath.Join(t.TempDir(), "casm.db")
		raw, err := sqlite.OpenConn(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := (conn{Conn: raw}).script(c.sql); err != nil {
			t.Fatal(err)
		}
		raw.Close()
		if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a file %s: error %v", name, err)
		}
	}
	if _, err := Open(context.Background(), filepath.Join(t.TempDir(), "no", "such", "folder"), Options{}); err == nil {
		t.Error("opened in a folder that does not exist")
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)
	s := openTest(t, Options{Now: func() time.Time { return now }})
	err := s.View(context.Background(), func(r store.Reader) error {
		l, err := r.Load(context.Background(), store.Needs{})
		if l.Now.String() != "2026-05-01T12:00:00.123456Z" {
			t.Errorf("now %v", l.Now)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReaders: connections are opened when needed, no more than allowed, and
// who waits for one gives up with its context.
func TestReaders(t *testing.T) {
	s := openTest(t, Options{Readers: 2})
	opened := func() (n int) {
		for range cap(s.readers) {
			c := <-s.readers
			if c.Conn != nil {
				n++
			}
			s.readers <- c
		}
		return n
	}
	if n := opened(); n != 0 {
		t.Errorf("%d readers before the first View", n)
	}
	nothing := func(store.Reader) error { return nil }
	if err := s.View(context.Background(), nothing); err != nil || opened() != 1 {
		t.Errorf("%d readers after the first View (%v)", opened(), err)
	}
	err := s.View(context.Background(), func(store.Reader) error {
		return s.View(context.Background(), func(store.Reader) error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			err := s.View(ctx, nothing)
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a third View: %v", err)
			}
			return nil
		})
	})
	if err != nil || opened() != 2 {
		t.Errorf("%d readers in the end (%v)", opened(), err)
	}
}

// TestReadersCannotWrite: a reader's connection refuses, whatever is asked.
func TestReadersCannotWrite(t *testing.T) {
	s := openTest(t, Options{})
	err := s.View(context.Background(), func(r store.Reader) error {
		return r.(*reader).c.exec("DELETE FROM log_head", nil)
	})
	if err == nil {
		t.Error("a reader wrote")
	}
}

// TestLockedByAnother: another process that holds the write lock makes the
// store unavailable for writing, not for reading.
func TestLockedByAnother(t *testing.T) {
	s := openTest(t, Options{})
	w := <-s.writer
	w.SetBusyTimeout(10 * time.Millisecond)
	s.writer <- w
	other, err := connect(s.path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.exec("BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write(&store.WriteSet{Entities: []store.Entity{entity("{}")}}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while locked: %v", err)
	}
	if err := s.View(context.Background(), func(r store.Reader) error { _, err := r.Head(context.Background()); return err }); err != nil {
		t.Errorf("reading while locked: %v", err)
	}
	if err := other.rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write(&store.WriteSet{Entities: []store.Entity{entity("{}")}}); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// TestLostConnection: a connection whose transaction could not be ended is
// replaced, the writer's too.
func TestLostConnection(t *testing.T) {
	s, ctx := openTest(t, Options{Readers: 1}), context.Background()
	for _, pool := range []chan conn{s.writer, s.readers} {
		c, err := s.take(ctx, pool)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.exec("BEGIN", nil); err != nil {
			t.Fatal(err)
		}
		s.put(pool, c)
		if _, err := s.write(&store.WriteSet{Entities: []store.Entity{entity("{}")}}); err != nil {
			t.Error(err)
		}
		if err := s.View(ctx, func(r store.Reader) error { _, err := r.Head(ctx); return err }); err != nil {
			t.Error(err)
		}
	}
}

// TestDiskFull: a set for which there is no room is not refused for what it
// holds, leaves nothing behind, and works when there is room again.
func TestDiskFull(t *testing.T) {
	s := openTest(t, Options{})
	room := func(pages int) {
		w := <-s.writer
		defer func() { s.writer <- w }()
		if err := w.script(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	room(60)
	large := entity(`"` + strings.Repeat("x", 1<<20) + `"`)
	set := &store.WriteSet{Entities: []store.Entity{entity("{}"), large}}
	if _, err := s.write(set); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without room: %v", err)
	}
	err := s.View(context.Background(), func(r store.Reader) error {
		l, err := r.Load(context.Background(), store.Needs{Entities: []store.Key{set.Entities[0].Key, large.Key}})
		if len(l.Entities) != 0 {
			t.Errorf("%d entities left behind", len(l.Entities))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	room(1 << 30)
	if _, err := s.write(set); err != nil {
		t.Errorf("with room: %v", err)
	}
}

// TestErrors: what an error of SQLite means to the engine.
func TestErrors(t *testing.T) {
	for code, want := range map[sqlite.ResultCode]error{
		sqlite.ResultIOErrWrite:       store.ErrUnavailable,
		sqlite.ResultFull:             store.ErrUnavailable,
		sqlite.ResultBusySnapshot:     store.ErrUnavailable,
		sqlite.ResultCorrupt:          store.ErrUnavailable,
		sqlite.ResultConstraintCheck:  nil,
		sqlite.ResultConstraintUnique: nil,
		sqlite.ResultTooBig:           nil,
	} {
		err := classify(fmt.Errorf("write: %w", code.ToError()))
		if errors.Is(err, store.ErrUnavailable) != (want != nil) || sqlite.ErrCode(err) != code {
			t.Errorf("%v became %v", code, err)
		}
	}
	if err := commitError(sqlite.ResultIOErrFsync.ToError()); !errors.Is(err, store.ErrOutcomeUnknown) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a failed flush at COMMIT became %v", err)
	}
	if err := commitError(sqlite.ResultFull.ToError()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("no room at COMMIT became %v", err)
	}
}

// TestClaimFits: a claim that does not follow from its transaction could not be
// given back, so it is refused.
func TestClaimFits(t *testing.T) {
	s := openTest(t, Options{})
	tx := store.Transaction{ID: uuid.New(), RequestID: "r", Claim: store.Request("other", -1)}
	if _, err := s.write(&store.WriteSet{Transactions: []store.Transaction{tx}}); err == nil {
		t.Error("taken")
	}
}

// TestLongQueryStops: the end of the context stops a query between rows and
// within one.
func TestLongQueryStops(t *testing.T) {
	s := openTest(t, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.View(ctx, func(r store.Reader) error {
		return r.(*reader).query(ctx, "numbers", `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
			SELECT count(*) FROM n WHERE i < 0 LIMIT 1`, func(*args) {}, func(*row) error { return nil })
	})
	if !errors.Is(err, store.ErrUnavailable) || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	if err := s.View(context.Background(), func(r store.Reader) error { _, err := r.Head(context.Background()); return err }); err != nil {
		t.Errorf("the connection afterwards: %v", err)
	}
}
