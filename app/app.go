package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"casm/auth"
	"casm/console"
	"casm/demo"
	"casm/engine"
	"casm/httpapi"
	"casm/relay"
	"casm/relay/endpoints"
	"casm/stream"
	"casm/stream/natsjs"

	"golang.org/x/net/netutil"
)

// The times within which a server stops (contract 9: 15 s in all).
const (
	stopRequests = 5 * time.Second // answering what is under way
	stopEngine   = 3 * time.Second // committing what was gathered
	stopRelay    = 5 * time.Second // publishing what is committed
	stopTraces   = 1 * time.Second
	stopAudit    = 1 * time.Second // writing the denied acts of the last second
)

// relayGather is the least time between two batches to the in-process broker
// while it is busy. Each batch costs it some files and a sync on the disk that
// the store syncs to, too.
const relayGather = 50 * time.Millisecond

// App is a running server.
//
// It starts in this order: the data folder's lock; the API's address (so that
// one that is taken is told at once); store; engine; demonstration; broker,
// which may go on starting while the rest is up; relay; API; the data folder's
// socket. It stops in the opposite one: live
// streams are cut and the API takes no more requests; those under way are
// answered; the engine commits what was gathered; the relay publishes what is
// committed, for 5 s at most (the rest after the next start); broker; audit;
// store; lock.
type App struct {
	settings Settings
	log      *slog.Logger // which is audited, as soon as there is a store

	core    core
	tracing *tracing
	tls     *tlsSource // nil: plain http
	auth    *auth.Authenticator
	broker  *broker // nil: another one is published to
	relay   *relay.Relay
	holder  string // names this process among those that may work
	// endpoints get copies of what the relay publishes.
	endpoints *endpoints.Endpoints
	dwh       *dwh // nil: none
	api       *httpapi.Server
	server    *http.Server
	socket    *http.Server
	address   net.Addr
	nobody    bool // no user and no key was there at the start

	stopping  atomic.Bool
	backingUp sync.Mutex // held while a backup is written
	failed    chan error // why a server ended by itself
	undo      []func(context.Context) error
}

