package httpapi

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/auth"
)

// signIn signs a user in and returns the header Cookie to go on with.
func (a *api) signIn(user, password string) string {
	a.t.Helper()
	r := a.post("/v1/session", `{"user":"`+user+`","password":"`+password+`"}`, "Authorization", "").is(200)
	c, err := http.ParseSetCookie(r.Header.Get("Set-Cookie"))
	if err != nil {
		a.t.Fatal(err)
	}
	return c.Name + "=" + c.Value
}

// user makes one.
func (a *api) user(code string, roles ...string) auth.Users {
	a.t.Helper()
	users := auth.Users(auth.Office{Configuration: a.engine, Sessions: a.server.auth})
	if _, err := users.Create(context.Background(), "test", "here", auth.User{Code: code, Name: "N. N.", Roles: roles}, passphrase); err != nil {
		a.t.Fatal(err)
	}
	return users
}

func TestSession(t *testing.T) {
	a := newAPI(t, nil)
	a.user("ann", "power-user")
	r := a.post("/v1/session", `{"user":"ann","password":"`+passphrase+`"}`).is(200)
	cookie := r.Header.Get("Set-Cookie")
	c, err := http.ParseSetCookie(cookie)
	if err != nil || len(r.Header["Set-Cookie"]) != 1 {
		t.Fatal(cookie, err)
	}
	if c.Name != "casm_session" || len(c.Value) != 43 || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.Domain != "" || c.MaxAge != 7*24*3600 {
		t.Errorf("the cookie is %s", cookie)
	}
	if r.member("user") != "ann" || r.member("name") != "N. N." || len(r.member("permissions").([]any)) != 7 || r.member("expiresAt") == nil || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s", r.Body)
	}
	a.header.Set("Cookie", "casm_session="+c.Value)
	who := a.get("/v1/session").is(200)
	if who.member("actor") != "user:ann" || who.member("user") != "ann" || who.member("key") != nil || who.member("dev") != false || who.member("expiresAt") != r.member("expiresAt") {
		t.Errorf("%s", who.Body)
	}
	// It is the actor of what is written.
	a.customer("c1")
	if actor := a.get("/v1/casm/customers/history?externalId=c1").is(200).member("items").([]any)[0].(map[string]any)["actor"]; actor != "user:ann" {
		t.Errorf("actor %v", actor)
	}
	a.get("/v1/admin/users").refuses(403, "forbidden Authorization")
	// Authorization counts where both are sent.
	a.get("/v1/session", "Authorization", "Bearer x").refuses(401, "unauthenticated Authorization")
	key, _, err := a.keys.Create(context.Background(), "test", "here", auth.NewKey{Name: "k", Roles: []string{"reader"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.get("/v1/session", "Authorization", "Bearer "+key).is(200).member("actor"); got != "key:k" {
		t.Errorf("actor %v", got)
	}
	// Out.
	out := a.do(http.MethodDelete, "/v1/session", "").is(204)
	if c, err := http.ParseSetCookie(out.Header.Get("Set-Cookie")); err != nil || c.Value != "" || c.MaxAge != -1 || c.Path != "/" || !c.HttpOnly {
		t.Errorf("the cookie is not cleared: %v %v", out.Header["Set-Cookie"], err)
	}
	a.get("/v1/session").refuses(401, "unauthenticated Cookie")
	a.do(http.MethodDelete, "/v1/session", "").is(204)
	// What is stored and logged is no secret.
	if strings.Contains(a.log.String(), c.Value) || strings.Contains(a.log.String(), passphrase) {
		t.Error("the log holds a secret")
	}
	if len(a.log.find(`"audit"`, `"act":"signIn"`, `"outcome":"done"`, `"actor":"user:ann"`)) != 1 {
		t.Error("the sign-in was not audited")
	}
	if len(a.log.find(`"audit"`, `"act":"signOut"`, `"outcome":"done"`, `"actor":"user:ann"`)) != 1 {
		t.Error("the sign-out was not audited, once")
	}
}

func TestSecureCookie(t *testing.T) {
	a := newAPI(t, nil)
	a.user("ann")
	s := httptest.NewTLSServer(a.server)
	defer s.Close()
	resp, err := s.Client().Post(s.URL+"/v1/session", "application/json", strings.NewReader(`{"user":"ann","password":"`+passphrase+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if c, err := http.ParseSetCookie(resp.Header.Get("Set-Cookie")); err != nil || !c.Secure {
		t.Errorf("%d %v %v", resp.StatusCode, resp.Header, err)
	}
}

// TestSessionOfOneSite: a page of another site cannot use a session, nor
// begin or end one.
func TestSessionOfOneSite(t *testing.T) {
	a := newAPI(t, nil)
	a.user("ann", "organization-manager")
	a.header.Set("Cookie", a.signIn("ann", passphrase))
	body := `{"code":"r","name":"R","permissions":[]}`
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		a.post("/v1/admin/roles", body, header...).refuses(403, "forbidden Origin")
		a.do(http.MethodPut, "/v1/admin/roles/r", body, header...).refuses(403, "forbidden Origin")
		a.do(http.MethodDelete, "/v1/admin/users/ann", "", header...).refuses(403, "forbidden Origin")
		a.do(http.MethodDelete, "/v1/session", "", header...).refuses(403, "forbidden Origin")
		a.post("/v1/session", `{"user":"ann","password":"`+passphrase+`"}`, header...).refuses(403, "forbidden Origin")
		a.get("/v1/session", header...).is(200)
		a.do(http.MethodHead, "/v1/session", "", header...).is(200)
	}
	a.post("/v1/admin/roles", body, "Sec-Fetch-Site", "same-origin").is(201)
	a.do(http.MethodDelete, "/v1/admin/roles/r", "", "Origin", a.URL).is(204)
	// A key is no cookie: another site does not have it.
	a.header.Del("Cookie")
	a.key("admin")
	a.post("/v1/admin/roles", body, "Sec-Fetch-Site", "cross-site").is(201)
}

// TestSessionFixation: a session is never one that the client chose, and a
// sign-in ends the one before.
func TestSessionFixation(t *testing.T) {
	a := newAPI(t, nil)
	a.user("ann")
	planted := "casm_session=" + strings.Repeat("A", 43)
	signIn := func(header ...string) string {
		r := a.post("/v1/session", `{"user":"ann","password":"`+passphrase+`"}`, header...).is(200)
		c, err := http.ParseSetCookie(r.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Name + "=" + c.Value
	}
	first := signIn("Cookie", planted)
	if first == planted {
		t.Error("the client chose the session")
	}
	a.get("/v1/session", "Cookie", planted).refuses(401, "unauthenticated Cookie")
	a.get("/v1/session", "Cookie", first).is(200)
	second := signIn("Cookie", first)
	a.get("/v1/session", "Cookie", first).refuses(401, "unauthenticated Cookie")
	a.get("/v1/session", "Cookie", second).is(200)
	// Of two cookies none counts.
	a.get("/v1/session", "Cookie", planted+"; "+second).refuses(401, "unauthenticated Cookie")
	for _, bad := range []string{"casm_session=", "casm_session=x", second + "x", strings.ToLower(second), "casm_session=" + strings.Repeat("x", 5000)} {
		a.get("/v1/session", "Cookie", bad).refuses(401, "unauthenticated Cookie")
	}
	a.get("/v1/session", "Cookie", "other=1").refuses(401, "unauthenticated Authorization")
}

// TestSessionsEnd: what ends the sessions of a user.
func TestSessionsEnd(t *testing.T) {
	a := newAPI(t, nil)
	ctx := context.Background()
	users := a.user("ann", "reader")
	a.user("bob", "reader")
	bob := a.signIn("bob", passphrase)
	for name, end := range map[string]func() error{
		"a password": func() error { return users.SetPassword(ctx, "t", "", "ann", passphrase) },
		"disabled": func() error {
			if err := users.SetDisabled(ctx, "t", "", "ann", true); err != nil {
				return err
			}
			return users.SetDisabled(ctx, "t", "", "ann", false)
		},
		"deleted": func() error {
			if err := users.Delete(ctx, "t", "", "ann", 0); err != nil {
				return err
			}
			_, err := users.Create(ctx, "t", "", auth.User{Code: "ann", Name: "x", Roles: []string{"reader"}}, passphrase)
			return err
		},
	} {
		one, two := a.signIn("ann", passphrase), a.signIn("ann", passphrase)
		a.get("/v1/session", "Cookie", one).is(200)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		a.get("/v1/session", "Cookie", one).refuses(401, "unauthenticated Cookie")
		a.get("/v1/session", "Cookie", two).refuses(401, "unauthenticated Cookie")
		for _, cookie := range []string{one, two} {
			if s, err := a.store.Session(ctx, sha256.Sum256([]byte(strings.TrimPrefix(cookie, "casm_session=")))); err != nil || s != nil {
				t.Errorf("%s: %+v is still stored, %v", name, s, err)
			}
		}
	}
	// What does not.
	ann := a.signIn("ann", passphrase)
	if _, err := users.Replace(ctx, "t", "", "ann", auth.User{Code: "ann", Name: "Ann", Roles: []string{"power-user"}}, "", 0); err != nil {
		t.Fatal(err)
	}
	if r := a.get("/v1/session", "Cookie", ann).is(200); len(r.member("permissions").([]any)) != 7 {
		t.Errorf("the new role does not act: %s", r.Body)
	}
	a.get("/v1/session", "Cookie", bob).is(200)
	// There are twenty of a user, and the oldest goes.
	for range 20 {
		a.signIn("bob", passphrase)
	}
	eventually(t, "the oldest session is seen to have ended", func() bool { return a.get("/v1/session", "Cookie", bob).Status == 401 })
}

// TestSessionSpans: a session that is used goes on, to its end.
func TestSessionSpans(t *testing.T) {
	a := newAPI(t, nil)
	now := time.Now()
	a.server.auth = auth.New(auth.Options{
		Configuration: a.engine, Sessions: a.store, Now: func() time.Time { return now }, SessionIdle: time.Hour, SessionLife: 3 * time.Hour,
	})
	a.user("ann")
	idle, used := a.signIn("ann", passphrase), a.signIn("ann", passphrase)
	begun := now
	ends := func() time.Time {
		t.Helper()
		at, err := casm.ParseTime(a.get("/v1/session", "Cookie", used).is(200).member("expiresAt").(string))
		if err != nil {
			t.Fatal(err)
		}
		return at.Std()
	}
	now = now.Add(4 * time.Minute) // is not written yet
	if got := ends().Sub(begun).Round(time.Second); got != time.Hour {
		t.Errorf("it ends after %v", got)
	}
	now = now.Add(36 * time.Minute)
	if got := ends().Sub(begun).Round(time.Second); got != 100*time.Minute {
		t.Errorf("it ends after %v", got)
	}
	now = now.Add(20 * time.Minute)
	a.get("/v1/session", "Cookie", idle).refuses(401, "unauthenticated Cookie")
	for now.Before(begun.Add(3*time.Hour - time.Minute)) {
		ends()
		now = now.Add(30 * time.Minute)
	}
	now = begun.Add(3*time.Hour - time.Minute)
	if got := ends().Sub(begun).Round(time.Second); got != 3*time.Hour {
		t.Errorf("it ends after %v", got)
	}
	now = begun.Add(3 * time.Hour)
	a.get("/v1/session", "Cookie", used).refuses(401, "unauthenticated Cookie")
	// The next sign-in removes them.
	a.signIn("ann", passphrase)
	for _, cookie := range []string{idle, used} {
		if s, err := a.store.Session(context.Background(), sha256.Sum256([]byte(strings.TrimPrefix(cookie, "casm_session=")))); err != nil || s != nil {
			t.Errorf("%+v is still stored, %v", s, err)
		}
	}
}

// TestSessionStream: a live stream ends with the session, and does not keep it.
func TestSessionStream(t *testing.T) {
	a := newAPI(t, nil)
	users := a.user("ann", "reader")
	cookie := a.signIn("ann", passphrase)
	req, err := http.NewRequest(http.MethodGet, a.URL+"/v1/business-transactions/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := a.Client().Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	if err := users.SetDisabled(context.Background(), "t", "", "ann", true); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1024)
		for {
			if _, err := resp.Body.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the stream goes on")
	}
}

// TestSessionRate: a user has a rate of their own, over all their sessions.
func TestSessionRate(t *testing.T) {
	a := newAPI(t, nil)
	now := time.Now()
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, Now: func() time.Time { return now }, DefaultRate: 3})
	a.user("ann")
	a.user("bob")
	one, two, bob := a.signIn("ann", passphrase), a.signIn("ann", passphrase), a.signIn("bob", passphrase)
	got := []int{}
	for _, cookie := range []string{one, two, one, two, bob} {
		got = append(got, a.get("/v1/session", "Cookie", cookie).Status)
	}
	if !slices.Equal(got, []int{200, 200, 200, 429, 200}) {
		t.Errorf("%v", got)
	}
}

func TestDevSession(t *testing.T) {
	a := newDev(t)
	r := a.get("/v1/session").is(200)
	if r.member("actor") != "dev" || r.member("dev") != true || !slices.Equal(r.member("permissions").([]any), []any{"admin"}) {
		t.Errorf("%s", r.Body)
	}
	a.post("/v1/admin/users", `{"code":"ann","name":"Ann","password":"`+passphrase+`"}`).is(201)
}
