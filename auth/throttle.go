package auth

import (
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How often a sign-in may fail: a burst, then one each so often. A user takes
// failures faster than one address makes them, so that a stranger does not keep
// the user out; and who has signed in from an address before is not held up by
// what others do elsewhere.
const (
	failuresAtOnce = 10
	perAddress     = 10 * time.Second
	perUser        = 2 * time.Second
)

// slots is how many counts there are of each sort. A place is a secret hash's,
// so that nobody can choose whose count to share, and memory is the same
// whatever comes.
const slots = 1 << 14

// throttle slows down who fails to sign in.
type throttle struct {
	seed maphash.Seed

	mu        sync.Mutex
	addresses counts
	users     counts
	pairs     counts             // of a user at an address from which they have signed in
	known     [slots]knownSignIn // such pairs
}

// knownSignIn is the hash of a user and an address.
type knownSignIn uint64

func newThrottle() *throttle { return &throttle{seed: maphash.MakeSeed()} }

// counts are, for each place, when all failures are forgiven, in Unix
// nanoseconds.
type counts [slots]int64

// wait returns how long until one more failure is allowed; 0: it is now.
func (c *counts) wait(place uint64, every time.Duration, now int64) time.Duration {
	return max(0, time.Duration(c[place%slots]-now)-(failuresAtOnce-1)*every)
}

func (c *counts) take(place uint64, every time.Duration, now int64) {
	c[place%slots] = max(c[place%slots], now) + int64(every)
}

func (c *counts) forgive(place uint64, every time.Duration) { c[place%slots] -= int64(every) }

// attempt is one try to sign in. It counts as failed until it is forgiven.
type attempt struct {
	t                   *throttle
	address, user, pair uint64
	known               bool
}

// begin counts an attempt, or returns how long to wait.
func (t *throttle) begin(user, remote string, now time.Time) (attempt, time.Duration) {
	address := network(remote)
	a := attempt{t: t, address: t.hash("a", address), user: t.hash("u", user), pair: t.hash("p", user+"\x00"+address)}
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	a.known = t.known[a.pair%slots] == knownSignIn(a.pair)
	wait := t.addresses.wait(a.address, perAddress, at)
	if a.known {
		wait = t.pairs.wait(a.pair, perAddress, at)
	} else {
		wait = max(wait, t.users.wait(a.user, perUser, at))
	}
	if wait > 0 {
		return attempt{}, wait
	}
	if a.known {
		t.pairs.take(a.pair, perAddress, at)
	} else {
		t.addresses.take(a.address, perAddress, at)
		t.users.take(a.user, perUser, at)
	}
	return a, 0
}

// forgive takes the count back: it did not fail.
func (a attempt) forgive() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	if a.known {
		a.t.pairs.forgive(a.pair, perAddress)
		return
	}
	a.t.addresses.forgive(a.address, perAddress)
	a.t.users.forgive(a.user, perUser)
}

// succeed is forgive, and knows the user at the address from now on.
func (a attempt) succeed() {
	a.forgive()
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.t.known[a.pair%slots] = knownSignIn(a.pair)
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
