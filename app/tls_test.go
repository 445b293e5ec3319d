package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"casm/internal/testkit"
)

// withTLS are good settings with the files of TLS in a folder; the CA of
// clients is the certificate's own.
func withTLS(t *testing.T, ca *testkit.CA, p testkit.Pair) (Settings, string) {
	t.Helper()
	dir, s := t.TempDir(), good()
	s.TLSCert, s.TLSKey = p.Write(t, dir)
	s.TLSClientCA = testkit.WriteFile(t, dir, "ca.pem", ca.PEM)
	return s, dir
}

// cut is a text without its end.
func cut(text []byte) []byte { return text[:len(text)-40] }

// TestTLSSettings: what is wrong with the files of TLS is told with the
// setting, all at once, and never shows the key.
func TestTLSSettings(t *testing.T) {
	ca := testkit.NewCA(t, "root").Intermediate("middle")
	p, other := ca.Server("casm"), ca.Server("other")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("who knows")})
	notDER := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	write := func(name string, text []byte) func(*testing.T, string, *Settings) {
		return func(t *testing.T, dir string, _ *Settings) { testkit.WriteFile(t, dir, name, text) }
	}
	set := func(fn func(*Settings)) func(*testing.T, string, *Settings) {
		return func(_ *testing.T, _ string, s *Settings) { fn(s) }
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string, s *Settings)
		want   []string // parts of the error; none for no error
	}{
		"all is well":         {set(func(*Settings) {}), nil},
		"without clients' CA": {set(func(s *Settings) { s.TLSClientCA = "" }), nil},
		"both in one file": {func(t *testing.T, dir string, s *Settings) {
			s.TLSCert = testkit.WriteFile(t, dir, "key.pem", append(p.Key, p.Cert...))
		}, nil},
		"no key":                {set(func(s *Settings) { s.TLSKey = "" }), []string{"--tls-cert is given without --tls-key"}},
		"no certificate":        {set(func(s *Settings) { s.TLSCert = "" }), []string{"--tls-key is given without --tls-cert"}},
		"clients' CA alone":     {set(func(s *Settings) { s.TLSCert, s.TLSKey = "", "" }), []string{"--tls-client-ca", "give --tls-cert and --tls-key"}},
		"two missing":           {set(func(s *Settings) { s.TLSCert, s.TLSClientCA = "/none/a", "/none/b" }), []string{"--tls-cert /none/a: no such file", "server's certificate and behind it", "--tls-client-ca /none/b: no such file"}},
		"a folder":              {set(func(s *Settings) { s.TLSKey = filepath.Dir(s.TLSKey) }), []string{"--tls-key", "no regular file"}},
		"too large":             {write("ca.pem", make([]byte, maxTLSFile+1)), []string{"--tls-client-ca", "larger than 1048576 bytes"}},
		"another key":           {write("key.pem", other.Key), []string{"--tls-key", "does not match", "of the first certificate of --tls-cert"}},
		"an encrypted key":      {write("key.pem", encrypted), []string{"--tls-key", "it is encrypted"}},
		"a certificate as key":  {write("key.pem", p.Cert), []string{"--tls-key", "private key, not encrypted"}},
		"a key as certificate":  {write("cert.pem", p.Key), []string{"--tls-cert", "holds no certificate"}},
		"cut off":               {write("cert.pem", cut(p.Cert)), []string{"--tls-cert", "cut off or damaged"}},
		"damaged":               {write("cert.pem", append(p.Cert, notDER...)), []string{"--tls-cert", "its certificate 3 cannot be read"}},
		"CA first":              {write("cert.pem", append(ca.PEM, p.Cert...)), []string{"--tls-key", "does not match"}},
		"empty clients' CA":     {write("ca.pem", nil), []string{"--tls-client-ca", "holds no certificate", "certificates of the CAs of clients"}},
		"half of a clients' CA": {write("ca.pem", append(ca.PEM, cut(ca.PEM)...)), []string{"--tls-client-ca", "cut off or damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := withTLS(t, ca, p)
			c.change(t, dir, &s)
			err := s.Check()
			if err == nil && len(c.want) > 0 || err != nil && len(c.want) == 0 {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error has no %q: %v", want, err)
				}
			}
			for line := range strings.Lines(string(p.Key)) {
				if line = strings.TrimSpace(line); err != nil && !strings.HasPrefix(line, "--") && strings.Contains(err.Error(), line) {
					t.Errorf("the error shows the key: %v", err)
				}
			}
		})
	}
}

// records is a log to read.
type records struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

// logger writes to the log from debug on.
func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// take returns what was logged since the last call.
func (r *records) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.b.Reset()
	return r.b.String()
}

