package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"casm"
	"casm/auth"

	"github.com/go-json-experiment/json"
)

// Status is what a running server tells about itself on its socket.
type Status struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	URL     string `json:"url"`            // of the API
	NATS    string `json:"nats,omitempty"` // what subscribers connect to; "" when the port is shut
}

// Admin administers an installation, running or not.
type Admin interface {
	// CreateKey makes an API key and returns it: this once, only a hash of it is kept.
	CreateKey(ctx context.Context, n auth.NewKey) (string, error)
	// Keys returns all keys, without anything secret.
	Keys(ctx context.Context) ([]auth.Key, error)
	// RevokeKey ends a key, named by its code.
	RevokeKey(ctx context.Context, code string) error

	// CreateUser makes a user.
	CreateUser(ctx context.Context, u auth.User, password string) error
	// Users returns all users, without anything secret.
	Users(ctx context.Context) ([]auth.User, error)
	// SetPassword gives a user another password, which ends their sessions.
	SetPassword(ctx context.Context, code, password string) error
	// SetDisabled keeps a user from signing in, or lets them again.
	SetDisabled(ctx context.Context, code string, disabled bool) error
	// DeleteUser deletes a user.
	DeleteUser(ctx context.Context, code string) error
}

// local is an Admin within the process that works on the data folder.
type local struct {
	office        auth.Office
	actor, remote string
}

func (l local) CreateKey(ctx context.Context, n auth.NewKey) (string, error) {
	key, _, err := auth.Keys(l.office).Create(ctx, l.actor, l.remote, n)
	return key, err
}

func (l local) Keys(ctx context.Context) ([]auth.Key, error) { return auth.Keys(l.office).List(ctx) }

func (l local) RevokeKey(ctx context.Context, code string) error {
	return auth.Keys(l.office).Revoke(ctx, l.actor, l.remote, code, 0)
}

func (l local) CreateUser(ctx context.Context, u auth.User, password string) error {
	_, err := auth.Users(l.office).Create(ctx, l.actor, l.remote, u, password)
	return err
}

func (l local) Users(ctx context.Context) ([]auth.User, error) { return auth.Users(l.office).List(ctx) }

func (l local) SetPassword(ctx context.Context, code, password string) error {
	return auth.Users(l.office).SetPassword(ctx, l.actor, l.remote, code, password)
}

func (l local) SetDisabled(ctx context.Context, code string, disabled bool) error {
	return auth.Users(l.office).SetDisabled(ctx, l.actor, l.remote, code, disabled)
}

func (l local) DeleteUser(ctx context.Context, code string) error {
	return auth.Users(l.office).Delete(ctx, l.actor, l.remote, code, 0)
}

// actorHeader names who administers through the socket. The socket is open to
// the server's own user alone, so its word is taken.
const actorHeader = "Casm-Actor"

// actorOf returns who administers.
func actorOf(r *http.Request) string {
	actor := r.Header.Get(actorHeader)
	if actor == "" || len(actor) > 100 {
		actor = "local"
	}
	return actor
}

type refusal struct {
	Errors casm.Violations `json:"errors,omitempty"`
	Detail string          `json:"detail,omitempty"`
}

// adminRoute adds what answers one request of the socket's other end.
type adminRoute func(pattern string, fn func(r *http.Request, a local) (any, error))

// adminHandler serves an Admin, the status, and more, to the other end of the
// socket.
func adminHandler(office auth.Office, status func() Status, log *slog.Logger, more func(adminRoute)) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(r *http.Request, a local) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := fn(r, local{office, actorOf(r), "socket"})
			code := http.StatusOK
			if v, ok := errors.AsType[casm.Violations](err); ok {
				code, answer = http.StatusBadRequest, refusal{Errors: v}
			} else if err != nil {
				log.Error("administration through the socket failed", "request", pattern, "error", err)
				code, answer = http.StatusInternalServerError, refusal{Detail: err.Error()}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			if err := json.MarshalWrite(w, answer); err != nil {
				log.Warn("answer through the socket", "error", err)
			}
		})
	}
	// What the process does and where its memory went, in the form of go tool
	// pprof. It tells much, so that it was asked for is recorded before.
	profile := func(pattern string, serve http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := auth.AuditDone(r.Context(), log, actorOf(r), "profile", "socket", slog.String("path", r.URL.Path))
			if err != nil {
				http.Error(w, "the profile was not taken, as that could not be written to the audit", http.StatusServiceUnavailable)
				return
			}
			serve(w, r)
		})
	}
	profile("GET /debug/pprof/", pprof.Index)
	profile("GET /debug/pprof/profile", pprof.Profile)
	profile("GET /debug/pprof/trace", pprof.Trace)
	more(handle)
	handle("GET /status", func(*http.Request, local) (any, error) { return status(), nil })
	handleKeys(handle)
	handleUsers(handle)
	return mux
}

