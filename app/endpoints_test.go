package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casm"
	"casm/stream"
	"casm/stream/kafka"
)

// TestSecretOf: secrets come from where the configuration says, and from
// nowhere else; what is wrong is told without them.
func TestSecretOf(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	if err := os.MkdirAll(filepath.Join(folder, "..data"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("outside", "hidden")
	write("secrets/plain", "secret\n")
	write("secrets/..data/mounted", "mounted")
	write("secrets/empty", " \n")
	write("secrets/large", strings.Repeat("x", maxSecret+1))
	link(filepath.Join("..data", "mounted"), "mounted") // as Kubernetes mounts secrets
	link(filepath.Join("..", "outside"), "escape")
	link(filepath.Join(dir, "outside"), "absolute")
	t.Setenv("CASM_ENDPOINT_TEST", "from a variable")
	for _, c := range []struct {
		env, file, dir, want string
		wrong                string
	}{
		{want: ""},
		{env: "CASM_ENDPOINT_TEST", want: "from a variable"},
		{env: "CASM_ENDPOINT_NONE", wrong: "no variable CASM_ENDPOINT_NONE"},
		{file: "plain", dir: folder, want: "secret"},
		{file: "mounted", dir: folder, want: "mounted"},
		{file: "plain", wrong: "--secrets-dir"},
		{file: "escape", dir: folder, wrong: "escapes"},
		{file: "absolute", dir: folder, wrong: "escapes"},
		{file: "none", dir: folder, wrong: "no such file"},
		{file: "empty", dir: folder, wrong: "empty"},
		{file: "large", dir: folder, wrong: "more than"},
	} {
		got, err := secretOf(&casm.PubSubEndpoint{SecretEnv: c.env, SecretFile: c.file}, c.dir)
		if c.wrong == "" && (err != nil || got != c.want) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
		if c.wrong != "" && (!errors.Is(err, stream.ErrSetup) || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "hidden") || got != "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, p := range []*casm.PubSubEndpoint{
		{Type: casm.EndpointWebhook, URL: "https://crm.example"},
		{Type: casm.EndpointWebhook, URL: "https://crm.example", SecretEnv: "CASM_ENDPOINT_TEST"},
	} {
		if s, err := openEndpoint(t.Context(), p, nil, &Settings{SecretsDir: folder}, slog.Default()); !errors.Is(err, stream.ErrSetup) {
			t.Errorf("%+v: %v, %v", p, s, err)
		}
	}
}

func TestOutboundNetworks(t *testing.T) {
	for text, want := range map[string]int{"": 0, "10.0.0.0/8": 1, " 10.1.2.3/8 , fd00::/8,": 2, "10.0.0.1": -1, "x": -1} {
		s := Settings{OutboundNetworks: text}
		list, err := s.networks()
		if want >= 0 && (err != nil || len(list) != want) || want < 0 && err == nil {
			t.Errorf("%q: %v, %v", text, list, err)
		}
	}
}

// TestTopicOfEndpoint: an endpoint of Kafka has a topic of its own, and that of the
// built-in stream is refused, also where the server's own stream has another name for it.
func TestTopicOfEndpoint(t *testing.T) {
	const own = "kafka://127.0.0.1:1?topic=ours"
	for _, c := range []struct {
		code, topic, stream string
		taken               string // "" for refused
	}{
		{"crm", "", own, "casm.crm"},
		{"crm", "", "", "casm.crm"},
		{"crm", "copies", own, "copies"},
		{"crm", "ours", "nats://127.0.0.1:1", "ours"},
		{"crm", "ours", own, ""},
		{"crm", "casm.business-transactions", own, ""},
		{"crm", "casm.business-transactions", "", ""},
		{"business-transactions", "", own, ""},
		{"ours", "", "kafka://127.0.0.1:1?topic=casm.ours", ""},
	} {
		p := &casm.PubSubEndpoint{Item: casm.Item{Code: c.code}, Type: casm.EndpointKafka, URL: "kafka://127.0.0.1:1", Topic: c.topic}
		s, err := openEndpoint(t.Context(), p, nil, &Settings{Stream: c.stream}, slog.Default())
		if err == nil {
			if err := s.(*kafka.Copy).Close(); err != nil {
				t.Error(err)
			}
		}
		switch {
		case c.taken == "" && (!errors.Is(err, stream.ErrSetup) || !strings.Contains(err.Error(), p.DefaultTopic())):
			t.Errorf("%+v: %v", c, err)
		case c.taken != "" && (err != nil || p.DefaultTopic() != c.taken):
			t.Errorf("%+v: %s, %v", c, p.DefaultTopic(), err)
		}
	}
}

// TestNoSecretsDir: a folder that is not there is told at the start.
func TestNoSecretsDir(t *testing.T) {
	a := &App{settings: Settings{SecretsDir: filepath.Join(t.TempDir(), "none")}}
	if err := a.startEndpoints(nil); err == nil || !strings.Contains(err.Error(), "--secrets-dir") {
		t.Errorf("%v", err)
	}
}
