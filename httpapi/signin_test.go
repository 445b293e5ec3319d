package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/auth"
)

// TestSignInTellsNothing: whoever cannot sign in gets the same answer, after
// the same work, whatever the reason.
func TestSignInTellsNothing(t *testing.T) {
	a := newAPI(t, nil)
	users := a.user("ann")
	a.user("off")
	if err := users.SetDisabled(context.Background(), "test", "here", "off", true); err != nil {
		t.Fatal(err)
	}
	if _, err := users.Create(context.Background(), "test", "here", auth.User{Code: "bare", Name: "x"}, ""); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, body := range []string{
		`{"user":"ann","password":"wrong horse battery staple"}`,
		`{"user":"nobody","password":"` + passphrase + `"}`,
		`{"user":"off","password":"` + passphrase + `"}`,
		`{"user":"bare","password":"` + passphrase + `"}`,
		`{"user":"ANN","password":"` + passphrase + `"}`,
		`{"user":"` + passphrase + `","password":"ann"}`,
	} {
		r := a.post("/v1/session", body)
		r.refuses(401, "unauthenticated")
		if first == "" {
			first = string(r.Body)
		}
		if string(r.Body) != first || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s is answered %s, the first %s", body, r.Body, first)
		}
	}
	if strings.Contains(a.log.String(), passphrase) {
		t.Error("the log holds what was typed as a user")
	}
	for _, reason := range []string{"wrong password", "unknown user", "disabled user"} {
		if len(a.log.find(`"audit"`, `"outcome":"denied"`, `"reason":"`+reason+`"`)) == 0 {
			t.Errorf("no record of: %s", reason)
		}
	}
	for body, errors := range map[string][]string{
		``:                        {"not_json Content-Type"},
		`{}`:                      {"required /password", "required /user"},
		`[]`:                      {"wrong_type "},
		`{"user":"ann"`:           {"malformed_json"},
		`{"user":1,"password":2}`: {"wrong_type /password", "wrong_type /user"},
		`{"user":"ann","password":"` + strings.Repeat("x", 1001) + `"}`: {"too_long /password"},
		`{"user":"` + strings.Repeat("x", 65) + `","password":"x"}`:     {"too_long /user"},
		`{"user":"ann","password":"x","code":1}`:                        {"unknown_member /code"},
	} {
		for n := range errors {
			errors[n] = strings.TrimSpace(errors[n])
		}
		status := 400
		if body == "" {
			status = 415
		}
		a.post("/v1/session", body).refuses(status, errors...)
	}
	a.post("/v1/session", `{"user":"`+strings.Repeat("x", 1<<20)+`"}`).refuses(413, "too_large")
	a.post("/v1/session?x=1", `{"user":"ann","password":"x"}`).refuses(400, "unknown_member x")
}

// TestSignInIsSlowed: after failures a user and an address have to wait, but
// nobody is kept out by a stranger who has signed in from there before.
func TestSignInIsSlowed(t *testing.T) {
	a := newAPI(t, nil)
	now := time.Now()
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, Now: func() time.Time { return now }})
	a.user("ann")
	a.user("bob")
	from := func(remote, user, password string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/v1/session", strings.NewReader(`{"user":"`+user+`","password":"`+password+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		a.server.ServeHTTP(w, r)
		return w.Result()
	}
	const home, stranger = "10.0.0.1:1", "10.0.0.2:1"
	status := func(want int, remote, user, password string) {
		t.Helper()
		if r := from(remote, user, password); r.StatusCode != want {
			t.Errorf("%s from %s: %d, want %d", user, remote, r.StatusCode, want)
		}
	}
	status(200, home, "ann", passphrase)
	for range 10 {
		status(401, stranger, "ann", "x")
		status(401, stranger, "nobody", "x")
	}
	for _, user := range []string{"ann", "nobody"} { // whether there is such a user or not
		r := from(stranger, user, "x")
		if r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "10" {
			t.Errorf("%s: %d, Retry-After %s", user, r.StatusCode, r.Header.Get("Retry-After"))
		}
	}
	status(429, stranger, "ann", passphrase) // also with the right one
	for range 10 {
		status(401, "10.0.0.3:1", "ann", "x")
	}
	for _, remote := range []string{"10.0.0.4:1", "10.0.0.5:1"} {
		status(429, remote, "ann", passphrase) // the user waits where they were never seen
	}
	status(200, home, "ann", passphrase)         // and not where they were
	status(200, "10.0.0.3:1", "bob", passphrase) // nor does another user
	now = now.Add(2 * time.Second)
	status(200, "10.0.0.4:1", "ann", passphrase) // the user comes through before the strangers
	status(429, stranger, "ann", "x")
	now = now.Add(8 * time.Second)
	status(401, stranger, "ann", "x")
	status(429, stranger, "ann", "x")
	// An address that goes through many users waits, too; of IPv6 it is a /64.
	for n := range 50 {
		status(401, "[2001:db8::"+strconv.Itoa(1+n%9)+"]:1", "eve"+strconv.Itoa(n), "x")
	}
	status(429, "[2001:db8::ffff]:1", "fay", "x")
	status(401, "[2001:db8:0:1::1]:1", "fay", "x")
	// Many who succeed are not slowed.
	for range 30 {
		status(200, home, "ann", passphrase)
	}
}

// TestSignInsAtOnce: passwords are checked a few at a time; what cannot wait
// is told to come again, and nobody is refused for it.
func TestSignInsAtOnce(t *testing.T) {
	a := newAPI(t, nil)
	a.user("ann")
	a.signIn("ann", passphrase)
	statuses := make([]int, 60)
	var all sync.WaitGroup
	for n := range statuses {
		all.Go(func() {
			r := a.post("/v1/session", `{"user":"ann","password":"`+passphrase+`"}`)
			if statuses[n] = r.Status; r.Status == 503 && r.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
	all.Wait()
	for _, s := range statuses {
		if s != 200 && s != 503 && s != 429 {
			t.Errorf("status %d", s)
		}
	}
	if !slices.Contains(statuses, 200) {
		t.Errorf("nobody signed in: %v", statuses)
	}
	a.signIn("ann", passphrase) // none of it counts as a failure
}
