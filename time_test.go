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

// TestParseTimeIsStrict: what the standard library reads beyond RFC 3339 is no time.
func TestParseTimeIsStrict(t *testing.T) {
	for _, bad := range []string{
		"2024-01-01T1:00:00Z", "2024-01-01T1:00:00.5+02:00", "2024-01-01T00:00:00,5Z",
		"2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00-00:60", "2024-01-01T00:00:00", "2024-01-01T00:00:00+0200", "",
	} {
		if at, err := casm.ParseTime(bad); err == nil {
			t.Errorf("%q is read as %v", bad, at)
		}
	}
	for good, want := range map[string]string{
		"2024-01-01T00:00:00Z":              "2024-01-01T00:00:00.000000Z",
		"2024-01-01T00:00:00-00:00":         "2024-01-01T00:00:00.000000Z",
		"2024-01-01T23:59:00+23:59":         "2024-01-01T00:00:00.000000Z",
		"2024-01-01T02:00:00.1234567+02:00": "2024-01-01T00:00:00.123456Z",
	} {
		if at, err := casm.ParseTime(good); err != nil || at.String() != want {
			t.Errorf("%s is read as %v, %v; want %s", good, at, err, want)
		}
	}
}
