// Package auth says who calls and what they may do: API keys, people and their
// sessions, an OIDC provider, roles, rate limits, and the audit of what was denied or
// administered (contract 11).
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"casm"
	"casm/auth/openid"
	"casm/command"
)

// Configuration is where keys, users and roles are kept: the engine. It is read at each
// request, so that a revocation is seen at once, on every server.
type Configuration interface {
	Config(ctx context.Context) (*casm.Snapshot, error)
	EditConfig(ctx context.Context, actor string, dryRun bool, edits []command.ConfigEdit) ([]command.ConfigChange, error)
}

// DefaultRate is the requests a second that a user, or a key without a limit
// of its own, may make.
const DefaultRate = 5000

// Options are what an Authenticator is made with.
type Options struct {
	Configuration Configuration
	// Sessions is where those of people are kept; nil: nobody can sign in.
	Sessions SessionStore
	// SessionIdle ends a session after so long without a request, SessionLife
	// in any case; 0: the defaults.
	SessionIdle, SessionLife time.Duration
	// OIDC is the provider whose access tokens are taken and at which people sign
	// in; nil: none.
	OIDC *openid.Provider
	// DefaultRate is the requests a second of users and of keys that say
	// nothing about it; 0: DefaultRate; below 0: no limit.
	DefaultRate int64
	// Now is the clock by which keys and sessions end; nil is the system's.
	Now func() time.Time
}

// Principal is who calls.
type Principal struct {
	// Key is the public code of the API key, User the code of the user who
	// signed in, or "oidc:" with the name of somebody whom the OIDC provider
	// vouches for; "" for somebody else.
	Key, User string
	// Name is the key's or the user's name, for people.
	Name string
	// Actor is what business transactions and the audit record, such as
	// "key:crm", "user:ann" or "oidc:bob".
	Actor string
	// Permissions are what it may do; admin implies all.
	Permissions []string
	// RateLimit is its own limit in requests a second; 0: the default.
	RateLimit int64
	// Expires is when the key or the session ends; 0: never.
	Expires casm.Time
}

// May reports whether the principal has the permission; "" is something that
// anybody with a valid credential may do.
func (p *Principal) May(permission command.Permission) bool {
	return permission == "" ||
		slices.Contains(p.Permissions, string(permission)) ||
		slices.Contains(p.Permissions, string(command.Admin))
}

// Denied is the error of a request that is not let in: its code is
// unauthenticated, rate_limited or, of a session used by another site's page,
// forbidden.
type Denied struct {
	casm.Violation
	// RetryAfter is when to come back, of rate_limited.
	RetryAfter time.Duration
	// Reason is what happened, for the audit: more than the client is told.
	Reason string
	// Key is the public code of a key that was shown; it may not exist. User is
	// the code of a user that does.
	Key, User string
}

// Error implements error.
func (d *Denied) Error() string { return "auth: " + string(d.Code) + ": " + d.Reason }

// Authenticator finds out who calls. It may be used by many at once.
type Authenticator struct {
	configuration Configuration
	sessions      SessionStore
	oidc          *openid.Provider // nil: none
	idle, life    time.Duration
	now           func() time.Time
	limits        limits
	throttle      *throttle
	seen          sightings
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{
		configuration: o.Configuration, sessions: o.Sessions, oidc: o.OIDC, idle: o.SessionIdle, life: o.SessionLife,
		now: o.Now, throttle: newThrottle(),
	}
	if a.idle <= 0 {
		a.idle = DefaultSessionIdle
	}
	if a.life <= 0 {
		a.life = DefaultSessionLife
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.limits.rate = o.DefaultRate
	if a.limits.rate == 0 {
		a.limits.rate = DefaultRate
	}
	return a
}

// Authenticate returns who made the request and counts it against their rate.
// Errors: *Denied, or a fault of the store.
func (a *Authenticator) Authenticate(r *http.Request) (*Principal, error) {
	p, err := a.identify(r, true)
	if err != nil {
		return nil, err
	}
	whose := p.Key
	if p.User != "" {
		whose = p.Actor // of no key: those codes hold no colon
	}
	if wait := a.limits.take(whose, p.RateLimit, a.now()); wait > 0 {
		return nil, &Denied{
			Violation:  casm.Violation{Code: casm.RateLimited, Pointer: "Authorization", Detail: "more requests a second than this key or user may make; wait as long as Retry-After says"},
			RetryAfter: wait, Reason: "rate limit", Key: p.Key, User: p.User,
		}
	}
	return p, nil
}

// Recheck reports whether the credential of a request that goes on for long
// still holds. It counts against no rate and is no use of a session. Errors as
// of Authenticate.
func (a *Authenticator) Recheck(r *http.Request) (*Principal, error) { return a.identify(r, false) }

// Identify returns who has a credential that was not shown in a request over
// HTTP. It counts against no rate. Errors as of Authenticate.
func (a *Authenticator) Identify(ctx context.Context, credential string) (*Principal, error) {
	r := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + credential}}}).WithContext(ctx)
	return a.identify(r, false)
}

