package httpapi

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"casm/auth"
	"casm/auth/openid"
	"casm/internal/testkit"
)

type claims = testkit.Claims

// newOIDC is newAPI with a provider.
func newOIDC(t *testing.T) (*api, *testkit.OIDC) {
	t.Helper()
	o := testkit.NewOIDC(t)
	a := newAPI(t, nil)
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, OIDC: provider(t, o)})
	return a, o
}

// provider is the client of a provider, which was read once.
func provider(t *testing.T, o *testkit.OIDC) *openid.Provider {
	t.Helper()
	secret := o.Secret
	p := openid.New(openid.Options{Issuer: o.URL, ClientID: o.ClientID, Secret: func() (string, error) { return secret, nil }, Scopes: []string{"profile"}})
	t.Cleanup(p.Close)
	p.Wait(t.Context())
	return p
}

// permissions are those that an answer tells.
func (r *answered) permissions() (list []string) {
	r.t.Helper()
	for _, p := range r.member("permissions").([]any) {
		list = append(list, p.(string))
	}
	return list
}

func TestToken(t *testing.T) {
	a, o := newOIDC(t)
	show := func(c claims) { a.header.Set("Authorization", "Bearer "+o.Access(c)) }
	show(claims{"preferred_username": "billing", "name": "Billing", "roles": []string{"CRM-Integration", "nothing", "admin", "casm:read"}})
	who := a.get("/v1/session").is(200)
	if who.member("actor") != "oidc:billing" || who.member("user") != "oidc:billing" || who.member("key") != nil || who.member("name") != "Billing" || who.member("expiresAt") == nil {
		t.Errorf("%s", who.Body)
	}
	if got := who.permissions(); !slices.Equal(got, []string{"casm:read", "casm:write", "balance:write", "stream:read"}) {
		t.Errorf("%v", got)
	}
	a.customer("c1")
	if actor := a.get("/v1/casm/customers/history?externalId=c1").is(200).member("items").([]any)[0].(map[string]any)["actor"]; actor != "oidc:billing" {
		t.Errorf("actor %v", actor)
	}
	a.get("/v1/admin/users").refuses(403, "forbidden Authorization")
	a.get("/metrics").is(200)
	// A role of the installation's own acts, and its change at once.
	show(claims{"roles": "support"})
	if got := a.get("/v1/session").is(200).permissions(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	a.get("/metrics").refuses(403, "forbidden Authorization") // it tells how many customers there are
	roles := auth.Roles(auth.Office{Configuration: a.engine})
	role := auth.Role{Code: "support", Name: "Support", Permissions: []string{"casm:read"}}
	if _, err := roles.Create(t.Context(), "t", "", role); err != nil {
		t.Fatal(err)
	}
	if got := a.get("/v1/session").is(200).permissions(); !slices.Equal(got, []string{"casm:read"}) {
		t.Errorf("%v", got)
	}
	role.Permissions = []string{"admin"}
	if _, err := roles.Replace(t.Context(), "t", "", "support", role, 0); err != nil {
		t.Fatal(err)
	}
	a.get("/v1/admin/users").is(200)
	// Nothing that is not right, and no other way in.
	for _, c := range []claims{{"aud": "other"}, {"exp": time.Now().Add(-time.Minute).Unix()}, {"iss": "https://id.example"}} {
		show(c)
		a.get("/v1/session").refuses(401, "unauthenticated Authorization")
	}
	secret := strings.Split(o.Access(nil), ".")[2]
	a.header.Set("Authorization", "Bearer e30.e30."+secret)
	a.get("/v1/session").refuses(401, "unauthenticated Authorization")
	if strings.Contains(a.log.String(), secret) {
		t.Error("the log holds a token")
	}
	if len(a.log.find(`"audit"`, `"outcome":"denied"`, `"reason":"token for another audience"`)) != 1 {
		t.Error("no audit")
	}
	// A key is taken as ever.
	a.key("config:read")
	if got := a.get("/v1/session").is(200).member("actor"); got != "key:crm" {
		t.Errorf("%v", got)
	}
}

// TestTokenIsNoUser: somebody at the provider with a user's code is not that user.
func TestTokenIsNoUser(t *testing.T) {
	a, o := newOIDC(t)
	a.user("ann", "organization-manager")
	a.header.Set("Authorization", "Bearer "+o.Access(claims{"preferred_username": "ann"}))
	if r := a.get("/v1/session").is(200); r.member("actor") != "oidc:ann" || len(r.permissions()) != 0 {
		t.Errorf("%s", r.Body)
	}
}

// TestProviderAway: without the keys of the provider its tokens are 503, and
// nothing else is.
func TestProviderAway(t *testing.T) {
	o := testkit.NewOIDC(t)
	o.Down(true)
	a := newAPI(t, nil)
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, OIDC: provider(t, o)})
	if r := a.get("/v1/session", "Authorization", "Bearer "+o.Access(nil)); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	} else {
		r.refuses(503, "overloaded Authorization")
	}
	if r := a.get("/v1/session/oidc"); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	} else {
		r.refuses(503, "overloaded")
	}
	for _, e := range endpoints {
		if !e.Open && !slices.Contains(e.problems(), 503) {
			t.Errorf("the description of %s has no 503", e.ID)
		}
	}
	a.key("admin")
	a.get("/v1/session").is(200)
	a.user("ann")
	a.signIn("ann", passphrase)
}

