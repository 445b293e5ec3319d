// Package openid speaks with an OpenID Connect provider: it checks the access
// tokens that systems show, and signs people in by the code flow with PKCE. It
// knows who somebody is and what the provider says of their roles; what that
// permits is for others to say.
package openid

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// Options are what a Provider is made with.
type Options struct {
	// Issuer is the provider's address, exactly as its tokens have it in iss.
	Issuer string
	// Redirect is the address of our own at which a sign-in ends, as the provider
	// knows it.
	Redirect string
	// ClientID is what the provider knows this installation by.
	ClientID string
	// Secret returns the client's secret; nil, or "": the client has none.
	Secret func() (string, error)
	// Audience is what access tokens must have in aud; "": ClientID.
	Audience string
	// Scopes are asked for, beside openid, when people sign in.
	Scopes []string
	// UserClaim names the claim that says who somebody is; "":
	// preferred_username. Tokens without it say it with sub.
	UserClaim string
	// RolesClaim names the claim with the roles, a text or a list of texts; a dot
	// leads into an object, as in realm_access.roles. "": roles.
	RolesClaim string
	// Now is the clock by which tokens end; nil is the system's.
	Now func() time.Time
	// Logger takes what goes wrong with the provider; nil: nothing does.
	Logger *slog.Logger
}

// Person is who a token is about: a person, or a system.
type Person struct {
	// User is who they are there: 1 to 250 characters, none of them a control
	// character.
	User string
	// Name is for people; User if the provider gives none.
	Name string
	// Roles are the values of the claim; what they mean is not known here.
	Roles []string
	// Expires is when the token ends.
	Expires time.Time
}

// Refused is the error of a token or an answer of the provider that does not
// hold.
type Refused struct {
	// Reason is for the audit. It holds nothing that the client chose.
	Reason string
	// Detail says what would be right.
	Detail string
	// Err is what was found; nil for nothing more than Reason. It may hold what the
	// client chose.
	Err error
}

// Error implements error.
func (r *Refused) Error() string { return "openid: " + r.Reason }

// Unwrap returns what was found.
func (r *Refused) Unwrap() error { return r.Err }

// ErrUnavailable: the provider could not be reached when it was needed.
var ErrUnavailable = errors.New("openid: the provider cannot be reached")

const (
	// readEvery is how often the provider's description and keys are read again,
	// so how long a key is taken that it publishes no longer.
	readEvery = 5 * time.Minute
	// readAgain is the least time between two readings that tokens with unknown
	// keys ask for: anybody can send such.
	readAgain = 10 * time.Second
	// retryFirst and retryMost are the pauses after a reading that failed.
	retryFirst, retryMost = time.Second, 10 * time.Second
	// patience is how long an answer of the provider may take, maxAnswer how long
	// it may be in bytes.
	patience  = 5 * time.Second
	maxAnswer = 1 << 20
	// maxKeys bounds the keys that are kept.
	maxKeys = 50
	// maxToken is how long a token may be.
	maxToken = 16 << 10
	// maxExchanges is how many sign-ins wait for the provider at once.
	maxExchanges = 16
)

// algorithms are those of signatures: asymmetric ones alone, as a key that the
// provider publishes must not be good for making tokens.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Provider is a provider. It may be used by many at once.
type Provider struct {
	o         Options
	client    *http.Client
	log       *slog.Logger
	known     atomic.Pointer[known] // nil until it was reached
	reading   chan struct{}         // held while it is read
	tried     time.Time             // when a reading last ended; of who holds reading
	first     chan struct{}         // closed when it was tried to read it once
	exchanges chan struct{}         // a place for each sign-in that waits for it

	tokens, lenient, idTokens *oidc.IDTokenVerifier

	running context.Context // of what goes on by itself
	end     context.CancelFunc
	done    chan struct{}
}

// known is what the provider says of itself.
type known struct {
	provider *oidc.Provider
	keys     []jose.JSONWebKey
	// secretIn is how it takes the client's secret.
	secretIn oauth2.AuthStyle
	at       time.Time // when it said so
}

