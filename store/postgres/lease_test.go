package postgres_test

import (
	"testing"
	"time"
)

// TestLease: of two processes one has a lease, until it gives it up or lets it
// run out; that its session stays open changes nothing.
func TestLease(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), database(t)
	a, b := open(t, url), open(t, url)
	defer a.Close()
	defer b.Close()
	ask := func(holder, want string, span time.Duration) {
		t.Helper()
		s := a
		if holder == "b" {
			s = b
		}
		if has, err := s.Lease(ctx, "relay", holder, span); err != nil || has != want {
			t.Errorf("%s asked, %q has it, %v; want %s", holder, has, err, want)
		}
	}
	ask("a", "a", time.Minute)
	ask("b", "a", time.Minute)
	ask("b", "a", 0) // who does not have it cannot give it up
	if has, err := b.Lease(ctx, "other", "b", time.Minute); err != nil || has != "b" {
		t.Errorf("another lease: %q has it, %v", has, err)
	}
	ask("a", "a", 300*time.Millisecond) // shorter than before
	ask("b", "a", time.Minute)
	time.Sleep(350 * time.Millisecond)
	ask("b", "b", time.Minute) // it has run out
	ask("a", "b", time.Minute) // the former holder is told
	ask("b", "b", 0)
	ask("a", "a", time.Minute)
}
