package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"casm/auth"
	"casm/auth/openid"

	"github.com/prometheus/client_golang/prometheus"
)

// OIDC are the settings of an OpenID Connect provider.
type OIDC struct {
	OIDCIssuer           string `name:"oidc-issuer" env:"CASM_OIDC_ISSUER" placeholder:"URL" help:"OpenID Connect provider at which people sign in and whose access tokens systems may show instead of an API key, exactly as it calls itself: https://id.example/realms/operator. None: users and API keys alone."`
	OIDCClientID         string `name:"oidc-client-id" env:"CASM_OIDC_CLIENT_ID" placeholder:"ID" help:"What the provider knows casm by. Needed with --oidc-issuer."`
	OIDCClientSecret     string `name:"oidc-client-secret" env:"CASM_OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"Secret of --oidc-client-id. Give it in the environment or in the settings file rather than on the command line, or use --oidc-client-secret-file. None: the client is a public one."`
	OIDCClientSecretFile string `name:"oidc-client-secret-file" env:"CASM_OIDC_CLIENT_SECRET_FILE" placeholder:"FILE" help:"File with the secret of --oidc-client-id; read at each sign-in."`
	OIDCRedirectURL      string `name:"oidc-redirect-url" env:"CASM_OIDC_REDIRECT_URL" placeholder:"URL" help:"Where the provider sends people back: the address by which browsers reach this server, with /v1/session/oidc/callback behind it. Needed behind a proxy that ends TLS. None: as the browser calls this server."`
	OIDCScopes           string `name:"oidc-scopes" env:"CASM_OIDC_SCOPES" default:"profile" placeholder:"SCOPES" help:"What is asked for beside openid when people sign in, with spaces between (default: ${default})."`
	OIDCAudience         string `name:"oidc-audience" env:"CASM_OIDC_AUDIENCE" placeholder:"AUDIENCE" help:"What access tokens must have in aud. None: as --oidc-client-id."`
	OIDCRolesClaim       string `name:"oidc-roles-claim" env:"CASM_OIDC_ROLES_CLAIM" default:"roles" placeholder:"CLAIM" help:"Claim whose values are codes or names of roles; others give nothing. A dot leads into an object, as in realm_access.roles (default: ${default})."`
	OIDCUserClaim        string `name:"oidc-user-claim" env:"CASM_OIDC_USER_CLAIM" default:"preferred_username" placeholder:"CLAIM" help:"Claim that says who somebody is; sub stands in for it. It should be one that people cannot change themselves (default: ${default})."`
}

// check finds what is wrong with the settings. What it says holds no secret.
func (o *OIDC) check(dev bool) error {
	if o.OIDCIssuer == "" {
		if o.OIDCClientID+o.OIDCClientSecret+o.OIDCClientSecretFile+o.OIDCRedirectURL+o.OIDCAudience != "" {
			return errors.New("settings of OIDC need --oidc-issuer, the provider's address")
		}
		return nil
	}
	var all []error
	if err := openid.CheckAddress(o.OIDCIssuer); err != nil {
		all = append(all, fmt.Errorf("--oidc-issuer: %w", err))
	}
	if dev {
		all = append(all, errors.New("--oidc-issuer: with --dev nobody signs in; leave one of them out"))
	}
	if o.OIDCClientID == "" {
		all = append(all, errors.New("--oidc-client-id is needed with --oidc-issuer"))
	}
	if o.OIDCClientSecret != "" && o.OIDCClientSecretFile != "" {
		all = append(all, errors.New("--oidc-client-secret and --oidc-client-secret-file: give one of them"))
	}
	if o.OIDCRedirectURL != "" {
		u, err := url.Parse(o.OIDCRedirectURL)
		if err != nil || openid.CheckAddress(o.OIDCRedirectURL) != nil || !strings.HasSuffix(u.Path, auth.OIDCCallbackPath) || u.RawQuery != "" {
			all = append(all, fmt.Errorf("--oidc-redirect-url: must be an address such as https://casm.example%s", auth.OIDCCallbackPath))
		}
	}
	return errors.Join(all...)
}

// secret returns the client's secret.
func (o *OIDC) secret() (string, error) {
	if o.OIDCClientSecretFile == "" {
		return o.OIDCClientSecret, nil
	}
	return SecretFile("--oidc-client-secret-file", o.OIDCClientSecretFile)
}

// oidcPatience is how long a start waits for the provider, so that a token is
// taken as soon as the server is ready. Without it the start goes on.
const oidcPatience = 3 * time.Second

// startOIDC begins to read the provider; nil: none is set.
func (a *App) startOIDC(ctx context.Context, registry prometheus.Registerer) (*openid.Provider, error) {
	o := &a.settings.OIDC
	if o.OIDCIssuer == "" {
		return nil, nil
	}
	if _, err := o.secret(); err != nil {
		return nil, err
	}
	p := openid.New(openid.Options{
		Issuer: o.OIDCIssuer, Redirect: o.OIDCRedirectURL, ClientID: o.OIDCClientID, Secret: o.secret, Audience: o.OIDCAudience,
		Scopes: strings.Fields(o.OIDCScopes), UserClaim: o.OIDCUserClaim, RolesClaim: o.OIDCRolesClaim, Logger: a.log,
	})
	a.later(func(context.Context) error { p.Close(); return nil })
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "casm_oidc_read_timestamp_seconds", Help: "When the OIDC provider was last read; 0: never.",
	}, func() float64 {
		at := p.Read()
		if at.IsZero() {
			return 0
		}
		return float64(at.Unix())
	}))
	ctx, cancel := context.WithTimeout(ctx, oidcPatience)
	defer cancel()
	p.Wait(ctx)
	return p, nil
}
