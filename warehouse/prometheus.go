package warehouse

import (
	"context"
	"time"

	"casm/warehouse/sqldb"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the warehouse for Prometheus. Their labels are bounded:
// states and types.
type metrics struct {
	w        *Warehouse
	registry prometheus.Registerer
	took     prometheus.Counter
	doubles  prometheus.Counter
	gaps     prometheus.Counter
	errors   prometheus.Counter
	rebuilds prometheus.Counter
	equal    prometheus.Gauge
	when     prometheus.Gauge
}

var (
	descState    = prometheus.NewDesc("casm_warehouse_state", "1 of the state that the warehouse is in.", []string{"state"}, nil)
	descMessages = prometheus.NewDesc("casm_warehouse_lag_messages", "How many messages the warehouse is behind.", nil, nil)
	descSeconds  = prometheus.NewDesc("casm_warehouse_lag_seconds", "How old the oldest message is that the warehouse lacks.", nil, nil)
	descPosition = prometheus.NewDesc("casm_warehouse_position", "The log's position that the warehouse has reached.", nil, nil)
	descDead     = prometheus.NewDesc("casm_warehouse_dead_letters", "Messages that could not be processed and were set aside.", nil, nil)
	descEntities = prometheus.NewDesc("casm_warehouse_entities", "Entities by type and state, without test entities.", []string{"type", "state"}, nil)
)

func newMetrics(w *Warehouse) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "casm_warehouse_" + name, Help: help})
	}
	m := &metrics{
		w: w, registry: w.o.Metrics,
		took:     counter("messages_total", "Messages that took effect."),
		doubles:  counter("duplicates_total", "Messages that came again and changed nothing."),
		gaps:     counter("gaps_total", "How often messages were missing on the stream and read from the feed."),
		errors:   counter("errors_total", "How often following failed and was tried again."),
		rebuilds: counter("rebuilds_total", "How often the warehouse was built anew."),
		equal: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "casm_warehouse_reconciliation_equal", Help: "1: the last reconciliation found no difference; 0: it found some, or failed; -1: there was none yet.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "casm_warehouse_reconciliation_timestamp_seconds", Help: "When the last reconciliation ended; 0: there was none yet.",
		}),
	}
	m.equal.Set(-1)
	if m.registry != nil {
		m.registry.MustRegister(m.all()...)
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m, m.took, m.doubles, m.gaps, m.errors, m.rebuilds, m.equal, m.when}
}

// close takes the metrics back.
func (m *metrics) close() {
	if m != nil && m.registry != nil {
		for _, c := range m.all() {
			m.registry.Unregister(c)
		}
	}
}

func (m *metrics) applied(a applied) {
	m.took.Add(float64(a.took))
	m.doubles.Add(float64(a.duplicates))
}

func (m *metrics) reconciled(r Reconciliation) {
	m.equal.Set(0)
	if r.Equal {
		m.equal.Set(1)
	}
	m.when.Set(float64(r.At.UnixMicro()) / 1e6)
}

func (m *metrics) unreconciled() { m.equal.Set(0) }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descState, descMessages, descSeconds, descPosition, descDead, descEntities} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := m.w.Status()
	for _, state := range States {
		is := 0.0
		if s.State == state {
			is = 1
		}
		gauge(descState, is, string(state))
	}
	gauge(descPosition, float64(s.Position.Transaction))
	gauge(descDead, float64(s.DeadLetters))

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lag, err := m.w.lag(ctx, s.Epoch, s.Position)
	if err != nil { // the feed is too slow to tell
		lag = s.Lag
	}
	gauge(descMessages, float64(lag.Messages))
	gauge(descSeconds, lag.Seconds)
	err = m.w.view(ctx, func(r sqldb.Reader) error {
		return r.Query(ctx, "SELECT metric, key, value FROM metric_count WHERE is_test = false", nil, func(row []sqldb.Value) error {
			if kind := stateMetrics[row[0].Text()]; kind != "" {
				gauge(descEntities, float64(row[2].Int()), kind, row[1].Text())
			}
			return nil
		})
	})
	if err != nil {
		m.w.log.Debug("metrics of the warehouse", "error", err)
	}
}

// stateMetrics are the types that metrics by state are of.
var stateMetrics = map[string]string{
	customersByState: "Customer", accountsByState: "Account", subscribersByState: "Subscriber", subscriptionsByState: "OfferSubscription",
}