func TestSignInMethods(t *testing.T) {
	a, _ := newOIDC(t)
	if r := a.get("/v1/session/methods").is(200); r.member("password") != true || r.member("oidc") != true {
		t.Errorf("%s", r.Body)
	}
	a = newAPI(t, nil)
	if r := a.get("/v1/session/methods").is(200); r.member("password") != true || r.member("oidc") != false {
		t.Errorf("%s", r.Body)
	}
	a.get("/v1/session/oidc").refuses(404, "not_found")
	a.get("/v1/session/oidc/callback?code=x&state=y").refuses(404, "not_found")
	// Its tokens are nothing here.
	a.get("/v1/session", "Authorization", "Bearer e30.e30.e30").refuses(401, "unauthenticated Authorization")
}

// browser follows redirects, with cookies. It stops at what stop says.
type browser struct {
	*http.Client
	t    *testing.T
	stop func(*url.URL) bool
}

func (a *api) browser() *browser {
	a.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar}, t: a.t, stop: func(*url.URL) bool { return false }}
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if b.stop(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// open goes to an address as a browser does.
func (b *browser) open(address string, accept string) *answered {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 1<<16)
	n := 0
	for err == nil && n < len(body) {
		var m int
		m, err = resp.Body.Read(body[n:])
		n += m
	}
	return &answered{b.t, resp.StatusCode, resp.Header, body[:n]}
}

// session is the cookie of the session that the browser has; "" for none.
func (b *browser) session(a *api) string {
	b.t.Helper()
	u, err := url.Parse(a.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == auth.CookieName {
			return c.Value
		}
	}
	return ""
}

