package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"casm"
	"casm/store"
)

// lane is a committer: it takes what waits in its queue and commits it. On a
// store that commits one after another there is one. On others several share
// the queue of what clients ask for, and two more keep them free of what takes
// long: one commits what others hold, and what falls due; one, one by one, what
// reaches far.
type lane struct {
	queue    *queue
	due      <-chan *job
	limit    int           // operations in a commit
	patience time.Duration // store.Needs.Patience
	reach    int           // batch.reach
}

const (
	// patience is longer than commits of ordinary size hold what they name.
	patience = 50 * time.Millisecond
	// maxReach is how many entities below others one commit of ordinary size
	// changes.
	maxReach = 1000
	// longWait is longer than a commit waits when nobody holds what it names.
	longWait = 2 * time.Millisecond
	// maxAside is how long a job is tried again that others hold up.
	maxAside = 30 * time.Second
)

// errFar: a command touches more than a commit of ordinary size should.
var errFar = errors.New("engine: the command reaches far")

func (e *Engine) makeLanes(committers int) {
	e.queue = newQueue(committers, e.batchLimit)
	e.dueQueue = make(chan *job, 1)
	if committers == 1 {
		e.dueLimit = max(1, e.batchLimit/4) // clients keep most of the committer
		e.lanes = []*lane{{queue: e.queue, due: e.dueQueue, limit: e.batchLimit}}
		return
	}
	e.dueLimit = e.batchLimit
	e.aside, e.far = newQueue(1, e.batchLimit), newQueue(1, e.batchLimit)
	for range committers {
		e.lanes = append(e.lanes, &lane{queue: e.queue, limit: e.batchLimit, patience: patience, reach: maxReach})
	}
	e.lanes = append(e.lanes,
		&lane{queue: e.aside, due: e.dueQueue, limit: e.batchLimit, patience: patience, reach: maxReach},
		&lane{queue: e.far, limit: 1, patience: patience})
}

// queueOf returns the queue of a client's job. A batch that is not atomic
// cannot be put aside half done.
func (e *Engine) queueOf(j *job) *queue {
	if e.far != nil && !j.atomic && len(j.steps) > 1 && slices.ContainsFunc(j.steps, func(s *step) bool { return s.in.ReachesBelow() }) {
		return e.far
	}
	return e.queue
}

// commitLoop takes what waits and commits it, as long as ctx lives.
func (e *Engine) commitLoop(ctx context.Context, l *lane) {
	for {
		t := l.queue.take(ctx, l.limit, l.due)
		if t == nil {
			return
		}
		e.commit(ctx, l, t.jobs)
		l.queue.done(t)
	}
}

// late takes, at the end of a long wait for what others hold, the jobs that have
// come meanwhile and name nothing but what the commit has locked by now. So a
// hot entity that several servers change is changed by full batches.
func (l *lane) late(needs store.Needs, jobs []*job, config *casm.Snapshot) []*job {
	entities, claims, size := map[store.Key]bool{}, map[store.ClaimKey]bool{}, 0
	for _, k := range needs.Entities {
		entities[k] = true
	}
	for _, k := range needs.Claims {
		claims[k] = true
	}
	for _, j := range jobs {
		size += j.size()
	}
	return l.queue.more(l.limit-size, func(j *job) bool {
		n := needsOf([]*job{j}, config)
		return j.config == nil &&
			!slices.ContainsFunc(n.Entities, func(k store.Key) bool { return !entities[k] }) &&
			!slices.ContainsFunc(n.Claims, func(k store.ClaimKey) bool { return !claims[k] })
	})
}

// addRequests looks up the requests of jobs that joined late, and the clock.
func addRequests(ctx context.Context, r store.Reader, loaded *store.Loaded, late []*job) error {
	if len(late) == 0 {
		return nil
	}
	var needs store.Needs
	for _, j := range late {
		for _, s := range j.steps {
			needs.Requests = append(needs.Requests, s.claim)
		}
	}
	more, err := r.Load(ctx, needs)
	if err != nil {
		return err
	}
	loaded.Now = max(loaded.Now, more.Now) // no earlier than they came
	maps.Copy(loaded.Claims, more.Claims)
	maps.Copy(loaded.Transactions, more.Transactions)
	return nil
}

// giveWay puts aside what others hold and commits the rest.
func (e *Engine) giveWay(ctx context.Context, l *lane, jobs []*job, busy *store.Busy) {
	var rest, held []*job
	config := e.config.Load()
	for _, j := range jobs {
		switch needs := needsOf([]*job{j}, config); {
		case j.due != nil: // the worker names again what is left out
			j.due = slices.DeleteFunc(j.due, func(k store.Key) bool { return slices.Contains(busy.Entities, k) })
			rest = append(rest, j)
		case busy.Config && j.config != nil,
			slices.ContainsFunc(needs.Entities, func(k store.Key) bool { return slices.Contains(busy.Entities, k) }),
			slices.ContainsFunc(needs.Claims, func(k store.ClaimKey) bool { return slices.Contains(busy.Claims, k) }):
			held = append(held, j)
		default:
			rest = append(rest, j)
		}
	}
	queue := e.aside
	if l.limit == 1 {
		queue = e.far
	}
	switch {
	case len(held) > 0:
	case busy.Config && ctx.Err() == nil && time.Since(jobs[0].queued) < maxAside:
		// It is being changed: until that is done nobody can commit anything.
		rest = jobs
	case len(jobs) == 1:
		rest, held = nil, jobs
	default: // something that nobody named
		e.commit(ctx, l, jobs[:len(jobs)/2])
		rest = jobs[len(jobs)/2:]
	}
	for _, j := range held {
		e.putAside(j, queue)
	}
	if len(rest) > 0 {
		e.commit(ctx, l, rest)
	}
}

// putAside puts a job into another lane's queue, unless it has waited for too
// long.
func (e *Engine) putAside(j *job, queue *queue) {
	if j.due != nil { // the worker names it again
		j.due = j.due[:0]
		e.finish(j, outcome{})
		return
	}
	if time.Since(j.queued) > maxAside {
		e.refuse([]*job{j}, ErrUnavailable, errors.New("what it names was held by others for too long"))
		return
	}
	e.metrics.aside.Inc()
	queue.put(j)
}

// refuseLeft refuses what is left when the committers have ended.
func (e *Engine) refuseLeft() {
	var left []*job
	for _, l := range e.lanes {
		left = append(left, l.queue.drain()...)
	}
	for len(e.dueQueue) > 0 {
		left = append(left, <-e.dueQueue)
	}
	for _, j := range left {
		e.finish(j, outcome{err: ErrOverloaded})
	}
}
