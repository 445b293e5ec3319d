package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"casm/auth"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// tlsEvery is how often the files of TLS are looked at. What changed is
	// taken when the next look finds the same, so that a file that is just
	// being written is not taken for a whole one.
	tlsEvery = time.Second
	// maxTLSFile bounds each of them, in bytes.
	maxTLSFile = 1 << 20
)

// checkTLS finds what is wrong with the settings of TLS and the files they name.
func (s *Settings) checkTLS() error {
	switch {
	case s.TLSCert != "" && s.TLSKey == "":
		return errors.New("--tls-cert is given without --tls-key: name the file of the certificate's private key, too")
	case s.TLSCert == "" && s.TLSKey != "":
		return errors.New("--tls-key is given without --tls-cert: name the file of the key's certificate, too")
	case s.TLSCert == "" && s.TLSClientCA != "":
		return errors.New("--tls-client-ca: clients prove themselves over TLS alone; give --tls-cert and --tls-key, too")
	case s.TLSCert == "":
		return nil
	}
	_, err := newTLSSource(s, slog.New(slog.DiscardHandler))
	return err
}

// startTLS reads the files of TLS, if there are any, and begins to look after them.
func (a *App) startTLS(registry prometheus.Registerer) (err error) {
	s := &a.settings
	if s.TLSCert == "" {
		addresses := []string{s.Listen}
		if s.Stream == "" {
			addresses = append(addresses, s.NATSListen)
		}
		for _, address := range addresses {
			if host, _, err := net.SplitHostPort(address); err == nil && !isLoopback(host) {
				a.log.Warn("keys and data go over the network in clear text, unless what ends TLS stands in front: give --tls-cert and --tls-key", "listen", address)
			}
		}
		return nil
	}
	if a.tls, err = newTLSSource(s, a.log); err != nil {
		return err
	}
	registry.MustRegister(a.tls.expires())
	a.later(a.tls.watch())
	return nil
}

// tlsSource gives the API's listener its TLS, from files that may change at any
// time.
type tlsSource struct {
	log   *slog.Logger
	look  sync.Mutex // held while the files are looked at
	parts []*tlsPart
	state atomic.Pointer[tlsState]
}

// tlsState is what the files held when they were taken.
type tlsState struct {
	pair    tls.Certificate
	clients []*x509.Certificate // CAs of clients; none: no client must prove itself
	config  *tls.Config
}

// tlsPart are files that are taken together or not at all.
type tlsPart struct {
	files []tlsFile
	take  func(contents [][]byte, s *tlsState) error // leaves s as it is when it fails
	tell  func(log *slog.Logger, s *tlsState)

	seen, taken [sha256.Size]byte // what the last look found, what is in use
	told        string            // why what was found is not taken
}

