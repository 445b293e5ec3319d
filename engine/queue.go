package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"casm"
)

// slowCommit is how long what waits is kept back at most because it is little
// and another commit is under way.
const slowCommit = 25 * time.Millisecond

// named is what a request names: an entity, as it names it, an external id that
// it gives, or, with kind 0, its requestId.
type named struct {
	kind casm.Kind
	ref  casm.Ref
}

// turn is a commit under way.
type turn struct {
	jobs  []*job
	began time.Time
}

// queue is what waits for one committer, or for several that share it. What
// comes alone is taken at once. While a commit is under way, another committer
// takes what that one does not name, when it is enough to be worth a commit of
// its own or the other takes long: many small commits beside each other cost
// more than they gain, and two that name the same would wait for each other.
// What names the same is taken in the order in which it came.
type queue struct {
	committers int
	enough     int // operations that are worth a commit beside another
	wake       chan struct{}

	mu      sync.Mutex
	jobs    []*job // in the order in which they came
	under   []*turn
	named   map[named]int  // what those under way name
	blocked map[named]bool // what jobs name that wait for those under way, or behind such jobs
	free    int            // operations of the other jobs
}

func newQueue(committers, batchLimit int) *queue {
	return &queue{
		committers: committers, enough: max(1, batchLimit/4),
		wake: make(chan struct{}, 1), named: map[named]int{}, blocked: map[named]bool{},
	}
}

// put adds a job. It never blocks: what may wait is bounded by the engine.
func (q *queue) put(j *job) {
	if q.committers > 1 {
		j.name()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
	first := q.free == 0
	switch free := q.count(j); {
	case len(q.under) == 0,
		free && first, // who is woken waits until the commit under way takes long
		free && (q.free >= q.enough || time.Since(q.under[0].began) >= slowCommit):
		q.rouse()
	}
}

// rouse wakes a committer that waits; mu is held.
func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default: // somebody is being woken
	}
}

// count counts a job that waits behind those counted before, and reports
// whether a committer may take it now; mu is held.
func (q *queue) count(j *job) bool {
	for _, n := range j.names {
		if q.named[n] > 0 || q.blocked[n] {
			for _, n := range j.names {
				q.blocked[n] = true
			}
			return false
		}
	}
	q.free += j.size()
	return true
}

// recount counts all that waits anew, as what is under way has changed; mu is held.
func (q *queue) recount() {
	clear(q.blocked)
	q.free = 0
	for _, j := range q.jobs {
		q.count(j)
	}
}

// take waits until there is something for a commit, and takes it, until there
// are so many operations. A job of due goes along. The caller calls done when
// the commit is over. nil: ctx ended.
func (q *queue) take(ctx context.Context, limit int, due <-chan *job) *turn {
	for ctx.Err() == nil { // else what waits is refused, not taken by chance
		t, wait := q.pick(limit)
		if t != nil {
			select {
			case j := <-due:
				t.jobs = append(t.jobs, j)
			default:
			}
			return t
		}
		var slow <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			slow = timer.C
		}
		select {
		case <-q.wake:
		case <-slow:
		case j := <-due:
			q.mu.Lock()
			t = q.begin([]*job{j}, time.Now())
			q.mu.Unlock()
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if t != nil {
			return t
		}
	}
	return nil
}

// begin notes that a commit begins; mu is held.
func (q *queue) begin(jobs []*job, now time.Time) *turn {
	t := &turn{jobs, now}
	q.under = append(q.under, t)
	for _, j := range jobs {
		for _, n := range j.names {
			q.named[n]++
		}
	}
	q.recount()
	return t
}

// pick takes what a commit may begin with now, or tells how long until it may,
// 0 for unknown.
func (q *queue) pick(limit int) (*turn, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free == 0 {
		return nil, 0
	}
	now := time.Now()
	if len(q.under) > 0 && q.free < q.enough {
		if wait := q.under[0].began.Add(slowCommit).Sub(now); wait > 0 {
			return nil, wait
		}
	}
	clear(q.blocked)
	jobs := q.remove(limit, q.count)
	t := q.begin(jobs, now)
	if q.free > 0 {
		q.rouse()
	}
	return t, 0
}

// remove removes the jobs that fit says of, until there are so many operations;
// mu is held.
func (q *queue) remove(limit int, fit func(*job) bool) (jobs []*job) {
	size := 0
	rest := q.jobs[:0]
	for _, j := range q.jobs {
		if size < limit && fit(j) {
			jobs = append(jobs, j)
			size += j.size()
		} else {
			rest = append(rest, j)
		}
	}
	clear(q.jobs[len(rest):])
	q.jobs = rest
	return jobs
}

// done ends a commit.
func (q *queue) done(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.under = slices.DeleteFunc(q.under, func(x *turn) bool { return x == t })
	for _, j := range t.jobs {
		for _, n := range j.names {
			if q.named[n]--; q.named[n] == 0 {
				delete(q.named, n)
			}
		}
	}
	q.recount()
}

// more takes jobs that a commit under way may take too: those that fit says of,
// until there are so many operations. The commit names what they name.
func (q *queue) more(limit int, fit func(*job) bool) []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	looked := 0
	jobs := q.remove(limit, func(j *job) bool { // what waits may be much, and fit is slow
		looked++
		return looked <= 2*limit && fit(j)
	})
	q.recount()
	return jobs
}

// drain takes all that waits.
func (q *queue) drain() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := q.jobs
	q.jobs = nil
	q.recount()
	return jobs
}

// name notes what the job's requests name.
func (j *job) name() {
	for n, s := range j.steps {
		if n == 0 {
			j.names = append(j.names, named{0, casm.Ref{ExternalID: s.claim.RequestID()}})
		}
		for _, ref := range s.in.References() {
			j.names = append(j.names, named{ref.Kind, ref.Ref})
		}
		if kind, id := s.in.NewExternalID(); id != "" {
			j.names = append(j.names, named{kind, casm.Ref{ExternalID: id}})
		}
	}
}
