package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/natsjs"
)

// streamAt is a stream at brokers of the operator's.
type streamAt struct {
	url          string
	passwordFile string
	log          *slog.Logger
}

// checkStream checks the settings --stream and --stream-password-file.
func checkStream(s, passwordFile string) error {
	switch {
	case kafka.IsAddress(s):
		if err := kafka.Check(s); err != nil {
			return fmt.Errorf("--stream: %w", err)
		}
		return nil
	case passwordFile != "":
		return errors.New("--stream-password-file: is for a --stream of Kafka, such as kafka+tls://casm@kafka.example:9093")
	}
	if u, err := url.Parse(s); s != "" && (err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls") {
		return errors.New("--stream: must be an address such as nats://127.0.0.1:4222 or " + kafka.Example) // not told: it may hold a password
	}
	return nil
}

// kafkaOptions are the settings of a connection to Kafka.
func (s streamAt) kafkaOptions(name string) kafka.Options {
	o := kafka.Options{Name: name, Logger: s.log}
	if s.passwordFile != "" {
		o.Password = func() (string, error) { return SecretFile("--stream-password-file", s.passwordFile) }
	}
	return o
}

// target connects to publish.
func (s streamAt) target(ctx context.Context) (stream.Target, error) {
	if kafka.IsAddress(s.url) {
		return kafka.Open(ctx, s.url, s.kafkaOptions("casm relay"))
	}
	return natsjs.Connect(ctx, s.url, natsjs.TargetOptions{Logger: s.log})
}

// subscribe opens a subscriber's place in the stream.
func (s streamAt) subscribe(_ context.Context, name string) (stream.Subscription, error) {
	if kafka.IsAddress(s.url) {
		return kafka.Subscribe(s.url, s.kafkaOptions(name))
	}
	nc, err := natsjs.ConnectReader(s.url, name)
	if err != nil {
		return nil, err
	}
	return natsjs.Subscribe(nc, name)
}
