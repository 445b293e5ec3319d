package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/store"
)

// TestConfigOfSeveral: a commit begun after a change of the configuration has
// returned sees it, in every process; and changes from several do not deadlock.
func TestConfigOfSeveral(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	s := openSeveral(t, url, 2)
	defer s.Close()
	var version atomic.Int64
	var editing sync.WaitGroup
	stop := make(chan struct{})
	for i, x := range s.stores {
		editing.Go(func() {
			code := store.CodeKey{Collection: "offers", Code: strconv.Itoa(i)}
			for n := int64(1); n <= 15; n++ {
				head, err := x.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
					return &store.WriteSet{Config: []store.ConfigChange{{CodeKey: code, Version: n, Doc: []byte(`{}`), At: l.Now, Actor: "me"}}}, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				for old := version.Load(); old < head.Config && !version.CompareAndSwap(old, head.Config); old = version.Load() {
				}
			}
		})
	}
	go func() { editing.Wait(); close(stop) }()
	s.each(3, func(s store.Store, _ int) {
		for {
			select {
			case <-stop:
				return
			default:
			}
			known := version.Load()
			head, err := s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
				if l.Head.Config < known {
					t.Errorf("configuration %d, though %d was committed before", l.Head.Config, known)
				}
				return write(l, newID().String(), customer(l, newID(), "")), nil
			})
			if err != nil {
				t.Error(err)
				return
			}
			if head.Config < known {
				t.Errorf("head with configuration %d, though %d was committed before", head.Config, known)
			}
		}
	})
	if got := version.Load(); got != 30 {
		t.Errorf("configuration %d after 30 changes", got)
	}
	if n := deadlocks(t, url); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// TestConfigHoldsStill: the configuration does not change while a commit that
// reads it is under way, so that nothing is deleted that comes into use.
func TestConfigHoldsStill(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openSeveral(t, database(t), 2)
	defer s.Close()
	offer := store.CodeKey{Collection: "offers", Code: "o"}
	_, err := s.Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		return &store.WriteSet{Config: []store.ConfigChange{{CodeKey: offer, Version: 1, Doc: []byte("{}"), At: l.Now}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	deciding, goOn := make(chan struct{}), make(chan struct{})
	var using sync.WaitGroup
	using.Go(func() {
		var seen int64
		head, err := s.stores[0].Commit(ctx, store.Needs{}, func(_ store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			seen = l.Head.Config
			close(deciding)
			<-goOn
			set := write(l, newID().String(), customer(l, newID(), ""))
			set.Uses = map[store.CodeKey]int64{offer: 1}
			return set, nil
		})
		if err != nil || head.Config != seen {
			t.Errorf("committed with configuration %d, decided on %d, %v", head.Config, seen, err)
		}
	})
	<-deciding
	inUse := errors.New("it is in use")
	deleted := make(chan error)
	go func() {
		_, err := s.stores[1].Commit(ctx, store.Needs{}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
			uses, err := r.Uses(ctx, []store.CodeKey{offer})
			if err != nil {
				return nil, err
			}
			if uses[offer] > 0 {
				return nil, inUse
			}
			return &store.WriteSet{Config: []store.ConfigChange{{CodeKey: offer, Version: 2, At: l.Now}}}, nil
		})
		deleted <- err
	}()
	select {
	case err := <-deleted:
		t.Errorf("deleted in the middle of a commit that uses it: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(goOn)
	using.Wait()
	select {
	case err := <-deleted:
		if err != inUse {
			t.Errorf("deleted though in use: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the deletion hangs")
	}
}
