package engine

import (
	"context"
	"slices"
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
		j.steps = append(j.steps, &step{in: in})
	}
	return j
}

// takenNow is what a committer takes at once, nil for nothing.
func takenNow(q *queue, limit int) []*job {
	jobs, _ := q.pick(limit)
	return jobs
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
	if got := takenNow(q, 8); !slices.Equal(got, jobs[:8]) {
		t.Fatalf("took %d jobs", len(got))
	}
	if got := takenNow(q, 8); got != nil {
		t.Fatal("took what a commit under way names")
	}
	q.done(jobs[:8])
	if got := takenNow(q, 8); !slices.Equal(got, jobs[8:]) {
		t.Fatalf("took %d jobs", len(got))
	}
}

// TestQueueBeside: beside a commit under way, what is not named by it is taken
// when it is enough, and the rest is left in its order.
func TestQueueBeside(t *testing.T) {
	q := newQueue(2, 8) // 2 are enough
	first := jobOf(t, "a")
	q.put(first)
	if got := takenNow(q, 8); len(got) != 1 {
		t.Fatal("a lone job was not taken at once")
	}
	held, free := jobOf(t, "b", "a"), jobOf(t, "b")
	q.put(held)
	q.put(free)
	if got := takenNow(q, 8); got != nil {
		t.Fatal("took little beside a commit that is under way")
	}
	other := jobOf(t, "c")
	q.put(other)
	if got := takenNow(q, 8); !slices.Equal(got, []*job{free, other}) {
		t.Fatalf("took %d jobs, want what names b alone, and c", len(got))
	}
	q.done([]*job{first})
	if got := takenNow(q, 8); got != nil { // b is still named
		t.Fatal("took what names b")
	}
	q.done([]*job{free, other})
	if got := takenNow(q, 8); !slices.Equal(got, []*job{held}) {
		t.Fatal("what was held was not taken in the end")
	}
	q.done([]*job{held})
	if len(q.named) != 0 || q.under != 0 || q.size != 0 {
		t.Fatalf("%d named, %d under way, %d waiting when all is done", len(q.named), q.under, q.size)
	}
}

// TestQueueSlow: what is little waits behind a slow commit for a short time
// only, whether it was there before or comes later.
func TestQueueSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 256)
		q.put(jobOf(t, "a"))
		slow := q.take(t.Context(), 256, nil) // is never done
		taken := make(chan time.Duration)
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		go func() {
			for {
				jobs := q.take(ctx, 256, nil)
				if jobs == nil {
					close(taken)
					return
				}
				taken <- time.Since(begun)
				q.done(jobs)
			}
		}()
		time.Sleep(10 * time.Millisecond)
		q.put(jobOf(t, "b"))
		if at := <-taken; at != slowCommit {
			t.Errorf("little was taken after %s, want %s", at, slowCommit)
		}
		time.Sleep(time.Second)
		q.put(jobOf(t, "a")) // cannot be had
		q.put(jobOf(t, "c"))
		if at := <-taken; at > slowCommit+time.Second+slowCommit {
			t.Errorf("what came later was taken after %s", at)
		}
		q.put(jobOf(t, "a"))
		synctest.Wait()
		q.done(slow)
		q.put(jobOf(t, "d"))
		<-taken // what names a, and d
		if q.size != 0 {
			t.Errorf("%d are left", q.size)
		}
		cancel()
		<-taken
	})
}

// TestQueueDue: a due job is taken alone, and goes along with others.
func TestQueueDue(t *testing.T) {
	q, due := newQueue(1, 8), make(chan *job, 1)
	j := &job{due: make([]store.Key, 3)}
	due <- j
	jobs := q.take(t.Context(), 8, due)
	if !slices.Equal(jobs, []*job{j}) {
		t.Fatalf("took %d jobs", len(jobs))
	}
	q.done(jobs)
	due <- j
	q.put(jobOf(t, "a"))
	if jobs = q.take(t.Context(), 8, due); len(jobs) != 2 {
		t.Fatalf("took %d jobs, want both", len(jobs))
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
