package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/client"
	"casm/internal/testkit"
)

// overTLS is a server over https, with its files and CA.
type overTLS struct {
	*testkit.App
	t   *testing.T
	dir string
	ca  *testkit.CA // of the server's certificate: one below the root
}

// newTLS starts a server over https; clients that prove themselves show pair.
func newTLS(t *testing.T, root *testkit.CA, pair []testkit.Pair, args ...string) *overTLS {
	t.Helper()
	s := &overTLS{t: t, dir: t.TempDir(), ca: root.Intermediate("middle")}
	cert, key := s.ca.Server("first").Write(t, s.dir)
	s.App = testkit.NewTLSApp(t, root.TLS(pair...), append([]string{"--tls-cert", cert, "--tls-key", key}, args...)...)
	return s
}

// dial makes a connection, and its handshake.
func (s *overTLS) dial(config *tls.Config) (*tls.Conn, error) {
	d := &net.Dialer{Timeout: 20 * time.Second}
	return tls.DialWithDialer(d, "tcp", s.Address(), config)
}

// over returns a client of its own connections.
func over(t *testing.T, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// execute runs the binary with more variables, and returns what it writes, on
// both ways, and whether it went well.
func execute(t *testing.T, env []string, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t), args...)
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return string(out), err == nil
}

// TestTLS: a server over https, and all that reaches one by its address.
func TestTLS(t *testing.T) {
	root := testkit.NewCA(t, "root")
	s := newTLS(t, root, nil)
	key := s.Key("crm", "--role", "Power User")
	ca := testkit.WriteFile(t, s.dir, "root.pem", root.PEM)
	env := []string{"CASM_API_KEY=" + key, "CASM_CA_FILE=" + ca}

	t.Run("console", func(t *testing.T) {
		status, header, page, err := s.Get(t.Context(), "/")
		if err != nil || status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			t.Fatalf("%d %v %v", status, header, err)
		}
		for _, file := range regexp.MustCompile(`(?:src|href)="(/?[a-z][^"]*)"`).FindAllSubmatch(page, -1) {
			if status, _, _, err := s.Get(t.Context(), "/"+strings.TrimPrefix(string(file[1]), "/")); err != nil || status != http.StatusOK {
				t.Errorf("%s: %d %v", file[1], status, err)
			}
		}
	})
	t.Run("addresses", func(t *testing.T) {
		if log := s.Log(); !strings.Contains(log, "API        "+s.URL+"/v1/casm\n") || !strings.Contains(log, "url="+s.URL) || strings.Contains(log, "http://") {
			t.Errorf("the start says:\n%s", log)
		}
	})
	t.Run("plain http", func(t *testing.T) {
		res, err := http.Get("http://" + s.Address() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "HTTP request to an HTTPS server") {
			t.Errorf("%s: %s", res.Status, body)
		}
	})
	t.Run("versions", func(t *testing.T) {
		for version, taken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			config := root.TLS()
			config.MinVersion, config.MaxVersion = version, version
			conn, err := s.dial(config)
			if (err == nil) != taken {
				t.Errorf("%s: %v", tls.VersionName(version), err)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "protocol version") {
					t.Errorf("%s is refused by %v", tls.VersionName(version), err)
				}
				continue
			}
			conn.Close()
		}
	})
	t.Run("HTTP/1.1 alone", func(t *testing.T) {
		res, err := over(t, root.TLS()).Get(s.URL + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.ProtoMajor != 1 || res.TLS.NegotiatedProtocol != "http/1.1" {
			t.Errorf("spoken is %s, agreed on %q", res.Proto, res.TLS.NegotiatedProtocol)
		}
	})
	t.Run("unknown CA", func(t *testing.T) {
		if _, err := s.dial(testkit.NewCA(t, "root").TLS()); err == nil {
			t.Error("a client that knows another CA connects")
		}
		out, ok := execute(t, []string{"CASM_API_KEY=" + key}, "config", "export", "--server", s.URL)
		if ok || !strings.Contains(out, "--ca-file names the CA") {
			t.Errorf("casm config: %s", out)
		}
	})
	t.Run("casm config", func(t *testing.T) {
		document, ok := execute(t, env, "config", "export", "--server", s.URL)
		if !ok || !strings.Contains(document, "state-reasons:") {
			t.Fatalf("export: %s", document)
		}
		file := testkit.WriteFile(t, t.TempDir(), "casm.yaml", []byte(document))
		if out, ok := execute(t, env, "config", "diff", "--server", s.URL, file); !ok || out != "0 would change\n" {
			t.Errorf("diff: %s", out)
		}
	})
	t.Run("casm load", func(t *testing.T) {
		out, ok := execute(t, env, "load", "--target", s.URL, "--clients", "2", "--duration", "100ms", "--warmup", "0s", "--warehouse")
		if !ok || !strings.Contains(out, "create-customer") {
			t.Errorf("load: %s", out)
		}
	})
	t.Run("casm warehouse", func(t *testing.T) {
		out, ok := execute(t, env, "warehouse", "rebuild", "--feed", s.URL, "--data", t.TempDir())
		if !ok || !strings.Contains(out, "rebuilt: ") {
			t.Errorf("rebuild: %s", out)
		}
	})
	t.Run("client", func(t *testing.T) {
		c, err := client.New(s.URL, client.Options{Key: key, HTTP: over(t, root.TLS())})
		if err != nil {
			t.Fatal(err)
		}
		done, err := c.Do(t.Context(), "createCustomer", map[string]any{"requestId": "tls-1", "externalId": "tls-1", "customerProfile": "b2b"})
		if err != nil {
			t.Fatal(err)
		}
		if customer, err := client.As[casm.Customer](done); err != nil || customer.ExternalID != "tls-1" {
			t.Errorf("%+v, %v", customer, err)
		}
		c, err = client.New(s.URL, client.Options{Key: key, Attempts: 1_000_000}) // it knows no such CA
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), "createCustomer", map[string]any{"requestId": "tls-2"})
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("got %v", err)
		}
	})
}

