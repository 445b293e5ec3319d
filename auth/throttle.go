package auth

import (
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How often a sign-in may fail: a burst, then one each so often. The same
// holds for users that there are and for those that there are not. Of one user
// an address makes failures slower than the user takes them, so that one
// stranger does not keep the user out; and where a user has signed in before,
// what is tried elsewhere does not count.
var (
	ofPair    = allowance{10, 10 * time.Second} // of a user from an address
	ofUser    = allowance{20, 2 * time.Second}  // of a user, where they have not signed in before
	ofAddress = allowance{50, time.Second}      // of an address, whoever it names
)

// allowance is how many failures are allowed at once, and after how long one
// more is.
type allowance struct {
	burst int
	every time.Duration
}

// slots is how many counts there are of each sort. A place is a secret hash's,
// so that nobody can choose whose count to share, and memory is the same
// whatever comes.
const slots = 1 << 14

// throttle slows down who fails to sign in.
type throttle struct {
	seed maphash.Seed

	mu                      sync.Mutex
	pairs, users, addresses counts
	known                   [slots]uint64 // hashes of pairs that have signed in
}

func newThrottle() *throttle { return &throttle{seed: maphash.MakeSeed()} }

// counts are, for each place, when all failures are forgiven, in Unix
// nanoseconds.
type counts [slots]int64

// count is one of them.
type count struct {
	*counts
	place uint64
	allowance
}

// wait returns how long until one more failure is allowed; 0: it is now. More
// than a burst is never counted: then the clock was set back.
func (c count) wait(now int64) time.Duration {
	at := &c.counts[c.place%slots]
	*at = min(*at, now+int64(c.burst)*int64(c.every))
	return max(0, time.Duration(*at-now)-time.Duration(c.burst-1)*c.every)
}

func (c count) take(now int64) {
	at := &c.counts[c.place%slots]
	*at = max(*at, now) + int64(c.every)
}

func (c count) forgive() { c.counts[c.place%slots] -= int64(c.every) }

// beginAt is begin where nobody says yet who they are: it counts the address.
func (t *throttle) beginAt(remote string, now time.Time) (attempt, time.Duration) {
	c := count{&t.addresses, t.hash("a", network(remote)), ofAddress}
	t.mu.Lock()
	defer t.mu.Unlock()
	if wait := c.wait(now.UnixNano()); wait > 0 {
		return attempt{}, wait
	}
	c.take(now.UnixNano())
	return attempt{t: t, counts: []count{c}}, 0
}

// attempt is one try to sign in. It counts as failed until it is forgiven.
type attempt struct {
	t      *throttle
	pair   uint64
	counts []count
}

// begin counts an attempt, or returns how long to wait.
func (t *throttle) begin(user, remote string, now time.Time) (attempt, time.Duration) {
	address := network(remote)
	pair := t.hash("p", user+"\x00"+address)
	a := attempt{t, pair, []count{{&t.pairs, pair, ofPair}, {&t.addresses, t.hash("a", address), ofAddress}}}
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[pair%slots] != pair {
		a.counts = append(a.counts, count{&t.users, t.hash("u", user), ofUser})
	}
	wait := time.Duration(0)
	for _, c := range a.counts {
		wait = max(wait, c.wait(at))
	}
	if wait > 0 {
		return attempt{}, wait
	}
	for _, c := range a.counts {
		c.take(at)
	}
	return a, 0
}

// forgive takes the count back: it did not fail.
func (a attempt) forgive() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	for _, c := range a.counts {
		c.forgive()
	}
}

// succeed is forgive, and knows the user at the address from now on.
func (a attempt) succeed() {
	a.forgive()
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.t.known[a.pair%slots] = a.pair
}

func (t *throttle) hash(sort, s string) uint64 { return maphash.String(t.seed, sort+s) }

// network is what one stranger has: an address, of IPv6 the /64 around it.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