// identify finds out who calls: by the header Authorization, where each kind of
// token has its own look, else by the session's cookie.
func (a *Authenticator) identify(r *http.Request, use bool) (*Principal, error) {
	headers := r.Header["Authorization"]
	switch len(headers) {
	case 0:
		if a.sessions != nil && len(r.Header["Cookie"]) > 0 && len(r.CookiesNamed(CookieName)) > 0 {
			return a.bySession(r, use)
		}
		return nil, unauthenticated("", "no credential", "sign in, or send the header Authorization: Bearer <API key>")
	case 1:
	default:
		return nil, unauthenticated("", "several credentials", "send one Authorization header")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unauthenticated("", "another scheme", "send the header Authorization: Bearer <API key>")
	}
	token = strings.TrimSpace(token)
	if a.oidc != nil && openid.IsToken(token) {
		return a.byToken(r.Context(), token)
	}
	return a.byKey(r.Context(), token)
}

// byKey finds out who calls by an API key.
func (a *Authenticator) byKey(ctx context.Context, token string) (*Principal, error) {
	code, secret, ok := parse(token)
	if !ok {
		return nil, unauthenticated("", "no API key", unknownKey)
	}
	s, err := a.configuration.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("auth: read keys: %w", err)
	}
	key, known := s.Item(Collection, code).(*casm.APIKey)
	// An unknown key takes the same work as a known one with a wrong secret,
	// and gets the same answer.
	if !matches(secret, key) {
		reason := "wrong secret"
		if !known {
			reason = "unknown key"
		}
		return nil, unauthenticated(code, reason, unknownKey)
	}
	switch now := casm.TimeOf(a.now()); {
	case key.Revoked:
		return nil, unauthenticated(code, "revoked key", "the API key was revoked; use another")
	case key.Expires != 0 && now >= key.Expires:
		return nil, unauthenticated(code, "expired key", "the API key expired; use another")
	}
	return &Principal{
		Key: code, Name: key.Name, Actor: "key:" + key.Name,
		Permissions: granted(s, key.Permissions, key.Roles), RateLimit: key.RateLimit, Expires: key.Expires,
	}, nil
}

const unknownKey = "the API key is not known here; casm key list shows those that are"

func unauthenticated(key, reason, detail string) *Denied {
	return &Denied{
		Violation: casm.Violation{Code: casm.Unauthenticated, Pointer: "Authorization", Detail: detail},
		Reason:    reason, Key: key,
	}
}

// Nobody reports whether there is no user who can sign in, no valid key, and no
// OIDC provider.
// Errors: those of the engine.
func (a *Authenticator) Nobody(ctx context.Context) (bool, error) {
	if a.oidc != nil {
		return false, nil
	}
	s, err := a.configuration.Config(ctx)
	if err != nil {
		return false, fmt.Errorf("auth: read keys and users: %w", err)
	}
	for range callers(s, casm.TimeOf(a.now())) {
		return false, nil
	}
	return true, nil
}

// hash returns what is stored of a secret. A fast hash is enough: the secret
// has 256 random bits.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// nobody has a hash that no secret gives.
var nobody = casm.APIKey{Hash: strings.Repeat("-", 2*sha256.Size)}

func matches(secret string, key *casm.APIKey) bool {
	if key == nil {
		key = &nobody
	}
	return subtle.ConstantTimeCompare([]byte(hash(secret)), []byte(key.Hash)) == 1
}

// DeniedBy returns the Denied within an error, or nil.
func DeniedBy(err error) *Denied {
	if d, ok := errors.AsType[*Denied](err); ok {
		return d
	}
	return nil
}
