package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/store"
	"casm/store/storetest"
)

// TestStoreOfSeveral is the whole suite with three processes that take turns.
func TestStoreOfSeveral(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite runs with one process already")
	}
	startServer(t)
	var mu sync.Mutex
	urls := make(map[*testing.T]string)
	storetest.Run(t, func(t *testing.T) store.Store {
		mu.Lock()
		url, ok := urls[t]
		mu.Unlock()
		if !ok {
			url = database(t)
			mu.Lock()
			urls[t] = url
			mu.Unlock()
		}
		return openSeveral(t, url, 3)
	})
}

// TestOneHolder: of processes that want an external id or a request id at once
// one gets it, and the others see it.
func TestOneHolder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openSeveral(t, database(t), 2)
	defer s.Close()
	const names, callers = 40, 4
	var won [names]atomic.Int64
	var once [names]atomic.Int64
	s.each(callers, func(s store.Store, i int) {
		for n := range names {
			key := store.ExternalID(casm.KindCustomer, "name "+strconv.Itoa(n))
			var mine bool
			_, err := s.Commit(ctx, store.Needs{Claims: []store.ClaimKey{key}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				if _, mine = l.Claims[key]; mine {
					mine = false
					return nil, nil
				}
				mine = true
				return write(l, newID().String(), customer(l, newID(), key.Key)), nil
			})
			if err != nil {
				t.Error(err)
			}
			if mine {
				won[n].Add(1)
			}
			request := store.Request("request "+strconv.Itoa(n), -1)
			_, err = s.Commit(ctx, store.Needs{Requests: []store.ClaimKey{request}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				if _, mine = l.Transactions[request]; mine {
					mine = false
					return nil, nil
				}
				mine = true
				return write(l, request.Key, customer(l, newID(), "")), nil
			})
			if err != nil {
				t.Error(err)
			}
			if mine {
				once[n].Add(1)
			}
		}
	})
	for n := range names {
		if won[n].Load() != 1 || once[n].Load() != 1 {
			t.Errorf("name %d was won %d times, request %d took effect %d times", n, won[n].Load(), n, once[n].Load())
		}
	}
}

