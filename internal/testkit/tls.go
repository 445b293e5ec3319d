package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA makes certificates.
type CA struct {
	t     testing.TB
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain []byte // what leads to the root: the CA's own certificate, unless it is the root
	PEM   []byte // its certificate
}

// NewCA makes a root CA.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	return newCA(t, name, nil)
}

// Intermediate makes a CA below this one.
func (ca *CA) Intermediate(name string) *CA { return newCA(ca.t, name, ca) }

func newCA(t testing.TB, name string, above *CA) *CA {
	t.Helper()
	ca := &CA{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, ca.key = sign(t, template, above)
	var err error
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if above != nil {
		ca.chain = append(append(ca.chain, ca.PEM...), above.chain...)
	}
	return ca
}

// sign makes a certificate of the CA, or one that signs itself.
func sign(t testing.TB, template *x509.Certificate, by *CA) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	parent, parentKey := template, key
	if by != nil {
		parent, parentKey = by.cert, by.key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey); err != nil {
		t.Fatal(err)
	}
	return der, key
}

// Pair is a certificate, with what leads to its CA's root, and its key.
type Pair struct {
	Cert, Key []byte // PEM
	Serial    string
}

// Server makes a certificate of a server on this machine, valid from one hour
// ago to an hour from now.
func (ca *CA) Server(name string) Pair {
	ca.t.Helper()
	return ca.Issue(name, x509.ExtKeyUsageServerAuth, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// Client makes a certificate of a client.
func (ca *CA) Client(name string) Pair {
	ca.t.Helper()
	return ca.Issue(name, x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// Issue makes a certificate.
func (ca *CA) Issue(name string, usage x509.ExtKeyUsage, from, to time.Time) Pair {
	ca.t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, key := sign(ca.t, template, ca)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	return Pair{
		Cert:   append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca.chain...),
		Key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Serial: template.SerialNumber.String(),
	}
}

// Write writes cert.pem and key.pem into a folder, in place, and returns their
// paths.
func (p Pair) Write(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	return WriteFile(t, dir, "cert.pem", p.Cert), WriteFile(t, dir, "key.pem", p.Key)
}

// WriteFile writes a file of a folder in place, and returns its path.
func WriteFile(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TLS is how a client knows servers of the CA, and shows them the pairs, if any.
func (ca *CA) TLS(pairs ...Pair) *tls.Config {
	ca.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(ca.cert)
	for _, p := range pairs {
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			ca.t.Fatal(err)
		}
		config.Certificates = append(config.Certificates, pair)
	}
	return config
}

// NewTLSApp starts casm serve with more arguments, those of TLS among them, and
// waits until it is ready for clients with the configuration. With --dev among
// the arguments requests need no key.
func NewTLSApp(t testing.TB, config *tls.Config, args ...string) *App {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 300}
	t.Cleanup(transport.CloseIdleConnections)
	return newApp(&App{t: t, args: args, keys: true, https: &http.Client{Transport: transport, Timeout: client.Timeout}})
}
