package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// Engine runs the commands of one installation on one store.
type Engine struct {
	store   store.Store
	name    string // tells processes apart
	zone    *time.Location
	log     *slog.Logger
	metrics *metrics

	batchLimit, queueLimit int
	// How long what is old is kept; below 0: for ever.
	requestRetention, auditRetention time.Duration

	exclusive bool

	lanes    []*lane
	queue    *queue    // what clients wait for
	aside    *queue    // what others hold; nil with one committer
	far      *queue    // what reaches far; nil with one committer
	dueQueue chan *job // what the due worker asks for
	dueLimit int       // how many entities a job of it takes at the most
	waiting  atomic.Int64

	mu       sync.Mutex
	stopping bool
	stop     context.CancelFunc
	commits  context.Context //nolint:containedctx // ends what is under way when it is time
	abort    context.CancelFunc
	stopped  sync.WaitGroup
	senders  sync.WaitGroup // jobs being put into the queue

	config   atomic.Pointer[casm.Snapshot]
	lastTime atomic.Int64 // casm.Time of the last command

	committedMu sync.Mutex
	committed   chan struct{}

	dueWake chan struct{}
}

// The defaults of Options.
const (
	DefaultBatchLimit = 256
	DefaultQueueLimit = 4096

	DefaultRequestRetention = 30 * 24 * time.Hour
	DefaultAuditRetention   = 400 * 24 * time.Hour
)

// New makes an engine, loads the configuration, and gives a new store what
// every installation holds (contract 5). Start lets it run.
func New(ctx context.Context, o Options) (*Engine, error) {
	e := &Engine{
		store: o.Store, name: uuid.NewString(), zone: o.Zone, log: o.Logger,
		batchLimit: o.BatchLimit, queueLimit: o.QueueLimit, requestRetention: o.RequestRetention, auditRetention: o.AuditRetention, exclusive: o.Exclusive,
		committed: make(chan struct{}), dueWake: make(chan struct{}, 1),
	}
	if e.zone == nil {
		e.zone = time.UTC
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.batchLimit <= 0 {
		e.batchLimit = DefaultBatchLimit
	}
	if e.queueLimit <= 0 {
		e.queueLimit = DefaultQueueLimit
	}
	if e.requestRetention == 0 {
		e.requestRetention = DefaultRequestRetention
	}
	if e.auditRetention == 0 {
		e.auditRetention = DefaultAuditRetention
	}
	e.makeLanes(max(o.Committers, 1))
	e.metrics = newMetrics(o.Metrics, e)
	if _, err := e.Config(ctx); err != nil {
		return nil, err
	}
	return e, e.addBuiltin(ctx)
}

// Start lets the committers and the worker for due changes run.
func (e *Engine) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	e.commits, e.abort = context.WithCancel(context.Background())
	for _, l := range e.lanes {
		e.stopped.Go(func() { e.commitLoop(ctx, l) })
	}
	e.stopped.Go(func() { e.dueLoop(ctx) })
	e.stopped.Go(func() { e.forgetLoop(ctx) })
}

// abortAfter is how long a commit that is under way may take when there was no
// time left to wait for it: a store that hangs would keep it for long.
const abortAfter = time.Second

// Stop refuses new writes, commits what was gathered, and ends. When ctx ends
// first, what still waits is refused; nothing of it was done.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	already := e.stopping
	e.stopping = true
	e.mu.Unlock()
	if already || e.stop == nil {
		return nil
	}
	e.senders.Wait()
	var err error
	for e.waiting.Load() > 0 && err == nil {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	e.stop()
	if err != nil {
		defer time.AfterFunc(abortAfter, e.abort).Stop()
	}
	e.stopped.Wait()
	e.abort()
	e.refuseLeft()
	return err
}

