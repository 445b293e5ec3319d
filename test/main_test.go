// Package test holds the tests that use casm as a user does: the binary,
// started on a folder, over HTTP and NATS.
package test

import (
	"io"
	"net/http"
	"os"
	"testing"

	"casm/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}

// exchange sends a request and reads the answer, of which the body is closed.
func exchange(t *testing.T, client *http.Client, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}
