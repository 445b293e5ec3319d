package engine

import (
	"context"
	"sync"
	"time"

	"casm"
)

// slowCommit is how long what waits is kept back at most because it is little
// and another commit is under way.
const slowCommit = 25 * time.Millisecond

// named is an entity as a request names it.
type named struct {
	kind casm.Kind
	ref  casm.Ref
}

// queue is what waits for one committer, or for several that take turns. What
// comes alone is taken at once. While a commit is under way, the next committer
// takes what that one does not name, when it is enough to be worth a commit of
// its own or the other takes long: many small commits beside each other cost
// more than they gain, and two that name the same would wait for each other.
type queue struct {
	committers int
	enough     int // operations that are worth a commit beside another
	wake       chan struct{}

	mu    sync.Mutex
	jobs  []*job // in the order in which they came
	size  int    // operations of jobs
	free  int    // of them, at least so many that no commit under way names, up to enough
	under int    // commits under way
	began time.Time
	named map[named]int // what they name
}

func newQueue(committers, batchLimit int) *queue {
	return &queue{
		committers: committers, enough: max(1, batchLimit/4),
		wake: make(chan struct{}, 1), named: map[named]int{},
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
	q.size += j.size()
	free := q.under > 0 && q.under < q.committers && !q.taken(j)
	if free {
		q.free += j.size()
	}
	if q.under == 0 || free && (q.free >= q.enough || time.Since(q.began) >= slowCommit) {
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

// taken reports whether a commit under way names what the job names.
func (q *queue) taken(j *job) bool {
	for _, n := range j.names {
		if q.named[n] > 0 {
			return true
		}
	}
	return false
}

// take waits until there is something for a commit, and takes it: so many
// operations at most, or one job that has more. A job of due goes along. The
// caller calls done with what it got when the commit is over. nil: ctx ended.
func (q *queue) take(ctx context.Context, limit int, due <-chan *job) []*job {
	for ctx.Err() == nil { // else what waits is refused, not taken by chance
		jobs, wait := q.pick(limit)
		if jobs != nil {
			select {
			case j := <-due:
				jobs = append(jobs, j)
			default:
			}
			return jobs
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
			jobs = q.begin(j)
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if jobs != nil {
			return jobs
		}
	}
	return nil
}

// begin begins a commit with a job that did not wait in the queue.
func (q *queue) begin(j *job) []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.under++
	q.began = time.Now()
	return []*job{j}
}

// pick takes what a commit may begin with now, or tells how long until it may,
// 0 for unknown.
func (q *queue) pick(limit int) ([]*job, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	beside := q.under > 0
	if slow := q.began.Add(slowCommit).Sub(now); beside && q.free < q.enough && slow > 0 {
		return nil, slow
	}
	if len(q.jobs) == 0 {
		return nil, 0
	}
	var jobs []*job
	size := 0
	rest := q.jobs[:0]
	for _, j := range q.jobs {
		if size < limit && (!beside || !q.taken(j)) {
			jobs = append(jobs, j)
			size += j.size()
		} else {
			rest = append(rest, j)
		}
	}
	clear(q.jobs[len(rest):])
	q.jobs, q.size = rest, q.size-size
	if len(jobs) == 0 {
		return nil, 0 // until the other one is done
	}
	q.under++
	q.began = now
	for _, j := range jobs {
		for _, n := range j.names {
			q.named[n]++
		}
	}
	q.free = 0
	if q.under < q.committers {
		for _, j := range q.jobs {
			if q.free < q.enough && !q.taken(j) {
				q.free += j.size()
			}
		}
		if q.free >= q.enough {
			q.rouse()
		}
	}
	return jobs, 0
}

// done ends the commit of what take gave.
func (q *queue) done(jobs []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.under--
	for _, j := range jobs {
		for _, n := range j.names {
			if q.named[n]--; q.named[n] == 0 {
				delete(q.named, n)
			}
		}
	}
}

// more takes jobs that a commit under way may take too: those that fit says of,
// so many operations at most. The commit names already what they name.
func (q *queue) more(limit int, fit func(*job) bool) (jobs []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	rest := q.jobs[:0]
	for n, j := range q.jobs {
		if n < 2*limit && size < limit && fit(j) {
			jobs = append(jobs, j)
			size += j.size()
		} else {
			rest = append(rest, j)
		}
	}
	clear(q.jobs[len(rest):])
	q.jobs, q.size = rest, q.size-size
	q.free = max(0, q.free-size)
	return jobs
}

// drain takes all that waits.
func (q *queue) drain() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := q.jobs
	q.jobs, q.size, q.free = nil, 0, 0
	return jobs
}

// name notes what the job's requests name.
func (j *job) name() {
	for _, s := range j.steps {
		for _, ref := range s.in.References() {
			j.names = append(j.names, named{ref.Kind, ref.Ref})
		}
	}
}