// submit puts a job into the queue and waits for its outcome. A client that
// goes away while its job is under way loses the answer, not the effect.
func (e *Engine) submit(ctx context.Context, j *job) (outcome, error) {
	j.ctx, j.done, j.queued = ctx, make(chan outcome, 1), time.Now()
	e.mu.Lock()
	if e.stopping {
		e.mu.Unlock()
		return outcome{}, ErrOverloaded
	}
	e.senders.Add(1)
	e.mu.Unlock()
	err := e.enqueue(j)
	e.senders.Done()
	if err != nil {
		return outcome{}, err
	}
	select {
	case out := <-j.done:
		return out, out.err
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// enqueue puts a job into the queue, or refuses it when too much waits.
func (e *Engine) enqueue(j *job) error {
	size := int64(j.size())
	if e.waiting.Add(size) > int64(e.queueLimit) && size < e.waiting.Load() {
		e.waiting.Add(-size)
		e.metrics.refused.Inc()
		return ErrOverloaded
	}
	e.queueOf(j).put(j)
	return nil
}

// finish hands an outcome to the one who waits.
func (e *Engine) finish(j *job, out outcome) {
	if j.due == nil {
		e.waiting.Add(-int64(j.size()))
	}
	j.done <- out
}

// Committed returns a channel that is closed at the next commit of this process.
func (e *Engine) Committed() <-chan struct{} {
	e.committedMu.Lock()
	defer e.committedMu.Unlock()
	return e.committed
}

func (e *Engine) announce() {
	e.committedMu.Lock()
	defer e.committedMu.Unlock()
	close(e.committed)
	e.committed = make(chan struct{})
}

// View reads one consistent state of the store.
func (e *Engine) View(ctx context.Context, fn func(store.Reader) error) error {
	return e.store.View(ctx, fn)
}

// Write runs one write. Errors: casm.Violations, ErrOverloaded,
// ErrUnavailable, ErrOutcomeUnknown, or a fault of our own.
func (e *Engine) Write(ctx context.Context, w Write) (*Answer, error) {
	s := &step{in: w.Input, ifMatch: w.IfMatch, ifMatchPointer: "If-Match"}
	j := &job{actor: w.Actor, steps: []*step{s}, dryRun: w.DryRun}
	if !w.DryRun {
		hash, err := requestHash(w.Input.Operation.ID, w.Body)
		if err != nil {
			return nil, err
		}
		s.hash, s.claim = hash, store.Request(w.Input.RequestID, -1)
	}
	out, err := e.do(ctx, j)
	if err != nil {
		return nil, err
	}
	return out.answers[0], out.errs[0]
}

// do runs a job: dry, or through the queue.
func (e *Engine) do(ctx context.Context, j *job) (outcome, error) {
	if j.dryRun {
		return e.dryRun(ctx, j)
	}
	return e.submit(ctx, j)
}

// dryRun decides a job on what is committed and throws the overlay away
// (contract rule 3).
func (e *Engine) dryRun(ctx context.Context, j *job) (out outcome, err error) {
	needs := needsOf([]*job{j}, e.config.Load())
	err = e.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, needs)
		if err != nil {
			return err
		}
		b, err := e.newBatch(ctx, r, l, needs)
		if err != nil {
			return err
		}
		b.dry = true
		out = b.runSafely(j)
		return b.source.err
	})
	return out, err
}

// snapshot returns the configuration of the version, reading it anew when the
// one at hand is older.
func (e *Engine) snapshot(ctx context.Context, r store.Reader, version int64) (*casm.Snapshot, error) {
	if s := e.config.Load(); s != nil && s.Version == version {
		return s, nil
	}
	stored, err := r.Config(ctx)
	if err != nil {
		return nil, err
	}
	items := map[string][]casm.ConfigItem{}
	for _, x := range stored {
		c := casm.CollectionByPath(x.Collection)
		if c == nil {
			continue // of a later release
		}
		item, err := c.Decode(x.Doc)
		if err != nil {
			return nil, err
		}
		items[c.Path] = append(items[c.Path], item)
	}
	s := casm.NewSnapshot(version, items)
	e.know(s)
	return s, nil
}

// know keeps the configuration at hand, unless a later one is.
func (e *Engine) know(s *casm.Snapshot) {
	for {
		old := e.config.Load()
		if old != nil && old.Version >= s.Version || e.config.CompareAndSwap(old, s) {
			return
		}
	}
}

// Config returns the configuration as it is committed now.
func (e *Engine) Config(ctx context.Context) (s *casm.Snapshot, err error) {
	if s := e.config.Load(); e.exclusive && s != nil {
		return s, nil // nobody else can have changed it
	}
	err = e.store.View(ctx, func(r store.Reader) error {
		head, err := r.Head(ctx)
		if err != nil {
			return err
		}
		s, err = e.snapshot(ctx, r, head.Config)
		return err
	})
	return s, err
}

// How long an unknown outcome is asked after (contract 4, 504).
const (
	settleFor   = 10 * time.Second
	settlePause = 100 * time.Millisecond
)

