package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"
)

// ClientTLS is how a command that reaches a server by https knows it, and lets
// itself be known.
type ClientTLS struct {
	CAFile     string `name:"ca-file" env:"CASM_CA_FILE" placeholder:"FILE" help:"CA certificates (PEM) by which an https server must prove itself. None: those that this machine knows."`
	ClientCert string `name:"client-cert" env:"CASM_CLIENT_CERT" placeholder:"FILE" help:"Certificate (PEM) to show to a server that asks for one (mutual TLS)."`
	ClientKey  string `name:"client-key" env:"CASM_CLIENT_KEY" placeholder:"FILE" help:"Private key (PEM, not encrypted) of --client-cert."`
}

// Check finds what is wrong with it and the files it names.
func (c *ClientTLS) Check() error {
	_, err := c.Config()
	return err
}

// Config reads the files. A certificate of the client's that is renewed is read
// again for each new connection, CAs are not.
func (c *ClientTLS) Config() (*tls.Config, error) {
	config := &tls.Config{}
	if c.CAFile != "" {
		file := tlsFile{"--ca-file", c.CAFile, "a file (PEM) with the certificates of CAs"}
		text, err := file.read()
		if err != nil {
			return nil, err
		}
		all, err := certificates(text)
		if err != nil {
			return nil, file.wrong(err)
		}
		config.RootCAs = x509.NewCertPool()
		for _, ca := range all {
			config.RootCAs.AddCert(ca)
		}
	}
	if (c.ClientCert == "") != (c.ClientKey == "") {
		return nil, errors.New("--client-cert and --client-key: give both or none")
	}
	if c.ClientCert != "" {
		if _, err := c.pair(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.pair() }
	}
	return config, nil
}

// pair reads the client's certificate with its key.
func (c *ClientTLS) pair() (*tls.Certificate, error) {
	cert := tlsFile{"--client-cert", c.ClientCert, "a file (PEM) with the client's certificate and behind it those that lead to its CA"}
	key := tlsFile{"--client-key", c.ClientKey, "a file (PEM) with the private key, not encrypted, of the first certificate of --client-cert"}
	certText, err1 := cert.read()
	keyText, err2 := key.read()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var state tlsState
	if err := state.takePair(cert, key, certText, keyText); err != nil {
		return nil, err
	}
	return &state.pair, nil
}

// HTTP makes a client whose requests take no longer than timeout; 0: as long as
// they like.
func (c *ClientTLS) HTTP(timeout time.Duration) (*http.Client, error) {
	config, err := c.Config()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return &http.Client{Transport: transport, Timeout: timeout}, nil
}
