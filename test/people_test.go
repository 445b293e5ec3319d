package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/internal/testkit"
)

const passphrase = "correct horse battery staple"

// casmUser runs casm user on a server's data, with a password on its input.
func casmUser(t *testing.T, app *testkit.App, password string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t), append([]string{"user", args[0], "--data", app.Data}, args[1:]...)...)
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ask sends a request with a cookie and returns the answer.
func ask(t *testing.T, app *testkit.App, method, path, cookie, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, app.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, text := exchange(t, http.DefaultClient, req)
	return res.StatusCode, res.Header, string(text)
}

// signIn returns the header Cookie of a new session.
func signIn(t *testing.T, app *testkit.App, user, password string) string {
	t.Helper()
	status, header, body := ask(t, app, http.MethodPost, "/v1/session", "", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
	cookie, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if status != http.StatusOK || err != nil {
		t.Fatalf("signing in as %s: %d %s %v", user, status, body, err)
	}
	return cookie.Name + "=" + cookie.Value
}

// TestFirstUser: what a new server says leads to somebody who can sign in, and
// a session outlives the server's death.
func TestFirstUser(t *testing.T) {
	app := testkit.NewKeyedApp(t)
	for _, hint := range []string{"Nobody can call yet", `casm user create --data ` + app.Data + ` first --role "Organization Manager"`, "casm key create"} {
		eventually(t, 10*time.Second, "the start says "+hint, func() bool { return strings.Contains(app.Log(), hint) })
	}
	if out, err := casmUser(t, app, passphrase+"\n", "create", "first", "--role", "Organization Manager", "--password-file", "-"); err != nil {
		t.Fatal(out, err)
	}
	cookie := signIn(t, app, "first", passphrase)
	app.Kill()
	app.Start()
	if status, _, body := ask(t, app, http.MethodGet, "/v1/session", cookie, ""); status != http.StatusOK || !strings.Contains(body, `"actor":"user:first"`) {
		t.Errorf("after a kill: %d %s", status, body)
	}
	if n := strings.Count(app.Log(), "Nobody can call yet"); n != 1 {
		t.Errorf("it was said %d times that nobody can call", n)
	}
	for _, secret := range []string{passphrase, strings.TrimPrefix(cookie, "casm_session="), "argon2id"} {
		if strings.Contains(app.Log(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	// Nor do the files: the cookie's value is nowhere in them.
	err := filepath.WalkDir(app.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range []string{passphrase, strings.TrimPrefix(cookie, "casm_session=")} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUserCommands: on the data of a running server, and of none.
func TestUserCommands(t *testing.T) {
	app := testkit.NewKeyedApp(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(passphrase+"\r\nanother line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := func(password string, args ...string) string {
		t.Helper()
		out, err := casmUser(t, app, password, args...)
		if err != nil {
			t.Errorf("casm user %v: %s", args, out)
		}
		return out
	}
	refused := func(want, password string, args ...string) {
		t.Helper()
		if out, err := casmUser(t, app, password, args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("casm user %v: %s, want %q", args, out, want)
		}
	}
	for _, running := range []bool{true, false} {
		if !running {
			app.Stop()
		}
		done("", "create", "ann", "--name", "Ann Example", "--role", "reader", "--role", "CRM Integration", "--permission", "config:write", "--password-file", file)
		if out := done("", "list"); !strings.Contains(out, "ann   Ann Example  valid") || !strings.Contains(out, "reader,crm-integration  config:write") {
			t.Errorf("the list is\n%s", out)
		}
		refused("duplicate_code", passphrase, "create", "ann", "--password-file", "-")
		refused("out_of_range", "short", "create", "bob", "--password-file", "-")
		refused("not_configured", passphrase, "create", "bob", "--role", "nonsense", "--password-file", "-")
		refused("first line is empty", "\n", "create", "bob", "--password-file", "-")
		refused("no terminal", passphrase, "create", "bob")
		refused("no such file", "", "set-password", "ann", "--password-file", file+"x")
		refused("not_found", "", "disable", "bob")
		refused("unexpected argument", "", "set-password", "ann", passphrase)
		done("seven green bottles on a wall", "set-password", "ann", "--password-file", "-")
		done("", "disable", "ann")
		if out := done("", "list"); !strings.Contains(out, "disabled") {
			t.Errorf("the list is\n%s", out)
		}
		done("", "enable", "ann")
		if running {
			signIn(t, app, "ann", "seven green bottles on a wall")
		}
		done("", "delete", "ann")
	}
	app.Start()
}

// TestServersShareSessions: who signs in on one of two servers on a database is
// known on the other, and what ends a session is seen there within a second.
func TestServersShareSessions(t *testing.T) {
	database, stream := testkit.Database(t), broker(t)
	var apps [2]*testkit.App
	for n := range apps {
		apps[n] = testkit.NewKeyedApp(t, "--database", database, "--stream", stream, "--warehouse", "off")
	}
	a, b := apps[0], apps[1]
	for _, user := range []string{"ann", "bob"} {
		if out, err := casmUser(t, a, passphrase, "create", user, "--role", "Organization Manager", "--password-file", "-"); err != nil {
			t.Fatal(out, err)
		}
	}
	status := func(app *testkit.App, cookie string) int {
		t.Helper()
		status, _, _ := ask(t, app, http.MethodGet, "/v1/session", cookie, "")
		return status
	}
	// ended checks that a session is over on a server a second from now at the latest.
	ended := func(app *testkit.App, cookie, how string) {
		t.Helper()
		begun := time.Now()
		eventually(t, 10*time.Second, "the session is over after "+how, func() bool { return status(app, cookie) == http.StatusUnauthorized })
		t.Logf("%s: seen after %v", how, time.Since(begun).Round(time.Millisecond))
	}
	admin := signIn(t, b, "bob", passphrase)
	change := func(method, path, body string, want int) {
		t.Helper()
		if got, _, answer := ask(t, b, method, path, admin, body); got != want {
			t.Fatalf("%s %s: %d %s", method, path, got, answer)
		}
	}
	// Signing out on the other server.
	cookie := signIn(t, a, "ann", passphrase)
	if status(b, cookie) != 200 || status(a, cookie) != 200 {
		t.Error("the session is not known on both")
	}
	if got, _, body := ask(t, b, http.MethodDelete, "/v1/session", cookie, ""); got != http.StatusNoContent {
		t.Fatal(got, body)
	}
	if status(b, cookie) != http.StatusUnauthorized {
		t.Error("the session goes on where it was ended")
	}
	ended(a, cookie, "a sign-out")
	// What is done to the user is seen at once: it is read with each request.
	at := func(cookie string, how string) {
		t.Helper()
		if status(a, cookie) != http.StatusUnauthorized {
			t.Errorf("the session goes on after %s", how)
		}
	}
	cookie = signIn(t, a, "ann", passphrase)
	change(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","roles":["reader"],"password":"seven green bottles on a wall"}`, 200)
	at(cookie, "a new password")
	cookie = signIn(t, a, "ann", "seven green bottles on a wall")
	change(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","disabled":true}`, 200)
	at(cookie, "the user was disabled")
	change(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","roles":["reader"]}`, 200)
	cookie = signIn(t, a, "ann", "seven green bottles on a wall")
	change(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","permissions":["casm:read"]}`, 200)
	if got, _, body := ask(t, a, http.MethodGet, "/v1/config/services", cookie, ""); got != http.StatusForbidden {
		t.Errorf("without the role: %d %s", got, body)
	}
	change(http.MethodDelete, "/v1/admin/users/ann", "", 204)
	at(cookie, "the user was deleted")

	// Many sessions used on both servers while they are revoked.
	change(http.MethodPost, "/v1/admin/users", `{"code":"cid","name":"Cid","permissions":["casm:read"],"password":"`+passphrase+`"}`, 201)
	cookies := make([]string, 8)
	for n := range cookies {
		cookies[n] = signIn(t, apps[n%2], "cid", passphrase)
	}
	var users sync.WaitGroup
	stop := make(chan struct{})
	for n, cookie := range cookies {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := status(apps[n%2], cookie); got != 200 && got != 401 {
					t.Errorf("%d", got)
				}
			}
		})
	}
	change(http.MethodPut, "/v1/admin/users/cid", `{"code":"cid","name":"Cid","password":"`+passphrase+` 2"}`, 200)
	for _, cookie := range cookies {
		for _, app := range apps {
			if status(app, cookie) != http.StatusUnauthorized {
				t.Error("a session goes on after the password was set")
			}
		}
	}
	close(stop)
	users.Wait()
	for _, app := range apps {
		if strings.Contains(app.Log(), passphrase) || strings.Contains(app.Log(), "bottles") {
			t.Error("a log holds a password")
		}
	}
}

// TestConfigurationHasNoPeople: users, keys and roles are no part of what is
// exported, and an import leaves them.
func TestConfigurationHasNoPeople(t *testing.T) {
	app := testkit.NewKeyedApp(t)
	key := app.Key("admin", "--role", "organization-manager")
	call := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, app.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, body := call(http.MethodPost, "/v1/admin/users", `{"code":"ann","name":"Ann","roles":["reader"],"password":"`+passphrase+`"}`); status != 201 {
		t.Fatal(status, body)
	}
	status, document := call(http.MethodGet, "/v1/config/export", "")
	var sections map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &sections); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	for _, path := range []string{"users", "roles", "api-keys"} {
		if _, there := sections[path]; there {
			t.Errorf("%s is exported", path)
		}
		if status, body := call(http.MethodGet, "/v1/config/"+path, ""); status != 404 {
			t.Errorf("/v1/config/%s: %d %s", path, status, body)
		}
		if status, body := call(http.MethodGet, "/v1/config/"+path+"/ann/history", ""); status != 404 {
			t.Errorf("the history of %s: %d %s", path, status, body)
		}
	}
	if bytes.Contains([]byte(document), []byte("argon2id")) {
		t.Error("a hash is exported")
	}
	if status, body := call(http.MethodPost, "/v1/config/import", document); status != 200 {
		t.Fatal(status, body)
	}
	signIn(t, app, "ann", passphrase)
}
