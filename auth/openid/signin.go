package openid

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// SignInSpan is how long a person has to sign in at the provider.
const SignInSpan = 10 * time.Minute

// ErrBusy: too many sign-ins wait for the provider at once.
var ErrBusy = errors.New("openid: too many sign-ins wait for the provider")

// attempt is one sign-in: a secret that the browser keeps, and what else it
// does. State, nonce and PKCE's verifier follow from it, so that the provider's
// answer is worth something in that browser alone, any server can take it, and
// none keeps anything.
type attempt struct {
	secret [32]byte
	begun  int64  // Unix seconds
	back   string // path to go to afterwards
}

var encoding = base64.RawURLEncoding.Strict()

// kept is what the browser keeps.
func (a *attempt) kept() string {
	return encoding.EncodeToString(a.secret[:]) + "." + strconv.FormatInt(a.begun, 10) + "." + encoding.EncodeToString([]byte(a.back))
}

// parseKept reads it again.
func parseKept(s string) (a attempt, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return a, false
	}
	secret, err1 := encoding.DecodeString(parts[0])
	begun, err2 := strconv.ParseInt(parts[1], 10, 64)
	back, err3 := encoding.DecodeString(parts[2])
	if errors.Join(err1, err2, err3) != nil || len(secret) != len(a.secret) {
		return a, false
	}
	copy(a.secret[:], secret)
	a.begun, a.back = begun, string(back)
	return a, true
}

// derive gives what goes by a name, of the whole: another time or another path
// has another state, which the provider's answer does not have.
func (a *attempt) derive(name string) string {
	mac := hmac.New(sha256.New, a.secret[:])
	_, _ = fmt.Fprintf(mac, "%s\x00%d\x00%s", name, a.begun, a.back) // never fails
	return encoding.EncodeToString(mac.Sum(nil))
}

// Begin begins a sign-in that ends at redirect, the address of our own that the
// provider knows. It returns where to send the browser, and what it is to keep,
// secret, until it comes back. back is the path to go to then. Errors:
// ErrUnavailable, and that of the secret.
func (p *Provider) Begin(redirect, back string) (address, kept string, err error) {
	k := p.known.Load()
	if k == nil {
		return "", "", ErrUnavailable
	}
	c, err := p.oauth(k, redirect)
	if err != nil {
		return "", "", err
	}
	if c.Endpoint.AuthURL == "" || c.Endpoint.TokenURL == "" {
		return "", "", fmt.Errorf("%w: it has no addresses at which people sign in", ErrUnavailable)
	}
	a := attempt{begun: p.o.Now().Unix(), back: back}
	rand.Read(a.secret[:]) // never fails
	return c.AuthCodeURL(a.derive("state"), oidc.Nonce(a.derive("nonce")), oauth2.S256ChallengeOption(a.derive("verifier"))), a.kept(), nil
}

// Finish ends a sign-in with the provider's answer, the query with which the
// browser came back, and returns who it is and the path to go to. kept and
// redirect are those of Begin. Errors: *Refused, ErrUnavailable, ErrBusy, that
// of the secret, that of ctx.
func (p *Provider) Finish(ctx context.Context, kept, redirect string, answer url.Values) (*Person, string, error) {
	a, ok := parseKept(kept)
	began := p.o.Now().Unix() - a.begun
	switch state := answer["state"]; {
	case !ok:
		return nil, "", failed("no sign-in was begun in this browser", nil)
	case began < -60 || began > int64(SignInSpan.Seconds()):
		return nil, "", failed("the sign-in took too long", nil)
	case len(state) != 1 || subtle.ConstantTimeCompare([]byte(state[0]), []byte(a.derive("state"))) != 1:
		return nil, "", failed("the answer is not to the sign-in of this browser", nil)
	}
	if iss := answer["iss"]; len(iss) > 0 && (len(iss) != 1 || iss[0] != p.o.Issuer) { // RFC 9207
		return nil, "", failed("the answer is another provider's", nil)
	}
	if said := answer.Get("error"); said != "" {
		err := failed("the provider refused", fmt.Errorf("it said %q", said))
		p.logFailed(err)
		return nil, "", err
	}
	code := answer["code"]
	if len(code) != 1 || code[0] == "" {
		return nil, "", failed("the answer has no code", nil)
	}
	select {
	case p.exchanges <- struct{}{}:
		defer func() { <-p.exchanges }()
	default:
		return nil, "", ErrBusy
	}
	who, err := p.exchange(ctx, &a, redirect, code[0])
	switch {
	case err == nil: // with what is needed to see why somebody lacks a role here
		p.log.Info("a person signed in at the OIDC provider", "user", who.User, "claim", p.o.RolesClaim, "roles", who.Roles[:min(len(who.Roles), 20)])
	case ctx.Err() == nil:
		p.logFailed(err)
	}
	return who, a.back, err
}

