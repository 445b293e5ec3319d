package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"casm/bench"
)

// loadReport writes results as they come: lines of a table, or at the end one
// JSON document.
type loadReport struct {
	to       streams
	json     bool
	progress func(r bench.Run, label string) func(time.Duration, uint64)
	begun    bool
	rows     []loadRow
	firsts   map[string]float64 // rates of the first contender, to compare with
}

// loadRow is one result. Latencies are in milliseconds.
type loadRow struct {
	Scenario   string  `json:"scenario"`
	BatchLimit string  `json:"batchLimit"` // "default", a number, or "-" when it is not known
	Clients    int     `json:"clients"`
	Requests   uint64  `json:"requests"`
	PerSecond  float64 `json:"perSecond"`
	P50        float64 `json:"p50"`
	P95        float64 `json:"p95"`
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	Errors     uint64  `json:"errors"`
	Error      string  `json:"error,omitempty"` // an example
	// Ratio is the rate of the first server divided by this one's.
	Ratio float64 `json:"ratio,omitempty"`
	// Lag is of the data warehouse, where that is measured.
	Lag *lag `json:"lag,omitempty"`
}

func newReport(to streams, asJSON bool) *loadReport {
	r := &loadReport{to: to, json: asJSON, firsts: map[string]float64{}}
	r.progress = func(bench.Run, string) func(time.Duration, uint64) { return nil }
	if isTerminal(to.err) {
		r.progress = r.terminal
	}
	return r
}

// terminal shows on a terminal how far the measurement is.
func (l *loadReport) terminal(r bench.Run, label string) func(time.Duration, uint64) {
	return func(elapsed time.Duration, n uint64) {
		_, _ = fmt.Fprintf(l.to.err, "\r\x1b[K%s, batch limit %s, %d clients: %.1f of %.1f s, %.0f a second",
			r.Scenario, label, r.Clients, elapsed.Seconds(), r.Duration.Seconds(), float64(n)/elapsed.Seconds())
	}
}

// clear removes the line of the progress.
func (l *loadReport) clear() {
	if isTerminal(l.to.err) {
		_, _ = io.WriteString(l.to.err, "\r\x1b[K")
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (l *loadReport) add(r bench.Run, label string, result *bench.Result, fell lag) error {
	row := loadRow{
		Scenario: r.Scenario, BatchLimit: label, Clients: r.Clients, Requests: result.Requests(), PerSecond: result.Rate(),
		P50: millis(result.Latency(0.5)), P95: millis(result.Latency(0.95)), P99: millis(result.Latency(0.99)), Max: millis(result.Latency(1)),
		Errors: result.Errors(),
	}
	if result.FirstError != nil {
		row.Error = result.FirstError.Error()
	}
	if fell.Samples > 0 {
		row.Lag = &fell
	}
	key := fmt.Sprintf("%s/%d", r.Scenario, r.Clients)
	if first := l.firsts[key]; first != 0 && row.PerSecond != 0 {
		row.Ratio = first / row.PerSecond
	} else {
		l.firsts[key] = row.PerSecond
	}
	l.rows = append(l.rows, row)
	if l.json {
		return nil
	}
	l.clear()
	if !l.begun {
		l.begun = true
		if _, err := fmt.Fprintf(l.to.out, "%-16s %7s %7s %9s %9s %8s %8s %8s %8s %7s\n",
			"scenario", "batch", "clients", "requests", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms", "errors"); err != nil {
			return err
		}
	}
	note := ""
	if row.Ratio != 0 {
		note = fmt.Sprintf("  (the first is %.1f times as quick)", row.Ratio)
	}
	if row.Lag != nil {
		note += fmt.Sprintf("  (the warehouse was at most %.2f s and %d messages behind, and done after %.2f s)", fell.Seconds, fell.Messages, fell.Rest)
	}
	if row.Error != "" {
		note += "  " + strings.Join(strings.Fields(row.Error), " ")
	}
	_, err := fmt.Fprintf(l.to.out, "%-16s %7s %7d %9d %9.0f %8.2f %8.2f %8.2f %8.2f %7d%s\n",
		row.Scenario, row.BatchLimit, row.Clients, row.Requests, row.PerSecond, row.P50, row.P95, row.P99, row.Max, row.Errors, note)
	return err
}

func (l *loadReport) end() error {
	l.clear()
	if !l.json {
		return nil
	}
	enc := json.NewEncoder(l.to.out)
	enc.SetIndent("", "  ")
	return enc.Encode(l.rows)
}
