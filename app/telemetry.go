package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Version is the product's version; the build sets it.
var Version = "dev"

// NewLogger makes the logger that the settings ask for.
func NewLogger(s *Settings, w io.Writer) (*slog.Logger, error) {
	level, err := s.level()
	if err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// newRegistry makes the registry of all metrics of a server.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "casm_build_info", Help: "1; what runs is in the labels.",
			ConstLabels: prometheus.Labels{"version": Version, "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return r
}

// tracing sends spans to a collector.
type tracing struct {
	provider *sdktrace.TracerProvider
	log      *slog.Logger
}

// newTracing makes a tracing to an endpoint such as http://127.0.0.1:4318; ""
// gives one that does nothing. A collector that cannot be reached costs spans,
// never requests.
func newTracing(ctx context.Context, endpoint string, log *slog.Logger) (*tracing, error) {
	if endpoint == "" {
		return &tracing{}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "casm"),
			attribute.String("service.version", Version),
			attribute.String("host.name", host),
		)),
	)
	return &tracing{provider, log}, nil
}

// tracer gives what makes spans; nil when there is no collector.
func (t *tracing) tracer() trace.Tracer {
	if t.provider == nil {
		return nil
	}
	return t.provider.Tracer("casm")
}

// close sends what waits. That spans are lost is no failure of the server.
func (t *tracing) close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last traces were not sent", "error", err)
	}
	return nil
}
