package testkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a private PostgreSQL server in a folder of its own, made from
// the machine's binaries and durable as one in production. Everything that it
// holds goes with Stop.
type Postgres struct {
	daemon // data and socket stand below its folder
	bin    string
	port   int
	user   *syscall.Credential // nil: as ourselves

	templating sync.Mutex // CREATE DATABASE wants its template for itself
	databases  atomic.Int64
}

const (
	postgresStartTimeout = 30 * time.Second
	postgresStopTimeout  = 20 * time.Second
)

// StartPostgres makes a server and starts it. Settings are name=value lines of
// postgresql.conf beside those that tests need.
func StartPostgres(settings ...string) (*Postgres, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	user, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Not below a test's own folder: a socket's path has 107 bytes at the most,
	// and the server's user must be able to go there.
	folder, err := os.MkdirTemp("", "casm-pg-")
	if err != nil {
		return nil, err
	}
	p := &Postgres{daemon: daemon{folder: folder}, bin: bin, user: user}
	if err := p.create(settings); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary PostgreSQL: %w", err), os.RemoveAll(folder))
	}
	if err := p.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return p, nil
}

// postgresBinaries finds the folder of initdb and postgres: in PATH, where
// Debian puts them, or after an attempt to install them.
func postgresBinaries() (string, error) {
	find := func() string {
		if path, err := exec.LookPath("initdb"); err == nil {
			if path, err = filepath.EvalSymlinks(path); err == nil {
				return filepath.Dir(path)
			}
		}
		versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
		number := func(path string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0: not a version
			return n
		}
		slices.SortFunc(versions, func(a, b string) int { return number(b) - number(a) })
		if len(versions) > 0 {
			return filepath.Dir(versions[0])
		}
		return ""
	}
	if bin := find(); bin != "" {
		return bin, nil
	}
	output, err := install("postgresql")
	if bin := find(); bin != "" {
		return bin, nil
	}
	return "", fmt.Errorf("no PostgreSQL on this machine (initdb is neither in PATH nor below /usr/lib/postgresql); "+
		"installing it with apt-get: %w\n%s", err, output)
}

// unprivileged gives the user that the server runs as: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if uid, gid, err := lookUpUser(name); err == nil {
			return &syscall.Credential{Uid: uid, Gid: gid}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

// prepare gives the server's user the folder, and the server a port.
func (p *Postgres) prepare() (err error) {
	if p.user != nil {
		if err := os.Chown(p.folder, int(p.user.Uid), int(p.user.Gid)); err != nil {
			return err
		}
	}
	p.port, err = freePort()
	return err
}

// configure adds lines to the server's settings; the last of a name counts.
func (p *Postgres) configure(lines ...string) error {
	config, err := os.OpenFile(filepath.Join(p.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	lines = append(lines, "port = "+strconv.Itoa(p.port), "unix_socket_directories = '"+p.folder+"'")
	_, err = config.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	return errors.Join(err, config.Close())
}

func (p *Postgres) create(settings []string) error {
	if err := p.prepare(); err != nil {
		return err
	}
	// --no-sync: what initdb writes need not survive a crash of the machine.
	cmd := p.command("initdb", "--no-sync", "--auth=trust", "--username=casm", "--encoding=UTF8", "--locale=C",
		"--pgdata="+p.data())
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return p.configure(append([]string{
		"listen_addresses = '127.0.0.1'",
		"fsync = on", "synchronous_commit = on", "full_page_writes = on",
		"shared_buffers = 256MB", "max_wal_size = 2GB", "max_connections = 200",
		"max_locks_per_transaction = 128",
		"log_min_messages = warning", "log_lock_waits = off",
	}, settings...)...)
}

// command is one of PostgreSQL's programs, run as the server's user.
func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "TMPDIR=" + os.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	return cmd
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// Start starts the server that was stopped or killed, and waits until it takes
// connections.
func (p *Postgres) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	launch := func() error {
		if err := p.launch(p.command("postgres", "-D", p.data()), syscall.SIGQUIT); err != nil {
			return fmt.Errorf("start PostgreSQL: %w", err)
		}
		return nil
	}
	if err := launch(); err != nil {
		return err
	}
	until := time.Now().Add(postgresStartTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			err = conn.Close(ctx)
			cancel()
			return err
		}
		cancel()
		select {
		case <-p.process.ended:
			// One of those that were killed may not be gone yet.
			if !strings.Contains(p.Tail(), "is still in use") || time.Now().After(until) {
				return fmt.Errorf("PostgreSQL ended at its start: %s", p.Tail())
			}
			time.Sleep(50 * time.Millisecond)
			if err := launch(); err != nil {
				return err
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("PostgreSQL does not take connections: %w\n%s", err, p.Tail())
		}
	}
}

// Shutdown ends the server as an operator would in a hurry: connections are
// cut, what was committed is kept (mode "fast" of pg_ctl).
func (p *Postgres) Shutdown() error { return p.end(syscall.SIGINT) }

// Crash ends the server without giving it time for anything; Start recovers.
func (p *Postgres) Crash() error { return p.end(syscall.SIGQUIT) }

func (p *Postgres) end(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return nil
	}
	if err := p.process.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.process.ended:
	case <-time.After(postgresStopTimeout):
		// Its children end by themselves when they miss it.
		if err := p.process.cmd.Process.Kill(); err != nil {
			return err
		}
		<-p.process.ended
	}
	p.process = nil
	return nil
}

// Stop ends the server and removes all that it held.
func (p *Postgres) Stop() error {
	return errors.Join(p.end(syscall.SIGQUIT), os.RemoveAll(p.folder))
}

// URL is how to reach a database of the server, by its port on loopback.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://casm@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

// SocketURL is how to reach a database by the server's Unix socket.
func (p *Postgres) SocketURL(database string) string {
	return fmt.Sprintf("postgres://casm@/%s?host=%s&port=%d&sslmode=disable", database, p.folder, p.port)
}

// Address is where the server listens.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Exec runs statements in a database.
func (p *Postgres) Exec(ctx context.Context, database string, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, p.URL(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// CreateDatabase makes a database as a copy of another, such as one that was
// migrated ("template1" for an empty one), and returns its name.
func (p *Postgres) CreateDatabase(ctx context.Context, template string) (string, error) {
	name := "d" + strconv.FormatInt(p.databases.Add(1), 10)
	p.templating.Lock()
	defer p.templating.Unlock()
	return name, p.Exec(ctx, "postgres", fmt.Sprintf(`CREATE DATABASE %q TEMPLATE %q`, name, template))
}

// DropDatabase removes a database and cuts whoever is connected.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.Exec(ctx, "postgres", fmt.Sprintf(`DROP DATABASE IF EXISTS %q WITH (FORCE)`, name))
}

// Database makes a database that goes with the test, and returns its URL.
func (p *Postgres) Database(tb testing.TB, template string) string {
	tb.Helper()
	ctx := context.Background()
	name, err := p.CreateDatabase(ctx, template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.DropDatabase(ctx, name); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return p.URL(name)
}
