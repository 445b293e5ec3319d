package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
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
	// Description is for people, too: up to 4,000 characters.
	Description string
	// Permissions are permissions or names of roles, Roles are roles; one at
	// least of either.
	Permissions, Roles []string
	// Expires is when it ends by itself; the zero time: never.
	Expires time.Time
	// RateLimit is how many requests a second it may make; 0: the default.
	RateLimit int64
}

// MaxRateLimit is the highest rate limit that a key can carry, in requests a second.
const MaxRateLimit = 1_000_000

// Key is what is told of an API key.
type Key struct {
	Code        string    `json:"code" doc:"The key's public part, between the underscores."`
	Name        string    `json:"name" in:"create" is:"required" order:"-3" doc:"Whose key it is; business transactions record it. Several keys may share a name, so that one can follow another."`
	Description string    `json:"description,omitzero" in:"create" is:"multiline,max=4000" order:"-2" doc:"What it is for."`
	Roles       []string  `json:"roles" in:"create" code:"roles" doc:"Codes of roles whose permissions it has, as they are at each time."`
	Permissions []string  `json:"permissions" in:"create" is:"enum=casm:read|casm:write|balance:write|config:read|config:write|stream:read|dwh:read|admin" doc:"What it may do beside what its roles may; admin implies all. A key needs a permission or a role."`
	Expires     casm.Time `json:"expires,omitzero" in:"create" doc:"When it ends by itself; none: never."`
	RateLimit   int64     `json:"rateLimit,omitzero" in:"create" is:"min=0,max=1000000" doc:"Requests a second; none: the installation's default."`
	Revoked     bool      `json:"revoked" doc:"Whether it was revoked."`
	CreatedAt   casm.Time `json:"createdAt" doc:"When it was made."`
	Version     int64     `json:"version" doc:"1, 2 …: one more with each change."`
}

// KeyOf returns what is told of a key: nothing secret.
func KeyOf(k *casm.APIKey) Key {
	return Key{
		Code: k.Code, Name: k.Name, Description: k.Description, Roles: k.Roles, Permissions: k.Permissions,
		Expires: k.Expires, RateLimit: k.RateLimit, Revoked: k.Revoked, CreatedAt: k.CreatedAt, Version: k.Version,
	}
}

// Keys administers API keys.
type Keys Office

// Create makes a key and returns it with what is told of it. The key itself
// is shown this once; only a hash of its secret is stored. remote says from
// where the actor acts. Errors: casm.Violations, those of the engine, and
// *Unrecorded: the key is there, but nobody has its secret.
func (k Keys) Create(ctx context.Context, actor, remote string, n NewKey) (key string, item *Key, err error) {
	defer func() {
		attrs := []slog.Attr{slog.String("name", clip(n.Name)), slog.Any("permissions", few(n.Permissions)), slog.Any("roles", few(n.Roles))}
		if item != nil {
			attrs = append(attrs, slog.String("key", item.Code))
		}
		if err = Office(k).audit(ctx, actor, "key.create", remote, err, attrs...); err != nil {
			key = ""
		}
	}()
	s, err := Office(k).config(ctx)
	if err != nil {
		return "", nil, err
	}
	now := Office(k).now()
	permissions, roles, v := n.check(s, now)
	if err := v.Err(); err != nil {
		return "", nil, err
	}
	var random [10 + 32]byte
	rand.Read(random[:]) // never fails
	code := codeEncoding.EncodeToString(random[:10])
	secret := base64.RawURLEncoding.EncodeToString(random[10:])
	made := &casm.APIKey{
		Item: casm.Item{Code: code, Name: n.Name, Description: n.Description}, Hash: hash(secret), Roles: roles, Permissions: permissions,
		Expires: casm.TimeOf(n.Expires), CreatedAt: casm.TimeOf(now), RateLimit: n.RateLimit,
	}
	after, err := Office(k).edit(ctx, actor, command.ConfigEdit{
		Collection: casm.CollectionByPath(Collection), Code: code, Item: made, Create: true,
	})
	if err != nil {
		return "", nil, err
	}
	told := KeyOf(after.(*casm.APIKey))
	return prefix + code + "_" + secret, &told, nil
}

