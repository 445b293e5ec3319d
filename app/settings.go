// Package app starts and stops a running system. It alone knows every room of
// the house and in which order they come up and go down.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Data is where a system keeps what it stores. Commands that work on a stopped
// system take it too.
type Data struct {
	Data      string `env:"CASM_DATA" default:"./casm-data" placeholder:"DIR" help:"Folder of all stored data; made when it is missing. One process at a time works on it (default: ${default})."`
	Database  string `env:"CASM_DATABASE" placeholder:"URL" help:"PostgreSQL 15 or later to use instead of the embedded store: postgres://… It holds a password: give it in the environment or in the settings file rather than on the command line."`
	NoMigrate bool   `name:"no-migrate" env:"CASM_NO_MIGRATE" help:"With --database: do not bring the schema to this release's; refuse to work until casm migrate has done it."`
}

// Settings are everything that can be set about a server. Each field is a
// flag, an environment variable and a key of the settings file, by the same
// name: --nats-listen, CASM_NATS_LISTEN, nats-listen. A flag goes before a
// variable, a variable before the file, the file before the default.
type Settings struct {
	Data

	Listen     string `env:"CASM_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address of the API; port 0 takes a free one (default: ${default})."`
	NATSListen string `name:"nats-listen" env:"CASM_NATS_LISTEN" default:"127.0.0.1:4222" placeholder:"HOST:PORT" help:"Address on which subscribers reach the in-process NATS JetStream, or \"off\". They show an API key with stream:read as their token, unless --dev is given; TLS is that of the API (default: ${default})."`

	TLSCert     string `name:"tls-cert" env:"CASM_TLS_CERT" placeholder:"FILE" help:"Certificate (PEM) with which the API is served over https, and behind it those that lead to its CA. The files of TLS are read again when they change. None: http."`
	TLSKey      string `name:"tls-key" env:"CASM_TLS_KEY" placeholder:"FILE" help:"Private key (PEM, not encrypted) of --tls-cert."`
	TLSClientCA string `name:"tls-client-ca" env:"CASM_TLS_CLIENT_CA" placeholder:"FILE" help:"CA certificates (PEM): only who has a certificate of one may connect (mutual TLS). API keys are asked for all the same. None: everybody may connect."`

	Stream             string `env:"CASM_STREAM" placeholder:"URL" help:"What to publish to instead of the in-process broker: NATS with JetStream, 2.12 or later (nats://…, tls://…), or Kafka (kafka://HOST:PORT,…, kafka+tls://…). Several servers on one database need it."`
	StreamPasswordFile string `name:"stream-password-file" env:"CASM_STREAM_PASSWORD_FILE" placeholder:"FILE" help:"File with the password of the user that a --stream of Kafka names, as in kafka+tls://casm@…; read at each new connection."`

	SecretsDir       string `name:"secrets-dir" env:"CASM_SECRETS_DIR" placeholder:"DIR" help:"Folder of the files that pub-sub endpoints name as secretFile. None: secrets come from variables alone."`
	OutboundNetworks string `name:"outbound-networks" env:"CASM_OUTBOUND_NETWORKS" placeholder:"CIDR,…" help:"Networks that pub-sub endpoints may be in, such as 10.0.0.0/8,192.0.2.7/32. None: all but link-local ones, multicast, and the addresses at which clouds tell a machine its credentials."`

	Warehouse string `env:"CASM_WAREHOUSE" placeholder:"URL" help:"PostgreSQL in which the data warehouse is kept, postgres://…, or \"off\" for none. None: a file in the data folder."`

	OIDC

	Dev  bool `env:"CASM_DEV" help:"For development: no credentials are asked for. Refused unless every address is on the loopback interface."`
	Demo bool `env:"CASM_DEMO" help:"Adds the demonstration configuration, a small operator's: what is missing of it is made, what is there stays as it is."`

	TimeZone         string        `env:"CASM_TIME_ZONE" default:"UTC" placeholder:"ZONE" help:"Time zone (IANA) of month validities, billing days and daily figures (default: ${default})."`
	BatchLimit       int           `env:"CASM_BATCH_LIMIT" default:"256" placeholder:"N" help:"How many operations one commit takes at most, 1 to 10000 (default: ${default})."`
	QueueLimit       int           `env:"CASM_QUEUE_LIMIT" default:"4096" placeholder:"N" help:"How many operations may wait for a commit, 1 to 1000000; one more is answered 503 (default: ${default})."`
	RequestRetention time.Duration `env:"CASM_REQUEST_RETENTION" default:"720h" placeholder:"DURATION" help:"How long a requestId is kept, an hour at least (default: ${default})."`
	AuditRetention   time.Duration `env:"CASM_AUDIT_RETENTION" default:"9600h" placeholder:"DURATION" help:"How long a record of the audit is kept, a day (24h) at least (default: ${default}, 400 days)."`
	SessionIdle      time.Duration `env:"CASM_SESSION_IDLE" default:"12h" placeholder:"DURATION" help:"A person who signed in and asks nothing for so long has to sign in again; a minute at least (default: ${default})."`
	SessionLife      time.Duration `env:"CASM_SESSION_LIFE" default:"168h" placeholder:"DURATION" help:"How long after they signed in a person has to do so again in any case; not less than --session-idle (default: ${default})."`
	MaxConns         int           `name:"max-connections" env:"CASM_MAX_CONNECTIONS" default:"4096" placeholder:"N" help:"How many connections the API holds open at once, 1 to 1000000; more wait (default: ${default})."`

	LogFormat    string `env:"CASM_LOG_FORMAT" enum:"text,json" default:"text" placeholder:"FORMAT" help:"Form of the log on standard error: ${enum} (default: ${default})."`
	LogLevel     string `env:"CASM_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" help:"What is logged: ${enum} (default: ${default})."`
	OTLPEndpoint string `name:"otlp-endpoint" env:"CASM_OTLP_ENDPOINT" placeholder:"URL" help:"Where traces go: the address of an OpenTelemetry collector that takes OTLP over HTTP, such as http://127.0.0.1:4318. None: no traces."`
}

