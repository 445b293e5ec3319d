// Package httpapi is the HTTP interface (contract sections 2 to 7, 9 and 11):
// routes, decoding, problems, the feed, and the reference that is
// made of the same tables. It decides nothing: rules are the engine's.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/engine"
	"casm/store"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Engine is what of the engine answers requests.
type Engine interface {
	Write(ctx context.Context, w engine.Write) (*engine.Answer, error)
	Batch(ctx context.Context, w engine.BatchWrite) (*engine.Answer, error)
	Read(ctx context.Context, q engine.Query) (*engine.Answer, error)
	ReadResources(ctx context.Context, q engine.ResourceQuery) (*engine.Answer, error)
	ReadBalances(ctx context.Context, q engine.BalanceQuery) (*engine.Answer, error)
	History(ctx context.Context, q engine.HistoryQuery) (items []byte, next int64, err error)
	List(ctx context.Context, q engine.ListQuery) (items []byte, next *store.Cursor, err error)
	Config(ctx context.Context) (*casm.Snapshot, error)
	EditConfig(ctx context.Context, actor string, dryRun bool, edits []command.ConfigEdit) ([]command.ConfigChange, error)
	ImportConfig(ctx context.Context, actor string, dryRun bool, document map[string][]casm.ConfigItem) ([]command.ConfigChange, error)
	ConfigHistory(ctx context.Context, ref casm.CodeRef, limit int) ([]store.ConfigChange, error)
	Committed() <-chan struct{}
	View(ctx context.Context, fn func(store.Reader) error) error
}

var _ Engine = (*engine.Engine)(nil)

// Options are what a Server is made with.
type Options struct {
	Engine Engine
	// Auth finds out who calls; it may be nil with Dev only: then nobody can
	// sign in either.
	Auth *auth.Authenticator
	// Warehouse is the data warehouse; nil: there is none.
	Warehouse Warehouse
	// Streams are the streams and endpoints; nil: nothing is told of them.
	Streams Streams
	// Console is the web console; nil: it was not built.
	Console Console
	// Demonstration is the demonstration's configuration document, YAML; nil:
	// there is none.
	Demonstration []byte
	// Dev: no sign-in, but only requests whose Host and Origin are loopback
	// are answered.
	Dev bool
	// Ready names what is missing to serve; nil or empty: nothing.
	Ready func() []string
	// Relay tells the state of the relay beside it; nil: it is not told.
	Relay  func() string
	Logger *slog.Logger
	// Metrics is where request metrics are registered, Gatherer what /metrics
	// shows; either may be nil.
	Metrics  prometheus.Registerer
	Gatherer prometheus.Gatherer
	// Tracer makes a span of each request; nil: none.
	Tracer trace.Tracer
	// Version is the product's, as /openapi.json and / show it.
	Version string
}

// Console is the web console: files, and one page for every other path. Both
// are public (contract 11).
type Console interface {
	http.Handler
	// Has reports whether the path is that of a file.
	Has(path string) bool
}

// Server answers requests. Close ends what would go on by itself.
type Server struct {
	engine    Engine
	warehouse Warehouse
	streamsOf Streams
	console   Console
	demo      []byte
	auth      *auth.Authenticator
	dev       bool
	ready     func() []string
	relay     func() string
	log       *slog.Logger
	metrics   *metrics
	tracer    trace.Tracer
	version   string

	mux       *http.ServeMux
	exposed   http.Handler // of /metrics
	documents documents

	closing chan struct{}
	close   sync.Once
	streams chan struct{} // a place for each live stream
}

// maxStreams is how many clients may follow the feed live at once.
const maxStreams = 256

// New makes a Server.
func New(o Options) *Server {
	if o.Auth == nil && !o.Dev {
		panic("httpapi: without Dev there must be an Authenticator")
	}
	if o.Auth == nil {
		o.Auth = auth.New(auth.Options{Configuration: o.Engine})
	}
	s := &Server{
		engine: o.Engine, warehouse: o.Warehouse, streamsOf: o.Streams, console: o.Console, demo: o.Demonstration, auth: o.Auth, dev: o.Dev, ready: o.Ready, relay: o.Relay, log: o.Logger,
		metrics: newMetrics(o.Metrics), tracer: o.Tracer, version: o.Version,
		mux: http.NewServeMux(), closing: make(chan struct{}), streams: make(chan struct{}, maxStreams),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.ready == nil {
		s.ready = func() []string { return nil }
	}
	s.exposed = exposition(o.Gatherer)
	s.documents = newDocuments(o.Version)
	for path, r := range resources(endpoints) {
		s.mux.Handle(path, r.handler(s))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.r = r
		if s.console != nil && x.forConsole() {
			s.console.ServeHTTP(x, r)
			return
		}
		x.notFound()
	})
	return s
}

// Close ends the live streams and lets no new ones begin; other requests go
// on. Give it to http.Server.RegisterOnShutdown. It may be called repeatedly.
func (s *Server) Close() { s.close.Do(func() { close(s.closing) }) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(s, w, r)
	defer x.finish()
	if s.dev && !x.loopback() {
		return
	}
	if !clean(r.URL.Path) { // the mux would redirect, also those who are not signed in
		x.notFound()
		return
	}
	s.mux.ServeHTTP(x, x.r)
}
