package casm_test

import (
	"testing"

	"casm"
)

// TestPositionText: what a position is told as can be given back, and is the place
// that was meant.
func TestPositionText(t *testing.T) {
	for text, want := range map[string]casm.Position{
		"0":               casm.Start,
		"0-0":             casm.Start,
		"42-0":            {Transaction: 42},
		"42-7":            {Transaction: 42, Ordinal: 7},
		"42":              {Transaction: 42, Ordinal: casm.MaxOrdinal},
		"42-1048575":      {Transaction: 42, Ordinal: casm.MaxOrdinal},
		"42-2147483647":   {Transaction: 42, Ordinal: 2147483647},
		"900000000000000": {Transaction: 900000000000000, Ordinal: casm.MaxOrdinal},
	} {
		got, err := casm.ParsePosition(text)
		if err != nil || got != want {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
		if back, err := casm.ParsePosition(got.String()); err != nil || back != got {
			t.Errorf("%q is told as %s, which is read as %+v, %v", text, got, back, err)
		}
	}
	if s := (casm.Position{Transaction: 42, Ordinal: casm.MaxOrdinal}).String(); s != "42" {
		t.Errorf("behind all of transaction 42 is told as %s", s)
	}
	for _, text := range []string{"", "-", "42-", "-1", "x", "42-x", "4.2", "+42", " 42", "42-0-0", "9223372036854775808"} {
		if p, err := casm.ParsePosition(text); err == nil {
			t.Errorf("%q is read as %+v", text, p)
		}
	}
}
