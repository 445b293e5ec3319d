package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// readKeys reads the provider's keys for signatures. Such as are of a sort that
// is not known here are passed over.
func (p *Provider) readKeys(ctx context.Context, address string) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its keys: %s", resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if len(keys) < maxKeys && key.UnmarshalJSON(raw) == nil && (key.Use == "" || key.Use == "sig") && isPublic(key.Key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("its keys: none is for signatures")
	}
	return keys, nil
}

// isPublic reports whether signatures can be checked with the key, and not made.
func isPublic(key any) bool {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// keySet is the oidc.KeySet of a Provider.
type keySet struct{ *Provider }

// VerifySignature implements oidc.KeySet.
func (s keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	var allowed []jose.SignatureAlgorithm
	for _, a := range algorithms {
		allowed = append(allowed, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Header // one, in this form
	k := s.known.Load()
	if k == nil {
		return nil, ErrUnavailable
	}
	payload, unknown := k.verify(jws, header)
	if payload == nil && unknown {
		if newer := s.readFor(ctx, k); newer != k {
			payload, _ = newer.verify(jws, header)
		}
	}
	if payload == nil {
		return nil, errSignature
	}
	return payload, nil
}

var errSignature = errors.New("no key of the provider made the signature")

// verify returns the payload if a key made the signature; unknown says that
// another key might have that was not read yet.
func (k *known) verify(jws *jose.JSONWebSignature, header jose.Header) (payload []byte, unknown bool) {
	unknown = true
	for _, key := range k.keys {
		if header.KeyID != "" && key.KeyID != "" {
			if key.KeyID != header.KeyID {
				continue
			}
			unknown = false
		}
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, false
		}
	}
	return nil, unknown
}

// readFor reads the provider for a token with another key than those had,
// unless that was done a moment ago, and returns what is known then.
func (p *Provider) readFor(ctx context.Context, had *known) *known {
	select {
	case p.reading <- struct{}{}:
	case <-ctx.Done():
		return had
	}
	// Somebody else may have read it meanwhile.
	if p.known.Load() != had || p.o.Now().Sub(p.tried) < readAgain {
		<-p.reading
		return p.known.Load()
	}
	// It goes on when who asks goes away: else strangers who always do would
	// keep the keys from being read.
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { <-p.reading }()
		if err := p.readNow(p.running); err != nil {
			p.log.Warn("the OIDC provider cannot be read for a token with an unknown key", "issuer", p.o.Issuer, "error", brief(err))
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return p.known.Load()
}