func TestOIDCSignIn(t *testing.T) {
	a, o := newOIDC(t)
	o.Redirect = a.URL + "/v1/session/oidc/callback"
	o.Person(claims{"sub": "77", "preferred_username": "ann@example.com", "name": "Ann <b>", "roles": []string{"reader"}}, nil)
	b := a.browser()
	r := b.open(a.URL+"/v1/session/oidc?return="+url.QueryEscape(`/care/customers?q="a"&b=1`), "text/html").is(200)
	if want := `content="0;url=/care/customers?q=&#34;a&#34;&amp;b=1"`; !strings.Contains(string(r.Body), want) {
		t.Errorf("%s", r.Body)
	}
	var cookies []*http.Cookie
	for _, line := range r.Header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		cookies = append(cookies, c)
	}
	if len(cookies) != 2 || cookies[0].Name != "casm_oidc" || cookies[0].MaxAge != -1 || cookies[0].Value != "" || cookies[0].Path != "/v1/session/oidc" {
		t.Errorf("%v", cookies)
	}
	if c := cookies[1]; c.Name != "casm_session" || len(c.Value) != 43 || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.Domain != "" {
		t.Errorf("%v", c)
	}
	who := b.open(a.URL+"/v1/session", "").is(200)
	if who.member("actor") != "oidc:ann@example.com" || who.member("user") != "oidc:ann@example.com" || who.member("name") != "Ann <b>" || who.member("dev") != false {
		t.Errorf("%s", who.Body)
	}
	if got := who.permissions(); !slices.Equal(got, []string{"casm:read", "config:read", "stream:read", "dwh:read"}) {
		t.Errorf("%v", got)
	}
	if len(a.log.find(`"audit"`, `"act":"finishOIDCSignIn"`, `"outcome":"done"`, `"actor":"oidc:ann@example.com"`, `"permissions":["casm:read","config:read","stream:read","dwh:read"]`)) != 1 {
		t.Error("the sign-in was not audited, with what it gave")
	}
	// A cookie counts for pages of this server alone.
	cookie := "casm_session=" + b.session(a)
	a.post("/v1/casm/customers/create", `{}`, "Cookie", cookie, "Sec-Fetch-Site", "cross-site").refuses(403, "forbidden Origin")
	a.post("/v1/casm/customers/create", `{}`, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").refuses(403, "forbidden Authorization")
	// A second sign-in ends the first session, where the browser shows it.
	a.do(http.MethodDelete, "/v1/session", "", "Cookie", cookie).is(204)
	a.get("/v1/session", "Cookie", cookie).refuses(401, "unauthenticated Cookie")
	if s := a.log.String(); strings.Contains(s, o.Secret) || strings.Contains(s, strings.TrimPrefix(cookie, "casm_session=")) {
		t.Error("the log holds a secret")
	}
}

// TestOIDCBegin: what the provider is asked, and what the browser keeps.
func TestOIDCBegin(t *testing.T) {
	a, o := newOIDC(t)
	b := a.browser()
	b.stop = func(u *url.URL) bool { return u.Path == "/authorize" }
	begin := func() (url.Values, *http.Cookie) {
		t.Helper()
		r := b.open(a.URL+"/v1/session/oidc", "").is(302)
		u, err := url.Parse(r.Header.Get("Location"))
		if err != nil || !strings.HasPrefix(u.String(), o.URL+"/authorize?") {
			t.Fatal(u, err)
		}
		c, err := http.ParseSetCookie(r.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		return u.Query(), c
	}
	q, c := begin()
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/v1/session/oidc" || c.MaxAge != 600 || c.Secure || c.Domain != "" {
		t.Errorf("%v", c)
	}
	if q.Get("scope") != "openid profile" || q.Get("redirect_uri") != a.URL+"/v1/session/oidc/callback" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		t.Errorf("%v", q)
	}
	again, _ := begin()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) != 43 || q.Get(name) == again.Get(name) || strings.Contains(c.Value, q.Get(name)) {
			t.Errorf("%s is %q, then %q", name, q.Get(name), again.Get(name))
		}
	}
	s := httptest.NewTLSServer(a.server)
	defer s.Close()
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Get(s.URL + "/v1/session/oidc")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if c, err := http.ParseSetCookie(resp.Header.Get("Set-Cookie")); err != nil || !c.Secure || !strings.Contains(resp.Header.Get("Location"), "redirect_uri=https%3A") {
		t.Errorf("%v %v", resp.Header, err)
	}
	for _, back := range []string{"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "evil", "javascript:alert(1)", "/a b", "/é"} {
		a.get("/v1/session/oidc?return="+url.QueryEscape(back)).refuses(400, "invalid_value return")
	}
	a.get("/v1/session/oidc?next=/").refuses(400, "unknown_member next")
}

