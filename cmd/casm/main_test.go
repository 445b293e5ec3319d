package main

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"casm": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(2 * time.Minute),
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"waitfor": waitFor, "freeport": freePort, "eventually": eventually},
	})
}

// waitFor is a script's command that waits until a file is there, such as the
// socket of a server that is started in the background.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is not there after 30 s", args[0])
		}
	}
}

// eventually is a script's command that runs another, at most for 10 s, until
// its output holds ":1", and then once more for the script to look at.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: eventually COMMAND ...")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), ":1") {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within 10 s: %v, %v", args, err)
		}
	}
}

// freePort is a script's command that sets a variable to an address of the
// loopback whose port was free just now.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"":                     "0001-01-01T00:00:00Z",
		"90m":                  "2026-05-01T13:30:00Z",
		"30d":                  "2026-05-31T12:00:00Z",
		"2027-01-31":           "2027-01-31T00:00:00Z",
		"2027-01-31T12:00:00Z": "2027-01-31T12:00:00Z",
	} {
		got, err := parseExpiry(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "d", "-1d", "99999999d", "2027-02-30"} {
		if got, err := parseExpiry(text, now); err == nil {
			t.Errorf("%q: taken as %v", text, got)
		}
	}
}
