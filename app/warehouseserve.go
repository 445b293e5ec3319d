package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"casm/warehouse"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// WarehouseServer are the settings of a warehouse in a process of its own.
type WarehouseServer struct {
	WarehouseData
	FeedSettings
	Stream             string `env:"CASM_STREAM" placeholder:"URL" help:"Where the stream is that is followed, as of casm serve: nats://…, tls://…, kafka://…, kafka+tls://… None: the feed is followed instead."`
	StreamPasswordFile string `name:"stream-password-file" env:"CASM_STREAM_PASSWORD_FILE" placeholder:"FILE" help:"File with the password of the user that a --stream of Kafka names; read at each new connection."`

	Listen string `env:"CASM_WAREHOUSE_LISTEN" default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Address of /healthz, /metrics, /v1/dwh/metrics and /v1/dwh/reconciliation, on the loopback interface, for nobody signs in there; or \"off\" (default: ${default})."`

	LogFormat string `env:"CASM_LOG_FORMAT" enum:"text,json" default:"text" placeholder:"FORMAT" help:"Form of the log on standard error: ${enum} (default: ${default})."`
	LogLevel  string `env:"CASM_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" help:"What is logged: ${enum} (default: ${default})."`
}

// Check finds what is wrong with the settings.
func (s *WarehouseServer) Check() error {
	err := errors.Join(s.WarehouseData.Check(), s.FeedSettings.Check())
	if s.Feed == "" {
		err = errors.Join(err, errors.New("--feed: must name a server, whose feed has what the stream lacks"))
	}
	err = errors.Join(err, checkStream(s.Stream, s.StreamPasswordFile))
	if s.Listen != Off {
		checkAddress("--listen", s.Listen, "nobody has to sign in there", func(format string, args ...any) { err = errors.Join(err, fmt.Errorf(format, args...)) })
	}
	return err
}

// RunWarehouse lets a warehouse follow until ctx ends.
func RunWarehouse(ctx context.Context, s WarehouseServer, out, logTo io.Writer) (err error) {
	log, err := NewLogger(&Settings{LogFormat: s.LogFormat, LogLevel: s.LogLevel}, logTo)
	if err != nil {
		return err
	}
	place, err := s.place(log)
	if err != nil {
		return err
	}
	feed, err := s.open()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return err
	}
	registry := newRegistry()
	o := warehouse.Options{Place: place, Feed: feed, Zone: zone, Logger: log, Metrics: registry}
	if s.Stream != "" {
		o.Subscribe = streamAt{s.Stream, s.StreamPasswordFile, log}.subscribe
	}
	d := &dwh{o: o, log: log, err: errors.New("it is being opened")}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	if s.Listen != Off {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
		if err != nil {
			return fmt.Errorf("--listen: %w", err)
		}
		const connections = 64
		server := &http.Server{
			Handler: d.handler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})), ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := server.Serve(netutil.LimitListener(listener, connections)); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
				cancel()
			}
		}()
		defer func() {
			err = errors.Join(err, bounded(context.WithoutCancel(ctx), stopRequests, server.Shutdown))
			<-ended
		}()
		if _, err := fmt.Fprintf(out, "casm warehouse %s follows %s into %s; http://%s/v1/dwh/metrics\n", Version, s.Feed, place, reachable(listener.Addr())); err != nil {
			return err
		}
	}
	log.Info("the warehouse starts", "version", Version, "place", place.String(), "feed", s.Feed)
	err = d.run(ctx, make(chan struct{}))
	select {
	case e := <-failed:
		err = errors.Join(err, e)
	default:
	}
	return err
}

// handler serves a warehouse's own process, to this machine alone.
func (d *dwh) handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, fn func(*http.Request) ([]byte, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := fn(r)
			switch {
			case errors.Is(err, errQuery):
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			case err != nil:
				d.log.Warn("a request failed", "path", r.URL.Path, "error", err)
				http.Error(w, "not now; the log tells why", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body) // a client that went away
		})
	}
	answer("GET /v1/dwh/metrics", func(r *http.Request) ([]byte, error) {
		test, err := testParameter(r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		return d.MetricsJSON(r.Context(), test)
	})
	answer("GET /v1/dwh/reconciliation", func(r *http.Request) ([]byte, error) { return d.ReconciliationJSON(r.Context()) })
	answer("GET /healthz", func(*http.Request) ([]byte, error) { return []byte(`{"status":"ok"}`), nil })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		out := struct {
			Ready   bool              `json:"ready"`
			Missing []string          `json:"missing"`
			Status  *warehouse.Status `json:"status,omitempty"`
		}{Missing: []string{}}
		status := http.StatusOK
		if w, err := d.get(); err != nil {
			out.Missing, status = append(out.Missing, "the warehouse's database is not open"), http.StatusServiceUnavailable
		} else {
			is := w.Status()
			out.Ready, out.Status = true, &is
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(out) // a client that went away
	})
	mux.Handle("GET /metrics", metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A name that somebody points at this machine is not let in.
		if host, _, err := net.SplitHostPort(r.Host); err != nil && !isLoopback(r.Host) || err == nil && !isLoopback(host) {
			http.Error(w, "only requests to localhost are answered", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// errQuery: a query is not one that is understood.
var errQuery = errors.New("the only query parameter is test, once, true or false")

// testParameter reads the one query parameter that there is.
func testParameter(query string) (bool, error) {
	switch query {
	case "", "test=false":
		return false, nil
	case "test=true":
		return true, nil
	}
	return false, errQuery
}
