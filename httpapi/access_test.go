package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"casm/auth"
	"casm/command"
)

// TestNothingIsOpen tries every endpoint and some paths that do not exist
// without a credential.
func TestNothingIsOpen(t *testing.T) {
	a := newAPI(t, nil)
	open := map[string]bool{"/healthz": true, "/readyz": true, "/": true, "/v1/session/methods": true}
	for _, e := range endpoints {
		path := strings.NewReplacer("{code}", "x", "{file}", "customer.json").Replace(e.Path)
		r := a.do(e.Method, path, "")
		switch {
		case open[path]:
			r.is(200)
			continue
		case e.ID == "signIn":
			r.refuses(415, "not_json Content-Type")
			continue
		case e.ID == "beginOIDCSignIn", e.ID == "finishOIDCSignIn":
			r.refuses(404, "not_found") // none is set
			continue
		case e.ID == "signOut":
			r.is(204)
			continue
		}
		r.refuses(401, "unauthenticated Authorization")
		if r.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: WWW-Authenticate is %q", path, r.Header.Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{"/nothing", "/v1", "/v1/casm/", "//", "/v1//casm", "/v1/../metrics", "/v1/config/api-keys"} {
		a.get(path).refuses(401, "unauthenticated Authorization")
	}
	a.do(http.MethodDelete, "/v1/casm/customers/create", "").refuses(401, "unauthenticated Authorization")
}

// TestPermissions tries every endpoint with keys of each single permission:
// only the one it names, and admin, get further than 403.
func TestPermissions(t *testing.T) {
	a := newAPI(t, nil)
	for _, p := range command.Permissions {
		a.key(string(p))
		for _, e := range endpoints {
			if e.ID == streamID {
				continue
			}
			path := strings.NewReplacer("{code}", "none", "{file}", "customer.json").Replace(e.Path)
			r := a.do(e.Method, path, "")
			may := e.Permission == "" || p == command.Admin || e.Permission == p
			if denied := r.Status == 403; denied == may {
				t.Errorf("%s with %s: %d", e.ID, p, r.Status)
			}
			if r.Status == 401 || r.Status >= 500 {
				t.Errorf("%s with %s: %d %s", e.ID, p, r.Status, r.Body)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	a := newAPI(t, nil)
	key := a.key("admin")
	get := func(header ...string) *answered { return a.get("/v1/config/services", header...) }
	get().is(200)
	secret := key[len(key)-43:]
	other := "A"
	if key[len(key)-43] == 'A' {
		other = "B"
	}
	for _, bad := range []string{
		"", "Bearer", "Bearer ", "Basic " + key, key, "Bearer " + key + "x", "Bearer casm_aaaaaaaaaaaaaaaa_" + secret,
		"Bearer " + key[:len(key)-43] + other + secret[1:], "Bearer " + strings.ToUpper(key), "Bearer " + strings.Repeat("x", 5000),
	} {
		a.header.Del("Authorization")
		get("Authorization", bad).refuses(401, "unauthenticated Authorization")
	}
	a.header.Set("Authorization", "bearer "+key)
	get().is(200)
	get("Authorization", "Bearer "+key).refuses(401, "unauthenticated Authorization")

	if len(a.log.find(`"audit"`, `"reason":"wrong secret"`)) != 1 || len(a.log.find(`"audit"`, `"reason":"unknown key"`)) != 1 {
		t.Errorf("audit:\n%s", strings.Join(a.log.find(`"audit"`), ""))
	}
	if strings.Contains(a.log.String(), secret) || strings.Contains(a.log.String(), secret[1:]) {
		t.Error("the log holds a secret")
	}
	code := strings.Split(key, "_")[1]
	a.trail.Close(t.Context())
	a.header.Set("Authorization", "Bearer "+key)
	audit := string(a.get("/v1/audit?limit=500").is(200).Body)
	if !strings.Contains(audit, `"reason":"wrong secret"`) || !strings.Contains(audit, `"key":"`+code+`"`) {
		t.Errorf("the audit holds %s", audit)
	}
	if strings.Contains(audit, secret[1:]) || strings.Contains(strings.ToLower(audit), strings.ToLower(secret[1:])) {
		t.Error("the audit holds a secret")
	}
	if err := a.keys.Revoke(context.Background(), "test", "here", code, 0); err != nil {
		t.Fatal(err)
	}
	get().refuses(401, "unauthenticated Authorization")
}

func TestRateLimit(t *testing.T) {
	a := newAPI(t, nil)
	key, _, err := a.keys.Create(context.Background(), "test", "here", auth.NewKey{Name: "slow", Permissions: []string{"config:read"}, RateLimit: 2})
	if err != nil {
		t.Fatal(err)
	}
	a.header.Set("Authorization", "Bearer "+key)
	limited := 0
	for range 5 {
		r := a.get("/v1/config/services")
		if r.Status != 200 {
			limited++
			r.refuses(429, "rate_limited Authorization")
			if r.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
			}
		}
	}
	if limited < 2 {
		t.Errorf("%d of 5 were limited", limited)
	}
	eventually(t, "the key may call again", func() bool { return a.get("/v1/config/services").Status == 200 })
}

func TestExpiry(t *testing.T) {
	now := time.Now()
	a := newAPI(t, nil)
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Now: func() time.Time { return now }})
	key, _, err := a.keys.Create(context.Background(), "test", "here", auth.NewKey{Name: "short", Permissions: []string{"Reader"}, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	a.header.Set("Authorization", "Bearer "+key)
	a.get("/docs").is(200)
	now = now.Add(time.Hour)
	a.get("/docs").refuses(401, "unauthenticated Authorization")
}

// TestActor: every write records its actor in the business transaction.
func TestActor(t *testing.T) {
	a := newAPI(t, nil)
	a.key("CRM Integration")
	a.customer("c1")
	r := a.get("/v1/casm/customers/history?externalId=c1").is(200)
	if actor := r.member("items").([]any)[0].(map[string]any)["actor"]; actor != "key:crm" {
		t.Errorf("actor %v", actor)
	}
}

func TestDevIsLoopback(t *testing.T) {
	a := newDev(t)
	port := a.URL[strings.LastIndex(a.URL, ":"):]
	for _, host := range []string{"localhost", "localhost" + port, "LOCALHOST", "127.0.0.1" + port, "127.9.9.9", "[::1]" + port, "[::1]"} {
		a.get("/healthz", "Host", host).is(200)
	}
	for _, host := range []string{"casm.example", "localhost.example", "127.0.0.1.example" + port, "10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]", "localhost:1:2"} {
		a.get("/healthz", "Host", host).refuses(403, "forbidden Host")
	}
	for _, origin := range []string{"http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"} {
		a.get("/v1/config/services", "Origin", origin).is(200)
	}
	for _, origin := range []string{"null", "http://casm.example", "http://localhost.example", "file://", "http://127.0.0.1@casm.example", "ftp://localhost", "localhost"} {
		a.get("/v1/config/services", "Origin", origin).refuses(403, "forbidden Origin")
	}
	a.get("/v1/config/services", "Origin", "http://localhost", "Origin", "http://casm.example").refuses(403, "forbidden Origin")
}
