package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"casm"
)

// TestHashes: a hash is argon2id's in PHC form, as others read and write it.
func TestHashes(t *testing.T) {
	ctx := context.Background()
	// Of the reference implementation's tests.
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := verifyPassword(ctx, reference, "password"); !ok || err != nil {
		t.Errorf("the reference's hash: %t, %v", ok, err)
	}
	first, err := hashPassword(ctx, "Grüße an den Nächsten")
	if err != nil || !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatal(first, err)
	}
	if second, err := hashPassword(ctx, "Grüße an den Nächsten"); err != nil || second == first {
		t.Errorf("the salt is not its own: %s %v", second, err)
	}
	for password, want := range map[string]bool{
		"Grüße an den Nächsten": true, "Gru\u0308ße an den Na\u0308chsten": true, "Grüße an den nächsten": false, "": false,
	} {
		if ok, err := verifyPassword(ctx, first, password); ok != want || err != nil {
			t.Errorf("%q: %t, %v", password, ok, err)
		}
	}
	if ok, err := verifyPassword(ctx, noPassword(), ""); ok || err != nil {
		t.Errorf("no password: %t, %v", ok, err)
	}
	for _, bad := range []string{
		"", "x", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		strings.Replace(reference, "v=19", "v=16", 1), strings.Replace(reference, "m=65536", "m=4294967295", 1),
		strings.Replace(reference, "t=2", "t=0", 1), strings.Replace(reference, "p=1", "p=0", 1), strings.Replace(reference, "t=2", "t=1000000", 1),
		reference[:len(reference)-30], reference + "=", reference + "$x",
	} {
		if ok, err := verifyPassword(ctx, bad, "password"); ok || !errors.Is(err, errHash) {
			t.Errorf("%q: %t, %v", bad, ok, err)
		}
	}
}

// TestHashingIsBounded: beyond the queue a password is refused, and one that
// waits ends with its request.
func TestHashingIsBounded(t *testing.T) {
	for range hashesAtOnce {
		hashing <- struct{}{}
		queued <- struct{}{}
	}
	defer func() {
		for range hashesAtOnce {
			<-hashing
			<-queued
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error)
	for range hashesQueued {
		go func() {
			_, err := hashPassword(ctx, "x")
			waiting <- err
		}()
	}
	for len(queued) < cap(queued) {
		select {
		case err := <-waiting:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
	}
	_, err := hashPassword(ctx, "x")
	if v, ok := errors.AsType[casm.Violations](err); !ok || !v.Has(casm.Overloaded) {
		t.Errorf("one too many gets %v", err)
	}
	cancel()
	for range hashesQueued {
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("who waited gets %v", err)
		}
	}
}

func TestPasswordRules(t *testing.T) {
	for password, want := range map[string]casm.Code{
		"correct horse battery staple": "", "Xk9#mQ2$vL5@": "", "пароль на каждый день": "", "vier Wörter für zwölf": "",
		strings.Repeat("wort und ", 14): "", strings.Repeat("wort und ", 15): casm.TooLong,
		"elevenchars": casm.OutOfRange, "tab\tis in this one": casm.InvalidValue, "not UTF-8 \xff at all": casm.InvalidValue,
		"password1234": casm.InvalidValue, "Passw0rd!!!!!": casm.InvalidValue, "QWERTZUIOP123": casm.InvalidValue, "letmein123456": casm.InvalidValue,
		"admin-admin-1": casm.InvalidValue, "000000000000": casm.InvalidValue, "abcabcabcabc": casm.InvalidValue, "2026-11-28 12:00": casm.InvalidValue,
		"what ann.b would say": casm.InvalidValue, "ask Miss Example again": casm.InvalidValue,
	} {
		var v casm.Violations
		checkPassword(password, "ann.b@corp.org", "Ann-Marie Example", &v)
		switch {
		case want == "" && len(v) > 0, want != "" && (len(v) != 1 || v[0].Code != want || v[0].Pointer != "/password"):
			t.Errorf("%q: %v, want %s", password, v, want)
		case len(v) > 0 && strings.Contains(v[0].Detail, password):
			t.Errorf("%q is told", password)
		}
	}
}
