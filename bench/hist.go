package bench

import (
	"math/bits"
	"time"
)

// A histogram keeps how often each latency was seen, to 1/32 of its value, in
// constant memory.
type histogram struct {
	counts [64 * steps]uint32
	n      uint64
	max    time.Duration
}

// steps is into how many parts each power of two is divided.
const steps = 32

// index returns the bucket of a latency in microseconds. Below steps each
// value has its own.
func index(micros uint64) int {
	if micros < steps {
		return int(micros)
	}
	shift := bits.Len64(micros) - bits.Len64(steps) // ≥ 0
	return (shift+1)*steps + int(micros>>shift) - steps
}

// lower returns the lowest latency of a bucket.
func lower(index int) uint64 {
	if index < steps {
		return uint64(index)
	}
	shift := index/steps - 1
	return uint64(index%steps+steps) << shift
}

func (h *histogram) add(d time.Duration) {
	h.counts[index(uint64(max(d, 0)/time.Microsecond))]++
	h.n++
	h.max = max(h.max, d)
}

func (h *histogram) merge(o *histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// quantile returns the latency that the share q of all stayed below or
// reached: the upper end of its bucket, at most the maximum.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.n)+0.5), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += uint64(c); seen >= rank {
			return min(time.Duration(lower(i+1)-1)*time.Microsecond, h.max)
		}
	}
	return h.max
}
