package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// tested are the parts of the README that are marked to be run.
var tested = regexp.MustCompile("(?s)<!-- tested -->\n```bash\n(.*?)```")

// feedLine is what the feed answers.
var feedLine = regexp.MustCompile(`(?m)^\{"items":\[\{"position".*$`)

// The addresses that the README writes.
const (
	readmeURL  = "http://127.0.0.1:8080"
	readmeNATS = "nats://127.0.0.1:4222"
)

// TestReadme pastes the README's examples into a shell, from the first to the
// last, twice: a repeat is harmless.
func TestReadme(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the README's examples need %s: %v", program, err)
		}
	}
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	parts := tested.FindAllSubmatch(text, -1)
	for _, part := range parts {
		script.Write(part[1])
	}
	if len(parts) < 6 || !strings.Contains(script.String(), readmeURL) || !strings.Contains(script.String(), readmeNATS) {
		t.Fatalf("%d parts of the README are marked; something is missing:\n%s", len(parts), &script)
	}
	app := testkit.NewApp(t)
	commands := strings.NewReplacer(readmeURL, app.URL, readmeNATS, app.NATS).Replace(script.String())
	var feeds string
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
		cmd.Dir = root
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, &problems, &out)
		}
		for _, want := range []string{
			`"operation":"createSubscriptionOnCustomer"`, `"externalId":"subscription_external_id"`,
			`"resource":"436641234567"`, `"operation":"cancelCustomerState"`, `"position":"1-0"`,
			"casm.customer.created  {", "casm.subscriberResource.created  {",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the output has no %s:\n%s", want, &out)
			}
		}
		if feed := feedLine.FindString(out.String()); feeds == "" {
			feeds = feed
		} else if feed != feeds {
			t.Errorf("pasted again, the README's examples did something again:\n%s\n%s", feeds, feed)
		}
	}
}

// TestReadyQuickly: on an empty folder, and again on what a killed process
// left, a server is ready in under a second (it takes 0.1 s; other tests run
// beside this one), and at rest it needs less than 100 MB.
func TestReadyQuickly(t *testing.T) {
	testkit.Binary(t)
	// The quickest of several starts counts: what else runs on the machine only
	// makes them slower.
	fresh, again := time.Hour, time.Hour
	var app *testkit.App
	for n := 0; n < 5 && max(fresh, again) > time.Second; n++ {
		begun := time.Now()
		app = testkit.NewApp(t)
		fresh = min(fresh, time.Since(begun))
		app.Kill()
		begun = time.Now()
		app.Start()
		again = min(again, time.Since(begun))
	}
	if max(fresh, again) > time.Second {
		t.Errorf("ready after %v, after a kill %v", fresh, again)
	}
	t.Logf("ready after %v, after a kill %v", fresh, again)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", app.PID()))
	if err != nil {
		t.Skipf("memory can be told on Linux only: %v", err)
	}
	var kilobytes int
	if _, rest, ok := strings.Cut(string(status), "VmRSS:"); ok {
		if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d MB at rest", kilobytes/1024)
	if kilobytes == 0 || kilobytes > 100*1024 {
		t.Errorf("%d kB of memory at rest", kilobytes)
	}
}
