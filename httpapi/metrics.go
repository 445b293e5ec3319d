package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are those of requests. Their labels are bounded: operations are
// those of the table, and "unknown".
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "casm_http_requests_total", Help: "Requests answered, by operation and HTTP status (499: the client went away).",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "casm_http_request_seconds", Help: "How long requests took, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "casm_http_streams", Help: "Clients that follow the business transactions live.",
		}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.seconds, m.streams)
	}
	return m
}

func (m *metrics) observe(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	if operation != streamID { // it lasts as long as the client wants
		m.seconds.WithLabelValues(operation).Observe(took.Seconds())
	}
}

func exposition(g prometheus.Gatherer) http.Handler {
	if g == nil {
		g = prometheus.NewRegistry()
	}
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// serveMetrics answers whoever has a permission: an OIDC provider vouches for
// many that have none here, and how many customers there are is not for them.
func serveMetrics(s *Server, x *exchange) {
	if len(x.who.Permissions) == 0 {
		x.forbid("casm:read or another one")
		return
	}
	s.exposed.ServeHTTP(x, x.r)
}