// newTLSSource reads the files that the settings name.
func newTLSSource(s *Settings, log *slog.Logger) (*tlsSource, error) {
	cert := tlsFile{"--tls-cert", s.TLSCert, "a file (PEM) with the server's certificate and behind it those that lead to its CA"}
	key := tlsFile{"--tls-key", s.TLSKey, "a file (PEM) with the private key, not encrypted, of the first certificate of --tls-cert"}
	cas := tlsFile{"--tls-client-ca", s.TLSClientCA, "a file (PEM) with the certificates of the CAs of clients"}
	t := &tlsSource{log: log, parts: []*tlsPart{{
		files: []tlsFile{cert, key},
		take:  func(contents [][]byte, s *tlsState) error { return s.takePair(cert, key, contents[0], contents[1]) },
		tell:  func(log *slog.Logger, s *tlsState) { s.tellPair(log, key) },
	}}}
	if s.TLSClientCA != "" {
		t.parts = append(t.parts, &tlsPart{
			files: []tlsFile{cas},
			take:  func(contents [][]byte, s *tlsState) error { return s.takeClients(cas, contents[0]) },
			tell:  func(log *slog.Logger, s *tlsState) { s.tellClients(log) },
		})
	}
	var state tlsState
	var all []error
	for _, p := range t.parts {
		_, err := p.look(&state, true)
		all = append(all, err)
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	for _, p := range t.parts {
		p.tell(log, &state)
	}
	state.configure()
	t.state.Store(&state)
	return t, nil
}

// lookAgain takes what changed in the files; atOnce: also what the look before
// did not find yet. What cannot be taken is told once for each change.
func (t *tlsSource) lookAgain(atOnce bool) {
	t.look.Lock()
	defer t.look.Unlock()
	next, changed := *t.state.Load(), false
	for _, p := range t.parts {
		taken, err := p.look(&next, atOnce)
		if err != nil {
			t.log.Warn("files of TLS changed and are not taken: what was taken before stays in use, and they are looked at again", "error", err)
		}
		if taken {
			p.tell(t.log, &next)
			changed = true
		}
	}
	if changed {
		next.configure()
		t.state.Store(&next)
	}
}

// look reads the files and takes into s what changed, if it is fit and, unless
// atOnce, if the look before found the same. The error of one change is
// returned once.
func (p *tlsPart) look(s *tlsState, atOnce bool) (taken bool, err error) {
	hash := sha256.New()
	contents := make([][]byte, len(p.files))
	for i, f := range p.files {
		var e error
		contents[i], e = f.read()
		err = errors.Join(err, e)
		hash.Write(fmt.Appendf(nil, "%d %v\n", len(contents[i]), e))
		hash.Write(contents[i])
	}
	found := [sha256.Size]byte(hash.Sum(nil))
	if found == p.taken {
		p.seen, p.told = found, ""
		return false, nil
	}
	if found != p.seen && !atOnce {
		p.seen = found
		return false, nil
	}
	p.seen = found
	if err == nil {
		err = p.take(contents, s)
	}
	if err == nil {
		p.taken, p.told = found, ""
		return true, nil
	}
	told := fmt.Sprintf("%x %v", found, err)
	if told == p.told {
		return false, nil
	}
	p.told = told
	return false, err
}

// tlsFile is a file that a setting names.
type tlsFile struct{ setting, path, right string }

func (f tlsFile) wrong(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // the path is told already
	}
	return fmt.Errorf("%s %s: %w; it must be %s", f.setting, f.path, err, f.right)
}

func (f tlsFile) read() ([]byte, error) {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return nil, f.wrong(err)
	case !info.Mode().IsRegular(): // reading a pipe would wait for who writes to it
		return nil, f.wrong(errors.New("it is no regular file"))
	case info.Size() > maxTLSFile:
		return nil, f.wrong(fmt.Errorf("it is larger than %d bytes", maxTLSFile))
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, f.wrong(err)
	}
	return text, nil
}

// takePair takes a certificate with its key. One that is not valid now is not
// taken in the place of one that is.
func (s *tlsState) takePair(cert, key tlsFile, certText, keyText []byte) error {
	if _, err := certificates(certText); err != nil { // X509KeyPair passes over what is damaged behind the first
		return cert.wrong(err)
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		if bytes.Contains(keyText, []byte("ENCRYPTED")) {
			err = errors.New("it is encrypted, and nobody is asked for a passphrase")
		}
		return key.wrong(err)
	}
	if now := time.Now(); s.pair.Leaf != nil && !validAt(pair.Leaf, now) && validAt(s.pair.Leaf, now) {
		return cert.wrong(fmt.Errorf("it is valid from %s to %s alone, and the one in use is valid", date(pair.Leaf.NotBefore), date(pair.Leaf.NotAfter)))
	}
	s.pair = pair
	return nil
}

func (s *tlsState) takeClients(file tlsFile, text []byte) error {
	all, err := certificates(text)
	if err != nil {
		return file.wrong(err)
	}
	s.clients = all
	return nil
}

// certificates reads all certificates of a PEM file, which must hold one at least.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	begun, blocks := bytes.Count(text, []byte("-----BEGIN ")), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		if block.Type != "CERTIFICATE" { // a key may stand beside it
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its certificate %d cannot be read: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	switch {
	case blocks < begun: // pem.Decode passes over them
		return nil, errors.New("it is cut off or damaged")
	case len(all) == 0:
		return nil, errors.New("it holds no certificate")
	}
	return all, nil
}

