package bench

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHistogram: a quantile is never below the exact one and at most 1/32 above.
func TestHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour/time.Microsecond)), 1, 200).Draw(t, "micros")
		var parts [2]histogram
		for i, v := range values {
			parts[i%2].add(time.Duration(v) * time.Microsecond)
		}
		h := &parts[0]
		h.merge(&parts[1])
		slices.Sort(values)
		for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
			rank := max(int(q*float64(len(values))+0.5), 1)
			exact := values[rank-1]
			got := int64(h.quantile(q) / time.Microsecond)
			if got < exact || got > exact+exact/steps {
				t.Fatalf("quantile %v of %v: got %d, exactly %d", q, values, got, exact)
			}
		}
		if int64(h.max/time.Microsecond) != values[len(values)-1] {
			t.Fatalf("max %v of %v", h.max, values)
		}
	})
}

func TestHistogramEmpty(t *testing.T) {
	var h histogram
	if h.quantile(0.99) != 0 {
		t.Error("an empty histogram has a latency")
	}
}
