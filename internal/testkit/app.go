package testkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary builds casm once per test process, into a folder that is removed with
// CleanUp, and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		root, err := Root()
		if err != nil {
			binary.err = err
			return
		}
		if binary.dir, binary.err = os.MkdirTemp("", "casm-test-"); binary.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(binary.dir, "casm"), "./cmd/casm")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "casm")
}

var binary struct {
	once sync.Once
	dir  string
	err  error
}

// CleanUp removes what Binary built and ends the servers that tests shared, of
// Database and SharedKafka; call it at the end of TestMain.
func CleanUp() {
	_ = os.RemoveAll(binary.dir)
	if shared.p != nil {
		_ = shared.p.Stop() // its folder is a temporary one
	}
	if sharedKafka.k != nil {
		_ = sharedKafka.k.Stop()
	}
}

// Root returns the folder of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
		dir = up
	}
	return "", err
}

// FreePort returns a port of the loopback that was free just now.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// App is a started casm serve.
type App struct {
	t    testing.TB
	args []string
	// Bearer is the key that requests show; "" for none.
	Bearer string

	keys bool   // requests need an API key
	bin  string // another binary than Binary's
	bare bool   // without the demonstration

	https *http.Client // reaches it, over https; nil: it is reached over http

	Data string // folder of the data
	URL  string // of the API, without a slash at the end
	NATS string // URL of the broker
	// Stream is the URL of the stream: NATS, unless --stream says otherwise.
	Stream string

	cmd  *exec.Cmd
	log  *syncBuffer
	done chan error
}

// NewApp starts `casm serve --dev --demo` on free ports and a temporary
// folder, waits until it is ready, and ends it with the test. More arguments
// may follow.
func NewApp(t testing.TB, args ...string) *App {
	t.Helper()
	return newApp(&App{t: t, args: args})
}

// NewKeyedApp is NewApp without --dev: requests need an API key, which Key
// makes. Its broker is shut.
func NewKeyedApp(t testing.TB, args ...string) *App {
	t.Helper()
	return newApp(&App{t: t, args: args, keys: true})
}

// NewAppOf is NewApp with another binary.
func NewAppOf(t testing.TB, binary string, args ...string) *App {
	t.Helper()
	return newApp(&App{t: t, args: args, bin: binary})
}

// NewBareApp is NewApp without the demonstration.
func NewBareApp(t testing.TB, args ...string) *App {
	t.Helper()
	return newApp(&App{t: t, args: args, bare: true})
}

// Key makes an API key with the arguments of casm key create, such as --role
// Reader, and returns it.
func (a *App) Key(name string, args ...string) string {
	a.t.Helper()
	args = append([]string{"key", "create", "--data", a.Data, "--name", name}, args...)
	out, err := exec.Command(Binary(a.t), args...).Output()
	if err != nil {
		a.t.Fatalf("casm %v: %v", args, err)
	}
	words := strings.Fields(string(out))
	if len(words) == 0 {
		a.t.Fatalf("casm %v printed nothing", args)
	}
	return words[len(words)-1]
}

func newApp(a *App) *App {
	a.t.Helper()
	t := a.t
	a.Data = t.TempDir()
	scheme := "http"
	if a.https != nil {
		scheme = "https"
	}
	a.URL = fmt.Sprintf("%s://127.0.0.1:%d", scheme, FreePort(t))
	a.NATS = fmt.Sprintf("nats://127.0.0.1:%d", FreePort(t))
	a.Stream = a.NATS
	if i := slices.Index(a.args, "--stream"); i >= 0 {
		a.Stream = a.args[i+1]
	}
	a.Start()
	t.Cleanup(func() {
		if a.cmd != nil {
			a.Stop()
		}
		if t.Failed() {
			t.Logf("log of casm serve:\n%s", a.log.tail(8000))
		}
	})
	return a
}

// Start starts the process again on the same data and ports.
func (a *App) Start() {
	a.t.Helper()
	if a.log == nil {
		a.log = &syncBuffer{}
	}
	args := []string{
		"serve", "--data", a.Data,
		"--listen", a.Address(), "--nats-listen", a.NATS[len("nats://"):],
	}
	if !a.keys {
		args = append(args, "--dev")
	}
	if !a.bare {
		args = append(args, "--demo")
	}
	args = append(args, a.args...)
	if a.bin == "" {
		a.bin = Binary(a.t)
	}
	a.cmd = exec.Command(a.bin, args...)
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(a.cmd, a.done)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if a.ready() {
			return
		}
		select {
		case err := <-a.done:
			a.t.Fatalf("casm serve ended: %v\n%s", err, a.log.tail(4000))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = a.cmd.Process.Kill()
			a.t.Fatalf("casm serve is not ready after 20 s\n%s", a.log.tail(4000))
		}
	}
}

func (a *App) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := a.client(http.DefaultClient).Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// Kill ends the process with SIGKILL.
func (a *App) Kill() {
	_ = a.cmd.Process.Kill()
	<-a.done
	a.cmd = nil
	http.DefaultClient.CloseIdleConnections()
}

// Stop ends the process with SIGTERM; it must end within 15 s (contract 9).
func (a *App) Stop() {
	a.t.Helper()
	if err := a.Terminate(); err != nil {
		a.t.Errorf("casm serve ended with %v", err)
	}
}

// Terminate is Stop for a process that may end with an error, which it returns.
func (a *App) Terminate() error {
	a.t.Helper()
	cmd := a.cmd
	a.cmd = nil
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-a.done:
		return err
	case <-time.After(15 * time.Second):
		_ = cmd.Process.Kill()
		<-a.done
		a.t.Error("casm serve did not end within 15 s of SIGTERM")
		return nil
	}
}

// PID returns the process's id.
func (a *App) PID() int { return a.cmd.Process.Pid }

// Post sends a JSON body and returns status, headers and body. An error means
// that the outcome is not known.
func (a *App) Post(ctx context.Context, path, body string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+path, bytes.NewBufferString(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return a.send(req)
}

// Get reads a path.
func (a *App) Get(ctx context.Context, path string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	return a.send(req)
}

// Address is the host and port of the API.
func (a *App) Address() string {
	_, address, _ := strings.Cut(a.URL, "://")
	return address
}

// client is what reaches it: the one of https, else the one for http.
func (a *App) client(plain *http.Client) *http.Client {
	if a.https != nil {
		return a.https
	}
	return plain
}

func (a *App) send(req *http.Request) (int, http.Header, []byte, error) {
	if a.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+a.Bearer)
	}
	res, err := a.client(client).Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, b, err
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 300}, Timeout: 30 * time.Second}

// Log returns what the process wrote so far.
func (a *App) Log() string { return a.log.tail(1 << 20) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.b.Bytes()
	return string(b[max(0, len(b)-n):])
}
