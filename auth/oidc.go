package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"casm"
	"casm/auth/openid"
)

// oidcPrefix stands before the name of those whom the OIDC provider vouches
// for, as actor and as user: no user's code holds a colon.
const oidcPrefix = "oidc:"

// The path at which a sign-in by OIDC begins, and the one at which it ends.
const (
	OIDCPath         = "/v1/session/oidc"
	OIDCCallbackPath = OIDCPath + "/callback"
)

// oidcCookie keeps a sign-in while the person is at the provider.
const oidcCookie = "casm_oidc"

// Methods are the ways in which people can sign in.
type Methods struct {
	Password bool `json:"password" doc:"With a password, by POST /v1/session."`
	OIDC     bool `json:"oidc" doc:"At the OIDC provider: send the browser to /v1/session/oidc."`
}

// Methods returns the ways in which people can sign in.
func (a *Authenticator) Methods() Methods {
	return Methods{Password: a.sessions != nil, OIDC: a.sessions != nil && a.oidc != nil}
}

// byToken finds out who calls by an access token of the OIDC provider.
func (a *Authenticator) byToken(ctx context.Context, token string) (*Principal, error) {
	who, err := a.oidc.Token(ctx, token)
	if err != nil {
		return nil, oidcError(err, "Authorization")
	}
	s, err := a.configuration.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("auth: read roles: %w", err)
	}
	ends := casm.MaxTime
	if who.Expires.Before(ends.Std()) {
		ends = casm.TimeOf(who.Expires)
	}
	return vouched(s, oidcPrefix+who.User, who.Name, rolesAmong(s, who.Roles), ends), nil
}

func vouched(s *casm.Snapshot, user, name string, roles []string, ends casm.Time) *Principal {
	return &Principal{User: user, Name: name, Actor: user, Permissions: granted(s, nil, roles), Expires: ends}
}

// oidcError is the error of an Authenticator for one of the provider.
func oidcError(err error, pointer string) error {
	if r, ok := errors.AsType[*openid.Refused](err); ok {
		return &Denied{Violation: casm.Violation{Code: casm.Unauthenticated, Pointer: pointer, Detail: r.Detail}, Reason: r.Reason}
	}
	switch {
	case errors.Is(err, openid.ErrUnavailable):
		return casm.Violations{{Code: casm.Overloaded, Pointer: pointer, Detail: "the OIDC provider cannot be reached; nothing was done, repeat it after Retry-After"}}
	case errors.Is(err, openid.ErrBusy):
		return casm.Violations{{Code: casm.Overloaded, Pointer: pointer, Detail: "too many sign-ins wait for the OIDC provider; nothing was done, repeat it after Retry-After"}}
	}
	return err
}

// rolesAmong returns the codes of the roles whose code or name is among the
// values, by code; of a name case does not count, and a dash stands for a
// space. What is no role gives nothing.
func rolesAmong(s *casm.Snapshot, values []string) (codes []string) {
	if len(values) == 0 {
		return nil
	}
	exact, names := make(map[string]bool, len(values)), make(map[string]bool, len(values))
	for _, v := range values {
		exact[v], names[asName(v)] = true, true
	}
	for _, item := range s.Items(RoleCollection) {
		if role := item.Base(); exact[role.Code] || names[asName(role.Name)] {
			codes = append(codes, role.Code)
		}
	}
	return codes
}

func asName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", " ")) }

// BeginOIDC begins a sign-in at the OIDC provider: where to send the browser,
// and the cookie that it is to keep meanwhile. back is the path to go to
// afterwards; "": the start. Errors: ErrNoOIDC, casm.Violations with
// invalid_value at return, or overloaded.
func (a *Authenticator) BeginOIDC(r *http.Request, back string) (address string, cookie *http.Cookie, err error) {
	if !a.Methods().OIDC {
		return "", nil, ErrNoOIDC
	}
	if back == "" {
		back = "/"
	}
	if !ownPath(back) {
		return "", nil, casm.Violations{{Code: casm.InvalidValue, Pointer: "return", Detail: "must be a path on this server that begins with one slash, such as /, without spaces or backslashes and percent-encoded"}}
	}
	address, kept, err := a.oidc.Begin(a.oidcRedirect(r), back)
	if err != nil {
		return "", nil, oidcError(err, "")
	}
	return address, a.oidcKept(r, kept), nil
}

// ErrNoOIDC: people cannot sign in by OIDC here.
var ErrNoOIDC = errors.New("auth: no OIDC provider is set")

// ownPath reports whether a browser that is sent there stays on this server.
func ownPath(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "//") &&
		!strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' })
}

