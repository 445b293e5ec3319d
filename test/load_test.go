package test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"casm/internal/testkit"
)

// TestLoad measures a server of its own, with its warehouse, at a rate that
// leaves it time.
func TestLoad(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t), "load", "--clients", "4", "--duration", "2s", "--rate", "100", "--warehouse", "--json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var rows []struct {
		PerSecond float64
		Errors    int
		Lag       struct {
			Samples       int
			Seconds, Rest float64
		}
	}
	if err := json.Unmarshal(out, &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	if r := rows[0]; r.PerSecond < 20 || r.PerSecond > 110 || r.Errors > 0 || r.Lag.Samples < 3 || r.Lag.Rest > 10 {
		t.Errorf("it measured %+v", r)
	}
}
