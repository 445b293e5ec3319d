package endpoints

import (
	"casm"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are labelled by endpoint, of which there are casm.MaxEndpoints at the
// most. Gauges stand where the endpoint is this process's turn.
type metrics struct {
	delivered, failures                         *prometheus.CounterVec
	behind, parked, lagTransactions, lagSeconds *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	f := promauto.With(reg)
	labels := []string{"endpoint"}
	counter := func(name, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	return metrics{
		delivered:       counter("casm_endpoint_delivered_total", "Messages that the endpoint took."),
		failures:        counter("casm_endpoint_failures_total", "Attempts that failed."),
		behind:          gauge("casm_endpoint_customers_behind", "Customers whose messages failed, parked ones among them."),
		parked:          gauge("casm_endpoint_customers_parked", "Customers whose messages wait for a person."),
		lagTransactions: gauge("casm_endpoint_lag_transactions", "Business transactions that are committed and that the endpoint has not passed."),
		lagSeconds:      gauge("casm_endpoint_lag_seconds", "Age of the oldest message that waits; 0 when none does."),
	}
}

func (m *metrics) sent(code string, n int) { m.delivered.WithLabelValues(code).Add(float64(n)) }

func (m *metrics) failed(code string) { m.failures.WithLabelValues(code).Inc() }

// lag shows how far an endpoint is behind the log.
func (m *metrics) lag(e *endpoint, done casm.Position, oldest casm.Time, waits bool) {
	transactions, seconds := 0.0, 0.0
	if waits {
		transactions = float64(max(e.head.Position-before(done).Transaction, 1))
		seconds = max(e.now().Sub(oldest), 0).Seconds()
	}
	m.lagTransactions.WithLabelValues(e.config.Code).Set(transactions)
	m.lagSeconds.WithLabelValues(e.config.Code).Set(seconds)
}

func (m *metrics) customers(code string, behind, parked int) {
	m.behind.WithLabelValues(code).Set(float64(behind))
	m.parked.WithLabelValues(code).Set(float64(parked))
}

// drop ends what was counted of an endpoint that is none any more.
func (m *metrics) drop(code string) {
	m.delivered.DeleteLabelValues(code)
	m.failures.DeleteLabelValues(code)
}

// forget ends the gauges of an endpoint that another process works on, or none.
func (m *metrics) forget(code string) {
	for _, g := range []*prometheus.GaugeVec{m.behind, m.parked, m.lagTransactions, m.lagSeconds} {
		g.DeleteLabelValues(code)
	}
}
