package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"casm"
	"casm/store"
	"casm/store/postgres"
)

// TestPlanned: what is pending is told, and nothing is changed.
func TestPlanned(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), startServer(t).Database(t, "template1")
	for range 2 {
		p, err := postgres.Planned(ctx, url)
		if err != nil || p.Has != 0 || len(p.Pending) != int(p.Needs) || p.Pending[0] != "00001_first.sql" {
			t.Errorf("of an empty database: %+v, %v", p, err)
		}
	}
	if err := postgres.MigrateTo(ctx, url, 1); err != nil {
		t.Fatal(err)
	}
	if p, err := postgres.Planned(ctx, url); err != nil || p.Has != 1 || len(p.Pending) != int(p.Needs)-1 {
		t.Errorf("after the first step: %+v, %v", p, err)
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	if p, err := postgres.Planned(ctx, url); err != nil || p.Has != p.Needs || len(p.Pending) != 0 {
		t.Errorf("after all: %+v, %v", p, err)
	}
}

// TestMigrateAcross brings a database of the first release to this one's while
// a process of that release writes, a report reads all tables in one long
// transaction, and three migrate at once: writers never wait for long.
func TestMigrateAcross(t *testing.T) {
	t.Parallel()
	ctx, url := context.Background(), startServer(t).Database(t, "template1")
	if err := postgres.MigrateTo(ctx, url, 1); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.OpenUnchecked(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	createCustomer(t, s, "first")

	// A partition that is missing must be attached beside what others read.
	month := time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).AddDate(0, 2, 0).Format("200601")
	admin := connect(t, url)
	exec(t, admin, `ALTER TABLE journal DETACH PARTITION journal_`+month)
	exec(t, admin, `DROP TABLE journal_`+month)
	report := connect(t, url)
	exec(t, report, `BEGIN ISOLATION LEVEL REPEATABLE READ`)
	exec(t, report, `SELECT (SELECT count(*) FROM entity), (SELECT count(*) FROM journal), (SELECT count(*) FROM business_transaction),
		(SELECT count(*) FROM claim), (SELECT count(*) FROM log_head), (SELECT count(*) FROM casm_customer)`)

	done := make(chan struct{})
	var longest time.Duration
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			begun := time.Now()
			createCustomer(t, s, fmt.Sprint("c", n))
			longest = max(longest, time.Since(begun))
			select {
			case <-done:
				return
			default:
			}
		}
	})
	time.AfterFunc(3*time.Second, func() { exec(t, report, `COMMIT`) })
	var migrations sync.WaitGroup
	for range 3 {
		migrations.Go(func() {
			if err := postgres.Migrate(ctx, url); err != nil {
				t.Error(err)
			}
		})
	}
	migrations.Wait()
	close(done)
	writer.Wait()
	t.Logf("the longest write took %v", longest.Round(time.Millisecond))
	if longest > 4*time.Second {
		t.Errorf("a write took %v while the schema was changed", longest)
	}
	if p, err := postgres.Planned(ctx, url); err != nil || len(p.Pending) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	now := open(t, url) // this release, on what both wrote
	defer now.Close()
	createCustomer(t, now, "last")
}

// TestHashesLeaveHistory: of users whom an older release wrote the history keeps all but
// their passwords' hashes; that release goes on, and nobody's present hash is touched.
func TestHashesLeaveHistory(t *testing.T) {
	t.Parallel()
	ctx, url := context.Background(), startServer(t).Database(t, "template1")
	if err := postgres.MigrateTo(ctx, url, 8); err != nil {
		t.Fatal(err)
	}
	older, err := postgres.OpenUnchecked(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer older.Close()
	const trap = "a \x00 and ,\"hash\":\"not one\",\\"
	write := func(s store.Store, collection, code string, version int64, item casm.ConfigItem) []byte {
		t.Helper()
		var doc []byte
		if item != nil {
			var err error
			if doc, err = casm.EncodeItem(item); err != nil {
				t.Fatal(err)
			}
		}
		change := store.ConfigChange{CodeKey: store.CodeKey{Collection: collection, Code: code}, Version: version, Doc: doc, At: casm.MinTime, Actor: "me"}
		_, err := s.Commit(ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			return &store.WriteSet{Config: []store.ConfigChange{change}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	user := func(hash string) *casm.User {
		return &casm.User{Item: casm.Item{Code: "ann", Name: "Ann,", Description: trap}, Roles: []string{"hash"}, Hash: hash, Era: "e"}
	}
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA+/"
	write(older, "users", "ann", 1, user(hash))
	present := write(older, "users", "ann", 2, user(hash+"2"))
	write(older, "users", "bob", 1, user(hash))
	write(older, "users", "bob", 2, nil)
	key := write(older, "api-keys", "k", 1, &casm.APIKey{Item: casm.Item{Code: "k", Name: "k"}, Hash: "00"})
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	without, err := casm.EncodeItem(user(""))
	if err != nil {
		t.Fatal(err)
	}
	now := open(t, url)
	defer now.Close()
	for _, s := range []store.Store{older, now} {
		err := s.View(ctx, func(r store.Reader) error {
			items, err := r.Config(ctx)
			for _, item := range items {
				if want := map[string][]byte{"ann": present, "k": key}[item.Code]; string(item.Doc) != string(want) {
					t.Errorf("%s is %s now, want %s", item.Code, item.Doc, want)
				}
			}
			for code, want := range map[string][]string{"ann": {string(without), string(without)}, "bob": {"", string(without)}, "k": {string(key)}} {
				collection := "users"
				if code == "k" {
					collection = "api-keys"
				}
				list, err := r.ConfigHistory(ctx, store.CodeKey{Collection: collection, Code: code}, 10)
				if err != nil || len(list) != len(want) {
					t.Errorf("the history of %s has %d versions, %v", code, len(list), err)
					continue
				}
				for i := range list {
					if string(list[i].Doc) != want[i] {
						t.Errorf("version %d of %s is kept as %s, want %s", list[i].Version, code, list[i].Doc, want[i])
					}
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	write(older, "users", "cid", 1, user(hash))
}
