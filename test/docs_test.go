package test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestDocsInBrowser opens the reference in a browser: its script runs under
// the page's own content security policy, and the operation that the address
// names is opened, ready to be tried out.
func TestDocsInBrowser(t *testing.T) {
	browser := testkit.Chromium(t)
	app := testkit.NewApp(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--dump-dom", app.URL+"/docs#createCustomer")
	page, err := cmd.Output()
	if err != nil {
		t.Fatalf("the browser does not run: %v", err)
	}
	for _, want := range []string{`<body class="live">`, `<details id="createCustomer" class="operation" open="">`, `<form class="try" data-method="POST" data-path="/v1/casm/customers/create"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %s", want)
		}
	}
}
