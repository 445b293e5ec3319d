package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"casm"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Passwords are hashed with argon2id, with the parameters that OWASP names
// first: 19 MiB, 2 passes, 1 lane. They stand in the hash, so that others can
// follow.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltLength  = 16
	hashLength  = 32
)

// The lengths of passwords, in characters.
const (
	MinPassword = 12
	MaxPassword = 128
)

// Hashing takes memory and a processor: two at once, and a short queue, are
// all there is for whoever asks.
const (
	hashesAtOnce = 2
	hashesQueued = 16
)

var (
	hashing = make(chan struct{}, hashesAtOnce)
	queued  = make(chan struct{}, hashesAtOnce+hashesQueued)
)

// argon hashes a password when it is its turn. Errors: casm.Violations with
// overloaded, or that of ctx.
func argon(ctx context.Context, password string, salt []byte, passes, memory uint32, lanes uint8, length uint32) ([]byte, error) {
	select {
	case queued <- struct{}{}:
		defer func() { <-queued }()
	default:
		return nil, casm.Violations{{Code: casm.Overloaded, Detail: "too many passwords wait to be checked; nothing was done, repeat it after Retry-After"}}
	}
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// One password can be typed as different characters on different keyboards.
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, lanes, length), nil
}

var phcEncoding = base64.RawStdEncoding.Strict()

// phc writes a hash in PHC string form.
func phc(salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		phcEncoding.EncodeToString(salt), phcEncoding.EncodeToString(hash))
}

// hashPassword returns what is stored of a password. Errors as of argon.
func hashPassword(ctx context.Context, password string) (string, error) {
	var salt [saltLength]byte
	rand.Read(salt[:]) // never fails
	hash, err := argon(ctx, password, salt[:], argonPasses, argonMemory, argonLanes, hashLength)
	if err != nil {
		return "", err
	}
	return phc(salt[:], hash), nil
}

// noPassword is a hash that no password gives, and that takes the same work.
func noPassword() string {
	var random [saltLength + hashLength]byte
	rand.Read(random[:])
	return phc(random[:saltLength], random[saltLength:])
}

// errHash is the error of a stored hash that cannot be read.
var errHash = errors.New("auth: a stored password's hash has another form than argon2id's")

// verifyPassword reports whether the hash is that of the password. Errors as
// of argon, and errHash.
func verifyPassword(ctx context.Context, stored, password string) (bool, error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errHash
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || memory > 1<<20 || passes == 0 || passes > 100 || lanes == 0 {
		return false, errHash
	}
	salt, err1 := phcEncoding.DecodeString(parts[4])
	want, err2 := phcEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) < 16 || len(want) > 64 {
		return false, errHash
	}
	hash, err := argon(ctx, password, salt, passes, memory, lanes, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(hash, want) == 1, nil
}

// checkPassword finds what is wrong with a new password of a user. What it
// says never holds the password.
func checkPassword(password, code, name string, v *casm.Violations) {
	const at = "/password"
	length := utf8.RuneCountInString(password)
	lower := strings.ToLower(norm.NFC.String(password))
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		v.Add(casm.InvalidValue, at, "the password holds a control character, such as a line break, or is not UTF-8")
	case length < MinPassword:
		v.Add(casm.OutOfRange, at, "the password has %d characters; it must have %d to %d: several words do well", length, MinPassword, MaxPassword)
	case length > MaxPassword:
		v.Add(casm.TooLong, at, "the password has more than %d characters; it must have %d to %d", MaxPassword, MinPassword, MaxPassword)
	case holdsName(lower, code, name):
		v.Add(casm.InvalidValue, at, "the password holds the user's own name; take something that others cannot guess")
	case trivial(lower):
		v.Add(casm.InvalidValue, at, "the password is among the first that are guessed; several words that do not belong together do well")
	}
}

// holdsName reports whether a password holds the name that a user signs in
// with, what of it stands before an @, or a word of their name.
func holdsName(lower, code, name string) bool {
	local, _, _ := strings.Cut(code, "@")
	words := append(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }), code, local)
	for _, word := range words {
		if word = strings.ToLower(norm.NFC.String(word)); utf8.RuneCountInString(word) > 2 && strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// Parts of which the passwords are made that everybody tries first, and the
// rows of a keyboard.
var (
	commonParts = []string{
		"password", "passwort", "passw0rd", "p@ssw0rd", "p@ssword", "pass", "qwertyuiop", "qwertzuiop", "qwerty", "qwertz", "azerty",
		"asdfghjkl", "asdfgh", "asdf", "zxcvbnm", "yxcvbnm", "1q2w3e4r", "letmein", "welcome", "administrator", "admin", "root", "user", "login",
		"changeme", "change", "secret", "iloveyou", "monkey", "dragon", "master", "default", "test", "guest", "hello", "casm", "abc", "xyz",
	}
	rows = []string{"qwertzuiop", "qwertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz"}
)

// trivial reports whether a password in lower case has fewer than five
// different characters, or next to nothing in it but common parts and runs.
func trivial(lower string) bool {
	different := map[rune]bool{}
	for _, r := range lower {
		different[r] = true
	}
	if len(different) < 5 {
		return true
	}
	left := lower
	for _, part := range commonParts {
		left = strings.ReplaceAll(left, part, " ")
	}
	return len(different) < 5 || countLeft(left) < 4
}

// countLeft counts the letters and other characters that go on no run, such as
// abc or 321, and are no digit, space or punctuation.
func countLeft(s string) (n int) {
	last := rune(0)
	for _, r := range s {
		if unicode.IsLetter(r) && !follows(last, r) {
			n++
		}
		last = r
	}
	return n
}

// follows reports whether a character goes on a run: the same again, or a
// neighbour on a row.
func follows(a, b rune) bool {
	if a == b {
		return true
	}
	for _, row := range rows {
		i, j := strings.IndexRune(row, a), strings.IndexRune(row, b)
		if i >= 0 && j >= 0 && (i-j == 1 || j-i == 1) {
			return true
		}
	}
	return false
}
