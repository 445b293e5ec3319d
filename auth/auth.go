// Package auth says who calls and what they may do: API keys, the permissions
// of roles, rate limits, and the audit of what was denied or administered
// (contract 11).
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
	"casm/command"
)

// Configuration is where keys are kept: the engine. It is read at each
// request, so that a revocation is seen at once, on every server.
type Configuration interface {
	Config(ctx context.Context) (*casm.Snapshot, error)
	EditConfig(ctx context.Context, actor string, dryRun bool, edits []command.ConfigEdit) ([]command.ConfigChange, error)
}

// DefaultRate is the requests a second that a key without a limit of its own
// may make.
const DefaultRate = 5000

// Options are what an Authenticator is made with.
type Options struct {
	Configuration Configuration
	// DefaultRate is the requests a second of keys that say nothing about it;
	// 0: DefaultRate; below 0: no limit.
	DefaultRate int64
	// Now is the clock by which keys expire; nil is the system's.
	Now func() time.Time
}

// Principal is who calls.
type Principal struct {
	// Key is the public code of the API key; "" for somebody else.
	Key string
	// Name is the key's name, for people.
	Name string
	// Actor is what business transactions and the audit record, such as
	// "key:crm".
	Actor string
	// Permissions are what it may do; admin implies all.
	Permissions []string
	// RateLimit is its own limit in requests a second; 0: the default.
	RateLimit int64
}

// May reports whether the principal has the permission; "" is something that
// anybody with a valid credential may do.
func (p *Principal) May(permission command.Permission) bool {
	return permission == "" ||
		slices.Contains(p.Permissions, string(permission)) ||
		slices.Contains(p.Permissions, string(command.Admin))
}

// Denied is the error of a request that is not let in: its code is
// unauthenticated or rate_limited.
type Denied struct {
	casm.Violation
	// RetryAfter is when to come back, of rate_limited.
	RetryAfter time.Duration
	// Reason is what happened, for the audit: more than the client is told.
	Reason string
	// Key is the public code of a key that was shown; it may not exist.
	Key string
}

// Error implements error.
func (d *Denied) Error() string { return "auth: " + string(d.Code) + ": " + d.Reason }

// Authenticator finds out who calls. It may be used by many at once.
type Authenticator struct {
	configuration Configuration
	now           func() time.Time
	limits        limits
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{configuration: o.Configuration, now: o.Now}
	if a.now == nil {
		a.now = time.Now
	}
	a.limits.rate = o.DefaultRate
	if a.limits.rate == 0 {
		a.limits.rate = DefaultRate
	}
	return a
}

// Authenticate returns who made the request, by its Authorization header, and
// counts the request against the key's rate. Errors: *Denied, or a fault of
// the store.
func (a *Authenticator) Authenticate(r *http.Request) (*Principal, error) {
	p, err := a.identify(r.Context(), r.Header.Values("Authorization"))
	if err != nil {
		return nil, err
	}
	if wait := a.limits.take(p.Key, p.RateLimit, a.now()); wait > 0 {
		return nil, &Denied{
			Violation:  casm.Violation{Code: casm.RateLimited, Pointer: "Authorization", Detail: "more requests a second than this key may make; wait as long as Retry-After says"},
			RetryAfter: wait, Reason: "rate limit", Key: p.Key,
		}
	}
	return p, nil
}

// Recheck reports whether the credential of a request that goes on for long
// still holds. It counts against no rate. Errors as of Authenticate.
func (a *Authenticator) Recheck(r *http.Request) (*Principal, error) {
	return a.identify(r.Context(), r.Header.Values("Authorization"))
}

// Identify returns who has a credential that was not shown in a request over
// HTTP. It counts against no rate. Errors as of Authenticate.
func (a *Authenticator) Identify(ctx context.Context, credential string) (*Principal, error) {
	return a.identify(ctx, []string{"Bearer " + credential})
}

func (a *Authenticator) identify(ctx context.Context, headers []string) (*Principal, error) {
	switch len(headers) {
	case 0:
		return nil, unauthenticated("", "no credential", "send the header Authorization: Bearer <API key>")
	case 1:
	default:
		return nil, unauthenticated("", "several credentials", "send one Authorization header")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unauthenticated("", "another scheme", "send the header Authorization: Bearer <API key>")
	}
	code, secret, ok := parse(strings.TrimSpace(token))
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
		Permissions: key.Permissions, RateLimit: key.RateLimit,
	}, nil
}

const unknownKey = "the API key is not known here; casm key list shows those that are"

func unauthenticated(key, reason, detail string) *Denied {
	return &Denied{
		Violation: casm.Violation{Code: casm.Unauthenticated, Pointer: "Authorization", Detail: detail},
		Reason:    reason, Key: key,
	}
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
