package casm

import (
	"fmt"
	"time"
)

// Time is an instant in microseconds since 0001-01-01T00:00:00Z; zero is "none".
// As JSON it is RFC 3339 in UTC with six digits of fraction (contract, preamble).
type Time int64

const (
	timeForm = "0000-00-00T00:00:00.000000Z"
	// epochMicros is 1970-01-01 in microseconds since the year 1.
	epochMicros = 62135596800 * 1_000_000
)

// The first and, exclusively, the last instant that the product handles.
var (
	MinTime = TimeOf(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
	MaxTime = TimeOf(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
)

// TimeOf returns t, cut to microseconds; the zero time.Time gives none.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro() + epochMicros)
}

// Std returns the instant as a time.Time in UTC; none gives the zero time.Time.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// UnixMicro returns microseconds since 1970.
func (t Time) UnixMicro() int64 { return int64(t) - epochMicros }

// Add returns t moved by d, cut to microseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d/time.Microsecond) }

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Microsecond }

// IsZero reports whether t is none.
func (t Time) IsZero() bool { return t == 0 }

// String returns the JSON form without quotes, or "" for none.
func (t Time) String() string {
	var b [len(timeForm)]byte
	return string(t.append(b[:0]))
}

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// AppendText implements encoding.TextAppender.
func (t Time) AppendText(b []byte) ([]byte, error) { return t.append(b), nil }

// append is by hand as there are several times in each entity: the standard
// library reads its layout again for each.
func (t Time) append(b []byte) []byte {
	if t == 0 {
		return b
	}
	at := t.Std()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	b = append(b, timeForm...)
	form := b[len(b)-len(timeForm):]
	digits(form[:4], year)
	digits(form[5:7], int(month))
	digits(form[8:10], day)
	digits(form[11:13], hour)
	digits(form[14:16], minute)
	digits(form[17:19], second)
	digits(form[20:26], at.Nanosecond()/1000)
	return b
}

// digits writes a number, with zeros before it.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// UnmarshalText implements encoding.TextUnmarshaler with ParseTime's rules.
func (t *Time) UnmarshalText(b []byte) error {
	u, err := ParseTime(string(b))
	if err == nil {
		*t = u
	}
	return err
}

// ParseTime reads an RFC 3339 time with offset, of the years 1970–2199, cut to
// microseconds. Its errors say what would be right.
func ParseTime(s string) (Time, error) {
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !isRFC3339(s) {
		return 0, fmt.Errorf("%q is not a time with offset such as 2026-05-01T00:00:00+02:00", clip(s))
	}
	t := TimeOf(v)
	if t < MinTime || t >= MaxTime {
		return 0, fmt.Errorf("%q is outside the years 1970 to 2199", clip(s))
	}
	return t, nil
}

// isRFC3339 reports whether a text that the standard library reads as a time is
// one: it takes an hour of one digit, a comma before the fraction and offsets
// of a day and more, too (https://go.dev/issue/54580).
func isRFC3339(s string) bool {
	const hour, fraction, offset = len("2006-01-02T15"), len("2006-01-02T15:04:05"), len("07:00")
	if s[hour] != ':' || s[fraction] == ',' {
		return false
	}
	at := len(s) - offset
	return s[len(s)-1] == 'Z' || s[at:at+2] < "24" && s[at+3:] < "60"
}