// looking is a tlsSource that a test lets look.
type looking struct {
	*testing.T
	dir string
	log records
	s   *tlsSource
}

func newLooking(t *testing.T, ca *testkit.CA, p testkit.Pair) *looking {
	t.Helper()
	s, dir := withTLS(t, ca, p)
	l := &looking{T: t, dir: dir}
	var err error
	if l.s, err = newTLSSource(&s, l.log.logger()); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *looking) serial() string { return l.s.state.Load().pair.Leaf.SerialNumber.String() }

// looks lets it look n times by the clock; want is the certificate in use then,
// and what is told.
func (l *looking) looks(n int, serial string, told ...string) {
	l.Helper()
	for range n {
		l.s.lookAgain(false)
	}
	if got := l.serial(); got != serial {
		l.Errorf("in use is %s, not %s", got, serial)
	}
	l.told(told...)
}

// told wants exactly so many lines in the log, each with its text.
func (l *looking) told(want ...string) {
	l.Helper()
	text := l.log.take()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	if len(lines) != len(want) {
		l.Fatalf("%d lines are told, not %d:\n%s", len(lines), len(want), text)
	}
	for i, w := range want {
		if !strings.Contains(lines[i], w) {
			l.Errorf("told is %q, not %q", lines[i], w)
		}
	}
}

const notTaken = "level=WARN msg=\"files of TLS changed and are not taken"

// TestTLSLooks: what the look at the files takes, and tells, change by change.
func TestTLSLooks(t *testing.T) {
	ca := testkit.NewCA(t, "root")
	first, second := ca.Server("first"), ca.Server("second")
	l := newLooking(t, ca, first)
	l.told(`level=INFO msg="certificate taken" subject="CN=first" names="[localhost 127.0.0.1]" notAfter=`, `msg="CAs of clients taken`)
	l.looks(3, first.Serial)

	// The certificate is there, its key is not yet.
	testkit.WriteFile(t, l.dir, "cert.pem", second.Cert)
	l.looks(1, first.Serial)
	l.looks(1, first.Serial, notTaken)
	l.looks(3, first.Serial) // told once
	testkit.WriteFile(t, l.dir, "key.pem", second.Key)
	l.looks(1, first.Serial) // it may just be written
	l.looks(1, second.Serial, `msg="certificate taken" subject="CN=second"`)
	l.looks(3, second.Serial)

	// Garbage, twice another one; then what was there before.
	for range 2 {
		testkit.WriteFile(t, l.dir, "cert.pem", []byte("no certificate"))
		l.looks(4, second.Serial, notTaken)
		testkit.WriteFile(t, l.dir, "cert.pem", cut(second.Cert))
		l.looks(4, second.Serial, "cut off or damaged")
		second.Write(t, l.dir)
		l.looks(4, second.Serial)
	}

	// A file that is away for a moment and for longer.
	key := filepath.Join(l.dir, "key.pem")
	for _, longer := range []bool{false, true} {
		if err := os.Rename(key, key+".away"); err != nil {
			t.Fatal(err)
		}
		l.looks(1, second.Serial)
		if longer {
			l.looks(3, second.Serial, "--tls-key")
		}
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
		l.looks(3, second.Serial)
	}

	// Certificates that are not valid now, in the place of one that is.
	now := time.Now()
	ca.Issue("old", x509.ExtKeyUsageServerAuth, now.Add(-48*time.Hour), now.Add(-24*time.Hour)).Write(t, l.dir)
	l.looks(4, second.Serial, "the one in use is valid")
	soon := now.Add(3 * time.Second).Truncate(time.Second) // certificates know whole seconds
	next := ca.Issue("next", x509.ExtKeyUsageServerAuth, soon, now.Add(time.Hour))
	next.Write(t, l.dir)
	l.looks(2, second.Serial, "the one in use is valid")
	time.Sleep(time.Until(soon))
	l.looks(1, next.Serial, `subject="CN=next"`)

	// CAs of clients change by themselves, whatever the pair is like.
	other := testkit.NewCA(t, "other")
	testkit.WriteFile(t, l.dir, "key.pem", []byte("no key"))
	testkit.WriteFile(t, l.dir, "ca.pem", other.PEM)
	before := l.s.state.Load().config
	l.s.lookAgain(false)
	l.looks(1, next.Serial, notTaken, `subjects="[CN=other]"`)
	if after := l.s.state.Load().config; after == before || !after.ClientCAs.Equal(other.TLS().RootCAs) || after.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Errorf("CAs of clients: %v", after.ClientAuth)
	}
	testkit.WriteFile(t, l.dir, "ca.pem", []byte{})
	before = l.s.state.Load().config
	l.looks(3, next.Serial, "--tls-client-ca")
	if l.s.state.Load().config != before {
		t.Error("an empty file of CAs was taken")
	}
}