// TestOIDCRefused: an answer counts in the browser that began the sign-in,
// once, and as the provider meant it.
func TestOIDCRefused(t *testing.T) {
	a, o := newOIDC(t)
	o.Person(claims{"sub": "1", "roles": []string{"organization-manager"}}, nil)
	isCallback := func(u *url.URL) bool { return strings.HasSuffix(u.Path, "/callback") }
	// halfway is a browser that has just come back from the provider.
	halfway := func() (*browser, string) {
		t.Helper()
		b := a.browser()
		b.stop = isCallback
		return b, b.open(a.URL+"/v1/session/oidc", "").is(302).Header.Get("Location")
	}
	failed := func(name string, b *browser, address string) {
		t.Helper()
		b.open(address, "").refuses(401, "unauthenticated")
		if b.session(a) != "" {
			t.Errorf("%s: there is a session", name)
		}
	}
	b, address := halfway()
	_, other := halfway()
	failed("of another browser", b, other)
	failed("the cookie is gone with the first answer", b, address)

	b, address = halfway()
	stranger := a.browser()
	failed("a browser that began nothing", stranger, address)
	b.open(address, "").is(200)
	failed("a second time", stranger, address)
	cookie := b.session(a)
	b.open(address, "").refuses(401, "unauthenticated") // the session stays
	a.get("/v1/session", "Cookie", "casm_session="+cookie).is(200)

	for name, change := range map[string]func(q url.Values){
		"no state":         func(q url.Values) { q.Del("state") },
		"another state":    func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) },
		"two states":       func(q url.Values) { q.Add("state", q.Get("state")) },
		"no code":          func(q url.Values) { q.Del("code") },
		"another code":     func(q url.Values) { q.Set("code", "x") },
		"two codes":        func(q url.Values) { q.Add("code", "x") },
		"another provider": func(q url.Values) { q.Set("iss", "https://id.example") },
		"an error":         func(q url.Values) { q.Set("error", "access_denied") },
	} {
		b, address := halfway()
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		failed(name, b, u.String())
	}
	// What the browser keeps cannot be changed: not the path to go to either.
	b, address = halfway()
	u, err := url.Parse(a.URL + "/v1/session/oidc")
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Split(b.Jar.Cookies(u)[0].Value, ".")
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "casm_oidc", Value: kept[0] + "." + kept[1] + ".L2V2aWw", Path: "/v1/session/oidc"}})
	failed("another path", b, address)
	// Of two cookies one may be from a page of a neighbouring host: none counts.
	b, address = halfway()
	a.get(strings.TrimPrefix(address, a.URL), "Cookie", "casm_oidc="+b.Jar.Cookies(u)[0].Value+"; casm_oidc=x").refuses(401, "unauthenticated")
	b.open(address, "").is(200) // it was not taken
	// The ID token must be right.
	for name, spoil := range map[string]func(id claims){
		"another nonce":    func(id claims) { id["nonce"] = "x" },
		"no nonce":         func(id claims) { delete(id, "nonce") },
		"another audience": func(id claims) { id["aud"] = "other" },
		"another party":    func(id claims) { id["aud"], id["azp"] = []string{"casm", "other"}, "other" },
		"another issuer":   func(id claims) { id["iss"] = "https://id.example" },
		"ended":            func(id claims) { id["exp"] = time.Now().Add(-time.Second).Unix() },
		"another token's":  func(id claims) { id["at_hash"] = strings.Repeat("A", 22) },
		"nobody":           func(id claims) { id["sub"] = nil },
		"only a name":      func(id claims) { id["sub"], id["preferred_username"] = nil, "ann" },
	} {
		b, address := halfway()
		o.Spoil(spoil)
		failed(name, b, address)
	}
	o.Spoil(nil)
	o.Refuse("access_denied")
	page := a.browser().open(a.URL+"/v1/session/oidc", "text/html").is(401)
	if page.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(page.Body), "the provider refused") || page.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v %s", page.Header, page.Body)
	}
	if len(a.log.find(`"audit"`, `"act":"finishOIDCSignIn"`, `"outcome":"denied"`, `"reason":"the provider refused"`)) == 0 {
		t.Error("no audit")
	}
	o.Refuse("")
	o.Secret = "changed"
	a.browser().open(a.URL+"/v1/session/oidc", "").refuses(401, "unauthenticated")
}

