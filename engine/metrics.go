package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	gathered, commitSeconds, waited prometheus.Histogram
	transactions, refused, failed   prometheus.Counter
	due, aside                      prometheus.Counter
}

func newMetrics(r prometheus.Registerer, e *Engine) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)})
	}
	m := &metrics{
		gathered: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "casm_commit_jobs", Help: "Requests that one commit took.", Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		commitSeconds: seconds("casm_commit_seconds", "How long a commit took, from loading to durable."),
		waited:        seconds("casm_queue_wait_seconds", "How long a request waited for its commit to begin."),
		transactions:  counter("casm_transactions_total", "Business transactions committed."),
		refused:       counter("casm_overloaded_total", "Requests refused because too much waited."),
		failed:        counter("casm_commit_failures_total", "Commits that failed for good."),
		aside:         counter("casm_put_aside_total", "Requests that were put aside because others held what they name, or because they reach far."),
		due:           counter("casm_due_changes_total", "Entities whose due changes the worker recorded."),
	}
	if r != nil {
		waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "casm_queue_operations", Help: "Operations that wait for a commit or are in one.",
		}, func() float64 { return float64(e.waiting.Load()) })
		r.MustRegister(m.gathered, m.commitSeconds, m.waited, m.transactions, m.refused, m.failed, m.due, m.aside, waiting)
	}
	return m
}

func (m *metrics) committed(jobs []*job, transactions int, took time.Duration) {
	m.gathered.Observe(float64(len(jobs)))
	m.commitSeconds.Observe(took.Seconds())
	m.transactions.Add(float64(transactions))
}
