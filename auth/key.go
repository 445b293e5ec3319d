package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"casm"
	"casm/command"
)

// Collection is the internal collection of configuration that holds the keys.
const Collection = "api-keys"

// A key is casm_<public code>_<secret>. All parts have a fixed length, because
// the secret may hold the separator.
const (
	prefix       = "casm_"
	codeLength   = 16 // base32 of 10 bytes
	secretLength = 43 // base64url of 32 bytes
	keyLength    = len(prefix) + codeLength + 1 + secretLength
)

var codeEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// parse takes a key apart.
func parse(key string) (code, secret string, ok bool) {
	if len(key) != keyLength || !strings.HasPrefix(key, prefix) || key[len(prefix)+codeLength] != '_' {
		return "", "", false
	}
	code, secret = key[len(prefix):len(prefix)+codeLength], key[keyLength-secretLength:]
	if strings.Trim(code, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", "", false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	return code, secret, err == nil
}

// NewKey says what an API key is to be like.
type NewKey struct {
	// Name is for people, and what business transactions record: 1 to 255
	// characters. Several keys may share a name, so that one can follow another.
	Name string
	// Permissions are permissions or names of roles; at least one.
	Permissions []string
	// Expires is when it ends by itself; the zero time: never.
	Expires time.Time
	// RateLimit is how many requests a second it may make; 0: the default.
	RateLimit int64
}

// MaxRateLimit is the highest rate limit that a key can carry, in requests a second.
const MaxRateLimit = 1_000_000

// Keys administers API keys.
type Keys struct {
	Configuration Configuration
	Logger        *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

func (k Keys) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

func (k Keys) log() *slog.Logger {
	if k.Logger != nil {
		return k.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// Create makes a key and returns it with what is kept of it. The key itself
// is shown this once; only a hash of its secret is stored. remote says from
// where the actor acts. Errors: casm.Violations, those of the engine, and
// *Unrecorded: the key is there, but nobody has its secret.
func (k Keys) Create(ctx context.Context, actor, remote string, n NewKey) (key string, item *casm.APIKey, err error) {
	defer func() {
		attrs := []slog.Attr{slog.String("name", clip(n.Name)), slog.Any("permissions", n.Permissions)}
		if item != nil {
			attrs = append(attrs, slog.String("key", item.Code))
		}
		if err = k.audit(ctx, actor, "key.create", remote, err, attrs...); err != nil {
			key = ""
		}
	}()
	permissions, v := n.check(k.now())
	if err := v.Err(); err != nil {
		return "", nil, err
	}
	var random [10 + 32]byte
	rand.Read(random[:]) // never fails
	code := codeEncoding.EncodeToString(random[:10])
	secret := base64.RawURLEncoding.EncodeToString(random[10:])
	made := &casm.APIKey{
		Item: casm.Item{Code: code, Name: n.Name}, Hash: hash(secret), Permissions: permissions,
		Expires: casm.TimeOf(n.Expires), CreatedAt: casm.TimeOf(k.now()), RateLimit: n.RateLimit,
	}
	_, err = k.Configuration.EditConfig(ctx, actor, false, []command.ConfigEdit{{
		Collection: casm.CollectionByPath(Collection), Code: code, Item: made, Create: true,
	}})
	if err != nil {
		return "", nil, fmt.Errorf("auth: create key: %w", err)
	}
	return prefix + code + "_" + secret, public(made), nil
}

// check returns the permissions that are meant, or what is wrong.
func (n NewKey) check(now time.Time) ([]string, casm.Violations) {
	permissions, v := Expand(n.Permissions)
	switch {
	case n.Name == "":
		v.Add(casm.Required, "name", "a key needs a name, which business transactions record")
	case utf8.RuneCountInString(n.Name) > 255:
		v.Add(casm.TooLong, "name", "the name has %d characters; at most 255 are allowed", utf8.RuneCountInString(n.Name))
	case !utf8.ValidString(n.Name) || strings.ContainsFunc(n.Name, unicode.IsControl):
		v.Add(casm.InvalidValue, "name", "the name holds a control character or is not UTF-8")
	}
	if !n.Expires.IsZero() {
		at := casm.TimeOf(n.Expires)
		switch {
		case at >= casm.MaxTime || at < casm.MinTime:
			v.Add(casm.InvalidValue, "expires", "%s is outside the years 1970 to 2199", n.Expires.Format(time.RFC3339))
		case !n.Expires.After(now):
			v.Add(casm.OutOfRange, "expires", "%s is not in the future", n.Expires.Format(time.RFC3339))
		}
	}
	if n.RateLimit < 0 || n.RateLimit > MaxRateLimit {
		v.Add(casm.OutOfRange, "rateLimit", "%d is outside of 0 to %d requests a second", n.RateLimit, MaxRateLimit)
	}
	return permissions, v
}

// List returns all keys, revoked and expired ones too, without their hashes:
// by name, then by when they were made.
func (k Keys) List(ctx context.Context) ([]*casm.APIKey, error) {
	s, err := k.Configuration.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("auth: list keys: %w", err)
	}
	var keys []*casm.APIKey
	for _, item := range s.Items(Collection) {
		keys = append(keys, public(item.(*casm.APIKey)))
	}
	slices.SortStableFunc(keys, func(a, b *casm.APIKey) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.CreatedAt, b.CreatedAt))
	})
	return keys, nil
}

// Revoke ends a key for good, named by its public code, with or without
// casm_ before it. One that was revoked already stays so. Errors:
// casm.Violations with not_found, those of the engine, and *Unrecorded: it is
// revoked.
func (k Keys) Revoke(ctx context.Context, actor, remote, code string) (err error) {
	code = strings.TrimPrefix(code, prefix)
	if len(code) > codeLength { // the secret after it is of no use here, and no text for the log
		code = code[:codeLength]
	}
	defer func() { err = k.audit(ctx, actor, "key.revoke", remote, err, slog.String("key", code)) }()
	s, err := k.Configuration.Config(ctx)
	if err != nil {
		return fmt.Errorf("auth: revoke key: %w", err)
	}
	key, ok := s.Item(Collection, code).(*casm.APIKey)
	if !ok {
		return casm.Violations{{Code: casm.NotFound, Pointer: "key", Detail: fmt.Sprintf("there is no key %q; casm key list shows those that are", code)}}
	}
	revoked := *key
	revoked.Revoked = true
	_, err = k.Configuration.EditConfig(ctx, actor, false, []command.ConfigEdit{{
		Collection: casm.CollectionByPath(Collection), Code: code, Item: &revoked, Replace: true,
	}})
	if err != nil {
		return fmt.Errorf("auth: revoke key: %w", err)
	}
	return nil
}

// audit records what came of an act, and returns its error, or that it could
// not be recorded.
func (k Keys) audit(ctx context.Context, actor, act, remote string, err error, attrs ...slog.Attr) error {
	if err == nil {
		return AuditDone(ctx, k.log(), actor, act, remote, attrs...)
	}
	Audit(ctx, k.log(), actor, act, OutcomeRefused, remote, append(attrs, slog.String("error", err.Error()))...)
	return err
}

// public returns a copy without the hash.
func public(key *casm.APIKey) *casm.APIKey {
	c := *key
	c.Hash = ""
	return &c
}

func clip(s string) string {
	if len(s) > 255 {
		return s[:255]
	}
	return s
}
