// Package test holds the tests that use casm as a user does: the binary,
// started on a folder, over HTTP and NATS.
package test

import (
	"os"
	"testing"

	"casm/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}
