package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret bounds what holds a secret, in bytes.
const maxSecret = 16 << 10

// SecretFile is Secret of a file.
func SecretFile(flag, path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return Secret(flag, f)
}

// Secret reads the secret that is the first line of what flag names, such as
// --password-file. Errors begin with that, and hold nothing of the secret.
func Secret(flag string, r io.Reader) (string, error) {
	text, err := secretText(r)
	line, _, _ := strings.Cut(text, "\n")
	if line = strings.TrimSuffix(line, "\r"); err == nil && line == "" {
		err = errors.New("its first line is empty; the secret must stand there")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return line, nil
}

// secretText reads all of what holds secrets.
func secretText(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err == nil && len(b) > maxSecret {
		err = fmt.Errorf("it has more than %d bytes", maxSecret)
	}
	return string(b), err
}
