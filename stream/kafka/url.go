package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Schemes of an address; the second one is with TLS.
const (
	Scheme    = "kafka"
	SchemeTLS = "kafka+tls"
)

// DefaultTopic is the topic of contract 7.
const DefaultTopic = "casm.business-transactions"

// Example is an address as messages to people show it.
const Example = "kafka://127.0.0.1:9092"

// address is what an address says:
//
//	kafka[+tls]://[user@]host[:port][,host[:port]…][?topic=…&partitions=…&replicas=…&sasl=…&ca=…&cert=…&key=…]
type address struct {
	brokers    []string
	tls        bool
	user       string
	sasl       string // one of mechanisms, "" for none
	topic      string
	partitions int
	replicas   int    // 0: three, or as many brokers as there are
	ca         string // files
	cert, key  string
}

// mechanisms are the ways to sign in.
var mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// topicName is what Kafka takes as the name of a topic.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// IsAddress reports whether an address is one of Kafka.
func IsAddress(s string) bool {
	scheme, _, _ := strings.Cut(s, "://")
	return scheme == Scheme || scheme == SchemeTLS
}

// Check says what is wrong with an address. The error does not repeat it.
func Check(s string) error {
	_, err := parse(s)
	return err
}

// Topic gives the topic that an address names; "" of one that is wrong.
func Topic(s string) string {
	a, err := parse(s)
	if err != nil {
		return ""
	}
	return a.topic
}

// parse reads an address. (net/url takes only one host.)
func parse(s string) (a address, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != Scheme && scheme != SchemeTLS {
		return a, fmt.Errorf("must begin with %s:// or %s://, such as %s", Scheme, SchemeTLS, Example)
	}
	a = address{tls: scheme == SchemeTLS, topic: DefaultTopic, partitions: 12}
	rest, query, _ := strings.Cut(rest, "?")
	if user, hosts, ok := cutLast(rest, "@"); ok {
		rest = hosts
		if strings.Contains(user, ":") {
			return a, errors.New("must not hold a password: name the user alone, and put the password into a file (--stream-password-file)")
		}
		if a.user, err = url.PathUnescape(user); err != nil || a.user == "" {
			return a, errors.New("its user cannot be read: write special characters as %XX")
		}
		a.sasl = "scram-sha-512"
	}
	for host := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), ",") {
		if !strings.Contains(host, ":") || strings.HasSuffix(host, "]") {
			host += ":9092"
		}
		name, port, err := net.SplitHostPort(host)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 || name == "" || strings.ContainsAny(name, "/ @") {
			return a, fmt.Errorf("must name its brokers as host:port, with commas between them, such as %s", Example)
		}
		a.brokers = append(a.brokers, host)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, errors.New("what follows its ? cannot be read: write name=value, with & between them")
	}
	return a, a.settings(values)
}

// settings reads what follows the question mark.
func (a *address) settings(values url.Values) error {
	number := func(name, value string, low, high int, to *int) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s must be a number from %d to %d", name, low, high)
		}
		*to = n
		return nil
	}
	for name, vs := range values {
		var err error
		value := vs[0]
		switch {
		case len(vs) > 1:
			return fmt.Errorf("%.40q stands in it more than once", name)
		case name == "topic":
			if a.topic = value; !topicName.MatchString(value) || value == "." || value == ".." {
				err = errors.New("topic must be up to 200 letters, digits, dots, underscores and hyphens")
			}
		case name == "partitions":
			err = number(name, value, 1, 1000, &a.partitions)
		case name == "replicas":
			err = number(name, value, 1, 100, &a.replicas)
		case name == "sasl":
			if a.sasl = value; !slices.Contains(mechanisms, value) {
				err = fmt.Errorf("sasl must be one of %s", strings.Join(mechanisms, ", "))
			}
		case name == "ca":
			a.ca = value
		case name == "cert":
			a.cert = value
		case name == "key":
			a.key = value
		default:
			err = fmt.Errorf("%.40q is not known; what is known: topic, partitions, replicas, sasl, ca, cert, key", name)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case a.sasl != "" && a.user == "":
		return errors.New("sasl needs a user before the brokers, such as kafka+tls://casm@kafka.example:9093")
	case a.sasl == "plain" && !a.tls:
		return errors.New("sasl=plain would send the password in clear: it needs kafka+tls://")
	case !a.tls && (a.ca != "" || a.cert != "" || a.key != ""):
		return errors.New("ca, cert and key need kafka+tls://")
	case (a.cert == "") != (a.key == ""):
		return errors.New("cert and key need each other")
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// connection gives what a client needs to reach the brokers. Files with
// secrets are read at each new connection: they may change.
func (a *address) connection(password func() (string, error)) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(a.brokers...)}
	if a.tls {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if a.ca != "" {
			pem, err := os.ReadFile(a.ca)
			if err != nil {
				return nil, fmt.Errorf("stream: ca: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("stream: ca: %s holds no certificate (PEM)", a.ca)
			}
		}
		if a.cert != "" {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				pair, err := tls.LoadX509KeyPair(a.cert, a.key)
				return &pair, err
			}
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if a.sasl == "" {
		return opts, nil
	}
	if password == nil {
		return nil, errors.New("stream: a user is named, but no password: put it into a file (--stream-password-file)")
	}
	signIn := func(context.Context) (scram.Auth, error) {
		p, err := password()
		return scram.Auth{User: a.user, Pass: p}, err
	}
	switch a.sasl {
	case "plain":
		opts = append(opts, kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			p, err := password()
			return plain.Auth{User: a.user, Pass: p}, err
		})))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Sha256(signIn)))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Sha512(signIn)))
	}
	return opts, nil
}