// TestHotEntity: nothing is lost where two processes change one entity with
// all they have, and each gets its turn.
func TestHotEntity(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := openSeveral(t, url, 2)
	defer s.Close()
	const callers, each = 32, 5
	key := createCustomer(t, s, "hot")
	decided := atomic.Int64{}
	s.each(callers, func(s store.Store, i int) {
		for range each {
			_, err := s.Commit(ctx, store.Needs{Entities: []store.Key{key}}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				decided.Add(1)
				return write(l, newID().String(), next(l, l.Entities[0])), nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	const want = 2 * callers * each
	err := s.View(ctx, func(r store.Reader) error {
		history, err := r.History(ctx, key, 0, 0, want+10)
		if len(history) != want+1 || history[0].Version != want+1 {
			t.Errorf("%d versions, the last %d, want %d", len(history), history[0].Version, want+1)
		}
		for i := range history {
			if v := int64(len(history) - i); history[i].Version != v || history[i].Position.Transaction != v {
				t.Fatalf("version %d at %v", history[i].Version, history[i].Position)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// Whoever waits for a lock decides on what the one before left.
	if n := decided.Load(); n != want {
		t.Errorf("decided %d times, want %d", n, want)
	}
	if n := deadlocks(t, url); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// TestFeedOfSeveral: who follows the feed gets each position, though commits
// of several processes, small and large, end in another order than they began.
func TestFeedOfSeveral(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openSeveral(t, database(t), 3)
	defer s.Close()
	reader := open(t, s.at)
	defer reader.Close()
	done := make(chan struct{})
	var written atomic.Int64
	var follower sync.WaitGroup
	follower.Go(func() {
		after, last := casm.Start, false
		for n := int64(0); ; {
			var entries []store.Entry
			err := reader.View(ctx, func(r store.Reader) (err error) {
				entries, err = r.Feed(ctx, after, store.FeedFilter{}, 50)
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range entries {
				if same := e.Position.Transaction == after.Transaction && e.Position.Ordinal == after.Ordinal+1; !same &&
					(e.Position.Transaction != after.Transaction+1 || e.Position.Ordinal != 0) {
					t.Errorf("%v follows %v", e.Position, after)
					return
				}
				after = e.Position
				n++
			}
			if len(entries) > 0 {
				continue
			}
			if last {
				if n != written.Load() {
					t.Errorf("%d rows, want %d", n, written.Load())
				}
				return
			}
			select {
			case <-done:
				last = true // once more: nothing is written any more
			default:
			}
		}
	})
	s.each(2, func(s store.Store, i int) {
		for n := range 25 {
			rows := 1
			if n%8 == i {
				rows = 400
			}
			_, err := s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				var entities []store.Entity
				for range rows {
					entities = append(entities, customer(l, newID(), ""))
				}
				return write(l, newID().String(), entities...), nil
			})
			if err != nil {
				t.Error(err)
			}
			written.Add(int64(rows))
		}
	})
	close(done)
	follower.Wait()
}

// TestLockedInTheMiddle: commits that find only while they decide that they
// need what the other holds do not wait for each other.
func TestLockedInTheMiddle(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := openSeveral(t, url, 2)
	defer s.Close()
	keys := []store.Key{createCustomer(t, s, "a"), createCustomer(t, s, "b")}
	began := time.Now()
	const each = 20
	s.each(2, func(x store.Store, i int) {
		first, second := keys[i], keys[1-i]
		for range each {
			_, err := x.Commit(ctx, store.Needs{Entities: []store.Key{first}}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				e, ok := find(l, first)
				if !ok {
					return nil, errors.New("the first one is missing")
				}
				more, err := r.Load(ctx, store.Needs{Entities: []store.Key{second}})
				if err != nil {
					return nil, err
				}
				other, ok := find(more, second)
				if !ok {
					return nil, errors.New("the second one is missing")
				}
				return write(l, newID().String(), next(l, e), next(l, other)), nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	err := s.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{Entities: keys})
		for _, e := range l.Entities {
			if e.Version != 1+4*each {
				t.Errorf("version %d, want %d", e.Version, 1+4*each)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := deadlocks(t, url); n > 0 {
		t.Errorf("%d deadlocks in %v", n, time.Since(began))
	}
}

// TestNoDeadlocks: commits of several processes that touch many of a few
// customers, move their external ids and count uses, all in their own order,
// never wait in a circle, and lose nothing.
func TestNoDeadlocks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := openSeveral(t, url, 3)
	defer s.Close()
	const customers, each = 24, 25
	keys := make([]store.Key, customers)
	for i := range keys {
		keys[i] = createCustomer(t, s, fmt.Sprint("start ", i))
	}
	var changed [customers]atomic.Int64
	s.each(2, func(s store.Store, caller int) {
		rnd := rand.New(rand.NewPCG(uint64(caller), 3))
		for n := range each {
			chosen := rnd.Perm(customers)[:8]
			var needs store.Needs
			for _, i := range chosen {
				needs.Entities = append(needs.Entities, keys[i])
			}
			name := fmt.Sprint("name ", n%7) // wanted by all
			needs.Claims = []store.ClaimKey{store.ExternalID(casm.KindCustomer, name)}
			_, err := s.Commit(ctx, needs, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				var entities []store.Entity
				for _, i := range chosen {
					e, ok := find(l, keys[i])
					if !ok {
						return nil, fmt.Errorf("customer %d is missing", i)
					}
					entities = append(entities, next(l, e))
				}
				set := write(l, newID().String())
				if _, held := l.Claims[needs.Claims[0]]; !held {
					e := &entities[0]
					set.Claims = append(set.Claims,
						store.ClaimChange{ClaimKey: store.ExternalID(e.Kind, e.ExternalID), From: e.RefID},
						store.ClaimChange{ClaimKey: needs.Claims[0], To: e.RefID})
					e.ExternalID = name
				}
				set.Entities = entities
				for _, e := range entities {
					set.Transactions[0].Changes = append(set.Transactions[0].Changes,
						store.Change{Key: e.Key, Version: e.Version, Customer: e.Customer, Event: "updated", At: e.Updated, Doc: e.Doc})
				}
				set.Uses = map[store.CodeKey]int64{}
				for _, i := range rnd.Perm(5) {
					set.Uses[store.CodeKey{Collection: "offers", Code: strconv.Itoa(i)}] = 1
				}
				return set, nil
			})
			if err != nil {
				t.Error(err)
				continue
			}
			for _, i := range chosen {
				changed[i].Add(1)
			}
		}
	})
	err := s.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{Entities: keys})
		for i, key := range keys {
			if e, _ := find(l, key); e.Version != 1+changed[i].Load() {
				t.Errorf("customer %d has version %d after %d changes", i, e.Version, changed[i].Load())
			}
		}
		uses, err2 := r.Uses(ctx, []store.CodeKey{{Collection: "offers", Code: "3"}})
		if n := uses[store.CodeKey{Collection: "offers", Code: "3"}]; n != 6*each {
			t.Errorf("%d uses, want %d", n, 6*each)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Error(err)
	}
	if n := deadlocks(t, url); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}