// New makes a Provider and begins to read from it what is needed, again and
// again until Close. That it cannot be reached is no error.
func New(o Options) *Provider {
	if o.Audience == "" {
		o.Audience = o.ClientID
	}
	if o.UserClaim == "" {
		o.UserClaim = "preferred_username"
	}
	if o.RolesClaim == "" {
		o.RolesClaim = "roles"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Secret == nil {
		o.Secret = func() (string, error) { return "", nil }
	}
	p := &Provider{
		o: o, client: newClient(), log: o.Logger, reading: make(chan struct{}, 1), exchanges: make(chan struct{}, maxExchanges),
		first: make(chan struct{}), done: make(chan struct{}),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	verifier := func(c oidc.Config) *oidc.IDTokenVerifier {
		c.SupportedSigningAlgs, c.Now = algorithms, o.Now
		return oidc.NewVerifier(o.Issuer, keySet{p}, &c)
	}
	p.tokens = verifier(oidc.Config{ClientID: o.Audience})
	p.lenient = verifier(oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true})
	p.idTokens = verifier(oidc.Config{ClientID: o.ClientID})
	p.running, p.end = context.WithCancel(context.Background())
	go p.run(p.running)
	return p
}

// Close ends what goes on by itself.
func (p *Provider) Close() {
	p.end()
	<-p.done
	p.reading <- struct{}{} // nobody reads it any more
	<-p.reading
	p.client.CloseIdleConnections()
}

// Wait waits until the provider was tried once, whatever came of it.
func (p *Provider) Wait(ctx context.Context) {
	select {
	case <-p.first:
	case <-ctx.Done():
	}
}

// Read returns when the provider was last read; the zero time: never.
func (p *Provider) Read() time.Time {
	if k := p.known.Load(); k != nil {
		return k.at
	}
	return time.Time{}
}

// run reads the provider every now and then.
func (p *Provider) run(ctx context.Context) {
	defer close(p.done)
	pause, well := retryFirst, true
	for n := 0; ; n++ {
		wait := readEvery
		err := p.read(ctx)
		if n == 0 {
			close(p.first)
		}
		if ctx.Err() != nil {
			return
		} else if err != nil {
			if well {
				p.log.Warn("the OIDC provider cannot be read; it is tried again", "issuer", p.o.Issuer, "error", brief(err))
			}
			well, wait = false, pause
			pause = min(2*pause, retryMost)
		} else {
			if !well {
				p.log.Info("the OIDC provider is read again", "issuer", p.o.Issuer)
			}
			well, pause = true, retryFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// read reads the provider's description and keys.
func (p *Provider) read(ctx context.Context) error {
	select {
	case p.reading <- struct{}{}:
		defer func() { <-p.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return p.readNow(ctx)
}

// readNow is read of who holds reading.
func (p *Provider) readNow(ctx context.Context) error {
	defer func() { p.tried = p.o.Now() }()
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), patience)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, p.o.Issuer)
	if err != nil {
		return err
	}
	var at struct {
		JWKS    string   `json:"jwks_uri"`
		Secrets []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&at); err != nil {
		return err
	}
	secretIn := oauth2.AuthStyleInHeader
	if len(at.Secrets) > 0 && !slices.Contains(at.Secrets, "client_secret_basic") {
		secretIn = oauth2.AuthStyleInParams
	}
	for what, address := range map[string]string{
		"jwks_uri": at.JWKS, "authorization_endpoint": provider.Endpoint().AuthURL,
		"token_endpoint": provider.Endpoint().TokenURL, "userinfo_endpoint": provider.UserInfoEndpoint(),
	} {
		if address == "" && what != "jwks_uri" {
			continue // not needed to check tokens
		}
		if err := CheckAddress(address); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	keys, err := p.readKeys(ctx, at.JWKS)
	if err != nil {
		return err
	}
	p.known.Store(&known{provider, keys, secretIn, p.o.Now()})
	return nil
}

// brief is what the log gets of an error: the provider's answer may stand in
// it, as long as that is.
func brief(err error) string {
	s := err.Error()
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return s
}

// CheckAddress checks the address of a provider, or of a part of it: https,
// but for what is on this machine.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must be an address such as https://id.example/realms/operator")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("must be https://…: over http anybody on the way could say who somebody is")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// newClient makes a client whose answers are bounded, and that goes nowhere
// but to the address it is given: a redirect would take secrets along.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return &http.Client{
		Timeout: patience, Transport: boundedAnswers{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// boundedAnswers cuts answers that are too long.
type boundedAnswers struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// oauth is the client as the provider knows it.
func (p *Provider) oauth(k *known, redirect string) (*oauth2.Config, error) {
	secret, err := p.o.Secret()
	if err != nil {
		return nil, fmt.Errorf("openid: the client's secret: %w", err)
	}
	endpoint := k.provider.Endpoint()
	endpoint.AuthStyle = k.secretIn
	if secret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := []string{oidc.ScopeOpenID}
	for _, s := range p.o.Scopes {
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return &oauth2.Config{ClientID: p.o.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirect, Scopes: scopes}, nil
}

// Issuer returns the provider's address.
func (p *Provider) Issuer() string { return p.o.Issuer }

// Redirect returns the address of our own at which a sign-in ends; "": it was
// not set.
func (p *Provider) Redirect() string { return p.o.Redirect }
