package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimiters bounds how many keys' rates are kept in mind. Only keys that
// exist get there; beyond the bound any one is forgotten, which gives it a
// fresh second.
const maxLimiters = 10_000

// limits are the rates of keys.
type limits struct {
	rate int64 // of keys without one; below 0: none

	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// take counts a request of the key. It returns 0, or how long to wait.
func (l *limits) take(key string, own int64, now time.Time) time.Duration {
	perSecond := own
	if perSecond <= 0 {
		perSecond = l.rate
	}
	if perSecond < 0 {
		return 0
	}
	r := l.limiter(key, perSecond).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// limiter returns the key's limiter: a burst is what one second allows.
func (l *limits) limiter(key string, perSecond int64) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.keys[key]
	if limiter == nil || limiter.Burst() != int(perSecond) {
		if l.keys == nil {
			l.keys = map[string]*rate.Limiter{}
		}
		if limiter == nil && len(l.keys) >= maxLimiters {
			for other := range l.keys {
				delete(l.keys, other)
				break
			}
		}
		limiter = rate.NewLimiter(rate.Limit(perSecond), int(perSecond))
		l.keys[key] = limiter
	}
	return limiter
}
