package openid_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm/auth/openid"
	"casm/internal/testkit"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type claims = testkit.Claims

// clock is one that a test moves.
type clock struct{ past atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.past.Load())) }
func (c *clock) move(by time.Duration) { c.past.Add(int64(by)) }
func secretOf(s string) func() (string, error) {
	return func() (string, error) { return s, nil }
}

// start makes a Provider that was read once.
func start(t *testing.T, o *testkit.OIDC, change func(*openid.Options)) (*openid.Provider, *clock) {
	t.Helper()
	c := &clock{}
	options := openid.Options{Issuer: o.URL, ClientID: o.ClientID, Secret: secretOf(o.Secret), Now: c.now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&options)
	}
	p := openid.New(options)
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p.Wait(ctx)
	return p, c
}

// refusal is the reason of what was refused; "" of what was not.
func refusal(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	r, ok := errors.AsType[*openid.Refused](err)
	if !ok {
		t.Errorf("%v is no refusal", err)
		return "?"
	}
	if r.Detail == "" {
		t.Errorf("%s: no detail", r.Reason)
	}
	return r.Reason
}

func TestToken(t *testing.T) {
	o := testkit.NewOIDC(t)
	p, _ := start(t, o, nil)
	hour := time.Now().Add(time.Hour)
	who, err := p.Token(t.Context(), o.Access(claims{
		"sub": "7", "preferred_username": "crm", "name": "The CRM", "roles": []string{"reader", "reader", "x"}, "exp": hour.Unix(),
	}))
	if err != nil || who.User != "crm" || who.Name != "The CRM" || !slices.Equal(who.Roles, []string{"reader", "x"}) || who.Expires.Unix() != hour.Unix() {
		t.Errorf("%+v %v", who, err)
	}
	if who, err := p.Token(t.Context(), o.Access(claims{"sub": "7", "aud": []string{"a", "casm"}})); err != nil || who.User != "7" || who.Name != "7" || who.Roles != nil {
		t.Errorf("%+v %v", who, err)
	}
	for _, kind := range []string{"", "JWT", "jwt", "at+jwt", "application/at+jwt"} {
		if _, err := p.Token(t.Context(), o.Token(kind, claims{"typ": "Bearer"})); err != nil {
			t.Errorf("typ %q: %v", kind, err)
		}
	}
	// An access token for the client itself shows what it is.
	for _, c := range []claims{{"scope": "openid"}, {"scp": []string{"x"}}, {"client_id": "casm"}, {"typ": "Bearer", "nonce": "x"}} {
		if _, err := p.Token(t.Context(), o.Token("JWT", c)); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	for name, x := range map[string]struct {
		token, reason string
	}{
		"another audience":   {o.Access(claims{"aud": "other"}), "token for another audience"},
		"no audience":        {o.Access(claims{"aud": nil}), "token for another audience"},
		"audience, in parts": {o.Access(claims{"aud": []string{"casm-other", "cas", "casm "}}), "token for another audience"},
		"another issuer":     {o.Access(claims{"iss": "https://id.example"}), "token of nobody known"},
		"issuer with more":   {o.Access(claims{"iss": o.URL + "/"}), "token of nobody known"},
		"no issuer":          {o.Access(claims{"iss": nil}), "token of nobody known"},
		"ended":              {o.Access(claims{"exp": time.Now().Add(-time.Second).Unix()}), "expired token"},
		"never ends":         {o.Access(claims{"exp": nil}), "expired token"},
		"not yet":            {o.Access(claims{"nbf": hour.Unix()}), "token that does not hold yet"},
		"nobody":             {o.Access(claims{"sub": nil}), "token without a user"},
		"odd user":           {o.Access(claims{"preferred_username": "a\nb"}), "token without a user"},
		"long user":          {o.Access(claims{"preferred_username": strings.Repeat("x", 251)}), "token without a user"},
		"ID token":           {o.Token("JWT", claims{"at_hash": "x"}), "no access token"},
		"ID token, bare":     {o.Token("JWT", nil), "no access token"},
		"ID token, untyped":  {o.Token("", claims{"auth_time": hour.Unix()}), "no access token"},
		"ID token, nonce":    {o.Token("JWT", claims{"nonce": "x", "scope": "openid"}), "no access token"},
		"ID token of many":   {o.Token("JWT", claims{"aud": []string{"api", "casm"}}), "no access token"},
		"bound, by DPoP":     {o.Access(claims{"cnf": claims{"jkt": "x"}}), "token bound to a key"},
		"bound, to TLS":      {o.Access(claims{"cnf": claims{"x5t#S256": "x"}}), "token bound to a key"},
		"typ DPoP":           {o.Access(claims{"typ": "DPoP"}), "no access token"},
		"Keycloak's ID":      {o.Token("JWT", claims{"typ": "ID"}), "no access token"},
		"Keycloak's refresh": {o.Token("JWT", claims{"typ": "Refresh"}), "no access token"},
		"logout token":       {o.Token("logout+jwt", nil), "no access token"},
		"event":              {o.Token("", claims{"events": claims{}}), "no access token"},
		"long":               {o.Access(claims{"x": strings.Repeat("x", 20_000)}), "token too long"},
		"no JSON":            {"e30.e30.e30", "token of nobody known"},
		"three parts":        {"a.b.c", "token of nobody known"},
		"empty parts":        {"..", "token of nobody known"},
	} {
		if _, err := p.Token(t.Context(), x.token); refusal(t, err) != x.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForged: only a signature of a key of the provider counts.
func TestForged(t *testing.T) {
	o := testkit.NewOIDC(t)
	p, c := start(t, o, nil)
	right := claims{"iss": o.URL, "aud": "casm", "sub": "1", "exp": time.Now().Add(time.Hour).Unix()}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(o.Key().Public())
	if err != nil {
		t.Fatal(err)
	}
	with := func(kid string) *jose.SignerOptions {
		return (&jose.SignerOptions{}).WithHeader("kid", kid)
	}
	inside := &jose.SignerOptions{EmbedJWK: true}
	good := strings.Split(o.Access(nil), ".")
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, token := range map[string]string{
		"another key":             testkit.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: other}, with("key-0"), right),
		"an unknown key":          testkit.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: other}, with("key-9"), right),
		"no key named":            testkit.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: other}, nil, right),
		"a key of its own":        testkit.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: other}, inside, right),
		"another sort of key":     testkit.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: curve}, with("key-0"), right),
		"another algorithm":       testkit.Sign(t, jose.SigningKey{Algorithm: jose.PS256, Key: o.Key()}, with("key-0"), right),
		"the public key, as HMAC": testkit.Sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: public}, with("key-0"), right),
		"no signature":            part(`{"alg":"none","kid":"key-0"}`) + "." + good[1] + ".",
		"other claims":            good[0] + "." + part(fmt.Sprintf(`{"iss":%q,"aud":"casm","sub":"admin","exp":9999999999}`, o.URL)) + "." + good[2],
		"a cut signature":         good[0] + "." + good[1] + "." + good[2][:20],
		"another signature":       good[0] + "." + good[1] + "." + strings.Split(o.Access(claims{"sub": "2"}), ".")[2],
	} {
		c.move(time.Minute)
		if _, err := p.Token(t.Context(), token); refusal(t, err) != "token of nobody known" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// In the other form that a signed text has a token is none.
	full := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q,"x":".."}`, good[1], good[0], good[2])
	if _, err := p.Token(t.Context(), full); refusal(t, err) != "token of nobody known" {
		t.Error(err)
	}
	if _, err := p.Token(t.Context(), strings.Join(good, ".")); err != nil {
		t.Error(err)
	}
}

// TestRotation: a new key is taken with the first token that it signs; tokens
// with keys that nobody has do not make us ask the provider again and again.
func TestRotation(t *testing.T) {
	o := testkit.NewOIDC(t)
	p, c := start(t, o, nil)
	old := o.Access(nil)
	check := func(token, reason string) {
		t.Helper()
		if _, err := p.Token(t.Context(), token); refusal(t, err) != reason {
			t.Errorf("%v, want %q", err, reason)
		}
	}
	asked := o.Asked("/keys")
	o.Rotate()
	check(o.Access(nil), "token of nobody known") // it was read a moment ago
	if n := o.Asked("/keys"); n != asked {
		t.Errorf("the keys were read %d times more", n-asked)
	}
	c.move(11 * time.Second)
	check(o.Access(nil), "")
	check(old, "")
	asked = o.Asked("/keys")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		forged := testkit.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: other}, (&jose.SignerOptions{}).WithHeader("kid", fmt.Sprint("x", n)), claims{"iss": o.URL})
		c.move(time.Second)
		check(forged, "token of nobody known")
	}
	if n := o.Asked("/keys") - asked; n < 2 || n > 3 {
		t.Errorf("in 30 s with a forged token each second the keys were read %d times", n)
	}
	// A key that the provider publishes no longer does not count.
	o.Withdraw()
	o.Rotate()
	c.move(11 * time.Second)
	check(o.Access(nil), "")
	check(old, "token of nobody known")
	// While the provider is away what was read holds.
	o.Down(true)
	c.move(time.Minute)
	check(o.Access(nil), "")
	o.Rotate()
	check(o.Access(nil), "token of nobody known")
	o.Down(false)
	c.move(11 * time.Second)
	check(o.Access(nil), "")
}

// TestAway: that the provider is away at the start is told apart from a token
// that does not hold, and mends itself.
func TestAway(t *testing.T) {
	o := testkit.NewOIDC(t)
	o.Down(true)
	p, _ := start(t, o, nil)
	if _, err := p.Token(t.Context(), o.Access(nil)); !errors.Is(err, openid.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if _, _, err := p.Begin("http://127.0.0.1/back", "/"); !errors.Is(err, openid.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	o.Down(false)
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := p.Token(t.Context(), o.Access(nil)); err == nil {
			break
		} else if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// TestOtherIssuer: a provider that says to be another one is not taken.
func TestOtherIssuer(t *testing.T) {
	o := testkit.NewOIDC(t)
	p, _ := start(t, o, func(options *openid.Options) { options.Issuer += "/" })
	if _, err := p.Token(t.Context(), o.Access(claims{"iss": o.URL + "/"})); !errors.Is(err, openid.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestRolesClaim(t *testing.T) {
	o := testkit.NewOIDC(t)
	for claim, x := range map[string]struct {
		claims claims
		want   []string
	}{
		"roles":                   {claims{"roles": "one"}, []string{"one"}},
		"groups":                  {claims{"groups": []any{"a", 1, nil, "b", []string{"c"}}, "roles": "x"}, []string{"a", "b"}},
		"realm_access.roles":      {claims{"realm_access": claims{"roles": []string{"a"}}}, []string{"a"}},
		"a.b.c":                   {claims{"a": claims{"b.c": "x"}}, []string{"x"}},
		"a.b":                     {claims{"a": []string{"b"}}, nil},
		"https://x.example/roles": {claims{"https://x.example/roles": []string{"a"}}, []string{"a"}},
		"none":                    {claims{"none": claims{"a": true}}, nil},
		".":                       {claims{}, nil},
	} {
		p, _ := start(t, o, func(options *openid.Options) { options.RolesClaim = claim })
		if who, err := p.Token(t.Context(), o.Access(x.claims)); err != nil || !slices.Equal(who.Roles, x.want) {
			t.Errorf("%s: %+v %v", claim, who, err)
		}
	}
	p, _ := start(t, o, func(options *openid.Options) { options.UserClaim, options.Audience = "client_id", "api" })
	// No ID token is for another audience than a client.
	if _, err := p.Token(t.Context(), o.Token("JWT", claims{"aud": "api"})); err != nil {
		t.Error(err)
	}
	if who, err := p.Token(t.Context(), o.Access(claims{"aud": "api", "client_id": "billing", "preferred_username": "x"})); err != nil || who.User != "billing" {
		t.Errorf("%+v %v", who, err)
	}
}

func TestCheckAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://id.example": true, "https://id.example/realms/x": true, "http://127.0.0.1:8080": true, "http://localhost/x": true, "http://[::1]:1": true,
		"http://id.example": false, "http://10.0.0.1": false, "http://localhost.example": false, "ftp://id.example": false, "id.example": false,
		"https://": false, "https://a:b@id.example": false, "https://id.example/#x": false, "": false, "http://127.0.0.1.example": false,
	} {
		if err := openid.CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
