package app

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// good are settings in which nothing is wrong.
func good() Settings {
	return Settings{
		Data:   Data{Data: "x"},
		Listen: "127.0.0.1:8080", NATSListen: "127.0.0.1:4222", TimeZone: "UTC",
		BatchLimit: 256, QueueLimit: 4096, MaxConns: 1000, RequestRetention: time.Hour, AuditRetention: 24 * time.Hour, SessionIdle: time.Hour, SessionLife: time.Hour, LogFormat: "text", LogLevel: "info",
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Settings)
		want string // part of the error; "" for none
	}{
		{"defaults", func(*Settings) {}, ""},
		{"everywhere with credentials", func(s *Settings) { s.Listen = "0.0.0.0:80" }, ""},
		{"dev on loopback", func(s *Settings) { s.Dev = true }, ""},
		{"dev on localhost", func(s *Settings) { s.Dev, s.Listen = true, "LocalHost:0" }, ""},
		{"dev on IPv6 loopback", func(s *Settings) { s.Dev, s.Listen = true, "[::1]:0" }, ""},
		{"dev on mapped loopback", func(s *Settings) { s.Dev, s.Listen = true, "[::ffff:127.0.0.2]:0" }, ""},
		{"dev everywhere", func(s *Settings) { s.Dev, s.Listen = true, "0.0.0.0:8080" }, "--listen 0.0.0.0:8080: with --dev"},
		{"dev everywhere, unsaid", func(s *Settings) { s.Dev, s.Listen = true, ":8080" }, "--listen :8080: with --dev"},
		{"dev on IPv6 everywhere", func(s *Settings) { s.Dev, s.Listen = true, "[::]:8080" }, "with --dev"},
		{"dev on a name", func(s *Settings) { s.Dev, s.Listen = true, "localhost.example:8080" }, "with --dev"},
		{"dev with the stream open", func(s *Settings) { s.Dev, s.NATSListen = true, "192.0.2.1:4222" }, "--nats-listen 192.0.2.1:4222: with --dev"},
		{"dev without stream", func(s *Settings) { s.Dev, s.NATSListen = true, Off }, ""},
		{"no port", func(s *Settings) { s.Listen = "127.0.0.1" }, "--listen"},
		{"port too high", func(s *Settings) { s.Listen = "127.0.0.1:65536" }, "no port"},
		{"no folder", func(s *Settings) { s.Data.Data = "" }, "--data"},
		{"zone", func(s *Settings) { s.TimeZone = "Mars/Olympus" }, "--time-zone"},
		{"local zone", func(s *Settings) { s.TimeZone = "Local" }, "--time-zone"},
		{"batch", func(s *Settings) { s.BatchLimit = 0 }, "--batch-limit 0"},
		{"queue", func(s *Settings) { s.QueueLimit = 1_000_001 }, "--queue-limit"},
		{"retention", func(s *Settings) { s.RequestRetention = time.Minute }, "--request-retention 1m0s"},
		{"audit retention", func(s *Settings) { s.AuditRetention = 23 * time.Hour }, "--audit-retention 23h0m0s"},
		{"level", func(s *Settings) { s.LogLevel = "loud" }, "--log-level"},
		{"NATS", func(s *Settings) { s.Stream = "nats://casm:secret@nats.example:4222" }, ""},
		{"Kafka", func(s *Settings) { s.Stream = "kafka://a:9092,b" }, ""},
		{"Kafka with all", func(s *Settings) {
			s.Stream, s.StreamPasswordFile = "kafka+tls://casm@a:9093,[::1]:9093?topic=x.y&partitions=3&replicas=1&sasl=plain&ca=f&cert=c&key=k", "password"
		}, ""},
		{"Kafka with a password", func(s *Settings) { s.Stream = "kafka+tls://casm:secret@a" }, "--stream-password-file"},
		{"Kafka without a broker", func(s *Settings) { s.Stream = "kafka://" }, "host:port"},
		{"Kafka and a bad port", func(s *Settings) { s.Stream = "kafka://a:x,b:1" }, "host:port"},
		{"Kafka and what is not known", func(s *Settings) { s.Stream = "kafka://a?acks=0" }, "not known"},
		{"Kafka said twice", func(s *Settings) { s.Stream = "kafka://a?topic=a&topic=b" }, "more than once"},
		{"Kafka and a bad topic", func(s *Settings) { s.Stream = "kafka://a?topic=a/b" }, "topic must be"},
		{"Kafka in clear", func(s *Settings) { s.Stream = "kafka://casm@a?sasl=plain" }, "kafka+tls://"},
		{"Kafka, sasl without a user", func(s *Settings) { s.Stream = "kafka://a?sasl=scram-sha-256" }, "a user"},
		{"Kafka with a CA but no TLS", func(s *Settings) { s.Stream = "kafka://a?ca=x" }, "kafka+tls://"},
		{"a password for NATS", func(s *Settings) { s.Stream, s.StreamPasswordFile = "nats://a:4222", "f" }, "--stream-password-file"},
		{"another stream", func(s *Settings) { s.Stream = "amqp://a" }, "--stream: must be"},
		{"OIDC", func(s *Settings) { s.OIDC = OIDC{OIDCIssuer: "https://id.example", OIDCClientID: "casm"} }, ""},
		{"OIDC with all", func(s *Settings) {
			s.OIDC = OIDC{OIDCIssuer: "https://id.example/realms/x", OIDCClientID: "casm", OIDCClientSecret: "secret", OIDCRedirectURL: "https://casm.example/v1/session/oidc/callback"}
		}, ""},
		{"OIDC in clear", func(s *Settings) { s.OIDC = OIDC{OIDCIssuer: "http://id.example", OIDCClientID: "casm"} }, "--oidc-issuer: must be https"},
		{"OIDC without a client", func(s *Settings) { s.OIDCIssuer = "https://id.example" }, "--oidc-client-id is needed"},
		{"OIDC without an issuer", func(s *Settings) { s.OIDCClientSecret = "secret" }, "need --oidc-issuer"},
		{"OIDC with two secrets", func(s *Settings) {
			s.OIDC = OIDC{OIDCIssuer: "https://id.example", OIDCClientID: "casm", OIDCClientSecret: "secret", OIDCClientSecretFile: "f"}
		}, "give one of them"},
		{"OIDC with --dev", func(s *Settings) { s.Dev, s.OIDC = true, OIDC{OIDCIssuer: "https://id.example", OIDCClientID: "casm"} }, "with --dev nobody signs in"},
		{"OIDC back to elsewhere", func(s *Settings) {
			s.OIDC = OIDC{OIDCIssuer: "https://id.example", OIDCClientID: "casm", OIDCRedirectURL: "https://casm.example/"}
		}, "--oidc-redirect-url: must be"},
		{"collector", func(s *Settings) { s.OTLPEndpoint = "127.0.0.1:4318" }, "--otlp-endpoint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.set(&s)
			err := s.Check()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "--oidc-client-secret", ""), "secret"):
				t.Errorf("the error tells a secret: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestCheckWarehouseServer: nobody signs in to casm warehouse serve, and no
// setting changes that.
func TestCheckWarehouseServer(t *testing.T) {
	s := WarehouseServer{WarehouseData: WarehouseData{Data: Data{Data: "x"}}, Listen: "127.0.0.1:8081"}
	s.Feed, s.TimeZone = "http://127.0.0.1:8080", "UTC"
	if err := s.Check(); err != nil {
		t.Errorf("refused: %v", err)
	}
	s.Listen = "0.0.0.0:8081"
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "--listen 0.0.0.0:8081: nobody has to sign in there") || strings.Contains(err.Error(), "--dev") {
		t.Errorf("everywhere: %v", err)
	}
}

// TestSettingsNames: the variable follows from the flag, for every setting.
func TestSettingsNames(t *testing.T) {
	var each func(reflect.Type)
	each = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Anonymous {
				each(f.Type)
				continue
			}
			flag := f.Tag.Get("name")
			if flag == "" {
				flag = kebab(f.Name)
			}
			want := "CASM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
			if got := f.Tag.Get("env"); got != want {
				t.Errorf("%s: variable %q, want %q", f.Name, got, want)
			}
			if f.Tag.Get("help") == "" {
				t.Errorf("%s has no help", f.Name)
			}
		}
	}
	each(reflect.TypeFor[Settings]())
}

// kebab writes a field's name as kong does.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
