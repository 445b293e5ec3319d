package httpapi

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestTrace: each request is a span below that of the caller.
func TestTrace(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	a := newAPI(t, func(o *Options) { o.Dev, o.Tracer = true, provider.Tracer("casm") })
	const trace = "0af7651916cd43dd8448eb211c80319c"
	a.post("/v1/casm/customers/create", `{"requestId":"traced","customerProfile":"b2b"}`, "traceparent", "00-"+trace+"-b7ad6b7169203331-01").is(200)
	eventually(t, "the span ends", func() bool { return len(spans.Ended()) == 1 })
	span := spans.Ended()[0]
	if span.Name() != "createCustomer" || span.SpanContext().TraceID().String() != trace || span.Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("%s %v below %v", span.Name(), span.SpanContext(), span.Parent())
	}
	has := map[attribute.Key]string{}
	for _, kv := range span.Attributes() {
		has[kv.Key] = kv.Value.String()
	}
	if has["casm.operation"] != "createCustomer" || has["casm.request_id"] != "traced" || has["http.response.status_code"] != "200" || has["casm.transaction_id"] == "" {
		t.Errorf("attributes %v", has)
	}
}