// TestHandshakesThatHang: who connects and says nothing, or half of what is to
// be said, is sent away; until then others are served, as far as connections go.
func TestHandshakesThatHang(t *testing.T) {
	root := testkit.NewCA(t, "root")
	const most = 6
	s := newTLS(t, root, nil, "--max-connections", fmt.Sprint(most))
	hello := firstFlight(t, root.TLS())
	var hanging []net.Conn
	for i := range most - 1 {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(hello[:i*len(hello)/most]); err != nil {
			t.Fatal(err)
		}
		hanging = append(hanging, conn)
	}
	c := over(t, root.TLS())
	c.Transport.(*http.Transport).DisableKeepAlives = true
	for range 20 { // in the one place that is left
		res, err := c.Get(s.URL + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for i, conn := range hanging {
		if err := conn.SetReadDeadline(time.Now().Add(40 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("connection %d is not ended: %v", i, err)
		}
	}
	// One that hangs does not hold up a stop, for which the test's end has a bound.
	if _, err := net.Dial("tcp", s.Address()); err != nil {
		t.Error(err)
	}
}

// firstFlight is what a client sends first.
func firstFlight(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	config = config.Clone()
	config.ServerName = "localhost"
	ours, theirs := net.Pipe()
	go func() { _ = tls.Client(ours, config).Handshake(); ours.Close() }() // it ends as theirs does
	defer theirs.Close()
	buf := make([]byte, 16<<10)
	n, err := theirs.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf[:n])
}

// TestTLSDocs: the commands for a private CA in docs/operations.md make files
// that a server and its client work with.
func TestTLSDocs(t *testing.T) {
	for _, program := range []string{"bash", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the commands need %s: %v", program, err)
		}
	}
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := tested.FindSubmatch(text)
	if script == nil {
		t.Fatal("docs/operations.md has no commands for a private CA")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", string(script[1]))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	pair, err := tls.X509KeyPair(read("crm.pem"), read("crm-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{ServerName: "casm.example", RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}}
	config.RootCAs.AppendCertsFromPEM(read("ca.pem"))
	s := testkit.NewTLSApp(t, config, "--dev",
		"--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "key.pem"), "--tls-client-ca", filepath.Join(dir, "ca.pem"))
	if log := s.Log(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the start says:\n%s", log)
	}
}
