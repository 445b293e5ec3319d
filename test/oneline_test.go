package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"casm/internal/testkit"
)

// TestOneLine proves that an attribute of the customer is one line: in a copy
// of the project it adds one, and looks whether API, schema, store, journal and
// message have it.
func TestOneLine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a copy of the project")
	}
	dir := t.TempDir()
	testkit.CopyProject(t, dir)
	const declaration = "type Customer struct {\n\tCommon\n"
	const line = "\tLoyaltyNumber string `json:\"loyaltyNumber,omitzero\" in:\"create,update\" is:\"nullable,max=10\" doc:\"The number of the loyalty card.\"`\n"
	path := filepath.Join(dir, "entities.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), declaration); n != 1 {
		t.Fatalf("the customer's declaration stands %d times in entities.go", n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), declaration, declaration+line, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join("testdata", "oneline", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "oneline"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "oneline", "main.go"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./oneline", t.TempDir())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatal(err)
	}
	shown := map[string]string{}
	for l := range strings.Lines(string(out)) {
		what, text, _ := strings.Cut(l, " ")
		shown[what] += text
	}
	const first, second = `"loyaltyNumber":"L-1"`, `"loyaltyNumber":"L-2"`
	for what, parts := range map[string][]string{
		"create":  {first, `"version":1`},
		"refuse":  {`"code":"too_long"`, `"pointer":"/loyaltyNumber"`},
		"update":  {second, `"version":2`},
		"read":    {second},
		"openapi": {`"loyaltyNumber"`, "The number of the loyalty card.", `"maxLength": 10`},
		"schema":  {`"loyaltyNumber"`, "The number of the loyalty card."},
		"store":   {second, `"version":2`},
		"journal": {first, second},
		"message": {first, second},
	} {
		for _, part := range parts {
			if !strings.Contains(shown[what], part) {
				t.Errorf("%s has no %s: %.2000s", what, part, shown[what])
			}
		}
	}
}