// oidcRedirect is the address at which the provider sends people back.
func (a *Authenticator) oidcRedirect(r *http.Request) string {
	if set := a.oidc.Redirect(); set != "" {
		return set
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + OIDCCallbackPath
}

// oidcKept is the cookie that keeps a sign-in; "" clears it. It is sent when
// the provider's page leads back, which a strict one would not be.
func (a *Authenticator) oidcKept(r *http.Request, kept string) *http.Cookie {
	c := &http.Cookie{
		Name: oidcCookie, Value: kept, Path: OIDCPath, MaxAge: int(openid.SignInSpan.Seconds()),
		HttpOnly: true, Secure: a.oidcSecure(r), SameSite: http.SameSiteLaxMode,
	}
	if kept == "" {
		c.MaxAge = -1
	}
	return c
}

// oidcSecure reports whether people come over https, be it to a proxy.
func (a *Authenticator) oidcSecure(r *http.Request) bool {
	return strings.HasPrefix(a.oidcRedirect(r), "https:")
}

// FinishOIDC ends a sign-in with the answer with which the provider sent the
// browser back, and begins a session. It returns the path to go to. The session
// ends so long after it began as others end when they are not used: what the
// provider says is to be asked again. cleared is the cookie that clears what
// the browser kept. Errors: ErrNoOIDC, *Denied (unauthenticated,
// rate_limited), casm.Violations with overloaded, or a fault of the store.
func (a *Authenticator) FinishOIDC(r *http.Request) (begun *SignedIn, back string, cleared *http.Cookie, err error) {
	if !a.Methods().OIDC {
		return nil, "", nil, ErrNoOIDC
	}
	cleared = a.oidcKept(r, "")
	begun, back, err = a.finishOIDC(r)
	return begun, back, cleared, err
}

func (a *Authenticator) finishOIDC(r *http.Request) (*SignedIn, string, error) {
	ctx := r.Context()
	kept := ""
	if cookies := r.CookiesNamed(oidcCookie); len(cookies) == 1 {
		kept = cookies[0].Value
	}
	if kept == "" { // nothing is tried, and any page of another site has browsers ask for it: it does not count
		_, _, err := a.oidc.Finish(ctx, "", "", nil)
		return nil, "", oidcError(err, "")
	}
	attempt, wait := a.throttle.beginAt(r.RemoteAddr, a.now())
	if wait > 0 {
		return nil, "", tooManyFailed(wait)
	}
	who, back, err := a.oidc.Finish(ctx, kept, a.oidcRedirect(r), r.URL.Query())
	if err != nil {
		if _, ok := errors.AsType[*openid.Refused](err); !ok {
			attempt.forgive()
		}
		return nil, "", oidcError(err, "")
	}
	attempt.forgive()
	s, err := a.configuration.Config(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("auth: read roles: %w", err)
	}
	now := casm.TimeOf(a.now())
	session := &casm.Session{
		User: oidcPrefix + who.User, Era: a.oidc.Issuer(), Name: who.Name, Roles: rolesAmong(s, who.Roles),
		Created: now, Ends: casm.TimeOf(now.Std().Add(min(a.idle, a.life))),
	}
	cookie, err := a.beginSession(r, session)
	if err != nil {
		return nil, "", err
	}
	cookie.Secure = a.oidcSecure(r)
	if !ownPath(back) {
		back = "/"
	}
	return &SignedIn{vouched(s, session.User, session.Name, session.Roles, session.Ends), cookie}, back, nil
}

// beginSession begins a session, ends the one that the request came with, and
// returns the cookie with the new one's secret.
func (a *Authenticator) beginSession(r *http.Request, session *casm.Session) (*http.Cookie, error) {
	ctx := r.Context()
	if old, ok := cookieOf(r); ok {
		if err := a.endSession(ctx, hashOf(old)); err != nil {
			return nil, err
		}
	}
	var random [32]byte
	rand.Read(random[:]) // never fails
	secret := base64.RawURLEncoding.EncodeToString(random[:])
	session.Hash = hashOf(secret)
	if err := a.sessions.AddSession(ctx, *session, sessionsPerUser); err != nil {
		return nil, fmt.Errorf("auth: begin a session: %w", err)
	}
	return a.cookie(r, secret), nil
}

func tooManyFailed(wait time.Duration) *Denied {
	return &Denied{
		Violation:  casm.Violation{Code: casm.RateLimited, Detail: "too many sign-ins failed; wait as long as Retry-After says"},
		RetryAfter: wait, Reason: "too many sign-ins failed",
	}
}
