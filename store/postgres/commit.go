package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

const (
	// maxTries is how often a commit is decided before it is given up.
	maxTries = 12
	// retryPause is how long it waits before it tries again after the database
	// ended it in favour of another, doubled each time, up to maxPause.
	retryPause = 2 * time.Millisecond
	maxPause   = 200 * time.Millisecond
	// maxLost is how many lost connections are made up for by others, as long
	// as nothing was written.
	maxLost = 3
	// commitGrace is how much longer than Timeout the last round trip may take:
	// giving up on it leaves an outcome unknown.
	commitGrace = 15 * time.Second
)

// again is an attempt that is to be made once more: nothing was done.
type again struct {
	error
	pause bool
}

// scope is what a commit locks. It grows when an attempt finds that it would
// have needed more: locks are only waited for in their order, at the beginning.
type scope struct {
	needs     store.Needs
	customers []uuid.UUID // beside those of what is named
	config    bool        // the configuration is to be changed
	lost      int         // connections
	lockWait  time.Duration
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, needs store.Needs,
	decide func(store.Reader, *store.Loaded) (*store.WriteSet, error),
) (store.Head, error) {
	sc := &scope{needs: needs, lockWait: s.options.Timeout}
	pause := retryPause
	for try := 1; ; try++ {
		head, err := s.attempt(ctx, sc, decide)
		retry, ok := err.(again)
		if !ok {
			return head, err
		}
		if try == maxTries {
			return store.Head{}, classify(ctx, fmt.Errorf("%w: %w", errTooOften, retry.error))
		}
		if retry.pause {
			select {
			case <-ctx.Done():
				return store.Head{}, classify(ctx, ctx.Err())
			case <-time.After(pause/2 + rand.N(pause)):
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// attempt is one transaction. Its error is an again where another may succeed.
func (s *Store) attempt(ctx context.Context, sc *scope,
	decide func(store.Reader, *store.Loaded) (*store.WriteSet, error),
) (store.Head, error) {
	c, err := s.acquire(ctx, s.writers)
	if err != nil {
		return store.Head{}, err
	}
	defer c.end() // also on a panic or runtime.Goexit of decide, which then goes on

	loadCtx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	h := newHeld(sc)
	r := &reader{c: c, now: s.options.Now, begin: beginWrite, held: h}
	loaded, err := r.loadFirst(loadCtx)
	if sc.needs.Patience > 0 && codeOf(err) == codeLockTimeout {
		return store.Head{}, s.giveWay(loadCtx, c, sc)
	}
	if err != nil {
		return store.Head{}, retryOf(ctx, h, err)
	}
	set, err := func() (*store.WriteSet, error) {
		defer func() { r.over = true }()
		return decide(r, loaded)
	}()
	if h.more {
		return store.Head{}, again{errors.New("more had to be locked"), false}
	}
	if err != nil {
		if c.pg.IsClosed() { // the connection was lost, and so decide's readings with it
			return store.Head{}, retryOf(ctx, h, err)
		}
		return store.Head{}, err
	}
	if set.Empty() {
		return loaded.Head, nil
	}
	if len(set.Config) > 0 && !sc.config {
		// What was decided on may have changed while others held the lock that
		// everybody shares.
		sc.config = true
		return store.Head{}, again{errors.New("the configuration had to be locked"), false}
	}
	if err := ctx.Err(); err != nil {
		return store.Head{}, classify(ctx, err)
	}
	// From here on the end of ctx would leave the outcome unknown.
	writeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Timeout+commitGrace)
	defer cancel()
	w := &writer{pipe: pipe{c: c}, set: set, loaded: loaded, held: h}
	head, err := w.write(writeCtx)
	return head, retryOf(ctx, h, err)
}

// retryOf makes an again of errors after which another attempt may succeed.
func retryOf(ctx context.Context, h *held, err error) error {
	if err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
		return err
	}
	if h.more || taken(err) {
		return again{err, false}
	}
	if (lost(err) || fatal(err) || stale(err)) && h.scope.lost < maxLost && ctx.Err() == nil {
		// Nothing was done. The connection may have waited in the pool since
		// before the database was started anew.
		h.scope.lost++
		return again{err, true}
	}
	switch codeOf(err) {
	case codeClaimLost, codeConflict:
		return again{err, false}
	case codeSerialization, codeDeadlock:
		return again{err, true}
	}
	return classify(ctx, err)
}

// known is what is known of an entity that a commit has loaded.
type known struct {
	kind    casm.Kind
	version int64
}

// held is what an attempt has locked and loaded.
type held struct {
	scope     *scope
	customers map[uuid.UUID]bool // locked
	entities  map[uuid.UUID]known
	more      bool // the scope has grown: the attempt is to be made again
}

func newHeld(sc *scope) *held {
	return &held{scope: sc, customers: make(map[uuid.UUID]bool), entities: make(map[uuid.UUID]known)}
}

// errMore: what was asked for in the middle of a commit is locked by another.
var errMore = errors.New("it is locked by another commit; this one begins anew with it")

// know notes what was loaded. Of what was loaded twice the first version
// counts: that is the one that decide may have kept.
func (h *held) know(entities []store.Entity) {
	for i := range entities {
		id := entities[i].RefID
		if _, ok := h.entities[id]; !ok {
			h.entities[id] = known{entities[i].Kind, entities[i].Version}
		}
	}
}

// check looks whether the customers of what was loaded are locked. If not (in
// the middle of a commit somebody else holds one, or it came about between the
// locking and the loading), the commit begins anew with a larger scope.
func (h *held) check(entities []store.Entity, needs store.Needs) error {
	for i := range entities {
		if id := entities[i].Customer; !h.customers[id] {
			h.more = true
			h.customers[id] = true // said once
			h.scope.customers = append(h.scope.customers, id)
		}
	}
	if !h.more {
		return nil
	}
	n := &h.scope.needs
	n.Claims = append(n.Claims[:len(n.Claims):len(n.Claims)], needs.Claims...)
	n.Entities = append(n.Entities[:len(n.Entities):len(n.Entities)], needs.Entities...)
	return errMore
}
