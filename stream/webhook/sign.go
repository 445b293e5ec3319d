package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"casm/stream"
)

// Headers of Standard Webhooks.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// secretPrefix begins each secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

// The bounds of a secret: its bytes, and how many there may be at once.
const (
	minSecret  = 24
	maxSecret  = 64
	maxSecrets = 4
)

// Sign returns the value of HeaderSignature: an HMAC-SHA256 over id, time and
// body. secret is whsec_ and base64 of 24 to 64 bytes; several, separated by
// white space, sign each, so that receivers can change from one to the other.
// Its error is a stream.ErrSetup and holds nothing of the secret.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	secrets := strings.Fields(secret)
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return "", fmt.Errorf("%w: there are %d secrets; one is needed, up to %d are possible", stream.ErrSetup, len(secrets), maxSecrets)
	}
	var out []string
	for n, s := range secrets {
		encoded, ok := strings.CutPrefix(s, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
			return "", fmt.Errorf("%w: secret %d is not %s and base64 of %d to %d bytes; make one with: echo %s$(openssl rand -base64 32)",
				stream.ErrSetup, n+1, secretPrefix, minSecret, maxSecret, secretPrefix)
		}
		h := hmac.New(sha256.New, key)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(out, " "), nil
}
