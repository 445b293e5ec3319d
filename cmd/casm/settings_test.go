package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parse reads a command line as run does.
func parse(t *testing.T, args ...string) (cl commandLine, err error) {
	t.Helper()
	_, err = newParser(t.Context(), &cl, streams{io.Discard, io.Discard}).Parse(args)
	return cl, err
}

func settingsIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "casm.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrecedence: a flag goes before a variable, a variable before the file,
// the file before the default.
func TestPrecedence(t *testing.T) {
	file := settingsIn(t, "listen: 127.0.0.1:1\nnats-listen: 127.0.0.1:1\nbatch-limit: 11\nqueue-limit: 12\ndev: true\ndata: from-file\n")
	t.Setenv("CASM_LISTEN", "127.0.0.1:2")
	t.Setenv("CASM_BATCH_LIMIT", "22")
	t.Setenv("CASM_DATA", "from-variable")
	for _, args := range [][]string{
		{"serve", "--config", file, "--listen", "127.0.0.1:3"},
		{"--config", file, "serve", "--listen=127.0.0.1:3"},
	} {
		cl, err := parse(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		s := cl.Serve.Settings
		if s.Listen != "127.0.0.1:3" || s.BatchLimit != 22 || s.Data.Data != "from-variable" || s.NATSListen != "127.0.0.1:1" ||
			s.QueueLimit != 12 || !s.Dev || s.Demo || s.TimeZone != "UTC" {
			t.Errorf("%v: got %+v", args, s)
		}
	}
	t.Setenv("CASM_CONFIG", file)
	cl, err := parse(t, "key", "list")
	if err != nil || cl.Key.Data.Data != "from-variable" {
		t.Errorf("key list: %+v, %v", cl.Key.Data, err)
	}
}

func TestDefaults(t *testing.T) {
	cl, err := parse(t, "serve")
	if err != nil {
		t.Fatal(err)
	}
	s := cl.Serve.Settings
	if s.Listen != "127.0.0.1:8080" || s.NATSListen != "127.0.0.1:4222" || s.Data.Data != "./casm-data" || s.Dev || s.Demo {
		t.Errorf("defaults: %+v", s)
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		args []string
		want string
	}{
		"unknown key":    {"lisen: 127.0.0.1:1", []string{"serve"}, `no setting "lisen"; there are api-key, api-key-file, audit-retention`},
		"flag only":      {"scenario: update-one", []string{"load"}, `no setting "scenario"`},
		"config itself":  {"config: x", []string{"serve"}, `no setting "config"`},
		"a list":         {"listen: [a, b]", []string{"serve"}, "listen must be"},
		"not a mapping":  {"- listen", []string{"serve"}, "file of settings"},
		"not yaml":       {"listen: '", []string{"serve"}, "file of settings"},
		"wrong type":     {"batch-limit: many", []string{"serve"}, "batch-limit"},
		"wrong choice":   {"log-format: xml", []string{"serve"}, "log-format"},
		"dev not local":  {"dev: true\nlisten: 0.0.0.0:1", []string{"serve"}, "--listen 0.0.0.0:1: with --dev"},
		"half of TLS":    {"tls-cert: cert.pem", []string{"serve"}, "--tls-cert is given without --tls-key"},
		"no such CA":     {"ca-file: /none/ca.pem", []string{"config", "export"}, "--ca-file /none/ca.pem: no such file"},
		"half a client":  {"", []string{"load", "--target", "https://a", "--client-key", "key.pem"}, "give both or none"},
		"feed's CA":      {"ca-file: /none/ca.pem", []string{"warehouse", "rebuild", "--feed", "https://a"}, "--ca-file /none/ca.pem: no such file"},
		"out of range":   {"batch-limit: 0", []string{"serve"}, "--batch-limit 0"},
		"unknown flag":   {"", []string{"serve", "--databank", "x"}, "unknown flag --databank"},
		"unknown word":   {"", []string{"serve", "now"}, "unexpected argument now"},
		"no such file":   {"", []string{"serve", "--config", "/nonexistent/casm.yaml"}, "casm.yaml"},
		"load too long":  {"", []string{"load", "--duration", "48h"}, "--duration"},
		"load, clients":  {"", []string{"load", "--clients", "1,100000"}, "--clients 100000"},
		"load, target":   {"", []string{"load", "--target", "localhost:8080"}, "--target"},
		"load, compare":  {"", []string{"load", "--target", "http://localhost:1", "--compare-batch-limit", "1"}, "not with --target"},
		"load, scenario": {"", []string{"load", "--scenario", "dance"}, "--scenario"},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if c.file != "" {
				args = append(args, "--config", settingsIn(t, c.file))
			}
			_, err := parse(t, args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
