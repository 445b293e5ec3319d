package test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// oidcBrowser goes to an address, keeps cookies, and stops where the provider
// sends it back.
func oidcBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func visit(t *testing.T, b *http.Client, address string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, body := exchange(t, b, req)
	return res.StatusCode, res.Header, string(body)
}

// TestOIDCOnServers: a sign-in that one server began another one ends, all know
// the session and see its end; and the provider may be away when they start.
func TestOIDCOnServers(t *testing.T) {
	o := testkit.NewOIDC(t)
	o.Redirect = "http://127.0.0.1:1/v1/session/oidc/callback" // as of a proxy before both
	o.Person(testkit.Claims{"sub": "1", "preferred_username": "ann", "realm_access": testkit.Claims{"roles": []string{"Organization Manager"}}}, nil)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(o.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Down(true)
	database, stream := testkit.Database(t), broker(t)
	var apps [2]*testkit.App
	for n := range apps {
		apps[n] = testkit.NewKeyedApp(t, "--database", database, "--stream", stream, "--warehouse", "off", "--oidc-issuer", o.URL, "--oidc-client-id", o.ClientID,
			"--oidc-client-secret-file", secret, "--oidc-redirect-url", o.Redirect,
			"--oidc-roles-claim", "realm_access.roles")
	}
	a, b := apps[0], apps[1]
	token := func(ends time.Time) string {
		return o.Access(testkit.Claims{"preferred_username": "crm", "exp": ends.Unix(), "realm_access": testkit.Claims{"roles": []string{"crm-integration"}}})
	}
	status := func(app *testkit.App, header, value string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL+"/v1/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, value)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	bearer := "Bearer " + token(time.Now().Add(time.Hour))
	for _, app := range apps {
		if got := status(app, "Authorization", bearer); got != http.StatusServiceUnavailable {
			t.Errorf("without the provider a token is %d", got)
		}
	}
	o.Down(false)
	for _, app := range apps {
		eventually(t, 30*time.Second, "a token is taken", func() bool { return status(app, "Authorization", bearer) == http.StatusOK })
	}

	browser := oidcBrowser(t)
	_, header, body := visit(t, browser, a.URL+"/v1/session/oidc?return=/docs")
	back := header.Get("Location")
	if !strings.HasPrefix(back, o.Redirect+"?") {
		t.Fatalf("%v %s", header, body)
	}
	got, header, body := visit(t, browser, strings.Replace(back, "http://127.0.0.1:1", b.URL, 1))
	if got != http.StatusOK || !strings.Contains(body, `content="0;url=/docs"`) {
		t.Fatalf("%d %v %s", got, header, body)
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookie := ""
	for _, c := range browser.Jar.Cookies(u) {
		cookie += c.Name + "=" + c.Value
	}
	if !strings.HasPrefix(cookie, "casm_session=") {
		t.Fatalf("cookies %q", cookie)
	}
	for _, app := range apps {
		if got, _, body := ask(t, app, http.MethodGet, "/v1/session", cookie, ""); got != http.StatusOK || !strings.Contains(body, `"actor":"oidc:ann"`) || !strings.Contains(body, `"admin"`) {
			t.Errorf("%d %s", got, body)
		}
	}
	// What they administer says who it was.
	if got, _, body := ask(t, a, http.MethodPost, "/v1/admin/roles", cookie, `{"code":"own","name":"Own","permissions":["casm:read"]}`); got != http.StatusCreated {
		t.Errorf("%d %s", got, body)
	}
	if _, _, body := ask(t, b, http.MethodGet, "/v1/audit?actor=oidc:ann&limit=500", cookie, ""); !strings.Contains(body, `"finishOIDCSignIn"`) || !strings.Contains(body, `"role.create"`) {
		t.Errorf("%s", body)
	}
	b.Kill()
	b.Start()
	if got := status(b, "Cookie", cookie); got != http.StatusOK {
		t.Errorf("after a kill: %d", got)
	}
	if got, _, body := ask(t, a, http.MethodDelete, "/v1/session", cookie, ""); got != http.StatusNoContent {
		t.Errorf("%d %s", got, body)
	}
	eventually(t, 10*time.Second, "the other server sees the end of the session", func() bool { return status(b, "Cookie", cookie) == http.StatusUnauthorized })

	// A live stream ends with the token.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/v1/business-transactions/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token(time.Now().Add(3*time.Second)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	if _, err := io.Copy(io.Discard, res.Body); ctx.Err() != nil {
		t.Errorf("the stream goes on: %v", err)
	}

	for _, app := range apps {
		for what, hidden := range map[string]string{
			"the client's secret": o.Secret, "the session": strings.TrimPrefix(cookie, "casm_session="), "a token": strings.Split(bearer, ".")[2],
			"the code": back[strings.Index(back, "code=")+5:][:26],
		} {
			if strings.Contains(app.Log(), hidden) {
				t.Errorf("the log holds %s", what)
			}
		}
	}
}
