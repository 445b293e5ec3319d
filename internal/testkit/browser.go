package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Chromium returns the path of the machine's Chromium: what CASM_CHROMIUM
// names, what PATH has, or, after an attempt to install it, Debian's.
func Chromium(t testing.TB) string {
	t.Helper()
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var chromium = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CASM_CHROMIUM"); path != "" {
		return path, nil
	}
	find := func() string {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		return ""
	}
	if path := find(); path != "" {
		return path, nil
	}
	output, err := install("chromium")
	if path := find(); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("no Chromium on this machine; install it (Debian: apt-get install chromium) or name one in CASM_CHROMIUM; installing it with apt-get: %w\n%s", err, output)
})

// install installs a package of Debian, where that is allowed.
func install(name string) ([]byte, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("not as root")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return cmd.CombinedOutput()
	}
	output, err := run("install", "-y", "-qq", "--no-install-recommends", name)
	if err == nil {
		return output, nil
	}
	if output, err = run("update", "-qq"); err != nil { // a fresh machine has no lists yet
		return output, err
	}
	return run("install", "-y", "-qq", "--no-install-recommends", name)
}
