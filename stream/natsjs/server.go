// Package natsjs publishes to NATS JetStream, and holds the nats-server that
// the embedded default runs in the same process.
package natsjs

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ListenFlag is the setting that errors about the port name.
const ListenFlag = "--nats-listen"

// MaxPayload bounds one message. An entity's attributes are at most 512 KiB
// (contract rule 23) before they are escaped as JSON.
const MaxPayload = 2 << 20

const (
	publisherUser = "casm-publisher"
	readerUser    = "casm-reader"
)

// ServerOptions are the settings of the in-process server.
type ServerOptions struct {
	// Dir is the folder in which JetStream keeps its data.
	Dir string
	// Listen is host:port for subscribers from outside; "" or "off" for none.
	// Port 0 takes a free one.
	Listen string
	// SignIn says who may connect from outside, with the rights of a reader;
	// nil for anybody. Connections within the process are not concerned.
	SignIn SignIn
	// TLS is what the port speaks; nil for plain TCP.
	TLS *tls.Config
	// MaxConnections bounds how many connections are open at once; 0 for 256.
	MaxConnections int
	// ReadyTimeout bounds the wait for a start; 0 for 30 s (after a crash the
	// end of a large stream is read again).
	ReadyTimeout time.Duration
	// Logger takes the server's messages; nil for slog.Default.
	Logger *slog.Logger
}

// Server is a nats-server in this process, with JetStream on disk. Every
// acknowledged message is synced to disk first.
type Server struct {
	ns        *server.Server
	log       *slog.Logger
	publisher nats.Option // credentials with all rights
	reader    nats.Option // credentials with a stranger's rights
	secure    bool        // the port speaks TLS
	stop      sync.Once
	quit      chan struct{} // closed by Stop
	watching  sync.WaitGroup
}

// Start starts a server and waits until it is ready.
func Start(ctx context.Context, o ServerOptions) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 256
	}
	if o.ReadyTimeout <= 0 {
		o.ReadyTimeout = 30 * time.Second
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("stream folder: %w", err)
	}
	opts := &server.Options{
		ServerName:         "casm",
		NoSigs:             true,
		DontListen:         true,
		JetStream:          true,
		StoreDir:           o.Dir,
		SyncAlways:         true,
		MaxConn:            o.MaxConnections,
		MaxSubs:            10_000,
		MaxPayload:         MaxPayload,
		MaxControlLine:     4096,
		MaxPending:         64 << 20,
		WriteDeadline:      10 * time.Second,
		JetStreamMaxMemory: 64 << 20, // for strangers' in-memory consumers; the stream is on disk
	}
	if err := listen(opts, o); err != nil {
		return nil, err
	}
	s := &Server{log: o.Logger, secure: o.TLS != nil, quit: make(chan struct{})}
	if err := s.users(opts, o.SignIn != nil); err != nil {
		return nil, err
	}
	var g *gate
	if o.SignIn != nil {
		g = guard(opts, o.SignIn, o.Logger)
	}

	logger := &logAdapter{log: o.Logger, fatal: make(chan string, 1)}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("stream server: %w", err)
	}
	ns.SetLogger(logger, o.Logger.Enabled(ctx, LevelTrace), false)
	s.ns = ns
	if g != nil {
		if err := g.open(ns); err != nil {
			return nil, err
		}
		s.watching.Go(func() { g.watch(s.quit) })
	}
	go ns.Start()
	if err := s.ready(ctx, o, logger); err != nil {
		s.Stop()
		return nil, err
	}
	if addr := s.Addr(); addr != "" {
		o.Logger.Info("stream open to subscribers, who can read but not write", "url", s.URL())
	}
	return s, nil
}

// listen sets the port's options, having made sure that the port is free: the
// server itself says less about it.
func listen(opts *server.Options, o ServerOptions) error {
	if o.Listen == "" || o.Listen == "off" {
		return nil
	}
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("%s %q is not an address such as 127.0.0.1:4222, nor \"off\": %w", ListenFlag, o.Listen, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("%s %q: %q is not a port from 0 to 65535", ListenFlag, o.Listen, text)
	}
	probe, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return portError(o.Listen, err)
	}
	_ = probe.Close()
	opts.DontListen, opts.TLSConfig = false, o.TLS
	opts.Host, opts.Port = host, int(port)
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

func portError(addr string, err error) error {
	return fmt.Errorf("the stream's port %s cannot be opened (choose another address with %s, or \"off\" for none): %w",
		addr, ListenFlag, err)
}

// users sets who may connect: the relay with all rights, others with those of
// a reader.
func (s *Server) users(opts *server.Options, shut bool) error {
	publish, read := rand.Text(), rand.Text()
	s.publisher = nats.UserInfo(publisherUser, publish)
	s.reader = nats.UserInfo(readerUser, read)
	if err := opts.ProcessConfigString(accounts(publish, read, shut)); err != nil {
		return fmt.Errorf("stream server: accounts: %w", err)
	}
	return nil
}

// ready waits until the server is up with JetStream.
func (s *Server) ready(ctx context.Context, o ServerOptions, l *logAdapter) error {
	deadline := time.Now().Add(o.ReadyTimeout)
	for {
		select {
		case msg := <-l.fatal:
			if strings.Contains(msg, "listening on port") {
				return portError(o.Listen, errors.New(msg))
			}
			return fmt.Errorf("stream server: %s", msg)
		case <-ctx.Done():
			return fmt.Errorf("stream server: %w", ctx.Err())
		default:
		}
		if s.ns.ReadyForConnections(20 * time.Millisecond) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("stream server: not ready after %v (folder %s)", o.ReadyTimeout, o.Dir)
		}
	}
	if !s.ns.JetStreamEnabled() {
		return fmt.Errorf("stream server: JetStream could not be started in %s", o.Dir)
	}
	return nil
}

// Addr returns the address on which subscribers are taken, "" for none.
func (s *Server) Addr() string {
	if a, ok := s.ns.Addr().(*net.TCPAddr); ok && a != nil {
		return a.String()
	}
	return ""
}

// URL returns what subscribers connect to, such as nats://127.0.0.1:4222, or
// tls://…; "" when no port is open.
func (s *Server) URL() string {
	a := s.Addr()
	switch {
	case a == "":
		return ""
	case s.secure:
		return "tls://" + a
	}
	return "nats://" + a
}

// Healthy reports whether the server runs with JetStream, and if not why.
func (s *Server) Healthy() error {
	switch {
	case !s.ns.Running():
		return errors.New("stream server: not running")
	case !s.ns.JetStreamEnabled():
		return errors.New("stream server: JetStream is off, after an error of its disk or for lack of space")
	}
	return nil
}

// Target connects within the process, with all rights, as the one publisher.
func (s *Server) Target(ctx context.Context) (*Target, error) {
	return connect(ctx, "", TargetOptions{Logger: s.log}, nats.InProcessServer(s.ns), s.publisher)
}

// Reader connects within the process with the rights of a stranger.
func (s *Server) Reader(name string) (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), s.reader, nats.Name(name), nats.MaxReconnects(math.MaxInt))
	if err != nil {
		return nil, fmt.Errorf("stream reader %s: %w", name, err)
	}
	return nc, nil
}

// Stop ends the server: connections are closed and what is under way is
// written. Close targets and readers first. Further calls do nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		close(s.quit)
		s.watching.Wait()
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
	})
}
