package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiffFails: that something would change, and that it could not be found
// out, are told apart by the exit code.
func TestDiffFails(t *testing.T) {
	for _, args := range [][]string{{filepath.Join(t.TempDir(), "none.yaml")}, {"--server", "http://127.0.0.1:1", "configuration_test.go"}} {
		var out, said bytes.Buffer
		if code := run(t.Context(), append([]string{"config", "diff"}, args...), streams{&out, &said}); code != 2 || !strings.HasPrefix(said.String(), "casm: ") {
			t.Errorf("%v: %d, %s", args, code, &said)
		}
	}
}
