package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/store"
	"casm/store/postgres"

	"github.com/google/uuid"
)

// behind opens a store on a new database through a proxy.
func behind(t *testing.T) (*postgres.Store, *testkit.Proxy, string) {
	t.Helper()
	pg := startServer(t)
	proxy, err := testkit.StartProxy(pg.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	url := database(t)
	s := open(t, strings.Replace(url, pg.Address(), proxy.Address(), 1))
	t.Cleanup(func() { s.Close() })
	return s, proxy, url
}

// once commits a new customer under a request id, unless that was done, as the
// engine does; it tells whether it had been.
func once(ctx context.Context, s store.Store, requestID string) (done bool, err error) {
	request := store.Request(requestID, -1)
	_, err = s.Commit(ctx, store.Needs{Requests: []store.ClaimKey{request}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		if _, done = l.Transactions[request]; done {
			return nil, nil
		}
		return write(l, requestID, customer(l, newID(), requestID)), nil
	})
	return done, err
}

// effects counts how often requests took effect, by a direct look.
func effects(t *testing.T, url string) map[string]int {
	t.Helper()
	s := open(t, url)
	defer s.Close()
	ctx := context.Background()
	found := make(map[string]int)
	after := casm.Start
	for {
		var page []store.Entry
		err := s.View(ctx, func(r store.Reader) (err error) {
			page, err = r.Feed(ctx, after, store.FeedFilter{}, 1000)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Position.Transaction != after.Transaction+1 {
				t.Fatalf("%v follows %v", e.Position, after)
			}
			after = e.Position
			found[e.Transaction.RequestID]++
		}
		if len(page) == 0 {
			return found
		}
	}
}

// TestCutAtCommit: whether a COMMIT arrived is not known where the connection
// is cut at it, and said so; the repeat settles it.
func TestCutAtCommit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, cut := range []testkit.Cut{testkit.CutBeforeCommit, testkit.CutAfterCommit} {
		s, proxy, url := behind(t)
		if _, err := once(ctx, s, "warm"); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			name := fmt.Sprint("request ", n)
			proxy.Arm(cut)
			if _, err := once(ctx, s, name); !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("cut %d: %v, want an unknown outcome", cut, err)
			}
			done, err := once(ctx, s, name)
			if want := cut == testkit.CutAfterCommit; err != nil || done != want {
				t.Errorf("cut %d: the repeat found it done: %t, %v", cut, done, err)
			}
		}
		if proxy.Cuts() != 3 {
			t.Errorf("%d cuts were made, want 3", proxy.Cuts())
		}
		for name, n := range effects(t, url) {
			if n != 1 {
				t.Errorf("cut %d: %s took effect %d times", cut, name, n)
			}
		}
	}
}

// TestCutBefore: what loses its connection before a COMMIT could be sent is
// done on another one.
func TestCutBefore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, proxy, url := behind(t)
	key := createCustomer(t, s, "a")
	calls := 0
	_, err := s.Commit(ctx, store.Needs{Entities: []store.Key{key}}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		if calls++; calls == 1 {
			proxy.CutAll()
			if _, err := r.Load(ctx, store.Needs{}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("reading on a lost connection: %v", err)
			}
			return nil, errors.New("it could not be read")
		}
		return write(l, "r", next(l, l.Entities[0])), nil
	})
	if err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	// Connections that wait in the pool are lost without a word.
	for range 4 {
		proxy.CutAll()
		if _, err := once(ctx, s, newID().String()); err != nil {
			t.Errorf("after the connections were cut: %v", err)
		}
	}
	// And none can be had at all.
	proxy.Refuse(true)
	proxy.CutAll()
	began := time.Now()
	if _, err := once(ctx, s, "refused"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without a server: %v", err)
	}
	if err := s.View(ctx, func(r store.Reader) error { _, err := r.Head(ctx); return err }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("View without a server: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	proxy.Refuse(false)
	if done, err := once(ctx, s, "refused"); done || err != nil {
		t.Errorf("when the server is back: done %t, %v", done, err)
	}
	if n := effects(t, url)["refused"]; n != 1 {
		t.Errorf("took effect %d times", n)
	}
}

// terminate ends a database's connections that are in a transaction.
func terminate(t *testing.T, url string) int {
	t.Helper()
	pg := startServer(t)
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	err := pg.Exec(context.Background(), "postgres", fmt.Sprintf(`
		DO $$ BEGIN
		  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s' AND xact_start IS NOT NULL;
		END $$`, name))
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// TestTerminated: an operator ends a connection in the middle of a commit.
func TestTerminated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := open(t, url)
	defer s.Close()
	key := createCustomer(t, s, "a")
	calls := 0
	_, err := s.Commit(ctx, store.Needs{Entities: []store.Key{key}}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		if calls++; calls == 1 {
			terminate(t, url)
		}
		return write(l, "r", next(l, l.Entities[0])), nil
	})
	switch {
	case err == nil && calls == 2: // it was told that it was ended
	case errors.Is(err, store.ErrOutcomeUnknown) && calls == 1: // it was not
		if done, err := once(ctx, s, "r"); done || err != nil {
			t.Errorf("the repeat found it done: %t, %v", done, err)
		}
	default:
		t.Errorf("%v after %d calls", err, calls)
	}
	if n := effects(t, url)["r"]; n != 1 {
		t.Errorf("took effect %d times", n)
	}
}

