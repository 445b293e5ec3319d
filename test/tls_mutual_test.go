package test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"casm/client"
	"casm/internal/testkit"
)

// TestMutualTLS: who may connect, and that this is no sign-in.
func TestMutualTLS(t *testing.T) {
	root, clients := testkit.NewCA(t, "root"), testkit.NewCA(t, "clients")
	good := clients.Client("crm-host")
	dir := t.TempDir()
	file := testkit.WriteFile(t, dir, "clients.pem", clients.PEM)
	s := newTLS(t, root, []testkit.Pair{good}, "--tls-client-ca", file)
	key := s.Key("crm", "--role", "Power User")

	get := func(c *http.Client, key string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/business-transactions", nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		res, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	for name, c := range map[string]struct {
		pairs  []testkit.Pair
		reason string // why it is refused; "": it is not
	}{
		"of the CA":         {[]testkit.Pair{good}, ""},
		"below the CA":      {[]testkit.Pair{clients.Intermediate("middle").Client("below")}, ""},
		"none":              {nil, "tls: client didn't provide a certificate"},
		"of another CA":     {[]testkit.Pair{testkit.NewCA(t, "clients").Client("crm-host")}, "unknown authority"},
		"of the server's":   {[]testkit.Pair{root.Client("crm-host")}, "unknown authority"},
		"of a server":       {[]testkit.Pair{clients.Server("crm-host")}, "incompatible key usage"},
		"that has expired":  {[]testkit.Pair{clients.Issue("crm-host", x509.ExtKeyUsageClientAuth, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))}, "expired"},
		"that is not valid": {[]testkit.Pair{clients.Issue("crm-host", x509.ExtKeyUsageClientAuth, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))}, "not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				before := len(s.Log())
				config := root.TLS()
				config.MaxVersion = version
				if len(c.pairs) > 0 { // shown even when the server asks for other CAs'
					pair := root.TLS(c.pairs...).Certificates[0]
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
				}
				status, err := get(over(t, config), key)
				if c.reason == "" {
					if err != nil || status != http.StatusOK {
						t.Errorf("%d, %v", status, err)
					}
					continue
				}
				if err == nil {
					t.Errorf("answered %d", status)
				}
				eventually(t, 20*time.Second, "the record of the denied act", func() bool {
					log := s.Log()[before:]
					return strings.Contains(log, "act=connect outcome=denied") && strings.Contains(log, c.reason)
				})
			}
		})
	}
	t.Run("the key is asked for", func(t *testing.T) {
		for given, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, key: http.StatusOK} {
			if status, err := get(over(t, root.TLS(good)), given); err != nil || status != want {
				t.Errorf("%d instead of %d, %v", status, want, err)
			}
		}
		c, err := client.New(s.URL, client.Options{Key: key, HTTP: over(t, root.TLS(good))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), "createCustomer", map[string]any{"requestId": "mtls-1", "customerProfile": "b2b"}); err != nil {
			t.Fatal(err)
		}
		messages, err := c.Messages(t.Context(), "0", 10)
		if err != nil || len(messages) != 1 || messages[0].Actor != "key:crm" {
			t.Errorf("recorded is %+v, %v", messages, err)
		}
	})
	t.Run("commands", func(t *testing.T) {
		cert, keyFile := good.Write(t, t.TempDir())
		ca := testkit.WriteFile(t, dir, "root.pem", root.PEM)
		env := []string{"CASM_API_KEY=" + key, "CASM_CA_FILE=" + ca}
		with := []string{"--client-cert", cert, "--client-key", keyFile}
		for _, args := range [][]string{
			{"config", "export", "--server", s.URL},
			{"load", "--target", s.URL, "--clients", "2", "--duration", "100ms", "--warmup", "0s"},
			{"warehouse", "rebuild", "--feed", s.URL, "--data", t.TempDir()},
		} {
			if out, ok := execute(t, env, args...); ok {
				t.Errorf("%v without a certificate: %s", args, out)
			}
			if out, ok := execute(t, env, append(args, with...)...); !ok {
				t.Errorf("%v: %s", args, out)
			}
		}
		if out, ok := execute(t, env, "config", "export", "--client-cert", cert); ok || !strings.Contains(out, "give both or none") {
			t.Errorf("a certificate without its key: %s", out)
		}
	})
	t.Run("the CA changes", func(t *testing.T) {
		next := testkit.NewCA(t, "next")
		config := root.TLS(good)
		config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		lasting, resuming := over(t, config), over(t, config)
		resuming.Transport.(*http.Transport).DisableKeepAlives = true
		for range 2 {
			for _, c := range []*http.Client{lasting, resuming} {
				if status, err := get(c, key); err != nil || status != http.StatusOK {
					t.Fatalf("before: %d, %v", status, err)
				}
			}
		}
		testkit.WriteFile(t, dir, "clients.pem", next.PEM)
		eventually(t, 20*time.Second, "the next CA's client is let in", func() bool {
			status, err := get(over(t, root.TLS(next.Client("next"))), key)
			return err == nil && status == http.StatusOK
		})
		if status, err := get(resuming, key); err == nil {
			t.Errorf("a client of the former CA resumed its session: %d", status)
		}
		if status, err := get(lasting, key); err != nil || status != http.StatusOK {
			t.Errorf("a connection that stood: %d, %v", status, err)
		}
	})
}