// maxSessionLife is how long browsers keep a cookie at the most.
const maxSessionLife = 400 * 24 * time.Hour

// Check finds what is wrong with where the data are.
func (d *Data) Check() error {
	if u, err := url.Parse(d.Database); d.Database != "" && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("--database: must be an address such as postgres://casm@127.0.0.1/casm") // not told: it may hold a password
	}
	return nil
}

// Off is the value of an address that is not to be listened on.
const Off = "off"

// Check finds everything that is wrong with the settings. Kong calls it as
// Validate, Start calls it again.
func (s *Settings) Check() error {
	var all []error
	add := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	between := func(flag string, n, low, high int) {
		if n < low || n > high {
			add("%s %d: must be from %d to %d", flag, n, low, high)
		}
	}
	if s.Data.Data == "" {
		add("--data must name a folder")
	}
	why := ""
	if s.Dev {
		why = "with --dev nobody has to sign in"
	}
	checkAddress("--listen", s.Listen, why, add)
	if err := s.checkTLS(); err != nil {
		all = append(all, err)
	}
	if err := s.OIDC.check(s.Dev); err != nil {
		all = append(all, err)
	}
	if err := s.Data.Check(); err != nil {
		all = append(all, err)
	}
	if err := checkStream(s.Stream, s.StreamPasswordFile); err != nil {
		all = append(all, err)
	}
	if _, err := s.networks(); err != nil {
		all = append(all, err)
	}
	if err := checkWarehouse(s.Warehouse); err != nil {
		all = append(all, err)
	}
	if s.NATSListen != Off && s.NATSListen != "" {
		checkAddress("--nats-listen", s.NATSListen, why, add)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
		add("--time-zone %q: no time zone of the IANA database, such as UTC or Europe/Vienna", s.TimeZone)
	}
	between("--batch-limit", s.BatchLimit, 1, 10_000)
	between("--queue-limit", s.QueueLimit, 1, 1_000_000)
	if s.RequestRetention < time.Hour {
		add("--request-retention %v: must be an hour at least", s.RequestRetention)
	}
	if s.AuditRetention < 24*time.Hour {
		add("--audit-retention %v: must be a day (24h) at least", s.AuditRetention)
	}
	if s.SessionIdle < time.Minute {
		add("--session-idle %v: must be a minute at least", s.SessionIdle)
	}
	if s.SessionLife < s.SessionIdle || s.SessionLife > maxSessionLife {
		add("--session-life %v: must be from --session-idle, %v, to %v", s.SessionLife, s.SessionIdle, maxSessionLife)
	}
	between("--max-connections", s.MaxConns, 1, 1_000_000)
	if s.LogFormat != "text" && s.LogFormat != "json" {
		add("--log-format %q: must be text or json", s.LogFormat)
	}
	if _, err := s.level(); err != nil {
		add("--log-level %q: must be debug, info, warn or error", s.LogLevel)
	}
	if s.OTLPEndpoint != "" {
		u, err := url.Parse(s.OTLPEndpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			add("--otlp-endpoint must be an address such as http://127.0.0.1:4318")
		}
	}
	return errors.Join(all...)
}

func (s *Settings) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(s.LogLevel))
	return level, err
}

// checkAddress checks one address to listen on: its form, and that it is on
// loopback where why says so; "" lets it be anywhere.
func checkAddress(flag, address, why string, add func(string, ...any)) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		add("%s %q: must be host:port, such as 127.0.0.1:8080", flag, address)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		add("%s %q: %q is no port from 0 to 65535", flag, address, port)
	}
	if why != "" && !isLoopback(host) {
		add("%s %s: %s, so it must be on the loopback interface, such as 127.0.0.1:%s", flag, address, why, port)
	}
}

// isLoopback reports whether nobody from outside of this machine reaches an
// address with the host. Names other than localhost may come to mean anything.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