// TestHungProcess: one that stops in the middle of a commit loses its locks,
// and does no harm when it goes on.
func TestHungProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	hangs, err := postgres.Open(ctx, url, postgres.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	s := open(t, url)
	defer s.Close()
	key := createCustomer(t, s, "a")
	needs := store.Needs{Entities: []store.Key{key}}
	change := func(l *store.Loaded, request string) (*store.WriteSet, error) {
		return write(l, request, next(l, l.Entities[0])), nil
	}
	hung, goOn := make(chan struct{}), make(chan struct{})
	result := make(chan error)
	calls := 0
	go func() {
		_, err := hangs.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			if calls++; calls == 1 {
				close(hung)
				<-goOn
			}
			return change(l, "hung")
		})
		result <- err
	}()
	<-hung
	began := time.Now()
	_, err = s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) { return change(l, "other") })
	if err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the other one waited %v", took)
	}
	close(goOn)
	err = <-result
	if err != nil && !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("the one that hung: %v", err)
	}
	if err == nil && calls != 2 {
		t.Errorf("the one that hung succeeded after %d calls", calls)
	}
	found := effects(t, url)
	want := 0
	if err == nil {
		want = 1
	}
	if found["other"] != 1 || found["hung"] != want {
		t.Errorf("effects %v, want %d of the one that hung", found, want)
	}
}

// TestRestart: PostgreSQL is stopped and crashes under load. Nothing that was
// acknowledged is lost, nothing is done twice, and all goes on by itself.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	ctx := context.Background()
	pg, err := testkit.StartPostgres() // its own: others need theirs
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	}()
	name, err := pg.CreateDatabase(ctx, "template1")
	if err != nil {
		t.Fatal(err)
	}
	url := pg.URL(name)
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	s := openSeveral(t, url, 2)
	defer s.Close()

	stop := make(chan struct{})
	var acknowledged, unknown, unavailable atomic.Int64
	var mu sync.Mutex
	requests := make(map[string]bool) // whether it was acknowledged
	var load sync.WaitGroup
	load.Go(func() {
		s.each(4, func(s store.Store, _ int) {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := uuid.NewString()
				_, err := once(ctx, s, id)
				for errors.Is(err, store.ErrOutcomeUnknown) {
					unknown.Add(1)
					time.Sleep(20 * time.Millisecond)
					var done bool
					if done, err = once(ctx, s, id); err != nil && !done {
						// A 503 of the repeat says nothing of the first attempt.
						err = fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
					}
				}
				switch {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, store.ErrUnavailable):
					unavailable.Add(1)
					time.Sleep(20 * time.Millisecond)
				default:
					t.Error(err)
					return
				}
				mu.Lock()
				requests[id] = err == nil
				mu.Unlock()
			}
		})
	})
	progress := func(what string) {
		before := acknowledged.Load()
		for until := time.Now().Add(20 * time.Second); acknowledged.Load() < before+20; {
			if time.Now().After(until) {
				t.Fatalf("nothing goes on %s", what)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for n := range 4 {
		progress(fmt.Sprint("before end ", n))
		end := pg.Shutdown
		if n%2 == 1 {
			end = pg.Crash
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := pg.Start(); err != nil {
			t.Fatal(err)
		}
	}
	progress("after the last start")
	close(stop)
	load.Wait()
	found := effects(t, url)
	for id, ok := range requests {
		if n := found[id]; ok && n != 1 || !ok && n != 0 {
			t.Errorf("request %s: acknowledged %t, took effect %d times", id, ok, n)
		}
	}
	t.Logf("%d acknowledged, %d outcomes unknown for a while, %d told that nothing was done", acknowledged.Load(), unknown.Load(), unavailable.Load())
	if unavailable.Load() == 0 {
		t.Error("nobody noticed")
	}
}
