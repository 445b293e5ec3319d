package main

import (
	"context"
	"log/slog"

	"casm/app"
)

type serve struct {
	app.Settings `embed:""`
}

// Help is what casm serve --help adds.
func (serve) Help() string {
	return `Examples:

  casm serve --dev --demo
    for trying out: on this machine only, nobody signs in, with a small operator's configuration

  casm key create --name crm --role "CRM Integration"
  casm serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --data /var/lib/casm
    with keys, over https; with --tls-client-ca ca.pem only for clients that have a certificate of that CA

  casm serve --oidc-issuer https://id.example/realms/operator --oidc-client-id casm --oidc-client-secret-file /etc/casm/oidc-secret
    people sign in at an OpenID Connect provider, and systems show its access tokens; roles there are called as roles here

  casm serve --config /etc/casm.yaml
    every setting is a flag (--nats-listen off), a variable (CASM_NATS_LISTEN=off) and a key of the file (nats-listen: off); a flag goes before a variable, a variable before the file

SIGTERM and Ctrl-C stop it in order, within 15 s; a second one ends it at once. After a crash start it again: nothing that was answered is lost.`
}

// Validate is called when the command line was read.
func (s *serve) Validate() error { return s.Check() }

// Run runs the server until it is stopped.
func (s *serve) Run(ctx context.Context, to streams) error {
	log, err := app.NewLogger(&s.Settings, to.err)
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	return app.Run(ctx, s.Settings, log, to.out)
}
