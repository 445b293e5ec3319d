package casm_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"casm"
)

// TestTimeText: a time's text is RFC 3339 in UTC with six digits, as the
// standard library writes it, and is read back as the same time.
func TestTimeText(t *testing.T) {
	times := []casm.Time{casm.MinTime, casm.MinTime + 1, casm.MaxTime - 1}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		times = append(times, casm.MinTime+casm.Time(r.Int64N(int64(casm.MaxTime-casm.MinTime))))
	}
	for _, at := range times {
		want := at.Std().Format("2006-01-02T15:04:05.000000Z")
		b, err := json.Marshal(at)
		if err != nil || at.String() != want || string(b) != `"`+want+`"` {
			t.Fatalf("%s, %s, %v; want %s", at, b, err, want)
		}
		if back, err := casm.ParseTime(want); err != nil || back != at {
			t.Fatalf("%s is read as %v, %v", want, back, err)
		}
	}
	if s := casm.Time(0).String(); s != "" {
		t.Errorf("none is written as %q", s)
	}
}
