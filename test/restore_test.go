package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestRestored puts a store back to an earlier copy of itself, as after a
// disaster, on both stores: the relay publishes nothing and says so until a
// person has it adopted; then the stream goes on in a new epoch with what the
// store holds, and the data warehouse is what the store is.
func TestRestored(t *testing.T) {
	embedded := func(t *testing.T, app *testkit.App) {
		dir := t.TempDir()
		files := func() []string {
			all, err := filepath.Glob(filepath.Join(app.Data, "casm.db*"))
			if err != nil || len(all) == 0 {
				t.Fatalf("%v %v", all, err)
			}
			return all
		}
		restored(t, app,
			func() {
				for _, f := range files() {
					copyFile(t, f, filepath.Join(dir, filepath.Base(f)))
				}
			},
			func() {
				for _, f := range files() {
					if err := os.Remove(f); err != nil {
						t.Fatal(err)
					}
				}
				saved, err := filepath.Glob(filepath.Join(dir, "*"))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range saved {
					copyFile(t, f, filepath.Join(app.Data, filepath.Base(f)))
				}
			})
	}
	t.Run("embedded", func(t *testing.T) { embedded(t, testkit.NewApp(t)) })
	t.Run("Kafka", func(t *testing.T) {
		args, stream := onSecureKafka(t)
		app := testkit.NewApp(t, args...)
		app.Stream = stream
		embedded(t, app)
		if strings.Contains(app.Log(), testkit.KafkaPassword) {
			t.Error("the log holds the password")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		database := testkit.Database(t)
		app := testkit.NewApp(t, "--database", database)
		name := database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
		exec := func(statements ...string) {
			if err := testkit.SharedPostgres(t).Exec(t.Context(), "postgres", statements...); err != nil {
				t.Fatal(err)
			}
		}
		restored(t, app,
			func() { exec(fmt.Sprintf(`CREATE DATABASE "%s_saved" TEMPLATE %q`, name, name)) },
			func() {
				exec(fmt.Sprintf(`DROP DATABASE %q WITH (FORCE)`, name), fmt.Sprintf(`ALTER DATABASE "%s_saved" RENAME TO %q`, name, name))
			})
	})
}

func restored(t *testing.T, app *testkit.App, backup, restore func()) {
	create := func(from, to int) {
		for n := from; n < to; n++ {
			post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"r%d-%s","externalId":"c%d","customerProfile":"b2b"}`, n, t.Name(), n))
		}
	}
	create(0, 20)
	post(t, app, "/v1/casm/customers/custom-name/update", `{"requestId":"before","customer":{"externalId":"c0"},"customName":"before"}`)
	app.Stop()
	backup()
	app.Start()
	create(20, 30)
	post(t, app, "/v1/casm/customers/custom-name/update", `{"requestId":"lost","customer":{"externalId":"c0"},"customName":"lost"}`)
	common, all := 21, 32
	lost := feed(t, app)
	if len(lost) != all {
		t.Fatalf("%d messages in the feed, want %d", len(lost), all)
	}
	checkStream(t.Context(), t, app, lost)
	app.Stop()
	restore()
	app.Start()

	// What is written now waits.
	create(100, 105)
	post(t, app, "/v1/casm/customers/custom-name/update", `{"requestId":"after","customer":{"externalId":"c0"},"customName":"after"}`)
	eventually(t, 5*time.Second, "the relay is blocked", func() bool { return relayState(app) == "blocked" })
	if n := onStream(t, app); n != uint64(all) {
		t.Errorf("%d messages are on the stream, %d were", n, all)
	}
	status := runCasm(t, app, "relay", "status")
	for _, want := range []string{"blocked", "(this server)", "casm relay adopt"} {
		if !strings.Contains(status, want) {
			t.Errorf("casm relay status does not tell %q:\n%s", want, status)
		}
	}
	said := runCasm(t, app, "relay", "adopt")
	if want := fmt.Sprintf("epoch 2: the stream goes on behind position %s; %d messages", lost[common-1].Position, all-common); !strings.Contains(said, want) {
		t.Errorf("casm relay adopt said %q, want %q", said, want)
	}
	messages := feed(t, app)
	checkVersions(t, messages)
	eventually(t, 10*time.Second, "the stream goes on", func() bool {
		return relayState(app) == "running" && onStream(t, app) == uint64(all+len(messages)-common)
	})
	checkEpochs(t, app, all, lost, messages[common:])
	eventually(t, 20*time.Second, "the warehouse is what the store is", func() bool {
		_, _, body, err := app.Get(t.Context(), "/v1/dwh/reconciliation")
		var answer struct {
			Equal bool
			Epoch int
		}
		return err == nil && json.Unmarshal(body, &answer) == nil && answer.Equal && answer.Epoch == 2
	})
	// A second one is refused, and a paused relay stays so over a restart.
	if out, err := command(t, app, "relay", "adopt"); err == nil || !strings.Contains(out, "nothing to adopt") {
		t.Errorf("adopted again: %v %s", err, out)
	}
	runCasm(t, app, "relay", "pause")
	app.Stop()
	app.Start()
	create(105, 106)
	eventually(t, 5*time.Second, "the relay is paused after a restart", func() bool { return relayState(app) == "paused" })
	runCasm(t, app, "relay", "resume")
	eventually(t, 5*time.Second, "what waited is published", func() bool { return onStream(t, app) == uint64(all+len(messages)-common+1) })
}

// checkEpochs looks at the stream after it was adopted: what was on it before,
// and behind it, in the new epoch, what follows.
func checkEpochs(t *testing.T, app *testkit.App, all int, before, after []message) {
	t.Helper()
	want := append(before[:all:all], after...)
	for i, m := range streamed(t, app, len(want)) {
		epoch := "1"
		if i >= all {
			epoch = "2"
		}
		if m.headers["Casm-Epoch"] != epoch || m.headers["Casm-Position"] != want[i].Position || string(m.body) != string(want[i].Payload) {
			t.Fatalf("message %d is of epoch %s at %s, want epoch %s at %s: %s", i+1, m.headers["Casm-Epoch"], m.headers["Casm-Position"], epoch, want[i].Position, m.body)
		}
	}
}

// runCasm runs the binary on the app's data folder, and returns what it wrote.
func runCasm(t *testing.T, app *testkit.App, args ...string) string {
	t.Helper()
	out, err := command(t, app, args...)
	if err != nil {
		t.Fatalf("casm %v: %v\n%s", args, err, out)
	}
	return out
}

func command(t *testing.T, app *testkit.App, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testkit.Binary(t), append(args, "--data", app.Data)...).CombinedOutput()
	return string(out), err
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
