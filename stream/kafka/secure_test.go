package kafka_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/stream"
	"casm/stream/kafka"
	"casm/stream/streamtest"
)

// TestSecure: over TLS, with a name and a password of each kind, and with the
// rights that docs/operations.md names and no others, all works.
func TestSecure(t *testing.T) {
	k := testkit.SharedKafka(t)
	secret := filepath.Join(t.TempDir(), "password")
	options := kafka.Options{Logger: quiet(t), Timeout: 5 * time.Second, Password: func() (string, error) {
		b, err := os.ReadFile(secret)
		return string(b), err
	}}
	password := func(s string) {
		if err := os.WriteFile(secret, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	password(testkit.KafkaPassword)
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			topic := k.Topic()
			k.AllowRelay(t, "casm", topic)
			k.AllowSubscriber(t, "reader", topic)
			url := func(user string) string {
				return fmt.Sprintf("kafka+tls://%s@%s?sasl=%s&ca=%s&topic=%s", user, k.SecureAddress(), mechanism, k.CA, topic)
			}
			g, err := kafka.Open(t.Context(), url("casm"), options)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			tail := mustPublish(t, g, mustTail(t, g), streamtest.Messages(1, 9))
			adopted := stream.Tail{Epoch: 9, Position: casm.Position{Transaction: 3}, Sequence: tail.Sequence}
			if err := g.Adopt(t.Context(), adopted); err != nil {
				t.Fatal(err)
			}
			if now := mustTail(t, g); now != adopted {
				t.Errorf("the tail is %+v, want %+v", now, adopted)
			}
			if at, err := g.At(t.Context(), 5); err != nil || at.Sequence != 5 {
				t.Errorf("%+v %v", at, err)
			}
			mustPublish(t, g, adopted, streamtest.Messages(10, 3))

			s, err := kafka.Subscribe(url("reader"), options)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Tail(t.Context()); err != nil {
				t.Errorf("a subscriber's tail: %v", err)
			}
			wantDelivered(t, s, 0, 12)

			// A subscriber cannot publish.
			other, err := kafka.Open(t.Context(), url("reader"), options)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			end, err := other.Tail(t.Context())
			if err == nil {
				_, err = other.Publish(t.Context(), end, streamtest.Messages(13, 1))
			}
			if err == nil || !strings.Contains(err.Error(), "AUTHORIZATION_FAILED") {
				t.Errorf("a subscriber publishes: %v", err)
			}
		})
	}
	t.Run("a wrong password", func(t *testing.T) {
		password("wrong")
		defer password(testkit.KafkaPassword)
		g, err := kafka.Open(t.Context(), fmt.Sprintf("kafka+tls://casm@%s?sasl=plain&ca=%s", k.SecureAddress(), k.CA), options)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := g.Tail(ctx); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a CA that is not known", func(t *testing.T) {
		g, err := kafka.Open(t.Context(), fmt.Sprintf("kafka+tls://casm@%s", k.SecureAddress()), options)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if _, err := g.Tail(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no password", func(t *testing.T) {
		if _, err := kafka.Open(t.Context(), "kafka://casm@127.0.0.1:1", kafka.Options{}); err == nil || !strings.Contains(err.Error(), "--stream-password-file") {
			t.Errorf("%v", err)
		}
	})
}
