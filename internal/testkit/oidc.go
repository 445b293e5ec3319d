package testkit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Claims are those of a token.
type Claims = map[string]any

// OIDC is a small OpenID Connect provider: discovery, keys, the code flow with
// PKCE, user info. Whoever comes to its page is signed in as Person.
type OIDC struct {
	*httptest.Server
	t testing.TB

	ClientID, Secret string // of its one client
	Redirect         string // the client's one address to come back to; "": any
	Page             bool   // who comes to its page goes on by a link there, not at once

	mu      sync.Mutex
	person  Claims              // who signs in
	info    Claims              // what user info tells beside it; nil: there is none
	access  Claims              // what access tokens of sign-ins hold; nil: they are opaque
	spoil   func(id Claims)     // changes ID tokens
	refuse  string              // the error with which sign-ins end; "": none
	keys    []jose.JSONWebKey   // the last one signs
	made    int                 // keys that there ever were
	grants  map[string]oidcCode // codes that were given
	tokens  map[string]Claims   // access tokens for user info
	asked   map[string]int      // requests by path
	unknown bool                // answers 503
}

type oidcCode struct {
	challenge, nonce, redirect string
	person                     Claims
}

// NewOIDC starts a provider with one key, on loopback; it ends with the test.
func NewOIDC(t testing.TB) *OIDC {
	t.Helper()
	o := &OIDC{
		t: t, ClientID: "casm", Secret: "the-client's-secret", person: Claims{"sub": "1"},
		grants: map[string]oidcCode{}, tokens: map[string]Claims{}, asked: map[string]int{},
	}
	o.Rotate()
	mux := http.NewServeMux()
	for path, serve := range map[string]func(w http.ResponseWriter, r *http.Request){
		"GET /.well-known/openid-configuration": o.discovery, "GET /keys": o.serveKeys,
		"GET /authorize": o.authorize, "POST /token": o.token, "GET /userinfo": o.userInfo,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.asked[r.URL.Path]++
			if o.unknown {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			serve(w, r)
		})
	}
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

// Rotate makes another key that signs from now on; those before stay published.
func (o *OIDC) Rotate() {
	o.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = append(o.keys, jose.JSONWebKey{Key: key, KeyID: fmt.Sprint("key-", o.made), Algorithm: string(jose.RS256), Use: "sig"})
	o.made++
}

// Withdraw publishes only the key that signs.
func (o *OIDC) Withdraw() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = o.keys[len(o.keys)-1:]
}

// Down makes all answers 503, or no longer.
func (o *OIDC) Down(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unknown = down
}

// Person sets who signs in: the claims of their ID token, and what user info
// tells beside those; nil: there is none.
func (o *OIDC) Person(id, info Claims) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.person, o.info = id, info
}

// AccessOf makes the access tokens of people who sign in signed ones with these
// claims; nil: they are opaque.
func (o *OIDC) AccessOf(claims Claims) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.access = claims
}

// Spoil changes the ID tokens that are given from now on.
func (o *OIDC) Spoil(fn func(id Claims)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spoil = fn
}

// Refuse lets sign-ins end with an error; "": no longer.
func (o *OIDC) Refuse(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse = code
}

// Asked returns how often a path was asked for.
func (o *OIDC) Asked(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[path]
}

// Key returns the key that signs.
func (o *OIDC) Key() *rsa.PrivateKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.keys[len(o.keys)-1].Key.(*rsa.PrivateKey)
}

// Access returns an access token of an hour for the client as audience; given
// claims go before, and nil takes one away.
func (o *OIDC) Access(claims Claims) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sign("at+jwt", claims)
}

// Token is Access with another typ in its header.
func (o *OIDC) Token(kind string, claims Claims) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sign(kind, claims)
}

func (o *OIDC) sign(kind string, claims Claims) string {
	all := Claims{"iss": o.URL, "aud": o.ClientID, "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	key := o.keys[len(o.keys)-1]
	options := (&jose.SignerOptions{}).WithHeader("kid", key.KeyID)
	if kind != "" {
		options = options.WithType(jose.ContentType(kind))
	}
	return Sign(o.t, jose.SigningKey{Algorithm: jose.RS256, Key: key.Key}, options, all)
}

// Sign makes a token with a key of any sort.
func Sign(t testing.TB, key jose.SigningKey, options *jose.SignerOptions, claims Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (o *OIDC) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		o.t.Log(err) // the client went away
	}
}

func (o *OIDC) discovery(w http.ResponseWriter, _ *http.Request) {
	d := Claims{
		"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	}
	if o.info != nil {
		d["userinfo_endpoint"] = o.URL + "/userinfo"
	}
	o.answer(w, d)
}

func (o *OIDC) serveKeys(w http.ResponseWriter, _ *http.Request) {
	keys := []any{Claims{"kty": "of another kind", "kid": "odd"}}
	for _, k := range o.keys {
		keys = append(keys, k.Public())
	}
	o.answer(w, Claims{"keys": keys})
}

func (o *OIDC) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || q.Get("client_id") != o.ClientID || o.Redirect != "" && o.Redirect != q.Get("redirect_uri"):
		http.Error(w, "not this client's address", http.StatusBadRequest)
		return
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" ||
		q.Get("state") == "" || q.Get("nonce") == "" || !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		http.Error(w, "something is missing", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}, "iss": {o.URL}, "session_state": {"what providers add"}}
	if o.refuse != "" {
		answer.Set("error", o.refuse)
	} else {
		code := rand.Text()
		o.grants[code] = oidcCode{q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri"), o.person}
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	if o.Page {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Provider</title><a href="%s">It is me</a>`, html.EscapeString(back.String())) // or it went away
		return
	}
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (o *OIDC) token(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		o.answer(w, Claims{"error": code})
	}
	if id, secret, ok := r.BasicAuth(); !ok || id != o.ClientID || secret != url.QueryEscape(o.Secret) {
		fail("invalid_client")
		return
	}
	code, known := o.grants[r.PostFormValue("code")]
	delete(o.grants, r.PostFormValue("code")) // once
	proof := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != code.redirect ||
		base64.RawURLEncoding.EncodeToString(proof[:]) != code.challenge {
		fail("invalid_grant")
		return
	}
	access := rand.Text()
	if o.access != nil {
		access = o.sign("JWT", o.access)
	}
	o.tokens[access] = code.person
	sum := sha256.Sum256([]byte(access))
	id := maps.Clone(code.person)
	id["nonce"], id["at_hash"] = code.nonce, base64.RawURLEncoding.EncodeToString(sum[:16])
	if o.spoil != nil {
		o.spoil(id)
	}
	o.answer(w, Claims{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": o.sign("JWT", id)})
}

func (o *OIDC) userInfo(w http.ResponseWriter, r *http.Request) {
	person, known := o.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !known {
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}
	told := maps.Clone(person)
	maps.Copy(told, o.info)
	o.answer(w, told)
}
