package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"casm"
	"casm/relay/endpoints"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/natsjs"
	"casm/stream/webhook"

	"github.com/prometheus/client_golang/prometheus"
)

// networks reads the setting --outbound-networks.
func (s *Settings) networks() (list stream.Networks, err error) {
	for text := range strings.SplitSeq(s.OutboundNetworks, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--outbound-networks: %q is no network such as 10.0.0.0/8 or 192.0.2.7/32", text)
		}
		list = append(list, network.Masked())
	}
	return list, nil
}

// startEndpoints runs what is configured as pub-sub endpoints.
func (a *App) startEndpoints(metrics prometheus.Registerer) error {
	networks, err := a.settings.networks()
	if err != nil {
		return err
	}
	if dir := a.settings.SecretsDir; dir != "" { // or each endpoint would say so, by and by
		if f, err := os.Stat(dir); err != nil || !f.IsDir() {
			return fmt.Errorf("--secrets-dir %s: there is no such folder", dir)
		}
	}
	a.endpoints = endpoints.New(endpoints.Options{
		Log: a.core.store, Config: a.core.engine.Config, Holder: a.holder, Wake: a.core.engine.Committed, Logger: a.log, Metrics: metrics,
		Open: func(ctx context.Context, p *casm.PubSubEndpoint) (endpoints.Sender, error) {
			return openEndpoint(ctx, p, networks, &a.settings, a.log)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.endpoints.Run(ctx)
	}()
	a.later(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	return nil
}

// openEndpoint makes the sender of an endpoint.
func openEndpoint(ctx context.Context, p *casm.PubSubEndpoint, networks stream.Networks, s *Settings, log *slog.Logger) (endpoints.Sender, error) {
	secret := func() (string, error) { return secretOf(p, s.SecretsDir) }
	now, err := secret()
	if err != nil {
		return nil, err
	}
	code := casm.Kinds[0].MessageCode()
	if len(p.Messages) > 0 {
		code = p.Messages[0]
	}
	switch p.Type {
	case casm.EndpointWebhook:
		if now == "" {
			return nil, fmt.Errorf("%w: a webhook is signed; name with secretEnv or secretFile where its secret is", stream.ErrSetup)
		}
		if _, err := webhook.Sign(now, "", time.Time{}, nil); err != nil {
			return nil, err
		}
		return webhook.New(webhook.Options{URL: p.URL, Secret: secret, Networks: networks}), nil
	case casm.EndpointNATS:
		return natsjs.OpenCopy(ctx, natsjs.CopyOptions{
			URL: p.URL, Prefix: p.DefaultTopic(), Code: code, Secret: now, Networks: networks, Logger: log.With("endpoint", p.Code),
		})
	case casm.EndpointKafka:
		return kafka.OpenCopy(kafka.CopyOptions{
			Addresses: p.Addresses(), Topic: p.DefaultTopic(), Builtin: kafka.Topic(s.Stream), Secret: secret, Networks: networks,
		})
	}
	return nil, fmt.Errorf("%w: this release sends to no %s", stream.ErrSetup, p.Type)
}

// secretOf reads the secret of an endpoint, "" when it has none. Who configures
// endpoints names it but never sees it: variables are those that begin as the
// configuration says, files those of one folder.
func secretOf(p *casm.PubSubEndpoint, dir string) (string, error) {
	switch {
	case p.SecretEnv != "":
		secret := os.Getenv(p.SecretEnv)
		if secret == "" {
			return "", fmt.Errorf("%w: the server has no variable %s", stream.ErrSetup, p.SecretEnv)
		}
		return secret, nil
	case p.SecretFile == "":
		return "", nil
	case dir == "":
		return "", fmt.Errorf("%w: the server has no folder of secrets; start it with --secrets-dir", stream.ErrSetup)
	}
	secret, err := readSecret(dir, p.SecretFile)
	if err != nil {
		return "", fmt.Errorf("%w: the file %s in the folder of secrets cannot be read: %w", stream.ErrSetup, p.SecretFile, err)
	}
	return secret, nil
}

// readSecret reads a file of a folder; links do not lead out of it.
func readSecret(dir, name string) (_ string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := secretText(f)
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", err
	}
	return text, nil
}
