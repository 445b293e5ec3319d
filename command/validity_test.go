package command

import (
	"testing"
	"time"

	"casm"
)

// TestRule16Validity checks the end of a balance in the installation's time
// zone: month ends, leap days and the changes of daylight saving.
func TestRule16Validity(t *testing.T) {
	for _, x := range []struct{ zone, from, n, unit, want string }{
		{"UTC", "2026-01-31T12:00:00Z", "1", "MONTH", "2026-02-28T12:00:00Z"},
		{"UTC", "2024-01-31T12:00:00Z", "1", "MONTH", "2024-02-29T12:00:00Z"},
		{"UTC", "2024-02-29T00:00:00Z", "12", "MONTH", "2025-02-28T00:00:00Z"},
		{"UTC", "2026-01-31T12:00:00Z", "3", "MONTH", "2026-04-30T12:00:00Z"},
		{"UTC", "2026-12-15T00:00:00Z", "1", "MONTH", "2027-01-15T00:00:00Z"},
		{"Europe/Vienna", "2026-03-28T23:30:00Z", "1", "DAY", "2026-03-29T22:30:00Z"},      // the night of 23 hours
		{"Europe/Vienna", "2026-10-24T22:00:00Z", "1", "DAY", "2026-10-25T23:00:00Z"},      // the day of 25 hours
		{"Europe/Vienna", "2026-10-24T22:00:00Z", "24", "HOUR", "2026-10-25T22:00:00Z"},    // hours are hours
		{"Europe/Vienna", "2026-02-28T23:00:00Z", "1", "MONTH", "2026-03-31T22:00:00Z"},    // midnight stays midnight
		{"America/New_York", "2026-02-01T04:59:59Z", "1", "MONTH", "2026-03-01T04:59:59Z"}, // 31 January there
		{"UTC", "2199-12-31T00:00:00Z", "1", "MONTH", ""},
	} {
		zone, err := time.LoadLocation(x.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := casm.ParseTime(x.from)
		if err != nil {
			t.Fatal(err)
		}
		d := &Decision{Env: Env{Zone: zone}}
		got := d.validity(casm.Scalars{"validity": casm.Raw(x.n), "validityUnit": casm.Raw(`"` + x.unit + `"`)}, from)
		if got == 0 && x.want == "" {
			continue
		}
		if want, err := casm.ParseTime(x.want); err != nil || got != want {
			t.Errorf("%s + %s %s in %s: %v, want %s", x.from, x.n, x.unit, x.zone, got, x.want)
		}
	}
}