// Start starts a server. ctx bounds the start only. After an error nothing of
// it runs.
func Start(ctx context.Context, s Settings, log *slog.Logger) (_ *App, err error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return nil, err
	}
	a := &App{settings: s, log: log, holder: holder(), failed: make(chan error, 3)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()

	if a.core.lock, err = lockForServer(ctx, s.Data.Data); err != nil {
		return nil, err
	}
	a.later(func(context.Context) error { return a.core.lock.Unlock() })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("the API's address (choose another with --listen): %w", err)
	}
	a.address = listener.Addr()
	a.later(func(context.Context) error { return ignoreClosed(listener.Close()) })

	registry := newRegistry()
	if err := a.startTLS(registry); err != nil {
		return nil, err
	}
	if err := a.core.start(ctx, s.Data, engine.Options{
		Zone: zone, BatchLimit: s.BatchLimit, QueueLimit: s.QueueLimit, RequestRetention: s.RequestRetention, AuditRetention: s.AuditRetention, Logger: log, Metrics: registry,
	}); err != nil {
		return nil, err
	}
	a.later(func(context.Context) error { return a.core.store.Close() })
	a.later(a.core.closeTrail)
	a.log = auth.Audited(log, a.core.trail)
	drain := func(ctx context.Context) error { return bounded(ctx, stopEngine, a.core.drain) }
	a.later(drain)
	if s.Demo {
		if err := a.core.addDemo(ctx, log); err != nil {
			return nil, err
		}
	}
	if a.tracing, err = newTracing(ctx, s.OTLPEndpoint, log); err != nil {
		return nil, err
	}
	a.later(func(ctx context.Context) error { return bounded(ctx, stopTraces, a.tracing.close) })

	provider, err := a.startOIDC(ctx, registry)
	if err != nil {
		return nil, err
	}
	a.auth = auth.New(auth.Options{
		Configuration: a.core.engine, Sessions: a.core.store, OIDC: provider, SessionIdle: s.SessionIdle, SessionLife: s.SessionLife,
	})
	target, err := a.stream(ctx, s, log)
	if err != nil {
		return nil, err
	}
	// This makes the stream when there is none, so that subscribers find it as
	// soon as the server is ready. What goes wrong the relay tries again.
	if a.broker == nil || a.broker.isStarted() {
		if _, err := target.Tail(ctx); err != nil {
			log.Warn("stream", "error", err)
		}
	}
	a.relay = relay.New(a.core.store, target, relay.Options{
		Holder: a.holder, Paused: a.relayPaused,
		Wake: a.core.engine.Committed, Gather: relayGather, Logger: log, Metrics: registry,
	})
	a.later(a.runRelay())
	a.later(drain) // here, before the relay's last look at what is committed

	if err := a.startEndpoints(registry); err != nil {
		return nil, err
	}
	if a.dwh, err = a.startWarehouse(zone, registry); err != nil {
		return nil, err
	}

	o := httpapi.Options{
		Engine: a.core.engine, Auth: a.auth, Dev: s.Dev, Ready: a.missing, Relay: func() string { return string(a.relay.Status().State) }, Logger: a.log,
		Metrics: registry, Gatherer: registry, Tracer: a.tracing.tracer(), Version: Version,
		Demonstration: demo.Document(), Streams: streamsOf{a},
	}
	if a.dwh != nil {
		o.Warehouse = a.dwh
	}
	built, err := console.New()
	if err != nil {
		return nil, err
	}
	if built != nil {
		o.Console = built
	}
	if a.nobody, err = a.auth.Nobody(ctx); err != nil {
		return nil, err
	}
	if a.nobody && !s.Dev {
		log.Warn("nobody can sign in or call yet: make the first with casm user create or casm key create")
	}
	a.api = httpapi.New(o)
	a.serveAPI(netutil.LimitListener(listener, s.MaxConns))
	return a, a.serveSocket()
}

// stream starts the in-process broker, unless another one is to be published
// to, and returns the stream.
func (a *App) stream(ctx context.Context, s Settings, log *slog.Logger) (stream.Target, error) {
	if s.Stream != "" {
		target, err := a.streamAt().target(ctx)
		if err == nil {
			a.later(func(context.Context) error { return target.Close() })
		}
		return target, err
	}
	o := natsjs.ServerOptions{Dir: filepath.Join(s.Data.Data, streamDir), Listen: s.NATSListen, Logger: log}
	if !s.Dev {
		o.SignIn = a.signIn
	}
	if a.tls != nil {
		o.TLS = a.tls.current()
	}
	b, stop, err := startBroker(ctx, o, brokerPatience, func(err error) { a.failed <- err })
	if err != nil {
		return nil, err
	}
	a.broker = b
	a.later(stop)
	return b, nil
}

// streamAt is the stream that is not in this process.
func (a *App) streamAt() streamAt {
	return streamAt{a.settings.Stream, a.settings.StreamPasswordFile, a.log}
}

// later adds what Stop does before all that was added so far.
func (a *App) later(fn func(context.Context) error) { a.undo = append(a.undo, fn) }

// Stop stops the server as App says, at the latest when ctx ends: what is then
// not done is left to the next start, and nothing that was answered is lost.
func (a *App) Stop(ctx context.Context) error {
	a.stopping.Store(true)
	var all []error
	for len(a.undo) > 0 {
		last := len(a.undo) - 1
		fn := a.undo[last]
		a.undo = a.undo[:last]
		all = append(all, fn(ctx))
	}
	return errors.Join(all...)
}

// bounded calls fn with a context that ends after d at the latest.
func bounded(ctx context.Context, d time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return fn(ctx)
}

// runRelay lets the relay run and returns what stops it.
func (a *App) runRelay() func(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.relay.Run(ctx) }()
	return func(ctx context.Context) error {
		if err := bounded(ctx, stopRelay, a.relay.Flush); err != nil {
			a.log.Warn("not everything is on the stream yet; the next start goes on", "error", err)
		}
		cancel()
		return <-done
	}
}