// TestTLSAtOnce: a look that is asked for takes what is there at once.
func TestTLSAtOnce(t *testing.T) {
	ca := testkit.NewCA(t, "root")
	second := ca.Server("second")
	l := newLooking(t, ca, ca.Server("first"))
	defer l.s.watch()(t.Context())
	l.log.take()
	second.Write(t, l.dir)
	l.s.lookAgain(true)
	if got := l.serial(); got != second.Serial {
		t.Errorf("in use is %s, not %s", got, second.Serial)
	}
}

// TestTLSOdd: a certificate that has expired is served, and that is told; so is
// a key that others can read.
func TestTLSOdd(t *testing.T) {
	ca := testkit.NewCA(t, "root")
	old := ca.Issue("old", x509.ExtKeyUsageServerAuth, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	older := ca.Issue("older", x509.ExtKeyUsageServerAuth, time.Now().Add(-48*time.Hour), time.Now().Add(-36*time.Hour))
	l := newLooking(t, ca, old)
	l.told(`subject="CN=old"`, `level=ERROR msg="the certificate is not valid now: clients will refuse it"`, "CAs of clients")
	older.Write(t, l.dir)
	l.looks(2, older.Serial, `subject="CN=older"`, "not valid now") // neither is valid
	fresh := ca.Server("fresh")
	if err := os.Chmod(filepath.Join(l.dir, "key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	fresh.Write(t, l.dir)
	l.looks(2, fresh.Serial, `subject="CN=fresh"`, "level=WARN msg=\"everybody on this machine can read or change the private key")
	if err := os.Chmod(filepath.Join(l.dir, "key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	again := ca.Server("again")
	again.Write(t, l.dir)
	l.looks(2, again.Serial, `subject="CN=again"`)
}

// TestTLSHangup: a SIGHUP lets a server look at once.
func TestTLSHangup(t *testing.T) {
	ca := testkit.NewCA(t, "root")
	l := newLooking(t, ca, ca.Server("first"))
	stop := l.s.watch()
	second := ca.Server("second")
	second.Write(t, l.dir)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); l.serial() != second.Serial; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not taken within 20 s")
		}
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestOpenWithoutTLS: a server that others reach in clear text says so, and no
// other one does.
func TestOpenWithoutTLS(t *testing.T) {
	ca := testkit.NewCA(t, "root")
	const told = "in clear text"
	for name, c := range map[string]struct {
		listen string
		nats   string
		tls    bool
		warned bool
	}{
		"open":     {"0.0.0.0:0", Off, false, true},
		"loopback": {"127.0.0.1:0", "127.0.0.1:0", false, false},
		"https":    {"0.0.0.0:0", "0.0.0.0:0", true, false},
		"stream":   {"127.0.0.1:0", "0.0.0.0:0", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			s.Dev, s.Listen, s.NATSListen, s.Warehouse = false, c.listen, c.nats, Off
			if c.tls {
				s.TLSCert, s.TLSKey = ca.Server("casm").Write(t, t.TempDir())
			}
			var log records
			a, err := Start(t.Context(), s, log.logger())
			if err != nil {
				t.Fatal(err)
			}
			var greeting strings.Builder
			a.greet(&greeting)
			stop(t, a)
			if got := strings.Contains(log.take(), told); got != c.warned {
				t.Errorf("warned: %v", got)
			}
			if https := strings.HasPrefix(a.Status().URL, "https://127.0.0.1:"); https != c.tls ||
				strings.Contains(greeting.String(), "http://") == c.tls || strings.Contains(greeting.String(), "--ca-file") != c.tls {
				t.Errorf("status %s; the greeting:\n%s", a.Status().URL, &greeting)
			}
		})
	}
}

// TestHandshakeLog: what is a denied act, and what is not.
func TestHandshakeLog(t *testing.T) {
	var log records
	h := handshakeLog{log.logger()}
	for line, want := range map[string]string{
		"http: TLS handshake error from [::1]:5: tls: client didn't provide a certificate": `level=WARN msg=audit actor="" act=connect outcome=denied remote=[::1]:5 reason="tls: client didn't provide a certificate"`,
		"http: TLS handshake error from 10.0.0.1:5: EOF":                                   `level=DEBUG msg="http: TLS handshake error from 10.0.0.1:5: EOF"`,
		"http: superfluous response.WriteHeader call":                                      "level=DEBUG",
	} {
		if n, err := io.WriteString(h, line+"\n"); n != len(line)+1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := log.take(); !strings.Contains(got, want) {
			t.Errorf("told is %q, not %q", got, want)
		}
	}
}