// logFailed logs why an answer that is to a sign-in of the browser was nothing.
func (p *Provider) logFailed(err error) {
	if r, ok := errors.AsType[*Refused](err); ok && r.Err != nil {
		err = fmt.Errorf("%w: %w", r, r.Err)
	}
	p.log.Warn("a sign-in at the OIDC provider failed", "issuer", p.o.Issuer, "error", brief(err))
}

func failed(reason string, err error) *Refused {
	return &Refused{Reason: reason, Err: err, Detail: "the sign-in failed: " + reason + "; begin it again"}
}

// exchange gets the tokens for a code and returns who they are about.
func (p *Provider) exchange(ctx context.Context, a *attempt, redirect, code string) (*Person, error) {
	k := p.known.Load()
	if k == nil {
		return nil, ErrUnavailable
	}
	c, err := p.oauth(k, redirect)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), patience)
	defer cancel()
	token, err := c.Exchange(ctx, code, oauth2.VerifierOption(a.derive("verifier")))
	if err != nil {
		said, ok := errors.AsType[*oauth2.RetrieveError](err)
		switch { // not err itself where there is an answer: it holds that, and so perhaps the code
		case !ok:
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		case said.Response.StatusCode >= 500:
			return nil, fmt.Errorf("%w: %s", ErrUnavailable, said.Response.Status)
		}
		return nil, failed("the provider did not take the code", fmt.Errorf("%s %q", said.Response.Status, said.ErrorCode))
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" || len(raw) > maxToken {
		return nil, failed("the provider gave no ID token", nil)
	}
	id, err := p.idTokens.Verify(ctx, raw)
	if err != nil {
		return nil, failed("the ID token is not valid", err)
	}
	claims, err := claimsOf(id)
	if err != nil {
		return nil, failed("the ID token is not valid", err)
	}
	party, has := claims["azp"]
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.derive("nonce"))) != 1:
		return nil, failed("the ID token is of another sign-in", nil)
	case id.Subject == "": // what else is told of them is known by it
		return nil, failed("the ID token is without a subject", nil)
	case has && party != p.o.ClientID:
		return nil, failed("the ID token is for another client", nil)
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return nil, failed("the ID token belongs to another access token", nil)
	}
	if err := p.complete(ctx, k, token, id, claims); err != nil {
		return nil, err
	}
	who, err := p.person(id, claims)
	if err != nil {
		return nil, failed("the ID token is without a user", err)
	}
	return who, nil
}

// complete adds to the claims of an ID token those that it needs and lacks: from
// the access token that came with it, if that is a signed one of the provider, for
// this client and about the same person (Keycloak has the roles in that alone),
// else by asking for the user info.
func (p *Provider) complete(ctx context.Context, k *known, token *oauth2.Token, id *oidc.IDToken, claims map[string]any) error {
	if p.hasAll(claims) {
		return nil
	}
	if access, err := p.lenient.Verify(ctx, token.AccessToken); err == nil && access.Subject == id.Subject {
		more, err := claimsOf(access)
		if err != nil {
			return failed("the access token is not valid", err)
		}
		if party, has := more["azp"]; !has || party == p.o.ClientID {
			add(claims, more)
		}
	}
	if p.hasAll(claims) || k.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := k.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil || info.Subject != id.Subject {
		return failed("the provider told of somebody else", err)
	}
	add(claims, more)
	return nil
}

// hasAll reports whether claims say who somebody is and what roles they have.
func (p *Provider) hasAll(claims map[string]any) bool {
	_, user := claims[p.o.UserClaim]
	return user && rolesIn(claims, p.o.RolesClaim) != nil
}

// add adds the claims that there are not yet.
func add(claims, more map[string]any) {
	for name, value := range more {
		if _, has := claims[name]; !has {
			claims[name] = value
		}
	}
}
