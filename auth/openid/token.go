package openid

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
)

// IsToken reports whether a credential has the form of a token: three parts
// between dots.
func IsToken(credential string) bool { return strings.Count(credential, ".") == 2 }

// Token returns who shows an access token (JWT) of the provider. Errors:
// *Refused, ErrUnavailable, that of ctx.
func (p *Provider) Token(ctx context.Context, token string) (*Person, error) {
	if len(token) > maxToken {
		return nil, p.refused("token too long", fmt.Errorf("%d bytes", len(token)))
	}
	if p.known.Load() == nil {
		return nil, ErrUnavailable
	}
	verified, err := p.tokens.Verify(ctx, token)
	if err != nil {
		return nil, p.why(ctx, token, err)
	}
	claims, err := claimsOf(verified)
	if err != nil {
		return nil, p.refused("token of another form", err)
	}
	if kind := p.otherThanAccess(token, verified, claims); kind != "" {
		r := p.refused("no access token", errors.New(kind))
		r.Detail = "the token is signed by the provider, but " + kind + "; show an access token"
		return nil, r
	}
	if _, bound := claims["cnf"]; bound { // RFC 8705, RFC 9449: without the proof it is anybody's who found it
		r := p.refused("token bound to a key", nil)
		r.Detail = "the access token is bound to a key (claim cnf), whose proof is not checked here; get one that is not"
		return nil, r
	}
	who, err := p.person(verified, claims)
	if err != nil {
		return nil, p.refused("token without a user", err)
	}
	return who, nil
}

func (p *Provider) refused(reason string, err error) *Refused {
	return &Refused{
		Reason: reason, Err: err,
		Detail: fmt.Sprintf("the access token is not valid here: it must be signed by %s, be for the audience %s, and not have ended", p.o.Issuer, p.o.Audience),
	}
}

// why says what is wrong with a token. More than that is told of one that the
// provider has signed.
func (p *Provider) why(ctx context.Context, token string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ended := errors.AsType[*oidc.TokenExpiredError](err); !ended {
		switch signed, bad := p.lenient.Verify(ctx, token); {
		case bad != nil:
			return p.refused("token of nobody known", err)
		case slices.Contains(signed.Audience, p.o.Audience):
			return p.refused("token that does not hold yet", err)
		}
		return p.refused("token for another audience", err)
	}
	r := p.refused("expired token", err)
	r.Detail = "the access token has ended; get another one"
	return r
}

// claimsOf returns the claims of a token that was verified.
func claimsOf(t *oidc.IDToken) (map[string]any, error) {
	var claims map[string]any
	err := t.Claims(&claims)
	return claims, err
}

// otherThanAccess says what a token of the provider is that is none for access;
// "" of one that may be. An ID token says who signed in somewhere, and gets
// around: it is no credential. It is for a client, so what is for the client
// that signs people in here must show that it is for access.
func (p *Provider) otherThanAccess(token string, t *oidc.IDToken, claims map[string]any) string {
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return "its header cannot be read"
	}
	kind := strings.TrimPrefix(strings.ToLower(header.Type), "application/")
	if kind != "" && kind != "jwt" && kind != "at+jwt" {
		return "its header says that it is another sort of token"
	}
	use, _ := claims["typ"].(string) // Keycloak's way to tell
	bearer := strings.EqualFold(use, "Bearer")
	if use != "" && !bearer {
		return "its claim typ says that it is another sort of token"
	}
	if kind == "at+jwt" { // RFC 9068
		return ""
	}
	for _, claim := range []string{"at_hash", "c_hash", "events", "nonce"} {
		if _, has := claims[claim]; has && !(bearer && claim == "nonce") {
			return "it has the claim " + claim + " of another sort of token"
		}
	}
	if bearer || !slices.Contains(t.Audience, p.o.ClientID) {
		return ""
	}
	for _, claim := range []string{"scope", "scp", "client_id"} {
		if _, has := claims[claim]; has {
			return ""
		}
	}
	return "it may be an ID token: it is for the client " + p.o.ClientID + " and has neither the type at+jwt nor one of the claims scope, scp, client_id"
}

// person returns who a token is about.
func (p *Provider) person(t *oidc.IDToken, claims map[string]any) (*Person, error) {
	user, _ := claims[p.o.UserClaim].(string)
	if user == "" {
		user = t.Subject
	}
	if !sane(user) {
		return nil, fmt.Errorf("neither %s nor sub is a text of 1 to %d characters", p.o.UserClaim, maxUser)
	}
	name, _ := claims["name"].(string)
	if !sane(name) {
		name = user
	}
	return &Person{User: user, Name: name, Roles: rolesIn(claims, p.o.RolesClaim), Expires: t.Expiry}, nil
}

// maxUser leaves room for what stands before it: texts have up to 255
// characters, also those by which the audit is asked for somebody.
const maxUser = 250

func sane(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxUser && !strings.ContainsFunc(s, unicode.IsControl)
}

// rolesIn returns the texts of the claim with the name, or at the path that it is.
func rolesIn(claims map[string]any, name string) []string {
	value, has := claims[name]
	for !has {
		first, rest, more := strings.Cut(name, ".")
		inner, _ := claims[first].(map[string]any)
		if !more || inner == nil {
			return nil
		}
		claims, name = inner, rest
		value, has = claims[name]
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var roles []string
		for _, one := range v {
			if s, ok := one.(string); ok && !slices.Contains(roles, s) && len(roles) < maxRoles {
				roles = append(roles, s)
			}
		}
		return roles
	}
	return nil
}

// maxRoles bounds the values of the roles' claim that are looked at.
const maxRoles = 1000
