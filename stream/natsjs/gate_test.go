package natsjs

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestGateRights: strangers get a reader's rights in whatever order the
// server's configuration gives its users, which changes from start to start.
func TestGateRights(t *testing.T) {
	for _, sign := range []int{1, -1} {
		opts := &server.Options{DontListen: true, NoSigs: true}
		if err := new(Server).users(opts, true); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(opts.Users, func(a, b *server.User) int { return sign * strings.Compare(a.Username, b.Username) })
		g := guard(opts, nil, slog.New(slog.DiscardHandler))
		ns, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.open(ns); err != nil {
			t.Fatal(err)
		}
		if g.reader.Username != readerUser || g.reader.Account.GetName() != readerAccount || g.reader.Permissions.Publish == nil {
			t.Errorf("first %s: strangers are %s of account %s", opts.Users[0].Username, g.reader.Username, g.reader.Account.GetName())
		}
		g.users = slices.DeleteFunc(g.users, func(u *server.User) bool { return u.Username == readerUser })
		g.reader = server.User{}
		if err := g.open(ns); err == nil {
			t.Error("opened without a reader's rights")
		}
	}
}

// TestLogLevel: what clients do wrong is a warning, our own faults are errors.
func TestLogLevel(t *testing.T) {
	var b bytes.Buffer
	l := &logAdapter{log: slog.New(slog.NewTextHandler(&b, nil))}
	for format, want := range map[string]string{
		"127.0.0.1:40616 - cid:18 - authentication error": "level=WARN",
		"JetStream failed to store a msg on a stream":     "level=ERROR",
	} {
		b.Reset()
		l.Errorf(format)
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s", b.String())
		}
	}
}
