package auth

import (
	"testing"
	"time"
)

// TestClockBack: whoever failed to sign in waits no longer for a clock that is
// set back: what is counted is never more than can have been.
func TestClockBack(t *testing.T) {
	th := newThrottle()
	now := time.Now()
	wait := time.Duration(0)
	for range ofPair.burst + 1 {
		_, wait = th.begin("ann", "192.0.2.1:1", now)
	}
	if wait != ofPair.every {
		t.Fatalf("after a burst it waits %v", wait)
	}
	now = now.Add(-24 * time.Hour)
	if _, wait = th.begin("ann", "192.0.2.1:2", now); wait > ofPair.every {
		t.Errorf("with the clock set back it waits %v", wait)
	}
	now = now.Add(ofPair.every)
	if _, wait = th.begin("ann", "192.0.2.1:3", now); wait != 0 {
		t.Errorf("after its time it waits %v", wait)
	}
}