// tellPair tells which certificate is in use, and what of it is odd: a server
// whose certificate has expired serves all the same, so that a new one in its
// place needs no other hand.
func (s *tlsState) tellPair(log *slog.Logger, key tlsFile) {
	leaf := s.pair.Leaf
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	log.Info("certificate taken", "subject", leaf.Subject.String(), "names", names, "notAfter", date(leaf.NotAfter))
	if !validAt(leaf, time.Now()) {
		log.Error("the certificate is not valid now: clients will refuse it", "notBefore", date(leaf.NotBefore), "notAfter", date(leaf.NotAfter))
	}
	if info, err := os.Stat(key.path); err == nil && info.Mode().Perm()&0o007 != 0 {
		log.Warn("everybody on this machine can read or change the private key: chmod o= "+key.path, "mode", info.Mode().Perm().String())
	}
}

func (s *tlsState) tellClients(log *slog.Logger) {
	subjects := make([]string, len(s.clients))
	for i, c := range s.clients {
		subjects[i] = c.Subject.String()
	}
	log.Info("CAs of clients taken: who connects needs a certificate of one", "subjects", subjects)
}

func validAt(c *x509.Certificate, t time.Time) bool {
	return !t.Before(c.NotBefore) && !t.After(c.NotAfter)
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// configure makes the state's configuration. Each has keys of its own for
// session tickets, so that nobody resumes a session past a change.
func (s *tlsState) configure() {
	s.config = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{s.pair},
		// No h2: within one connection it would let 250 requests run at once,
		// and connections are what is bounded.
		NextProtos: []string{"http/1.1"},
	}
	if len(s.clients) > 0 {
		s.config.ClientAuth, s.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		for _, c := range s.clients {
			s.config.ClientCAs.AddCert(c)
		}
	}
}

// watch looks at the files again and again, and at once after a SIGHUP. It
// returns what ends it.
func (t *tlsSource) watch() func(context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(tlsEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-hangup:
				t.lookAgain(true)
			case <-tick.C:
				t.lookAgain(false)
			}
		}
	}()
	return func(ctx context.Context) error {
		signal.Stop(hangup)
		close(quit)
		select {
		case <-done:
			return nil
		case <-ctx.Done(): // a file system that hangs
			return ctx.Err()
		}
	}
}

// expires is the metric by which to see that a certificate was not renewed.
func (t *tlsSource) expires() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "casm_tls_certificate_expires_timestamp_seconds", Help: "When the API's certificate in use expires.",
	}, func() float64 { return float64(t.state.Load().pair.Leaf.NotAfter.Unix()) })
}

// tlsListener lets those who connect speak TLS, as the files are then. The
// handshake is made, and bounded, by who serves the connection.
type tlsListener struct {
	net.Listener
	source *tlsSource
}

// Accept implements net.Listener.
func (l tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(c, l.source.state.Load().config), nil
}

// current is a configuration that follows the files, for who makes the
// handshake itself.
func (t *tlsSource) current() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.state.Load().config, nil },
	}
}

// handshakeLog takes what an http.Server tells of handshakes that failed: a
// client that is sent away for its certificate is a denied act (contract 11),
// all else is for who looks closely.
type handshakeLog struct{ log *slog.Logger }

// Write implements io.Writer for a log.Logger, which gives it a line at a time.
func (h handshakeLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if failed, ok := strings.CutPrefix(text, "http: TLS handshake error from "); ok {
		remote, reason, _ := strings.Cut(failed, ": ")
		for _, denied := range []string{"tls: client didn't provide a certificate", "tls: failed to verify certificate"} {
			if strings.HasPrefix(reason, denied) {
				auth.Audit(context.Background(), h.log, "", "connect", auth.OutcomeDenied, remote, slog.String("reason", reason))
				return len(line), nil
			}
		}
	}
	h.log.Debug(text)
	return len(line), nil
}