// commit commits jobs as one transaction and hands out what became of them.
// What the database refuses is halved until the culprit stands alone.
func (e *Engine) commit(ctx context.Context, l *lane, jobs []*job) {
	began := time.Now()
	jobs, first, err := e.commitOnce(e.commits, l, jobs)
	outcomes, unknown := first, errors.Is(err, store.ErrOutcomeUnknown)
	for until := began.Add(settleFor); unknown && err != nil && ctx.Err() == nil && time.Now().Before(until); {
		time.Sleep(settlePause)
		jobs, outcomes, err = e.commitOnce(e.commits, l, jobs)
	}
	busy, isBusy := errors.AsType[*store.Busy](err)
	switch {
	case err == nil:
		for n, j := range jobs {
			if errors.Is(outcomes[n].err, errFar) {
				e.putAside(j, e.far)
				continue
			}
			e.metrics.waited.Observe(max(began.Sub(j.queued), 0).Seconds())
			if unknown && n < len(first) {
				outcomes[n].forgetReplay(&first[n])
			}
			e.finish(j, outcomes[n])
		}
	case unknown:
		e.refuse(jobs, ErrOutcomeUnknown, err)
	case e.commits.Err() != nil: // it was ended
		e.refuse(jobs, ErrOverloaded, err)
	case isBusy:
		e.giveWay(ctx, l, jobs, busy)
	case errors.Is(err, store.ErrUnavailable), len(jobs) == 1:
		e.refuse(jobs, err, err)
	default:
		e.log.Warn("a commit was refused and is halved", "jobs", len(jobs), "error", err)
		e.commit(ctx, l, jobs[:len(jobs)/2])
		e.commit(ctx, l, jobs[len(jobs)/2:])
	}
}

// nextTime returns the time of the next command: later than that of all before
// in this process.
func (e *Engine) nextTime(now casm.Time) casm.Time {
	for {
		last := e.lastTime.Load()
		next := max(int64(now), last+1)
		if e.lastTime.CompareAndSwap(last, next) {
			return casm.Time(next)
		}
	}
}

func (e *Engine) refuse(jobs []*job, answer, cause error) {
	e.log.Error("a commit failed", "jobs", len(jobs), "error", cause)
	e.metrics.failed.Inc()
	for _, j := range jobs {
		e.finish(j, outcome{err: answer})
	}
}

// commitOnce is one attempt. It returns the jobs with those that joined late.
// Where its outcome is unknown it returns what the jobs come to if it succeeded.
func (e *Engine) commitOnce(ctx context.Context, l *lane, jobs []*job) ([]*job, []outcome, error) {
	began := time.Now()
	needs, early := needsOf(jobs, e.config.Load()), len(jobs)
	jobs = slices.Clip(jobs) // it may be half of others, over which what joins must not be written
	needs.Patience = l.patience
	var b *batch
	var outcomes []outcome
	// a commit that has begun is finished also when the engine is told to stop
	head, err := e.store.Commit(ctx, needs, func(r store.Reader, loaded *store.Loaded) (*store.WriteSet, error) {
		if l.patience > 0 && time.Since(began) > longWait {
			jobs = append(jobs, l.late(needs, jobs, e.config.Load())...)
		}
		err := addRequests(ctx, r, loaded, jobs[early:])
		if err != nil {
			return nil, err
		}
		if b, err = e.newBatch(ctx, r, loaded, needs); err != nil {
			return nil, err
		}
		b.reach = l.reach
		outcomes = outcomes[:0]
		for _, j := range jobs {
			if j.ctx != nil && j.ctx.Err() != nil {
				outcomes = append(outcomes, outcome{err: j.ctx.Err()})
				continue
			}
			outcomes = append(outcomes, b.runSafely(j))
		}
		return b.write.set(), b.source.err
	})
	if err != nil {
		return jobs, outcomes, err
	}
	if len(b.write.config) > 0 {
		e.know(b.config.At(head.Config))
	}
	e.metrics.committed(jobs, len(b.write.transactions), time.Since(began))
	if len(b.write.transactions) > 0 {
		e.announce()
	}
	if b.write.due {
		e.wakeDue()
	}
	return jobs, outcomes, nil
}

// forgetReplay clears the mark of a repeat from answers that an attempt of our
// own found made by the first one.
func (o *outcome) forgetReplay(first *outcome) {
	for n, a := range o.answers {
		if a != nil && n < len(first.answers) && first.answers[n] != nil {
			a.Replayed = first.answers[n].Replayed
		}
	}
}