// check returns the permissions and roles that are meant, or what is wrong.
func (n NewKey) check(s *casm.Snapshot, now time.Time) (permissions, roles []string, v casm.Violations) {
	permissions, roles, v = resolve(s, n.Permissions, n.Roles)
	if len(n.Permissions)+len(n.Roles) == 0 {
		v.Add(casm.Required, "/permissions", "give at least one permission or role; permissions are %s; roles are %s", joined(), roleNames(s))
	}
	checkTexts(n.Name, n.Description, "a key needs a name, which business transactions record", &v)
	if !n.Expires.IsZero() {
		at := casm.TimeOf(n.Expires)
		switch {
		case at >= casm.MaxTime || at < casm.MinTime:
			v.Add(casm.InvalidValue, "/expires", "%s is outside the years 1970 to 2199", n.Expires.Format(time.RFC3339))
		case !n.Expires.After(now):
			v.Add(casm.OutOfRange, "/expires", "%s is not in the future", n.Expires.Format(time.RFC3339))
		}
	}
	if n.RateLimit < 0 || n.RateLimit > MaxRateLimit {
		v.Add(casm.OutOfRange, "/rateLimit", "%d is outside of 0 to %d requests a second", n.RateLimit, MaxRateLimit)
	}
	v.Sort()
	return permissions, roles, v
}

// checkTexts checks a name and a description; needs says why there is a name.
func checkTexts(name, description, needs string, v *casm.Violations) {
	switch {
	case name == "":
		v.Add(casm.Required, "/name", "%s", needs)
	case utf8.RuneCountInString(name) > 255:
		v.Add(casm.TooLong, "/name", "the name has %d characters; at most 255 are allowed", utf8.RuneCountInString(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		v.Add(casm.InvalidValue, "/name", "the name holds a control character or is not UTF-8")
	}
	switch {
	case utf8.RuneCountInString(description) > 4000:
		v.Add(casm.TooLong, "/description", "the description has %d characters; at most 4000 are allowed", utf8.RuneCountInString(description))
	case !utf8.ValidString(description):
		v.Add(casm.InvalidValue, "/description", "the description is not UTF-8")
	}
}

// List returns all keys, revoked and expired ones too, without anything
// secret: by name, then by when they were made.
func (k Keys) List(ctx context.Context) ([]Key, error) {
	s, err := Office(k).config(ctx)
	if err != nil {
		return nil, err
	}
	keys := []Key{}
	for _, item := range s.Items(Collection) {
		keys = append(keys, KeyOf(item.(*casm.APIKey)))
	}
	slices.SortStableFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.CreatedAt, b.CreatedAt))
	})
	return keys, nil
}

// Get returns one key. Errors: casm.Violations with not_found, and those of
// the engine.
func (k Keys) Get(ctx context.Context, code string) (Key, error) {
	key, err := get[*casm.APIKey](ctx, Office(k), Collection, code)
	if err != nil {
		return Key{}, err
	}
	return KeyOf(key), nil
}

// Revoke ends a key for good, named by its public code, with or without
// casm_ before it. One that was revoked already stays so. ifMatch is the
// version that it must have, 0 for any. A revoked key stays, for the record,
// with the permissions that it had, and holds no role. Errors: casm.Violations
// with not_found, those of the engine, and
// *Unrecorded: it is revoked.
func (k Keys) Revoke(ctx context.Context, actor, remote, code string, ifMatch int64) (err error) {
	code = strings.TrimPrefix(code, prefix)
	if len(code) > codeLength { // the secret after it is of no use here, and no text for the log
		code = code[:codeLength]
	}
	defer func() { err = Office(k).audit(ctx, actor, "key.revoke", remote, err, slog.String("key", code)) }()
	_, _, err = change(ctx, Office(k), actor, Collection, code, ifMatch, func(s *casm.Snapshot, old *casm.APIKey) (casm.ConfigItem, error) {
		revoked := *old
		revoked.Revoked = true
		revoked.Permissions, revoked.Roles = granted(s, old.Permissions, old.Roles), nil
		return &revoked, nil
	})
	return err
}

func clip(s string) string {
	if len(s) > 255 {
		return s[:255]
	}
	return s
}

// few is as much of a list as the log takes.
func few(list []string) []string {
	out := make([]string, 0, min(len(list), 20))
	for _, s := range list[:min(len(list), 20)] {
		out = append(out, clip(s))
	}
	return out
}
