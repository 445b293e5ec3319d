package engine

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casm/command"
	"casm/store"
)

// jobOf makes a job that names customers by their external ids.
func jobOf(t *testing.T, names ...string) *job {
	t.Helper()
	op := command.OperationByID("updateCustomerCustomName")
	j := &job{done: make(chan outcome, 1)}
	for _, name := range names {
		in, v := op.Decode([]byte(`{"requestId":"r","customer":{"externalId":"`+name+`"},"customName":"n"}`), "", false)
		if len(v) > 0 {
			t.Fatal(v)
		}
		j.steps = append(j.steps, &step{in: in, claim: store.Request(newID().String(), -1)})
	}
	return j
}

// takenNow is what a committer takes at once, with no jobs for nothing.
func takenNow(q *queue, limit int) *turn {
	t, _ := q.pick(limit)
	if t == nil {
		t = &turn{}
	}
	return t
}

// TestQueueAlone: with no commit under way, everything is taken at once and in
// order, up to the limit, whoever is named.
func TestQueueAlone(t *testing.T) {
	q := newQueue(2, 8)
	var jobs []*job
	for range 10 {
		jobs = append(jobs, jobOf(t, "a"))
		q.put(jobs[len(jobs)-1])
	}
	first := takenNow(q, 8)
	if !slices.Equal(first.jobs, jobs[:8]) {
		t.Fatalf("took %d jobs", len(first.jobs))
	}
	if got := takenNow(q, 8); got.jobs != nil {
		t.Fatal("took what a commit under way names")
	}
	q.done(first)
	if got := takenNow(q, 8); !slices.Equal(got.jobs, jobs[8:]) {
		t.Fatalf("took %d jobs", len(got.jobs))
	}
}

// TestQueueBeside: beside a commit under way, what is not named by it, nor by
// what waits for it, is taken when it is enough.
func TestQueueBeside(t *testing.T) {
	q := newQueue(2, 8) // 2 are enough
	a := jobOf(t, "a")
	q.put(a)
	first := takenNow(q, 8)
	if len(first.jobs) != 1 {
		t.Fatal("a lone job was not taken at once")
	}
	both, behind, c := jobOf(t, "b", "a"), jobOf(t, "b"), jobOf(t, "c")
	q.put(both)
	q.put(behind)
	q.put(c)
	if got := takenNow(q, 8); got.jobs != nil {
		t.Fatal("took little beside a commit that is under way")
	}
	d := jobOf(t, "d")
	q.put(d)
	second := takenNow(q, 8)
	if !slices.Equal(second.jobs, []*job{c, d}) {
		t.Fatalf("took %d jobs, want c and d", len(second.jobs))
	}
	q.done(first)
	third := takenNow(q, 8) // that it is enough is seen though it waited before
	if !slices.Equal(third.jobs, []*job{both, behind}) {
		t.Fatalf("took %d jobs, want what names b, in its order", len(third.jobs))
	}
	q.done(second)
	q.done(third)
	if len(q.named) != 0 || len(q.under) != 0 || len(q.blocked) != 0 || q.free != 0 {
		t.Fatalf("when all is done: %+v", q)
	}
}

// TestQueueNames: creations with one requestId or one external id wait for each
// other, and a change for the creation of what it names.
func TestQueueNames(t *testing.T) {
	create := func(requestID, externalID string) *job {
		in, v := command.OperationByID("createCustomer").Decode([]byte(`{"requestId":"`+requestID+`","externalId":"`+externalID+`","customerProfile":"p"}`), "", false)
		if len(v) > 0 {
			t.Fatal(v)
		}
		return &job{steps: []*step{{in: in, claim: store.Request(requestID, -1)}}}
	}
	for name, second := range map[string]*job{
		"requestId": create("1", "b"), "external id": create("2", "a"), "the created": jobOf(t, "a"),
	} {
		q := newQueue(2, 4) // 1 is enough
		q.put(create("1", "a"))
		takenNow(q, 4)
		q.put(second)
		if got := takenNow(q, 4); got.jobs != nil {
			t.Errorf("%s: both are under way", name)
		}
		q.put(create("3", "c"))
		if got := takenNow(q, 4); len(got.jobs) != 1 {
			t.Errorf("%s: took %d jobs", name, len(got.jobs))
		}
	}
}

