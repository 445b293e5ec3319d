package natsjs

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// SignIn judges the credential that a subscriber shows, as its token or its
// password, and gives the name under which its connection is listed. It is
// asked when a connection is made and every two seconds while it lasts; one
// that is not ok any more is closed. An error is a fault: it lets nobody in,
// and closes nothing.
type SignIn func(ctx context.Context, credential, remote string) (name string, ok bool, err error)

const (
	// signInTimeout bounds one answer: a client waits two seconds for its own.
	signInTimeout = 1500 * time.Millisecond
	// signInAgain is how often those who are in are judged anew.
	signInAgain = 2 * time.Second
)

// gate is asked by the server who may connect, in place of its list of users:
// those of this process by their passwords, strangers by their credentials.
type gate struct {
	signIn SignIn
	users  []*server.User // of this process, in no order: the server's configuration has none
	reader server.User    // of them the one whose rights strangers get
	log    *slog.Logger
	ns     *server.Server

	mu sync.Mutex
	in map[uint64]visitor // by the id of the connection
}

type visitor struct{ credential, remote string }

// guard has the server ask signIn. What it returns is to be opened before the
// server is started.
func guard(opts *server.Options, signIn SignIn, log *slog.Logger) *gate {
	g := &gate{signIn: signIn, users: opts.Users, log: log, in: make(map[uint64]visitor)}
	opts.CustomClientAuthentication = g
	return g
}

// open gives the gate the server, and with it the accounts as they are there.
// Without a user whose rights strangers may have it fails.
func (g *gate) open(ns *server.Server) error {
	g.ns = ns
	for i, u := range g.users {
		account, err := ns.LookupAccount(u.Account.GetName())
		if err != nil {
			return fmt.Errorf("stream server: account %s: %w", u.Account.GetName(), err)
		}
		own := *u
		own.Account = account
		g.users[i] = &own
		if own.Username == readerUser {
			g.reader = own
		}
	}
	if g.reader.Permissions == nil {
		return fmt.Errorf("stream server: no user %s with a reader's rights", readerUser)
	}
	return nil
}

// Check implements server.Authentication.
func (g *gate) Check(c server.ClientAuthentication) bool {
	shown := c.GetOpts()
	for _, u := range g.users {
		if shown.Username == u.Username && subtle.ConstantTimeCompare([]byte(shown.Password), []byte(u.Password)) == 1 {
			c.RegisterUser(u)
			return true
		}
	}
	v := visitor{credential: shown.Token, remote: c.RemoteAddress().String()}
	if v.credential == "" {
		v.credential = shown.Password
	}
	name, ok := g.ask(v)
	if !ok {
		return false
	}
	reader := g.reader
	reader.Username = name
	c.RegisterUser(&reader)
	g.mu.Lock()
	g.in[c.GetID()] = v
	g.mu.Unlock()
	return true
}

// ask reports whether a visitor may come in; a fault is no.
func (g *gate) ask(v visitor) (string, bool) {
	name, ok, err := g.judge(v)
	if err != nil {
		g.log.Warn("a subscriber could not sign in to the stream", "remote", v.remote, "error", err)
	}
	return name, ok && err == nil
}

func (g *gate) judge(v visitor) (string, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signInTimeout)
	defer cancel()
	return g.signIn(ctx, v.credential, v.remote)
}

// watch judges anew who is in, until quit is closed.
func (g *gate) watch(quit <-chan struct{}) {
	tick := time.NewTicker(signInAgain)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		g.mu.Lock()
		in := maps.Clone(g.in)
		g.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(in)) {
			if g.stays(id, in[id]) {
				continue
			}
			g.mu.Lock()
			delete(g.in, id)
			g.mu.Unlock()
		}
	}
}

// stays reports whether a connection is still there and may be.
func (g *gate) stays(id uint64, v visitor) bool {
	if g.ns.GetClient(id) == nil {
		return false // it has gone
	}
	_, ok, err := g.judge(v)
	if ok || err != nil {
		return true
	}
	g.log.Info("a subscriber may not read the stream any more", "remote", v.remote)
	if err := g.ns.DisconnectClientByID(id); err != nil && !errors.Is(err, server.ErrServerNotRunning) {
		g.log.Debug("a subscriber had gone", "error", err)
	}
	return false
}