// The bounds of the HTTP server. A live stream moves its bound to write with
// each message.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

func (a *App) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// serve lets a server answer; one that ends by itself ends the App.
func (a *App) serve(what string, s *http.Server, l net.Listener) {
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("%s: %w", what, err)
		}
	}()
}

func (a *App) serveAPI(l net.Listener) {
	a.server = a.newServer(a.api)
	if a.tls != nil {
		l = tlsListener{l, a.tls}
		a.server.ErrorLog = stdlog.New(handshakeLog{a.log}, "", 0)
	}
	a.serve("API", a.server, l)
	a.later(func(ctx context.Context) error {
		a.api.Close()
		return bounded(ctx, stopRequests, func(ctx context.Context) error { return shutdown(ctx, a.server) })
	})
}

// shutdown answers what is under way; what is not answered in time is cut.
func shutdown(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return s.Close()
	}
	return err
}

func (a *App) serveSocket() error {
	l, err := listenSocket(a.settings.Data.Data)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", adminHandler(a.core.office(a.log), a.Status, a.log, func(handle adminRoute) { a.relayHandlers(handle); a.streamHandlers(handle) }))
	mux.HandleFunc("POST /backup", a.serveBackup)
	if a.dwh != nil {
		mux.HandleFunc("POST /warehouse/rebuild", a.dwh.serveRebuild)
	}
	a.socket = a.newServer(mux)
	a.serve("socket", a.socket, l)
	a.later(func(ctx context.Context) error {
		err := bounded(ctx, time.Second, func(ctx context.Context) error { return shutdown(ctx, a.socket) })
		a.backingUp.Lock() // one that was cut has nothing left behind
		return errors.Join(err, removeSocket(a.settings.Data.Data))
	})
	return nil
}

// missing names what is missing to serve requests, for /readyz. The stream is
// not among it: while it fails requests are answered all the same, and the
// relay goes on later.
func (a *App) missing() []string {
	if a.stopping.Load() {
		return []string{"the server is stopping"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := a.core.head(ctx); err != nil {
		a.log.Error("not ready", "error", err)
		return []string{"the store cannot be read"}
	}
	return nil
}

// Status tells where the server is reached.
func (a *App) Status() Status {
	scheme := "http://"
	if a.tls != nil {
		scheme = "https://"
	}
	return Status{PID: os.Getpid(), Version: Version, URL: scheme + reachable(a.address), NATS: a.natsURL()}
}

// natsURL is where subscribers reach the in-process broker, or "".
func (a *App) natsURL() string {
	if a.broker == nil || !a.broker.isStarted() {
		return ""
	}
	return a.broker.server.URL()
}

// reachable returns an address that a client on this machine can use.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return addr.String()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Run runs a server until ctx ends, then stops it within 15 s. It writes to
// out where the server is reached.
func Run(ctx context.Context, s Settings, log *slog.Logger, out io.Writer) error {
	begun := time.Now()
	a, err := Start(ctx, s, log)
	if err != nil {
		return err
	}
	a.greet(out)
	log.Info("ready", "version", Version, "url", a.Status().URL, "data", s.Data.Data, "after", time.Since(begun).Round(time.Millisecond))
	var failed error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case failed = <-a.failed:
		log.Error("stopping after a failure", "error", failed)
	}
	begun = time.Now()
	err = a.stopInTime(context.WithoutCancel(ctx))
	log.Info("stopped", "after", time.Since(begun).Round(time.Millisecond))
	return errors.Join(failed, err)
}

// stopInTime is Stop for a process that ends with it: what hangs, such as a
// write to a database that does not answer, is not waited for. To the data that
// is a crash.
func (a *App) stopInTime(ctx context.Context) error {
	stopped := make(chan error, 1)
	go func() { stopped <- bounded(ctx, 12*time.Second, a.Stop) }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(13 * time.Second):
		return errors.New("not everything ended in time; the next start goes on")
	}
}