// TestOIDCBehindProxy: where people come over https to a proxy the cookies are
// for https alone; and a path of a neighbouring host's making leads to the start.
func TestOIDCBehindProxy(t *testing.T) {
	a, o := newOIDC(t)
	const callback = "https://casm.example/v1/session/oidc/callback"
	secret := o.Secret
	p := openid.New(openid.Options{Issuer: o.URL, ClientID: o.ClientID, Redirect: callback, Secret: func() (string, error) { return secret, nil }})
	t.Cleanup(p.Close)
	p.Wait(t.Context())
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, OIDC: p})
	b := a.browser()
	b.stop = func(u *url.URL) bool { return u.Host == "casm.example" }
	address, kept, err := p.Begin(callback, "//evil.example")
	if err != nil {
		t.Fatal(err)
	}
	answer := b.open(address, "").is(302).Header.Get("Location")
	r := a.get(strings.TrimPrefix(answer, "https://casm.example"), "Cookie", "casm_oidc="+kept).is(200)
	if !strings.Contains(string(r.Body), `content="0;url=/"`) || strings.Contains(string(r.Body), "evil") {
		t.Errorf("%s", r.Body)
	}
	for _, line := range r.Header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err != nil || !c.Secure || !c.HttpOnly {
			t.Errorf("%q %v", line, err)
		}
	}
	if len(r.Header["Set-Cookie"]) != 2 {
		t.Errorf("%q", r.Header["Set-Cookie"])
	}
}

// TestOIDCUserInfo: what the ID token lacks is asked for, of the same person.
func TestOIDCUserInfo(t *testing.T) {
	a, o := newOIDC(t)
	o.Person(claims{"sub": "1"}, claims{"preferred_username": "ann", "roles": []string{"reader"}})
	a.server.auth = auth.New(auth.Options{Configuration: a.engine, Sessions: a.store, OIDC: provider(t, o)})
	b := a.browser()
	b.open(a.URL+"/v1/session/oidc", "").is(200)
	if r := b.open(a.URL+"/v1/session", "").is(200); r.member("actor") != "oidc:ann" || len(r.permissions()) != 4 {
		t.Errorf("%s", r.Body)
	}
	o.Person(claims{"sub": "1"}, claims{"sub": "2", "roles": []string{"organization-manager"}})
	a.browser().open(a.URL+"/v1/session/oidc", "").refuses(401, "unauthenticated")
}

// TestOIDCRolesOfAccessToken: roles that stand in the access token alone are
// found there, of the same person and of the provider; user info is not asked.
func TestOIDCRolesOfAccessToken(t *testing.T) {
	a, o := newOIDC(t)
	o.Person(claims{"sub": "1", "preferred_username": "ann"}, nil)
	may := func() int {
		t.Helper()
		b := a.browser()
		b.open(a.URL+"/v1/session/oidc", "").is(200)
		return len(b.open(a.URL+"/v1/session", "").is(200).permissions())
	}
	roles := claims{"sub": "1", "aud": "account", "typ": "Bearer", "roles": []string{"reader"}}
	for name, c := range map[string]struct {
		access claims
		want   int
	}{
		"opaque": {nil, 0}, "with roles": {roles, 4},
		"for this client":     {claims{"sub": "1", "azp": o.ClientID, "roles": []string{"reader"}}, 4},
		"for another client":  {claims{"sub": "1", "azp": "x", "roles": []string{"reader"}}, 0},
		"of another person":   {claims{"sub": "2", "roles": []string{"reader"}}, 0},
		"of another provider": {claims{"sub": "1", "iss": "https://other.example", "roles": []string{"reader"}}, 0},
	} {
		o.AccessOf(c.access)
		if got := may(); got != c.want {
			t.Errorf("access token %s: %d permissions, want %d", name, got, c.want)
		}
	}
	// The ID token goes before.
	o.Person(claims{"sub": "1", "preferred_username": "ann", "roles": []string{"no role here"}}, nil)
	o.AccessOf(roles)
	if got := may(); got != 0 {
		t.Errorf("with roles in the ID token: %d permissions", got)
	}
}

