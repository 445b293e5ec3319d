package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"casm/internal/testkit"
)

var bashBlocks = regexp.MustCompile("(?s)```bash\n(.*?)```")

// TestTour pastes all blocks of docs/tour.md into a shell, twice: each does
// what the page says, and a repeat is harmless.
func TestTour(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the tour needs %s: %v", program, err)
		}
	}
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "tour.md"))
	if err != nil {
		t.Fatal(err)
	}
	app := testkit.NewApp(t)
	var script strings.Builder
	for _, block := range bashBlocks.FindAllSubmatch(text, -1) {
		script.Write(block[1])
	}
	if !strings.Contains(script.String(), readmeURL) {
		t.Fatalf("the tour does not name %s", readmeURL)
	}
	commands := strings.ReplaceAll(script.String(), readmeURL, app.URL)
	var first []string
	for n := range 2 {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, &problems, &out)
		}
		for _, want := range []string{
			`[200,"createSubscriber","anna",2]`,
			`["unknown_member","/operations/0/body/custmerProfile"`, `["wrong_type","/operations/1/body/primaryResource"`,
			`"customName": "Family Gruber"`, `["voice",120000,"SECOND"]`,
			`{"dryRun":true,"impactedTotal":7,"types":{"Account":1,"Customer":1,"OfferSubscription":3,"Subscriber":2}}`,
			`{"offer":"individual_monetary_balance","balance":{"service":"balance","currency":"EUR","grantedBalance":20000000,"actualBalance":20000000}}`,
			`[25000000,"2199-01-01T00:00:00.000000Z"]`, `[4000000,3]`, `["thresholdReached",1,4000000]`, `["insufficient_balance","/amount","4000000 are left`,
			`{"operation":"updateCustomerState","impactedTotal":7}`,
			`["232010000000009",`, `{"billCycle":"monthly","plannedBillCycle":"quarterly"}`, `["family-account"]`,
			`[2,"updateCustomerState","invoice 2026-031 overdue"`, `["SUSPENDED","debt",`, `"subscriberResource","ended","swapSubscriberResource"]`,
		} {
			if n == 0 && !strings.Contains(out.String(), want) {
				t.Errorf("the output has no %s:\n%s", want, &out)
			}
		}
		if !strings.Contains(out.String(), "\n\"anna\"\n") {
			t.Errorf("who had the old SIM is not told:\n%s", &out)
		}
		lines := strings.Split(out.String(), "\n")
		messages := lines[max(0, len(lines)-29):]
		if n == 0 {
			first = messages
		} else if strings.Join(first, "\n") != strings.Join(messages, "\n") {
			t.Errorf("pasted again, the tour did something again:\n%s", &out)
		}
	}
}