// remote is an Admin at the other end of a running server's socket.
type remote struct {
	client *http.Client
	actor  string
}

func newRemote(data, actor string) remote {
	return remote{actor: actor, client: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, data) },
		},
	}}
}

// call makes one request; into takes the answer.
func (r remote) call(ctx context.Context, method, path string, body, into any) (err error) {
	var text strings.Builder
	if body != nil {
		if err := json.MarshalWrite(&text, body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://casm"+path, strings.NewReader(text.String()))
	if err != nil {
		return err
	}
	req.Header.Set(actorHeader, r.actor)
	res, err := r.client.Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNoServer
	}
	if err != nil {
		return fmt.Errorf("reach the running server: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode == http.StatusOK {
		return json.UnmarshalRead(res.Body, into)
	}
	var refused refusal
	if err := json.UnmarshalRead(io.LimitReader(res.Body, 1<<20), &refused); err != nil {
		return fmt.Errorf("the running server answered %s", res.Status)
	}
	if len(refused.Errors) > 0 {
		return refused.Errors
	}
	return fmt.Errorf("the running server: %s", refused.Detail)
}

// ServerStatus asks the server that works on the data folder about itself.
func ServerStatus(ctx context.Context, data string) (s Status, err error) {
	err = newRemote(data, "").call(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// ErrNoServer is the error of a data folder on which no server runs.
var ErrNoServer = errors.New("no server runs on the data folder; name its folder with --data")

// ErrNoData is the error of a data folder on which nothing was started yet.
var ErrNoData = errors.New("the data folder holds no data")

// begun reports ErrNoData of a data folder that is to hold the store and holds
// none: so no command makes one where a wrong folder was named.
func (d Data) begun() error {
	if d.Database != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(d.Data, storeFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s; name another one with --data", ErrNoData, d.Data)
	}
	return nil
}

// Administer calls fn with an Admin of the data folder: through the socket of
// the server that works on it, or directly when none does. actor is recorded
// as who did it. With a database it works on that, whether servers run or not.
// A folder that holds nothing yet is refused with ErrNoData,
// unless create says to begin it.
func Administer(ctx context.Context, where Data, actor string, create bool, log *slog.Logger, fn func(Admin) error) error {
	data := where.Data
	if err := where.begun(); err != nil && !create {
		return err
	}
	return directly(ctx, data, func() error {
		direct, err := open(ctx, where, log)
		if err != nil {
			return err
		}
		err = fn(local{direct.office(auth.Audited(log, direct.trail)), actor, "command line"})
		return errors.Join(err, direct.close(ctx))
	}, func() error { return fn(newRemote(data, actor)) })
}

// directly calls direct, which takes the data folder's lock, or where that
// fails with ErrInUse through, as soon as a server answers on the folder.
func directly(ctx context.Context, data string, direct, through func() error) error {
	// A server that starts or stops has the lock but not the socket.
	for deadline := time.Now().Add(5 * time.Second); ; {
		err := direct()
		if !errors.Is(err, ErrInUse) {
			return err
		}
		if _, status := ServerStatus(ctx, data); status == nil {
			return through()
		} else if time.Now().After(deadline) {
			return errors.Join(err, status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Actor names the user of this process, for the record.
func Actor() string {
	for _, name := range []string{os.Getenv("SUDO_USER"), os.Getenv("USER"), os.Getenv("LOGNAME")} {
		if name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "local:" + name
		}
	}
	return fmt.Sprintf("local:uid-%d", os.Getuid())
}