// TestOIDCSessionEnds: what the provider said holds so long and no longer, and
// only while that provider is set.
func TestOIDCSessionEnds(t *testing.T) {
	a, o := newOIDC(t)
	now := time.Now()
	p := provider(t, o)
	with := func(p *openid.Provider) *auth.Authenticator {
		return auth.New(auth.Options{
			Configuration: a.engine, Sessions: a.store, OIDC: p, Now: func() time.Time { return now }, SessionIdle: time.Hour, SessionLife: 5 * time.Hour,
		})
	}
	a.server.auth = with(p)
	o.Person(claims{"sub": "1", "preferred_username": "ann", "roles": []string{"reader"}}, nil)
	b := a.browser()
	b.open(a.URL+"/v1/session/oidc", "").is(200)
	cookie := "casm_session=" + b.session(a)
	for range 5 {
		now = now.Add(11 * time.Minute)
		a.get("/v1/session", "Cookie", cookie).is(200)
	}
	a.server.auth = with(nil)
	a.get("/v1/session", "Cookie", cookie).refuses(401, "unauthenticated Cookie")
	a.server.auth = with(provider(t, testkit.NewOIDC(t)))
	a.get("/v1/session", "Cookie", cookie).refuses(401, "unauthenticated Cookie")
	a.server.auth = with(p)
	a.get("/v1/session", "Cookie", cookie).is(200)
	now = now.Add(6 * time.Minute)
	a.get("/v1/session", "Cookie", cookie).refuses(401, "unauthenticated Cookie")

	// All sessions of somebody can be ended, by hand.
	b.open(a.URL+"/v1/session/oidc", "").is(200)
	cookie = "casm_session=" + b.session(a)
	a.get("/v1/session", "Cookie", cookie).is(200)
	end := func(user string) *answered {
		return a.do(http.MethodDelete, "/v1/admin/sessions?user="+url.QueryEscape(user), "")
	}
	a.key("config:write")
	end("oidc:ann").refuses(403, "forbidden Authorization")
	a.key("admin")
	end("ann").is(204) // a user, who is somebody else
	a.header.Del("Authorization")
	a.get("/v1/session", "Cookie", cookie).is(200)
	a.key("admin")
	end("oidc:ann").is(204)
	a.header.Del("Authorization")
	a.get("/v1/session", "Cookie", cookie).refuses(401, "unauthenticated Cookie")
	if len(a.log.find(`"audit"`, `"act":"user.endSessions"`, `"outcome":"done"`, `"actor":"key:crm"`, `"user":"oidc:ann"`)) != 1 {
		t.Error("no audit")
	}
}

// TestOIDCThrottle: answers that fail slow down who sends them. What a page of
// another site can have a browser ask for does not.
func TestOIDCThrottle(t *testing.T) {
	a, o := newOIDC(t)
	a.user("ann")
	for range 60 {
		a.get("/v1/session/oidc/callback?state=x&code=y").refuses(401, "unauthenticated")
	}
	a.signIn("ann", passphrase)
	limited := 0
	for range 60 {
		if r := a.get("/v1/session/oidc/callback?state=x&code=y", "Cookie", "casm_oidc=x"); r.Status == 429 {
			r.refuses(429, "rate_limited")
			limited++
		}
	}
	if limited == 0 || o.Asked("/token") != 0 {
		t.Errorf("%d were limited, the provider was asked %d times", limited, o.Asked("/token"))
	}
}
