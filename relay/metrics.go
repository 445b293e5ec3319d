package relay

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	published, errors, conflicts prometheus.Counter
	batch, seconds               prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, r *Relay) metrics {
	f := promauto.With(reg)
	labels := prometheus.Labels{"relay": r.o.Name}
	gauge := func(name, help string, labels prometheus.Labels, value func(Status) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return value(r.Status()) })
	}
	gauge("casm_relay_lag_transactions", "Business transactions that are committed and not, or not wholly, on the stream.",
		labels, func(s Status) float64 { return float64(s.LagTransactions) })
	gauge("casm_relay_lag_seconds", "Age of the oldest message that is not on the stream; 0 when all are.",
		labels, func(s Status) float64 { return s.Lag.Seconds() })
	gauge("casm_relay_leads", "1 where this process has the lease, and so publishes; 0 where it stands by.",
		labels, func(s Status) float64 {
			if s.Leads {
				return 1
			}
			return 0
		})
	for _, state := range []State{StateStarting, StateRunning, StateStandby, StatePaused, StateBlocked, StateFailing} {
		gauge("casm_relay_state", "1 for the state the relay is in.",
			prometheus.Labels{"relay": r.o.Name, "state": string(state)}, func(s Status) float64 {
				if s.State == state {
					return 1
				}
				return 0
			})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels})
	}
	return metrics{
		published: counter("casm_relay_published_total", "Messages published by this process."),
		errors:    counter("casm_relay_errors_total", "Attempts that failed, conflicts left out."),
		conflicts: counter("casm_relay_conflicts_total", "Batches refused because another relay was quicker."),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Name: "casm_relay_batch_size", Help: "Messages in a published batch.", ConstLabels: labels,
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "casm_relay_publish_seconds", Help: "Time to publish a batch durably.", ConstLabels: labels,
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5, 10},
		}),
	}
}