// TestQueueSlow: what is little waits behind a slow commit for a short time
// only, from when that began: whether committers had nothing to do before, and
// however many commits were made beside it.
func TestQueueSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 256)
		ctx, cancel := context.WithCancel(t.Context())
		type taken struct {
			name string
			at   time.Duration
		}
		begun, came := time.Now(), make(chan taken, 100)
		for range 2 {
			go func() {
				for {
					got := q.take(ctx, 256, nil)
					if got == nil {
						return
					}
					for _, j := range got.jobs {
						name := j.steps[0].in.References()[0].ExternalID
						came <- taken{name, time.Since(begun)}
						if name == "slow" {
							time.Sleep(10 * time.Second)
						}
					}
					q.done(got)
				}
			}()
		}
		want := func(name string, at time.Duration) {
			t.Helper()
			if got := <-came; got != (taken{name, at}) {
				t.Errorf("%+v, want %s at %s", got, name, at)
			}
		}
		synctest.Wait() // both have nothing to do
		q.put(jobOf(t, "slow"))
		want("slow", 0)
		time.Sleep(time.Millisecond)
		q.put(jobOf(t, "b"))
		want("b", slowCommit)
		time.Sleep(2*time.Second - time.Since(begun))
		q.put(jobOf(t, "slow")) // cannot be had
		for range 5 {
			q.put(jobOf(t, "c"))
			want("c", time.Since(begun))
			time.Sleep(time.Millisecond)
		}
		want("slow", 10*time.Second)
		cancel()
		time.Sleep(10 * time.Second)
	})
}

// TestQueueDue: a due job is taken alone, and goes along with others.
func TestQueueDue(t *testing.T) {
	q, due := newQueue(1, 8), make(chan *job, 1)
	j := &job{due: make([]store.Key, 3)}
	due <- j
	got := q.take(t.Context(), 8, due)
	if !slices.Equal(got.jobs, []*job{j}) {
		t.Fatalf("took %d jobs", len(got.jobs))
	}
	q.done(got)
	due <- j
	q.put(jobOf(t, "a"))
	if got = q.take(t.Context(), 8, due); len(got.jobs) != 2 {
		t.Fatalf("took %d jobs, want both", len(got.jobs))
	}
}

// TestQueueMore: a commit takes more of what fits, and nothing else.
func TestQueueMore(t *testing.T) {
	q := newQueue(2, 8)
	q.put(jobOf(t, "a"))
	_ = q.take(t.Context(), 8, nil)
	a1, b, a2, a3 := jobOf(t, "a"), jobOf(t, "b"), jobOf(t, "a"), jobOf(t, "a")
	for _, j := range []*job{a1, b, a2, a3} {
		q.put(j)
	}
	fit := func(j *job) bool { return j.steps[0].in.References()[0].ExternalID == "a" }
	if got := q.more(2, fit); !slices.Equal(got, []*job{a1, a2}) {
		t.Fatalf("took %d jobs", len(got))
	}
	if got := q.drain(); !slices.Equal(got, []*job{b, a3}) {
		t.Fatalf("%d are left", len(got))
	}
}

// TestQueueStress: whatever comes at once, each job is taken once, two commits
// under way never name the same, and what names the same is taken in its order.
func TestQueueStress(t *testing.T) {
	const committers, producers, each = 3, 20, 200
	q := newQueue(committers, 16)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	under, last, count := map[named]bool{}, map[named]int{}, 0
	order := map[*job]int{}
	var lanes, clients sync.WaitGroup
	for range committers {
		lanes.Go(func() {
			for {
				got := q.take(ctx, 16, nil)
				if got == nil {
					return
				}
				mine := map[named]bool{}
				mu.Lock()
				for _, j := range got.jobs {
					for _, n := range j.names {
						if under[n] && !mine[n] {
							t.Errorf("two commits under way name %v", n)
						}
						under[n], mine[n] = true, true
						if last[n] > order[j] {
							t.Errorf("a job that names %v was overtaken", n)
						}
						last[n] = order[j]
					}
					count++
				}
				mu.Unlock()
				time.Sleep(time.Duration(len(got.jobs)) * 10 * time.Microsecond)
				mu.Lock()
				for n := range mine {
					delete(under, n)
				}
				mu.Unlock()
				q.done(got)
				for _, j := range got.jobs {
					j.done <- outcome{}
				}
			}
		})
	}
	for range producers {
		clients.Go(func() {
			for range each {
				names := []string{strconv.Itoa(rand.IntN(30))}
				if rand.IntN(4) == 0 {
					names = append(names, strconv.Itoa(rand.IntN(30)))
				}
				j := jobOf(t, names...)
				mu.Lock() // in the order in which they are put
				order[j] = len(order) + 1
				q.put(j)
				mu.Unlock()
				<-j.done
			}
		})
	}
	clients.Wait()
	cancel()
	lanes.Wait()
	if count != producers*each || len(q.named) != 0 || len(q.under) != 0 || q.free != 0 {
		t.Errorf("%d jobs were taken of %d; left is %+v", count, producers*each, q)
	}
}
