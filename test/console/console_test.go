// Package console runs the tests of the web console: each file of
// console/test, in a real browser against a server of its own.
package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}

// server is what a file of tests runs against.
type server struct {
	keyed bool     // it asks for a key
	bare  bool     // it has no demonstration
	oidc  bool     // people sign in at an OIDC provider, too
	args  []string // more arguments of casm serve
}

// servers are those of the files that need another one than the usual.
var servers = map[string]server{
	"signin.test.js":                  {keyed: true},
	"audit.test.js":                   {keyed: true},
	"access.screenshots.js":           {keyed: true},
	"oidc.test.js":                    {keyed: true, oidc: true},
	"first-bare.test.js":              {bare: true},
	"operations-permissions.test.js":  {keyed: true},
	"operations-no-warehouse.test.js": {args: []string{"--warehouse", "off"}},
}

// TestConsole runs the files of console/test. Each gets a new server with the
// demonstration. CASM_CONSOLE_TEST=care runs only those whose name has that.
func TestConsole(t *testing.T) {
	files := scripts(t, "*.test.js")
	for _, file := range files {
		name := filepath.Base(file)
		if !strings.Contains(name, os.Getenv("CASM_CONSOLE_TEST")) {
			continue
		}
		t.Run(strings.TrimSuffix(name, ".test.js"), func(t *testing.T) {
			run(t, file, servers[name])
		})
	}
}

// TestScreenshots makes the pictures of the documentation, for make screenshots.
func TestScreenshots(t *testing.T) {
	if os.Getenv("CASM_SCREENSHOTS") == "" {
		t.Skip("make screenshots")
	}
	for _, file := range scripts(t, "*.screenshots.js") {
		run(t, file, servers[filepath.Base(file)])
	}
}

func scripts(t *testing.T, pattern string) []string {
	t.Helper()
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "console", "dist", "index.html")); err != nil {
		t.Fatal("the console is not built; make console, and again after each change of console/src")
	}
	files, err := filepath.Glob(filepath.Join(root, "console", "test", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in console/test: %v", pattern, err)
	}
	return files
}

// TestOneLine proves that the console learns of a new attribute from the
// server: in a copy of the project, whose console is the one that was built, it
// adds a line of Go and looks at the form.
func TestOneLine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a copy of the project")
	}
	file := scripts(t, "attribute.oneline.js")[0]
	dir := t.TempDir()
	testkit.CopyProject(t, dir)
	path := filepath.Join(dir, "config.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const declaration = "type AccountType struct {\n\tItem\n"
	const line = "\tCreditClass string `json:\"creditClass,omitzero\" in:\"create,update\" is:\"max=10,enum=LOW|HIGH\" doc:\"How far it is trusted.\"`\n"
	if n := strings.Count(string(text), declaration); n != 1 {
		t.Fatalf("the account type's declaration stands %d times in config.go", n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), declaration, declaration+line, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "casm.bin")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/casm")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	runAgainst(t, file, testkit.NewAppOf(t, binary))
}

// controlOf lets a file of tests end its server and start it again.
func controlOf(app *testkit.App) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /kill", func(http.ResponseWriter, *http.Request) { app.Kill() })
	mux.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { app.Start() })
	return mux
}

// run runs one file of tests against a new server.
func run(t *testing.T, file string, s server) {
	t.Helper()
	var app *testkit.App
	var env []string
	if s.oidc {
		o := testkit.NewOIDC(t)
		o.Page = true
		o.Person(testkit.Claims{"sub": "1", "preferred_username": "ann", "name": "Ann Example", "roles": []string{"Power User"}}, nil)
		s.args = append(s.args, "--oidc-issuer", o.URL, "--oidc-client-id", o.ClientID, "--oidc-client-secret", o.Secret)
		env = append(env, "CASM_PROVIDER="+o.URL)
	}
	switch {
	case s.keyed:
		app = testkit.NewKeyedApp(t, s.args...)
		env = append(env, "CASM_KEY="+app.Key("console", "--role", "Power User"), "CASM_READER_KEY="+app.Key("reader", "--role", "Reader"), "CASM_ADMIN_KEY="+app.Key("admin", "--role", "Organization Manager"))
	case s.bare:
		app = testkit.NewBareApp(t, s.args...)
	default:
		app = testkit.NewApp(t, s.args...)
	}
	runAgainst(t, file, app, env...)
}

// runAgainst runs one file of tests with node. What it prints is the test's output.
func runAgainst(t *testing.T, file string, app *testkit.App, env ...string) {
	t.Helper()
	env = append(append(os.Environ(), "CASM_CHROMIUM="+testkit.Chromium(t), "TZ=Europe/Vienna"), env...)
	control := httptest.NewServer(controlOf(app))
	defer control.Close()
	// The time is that of the whole file, and ends only what hangs.
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "--test-timeout=300000", filepath.Base(file))
	cmd.Dir = filepath.Dir(file)
	cmd.Env = append(env, "CASM_URL="+app.URL, "CASM_CONTROL="+control.URL)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else if testing.Verbose() {
		fmt.Printf("%s", out)
	}
}
