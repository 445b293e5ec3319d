package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretFile: each setting that names the file of a secret takes its first line,
// and what is wrong is told with the setting's name and nothing of the secret.
func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	readers := map[string]func() (string, error){
		"--stream-password-file": (streamAt{url: "kafka://u@a", passwordFile: path}).kafkaOptions("x").Password,
		"--oidc-client-secret-file": func() (string, error) {
			return (&OIDC{OIDCClientSecretFile: path}).secret()
		},
		"--api-key-file": func() (string, error) {
			_, err := (&FeedSettings{Feed: "http://127.0.0.1:1", APIKeyFile: path}).open()
			return "", err // the key goes no way back
		},
		"--password-file": func() (string, error) { return SecretFile("--password-file", path) },
	}
	for _, c := range []struct{ text, want, wrong string }{
		{text: "hidden", want: "hidden"},
		{text: "hidden\n", want: "hidden"},
		{text: "hidden and more \r\nwhat follows\n", want: "hidden and more "},
		{text: strings.Repeat("h", maxSecret), want: strings.Repeat("h", maxSecret)},
		{text: strings.Repeat("h", maxSecret+1), wrong: "more than 16384 bytes"},
		{text: "hidden\n" + strings.Repeat("h", maxSecret), wrong: "more than 16384 bytes"},
		{text: "", wrong: "first line is empty"},
		{text: "\r\nhidden", wrong: "first line is empty"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for flag, read := range readers {
			got, err := read()
			if c.wrong == "" && (err != nil || got != c.want && flag != "--api-key-file") {
				t.Errorf("%s of %.20q: %.20q, %v", flag, c.text, got, err)
			}
			if c.wrong != "" && (err == nil || got != "" || !strings.HasPrefix(err.Error(), flag+": ") || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "hidden")) {
				t.Errorf("%s of %.20q: %.20q, %v", flag, c.text, got, err)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for flag, read := range readers {
		if got, err := read(); err == nil || got != "" || !strings.HasPrefix(err.Error(), flag+": ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of no file: %q, %v", flag, got, err)
		}
	}
}
