package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/internal/testkit"
)

// manifest is what a backup says of itself.
type manifest struct {
	Epoch    int64
	Position int64
	Types    map[string]struct{ Count int64 }
}

func readManifest(t *testing.T, dir string) (m manifest) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// headOf tells the feed's epoch and the store's last transaction.
func headOf(t *testing.T, app *testkit.App) (epoch, head int64) {
	t.Helper()
	var answer struct{ Epoch, Head int64 }
	status, _, body, err := app.Get(t.Context(), "/v1/business-transactions?limit=1&after=0")
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &answer) != nil {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return answer.Epoch, answer.Head
}

// underLoad calls fn while clients write, and returns what was answered before it.
func underLoad(t *testing.T, app *testkit.App, fn func()) (before []sent) {
	t.Helper()
	l := &lossLoad{t: t, app: app}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer func() { stop(); clients.Wait() }()
	for c := range 16 {
		clients.Go(func() { l.client(ctx, c) })
	}
	eventually(t, 20*time.Second, "clients write", func() bool { return l.done.Load() > 500 })
	l.mu.Lock()
	for _, o := range l.all {
		if o.status == http.StatusOK {
			before = append(before, o.sent)
		}
	}
	l.mu.Unlock()
	at := l.done.Load()
	fn()
	if l.done.Load() == at {
		t.Error("nobody was answered meanwhile")
	}
	return before
}

// restoreTo stops the server and starts it on a new folder of a backup.
func restoreTo(t *testing.T, app *testkit.App, backup string) (said string) {
	t.Helper()
	app.Stop()
	app.Data = filepath.Join(t.TempDir(), "restored")
	said = runCasm(t, app, "restore", backup)
	app.Start()
	return said
}

// TestBackup copies a server's data under load and lets it go on with the copy.
func TestBackup(t *testing.T) {
	app := testkit.NewApp(t)
	hot(t, app)
	dir := filepath.Join(t.TempDir(), "saved", "backup")
	var said string
	before := underLoad(t, app, func() { said = runCasm(t, app, "backup", dir) })
	wantPrivate(t, dir, "casm.db", "manifest.json")
	if !strings.Contains(said, dir+" holds Customer ") || !strings.Contains(said, "of epoch 1") {
		t.Errorf("casm backup said %q", said)
	}
	m, original := readManifest(t, dir), feed(t, app)
	wantReconciled(t, app)
	checkStream(t.Context(), t, app, original)

	begun := time.Now().UnixMilli()
	said = restoreTo(t, app, dir)
	epoch, head := headOf(t, app)
	if epoch < begun || m.Epoch != 1 || head != m.Position || !strings.Contains(said, fmt.Sprintf("epoch %d begins", epoch)) {
		t.Errorf("the restored log ends at %d in epoch %d, the backup was at %d; casm restore said %q", head, epoch, m.Position, said)
	}
	restored := feed(t, app)
	if len(restored) < len(before) || len(restored) >= len(original) {
		t.Fatalf("%d messages are left of %d; %d requests were answered before", len(restored), len(original), len(before))
	}
	for i, r := range restored {
		if o := original[i]; r.Position != o.Position || r.TransactionID != o.TransactionID || string(r.Payload) != string(o.Payload) {
			t.Fatalf("message %d is %+v, it was %+v", i, r, o)
		}
	}
	if next := original[len(restored)].Position; !strings.HasPrefix(next, fmt.Sprint(m.Position+1, "-")) {
		t.Errorf("the backup ends at %d, the first message that it lacks is at %s", m.Position, next)
	}
	for _, s := range before {
		checkRepeat(t, app, s)
	}
	if _, now := headOf(t, app); now != head {
		t.Errorf("repeats took effect: the log was at %d, it is at %d", head, now)
	}
	checkVersions(t, restored)
	wantReconciled(t, app)

	// The stream goes on by itself, in the new epoch.
	post(t, app, "/v1/casm/customers/create", `{"requestId":"after","externalId":"after","customerProfile":"b2b"}`)
	all := feed(t, app)
	if last := all[len(all)-1]; last.Position != fmt.Sprint(m.Position+1, "-0") || last.RequestID != "after" {
		t.Errorf("the log goes on with %+v", last)
	}
	checkStream(t.Context(), t, app, all)
	wantEpoch(t, app, 1, len(all), epoch)

	// The same backup once more: that the log was put back again shows, too.
	restoreTo(t, app, dir)
	if again, at := headOf(t, app); again <= epoch || at != m.Position {
		t.Errorf("restored again the epoch is %d at %d, it was %d", again, at, epoch)
	}
}

// wantPrivate wants a folder with these files and no others, for its owner alone.
func wantPrivate(t *testing.T, dir string, names ...string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v %v", dir, info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Fatalf("%s holds %v: %v", dir, entries, err)
	}
	for i, e := range entries {
		if info, err := e.Info(); err != nil || e.Name() != names[i] || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
}

// wantEpoch wants the stream's messages of these sequences to be of an epoch.
func wantEpoch(t *testing.T, app *testkit.App, from, to int, epoch int64) {
	t.Helper()
	s, err := connectJetStream(t, app.NATS).Stream(t.Context(), "CASM")
	if err != nil {
		t.Fatal(err)
	}
	for n := from; n <= to; n += max(1, (to-from)/20) {
		m, err := s.GetMsg(t.Context(), uint64(n))
		if err != nil || m.Header.Get("Casm-Epoch") != fmt.Sprint(epoch) {
			t.Fatalf("message %d: %v, want epoch %d: %v", n, m, epoch, err)
		}
	}
}

// TestBackupStopped copies a store on which no server runs, as it was left by
// a kill, and does not begin one where there is none.
func TestBackupStopped(t *testing.T) {
	app := testkit.NewKeyedApp(t, "--warehouse", "off")
	key := app.Key("reader", "--role", "reader")
	app.Kill()
	dir := filepath.Join(t.TempDir(), "backup")
	if err := os.Mkdir(dir, 0o755); err != nil { // an empty one is taken
		t.Fatal(err)
	}
	runCasm(t, app, "backup", dir)
	wantPrivate(t, dir, "casm.db", "manifest.json")
	app.Start()
	restoreTo(t, app, dir)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL+"/v1/config/state-reasons", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
		t.Errorf("with the key of the backup: %v %v", res, err)
	}
}

// TestRestoreOutside restores a server whose warehouse, or that and its stream,
// are not in the data folder, and so did not go back with it.
func TestRestoreOutside(t *testing.T) {
	for name, args := range map[string][]string{
		"the warehouse":                {"--warehouse", testkit.Database(t)},
		"the warehouse and the stream": {"--warehouse", testkit.Database(t), "--stream", broker(t)},
	} {
		t.Run(name, func(t *testing.T) {
			app := testkit.NewApp(t, args...)
			hot(t, app)
			dir := filepath.Join(t.TempDir(), "backup")
			runCasm(t, app, "backup", dir)
			post(t, app, "/v1/casm/customers/create", `{"requestId":"lost","externalId":"lost","customerProfile":"b2b"}`)
			wantReconciled(t, app)
			restoreTo(t, app, dir)
			after := func() {
				post(t, app, "/v1/casm/customers/create", `{"requestId":"after","externalId":"after","customerProfile":"b2b"}`)
			}
			if len(args) > 2 {
				wantBlockedUntilAdopted(t, app)
				after() // nothing else on the stream tells the warehouse
			}
			eventually(t, 20*time.Second, "the warehouse is of the new epoch", func() bool {
				var answer struct {
					Equal bool
					Epoch int64
				}
				_, _, body, err := app.Get(t.Context(), "/v1/dwh/reconciliation")
				epoch, _ := headOf(t, app)
				return err == nil && json.Unmarshal(body, &answer) == nil && answer.Equal && answer.Epoch == epoch
			})
			after()
			wantReconciled(t, app)
		})
	}
}

func wantBlockedUntilAdopted(t *testing.T, app *testkit.App) {
	t.Helper()
	eventually(t, 10*time.Second, "the relay is blocked", func() bool { return relayState(app) == "blocked" })
	if said := runCasm(t, app, "relay", "adopt"); !strings.Contains(said, "1 messages on it are of what the store lost") {
		t.Errorf("casm relay adopt said %q", said)
	}
	eventually(t, 10*time.Second, "the relay goes on", func() bool { return relayState(app) == "running" })
}

// TestBackupKilled kills a backup, and the server that writes one, in the middle.
func TestBackupKilled(t *testing.T) {
	app := testkit.NewApp(t, "--warehouse", "off")
	load := exec.CommandContext(t.Context(), testkit.Binary(t), "load", "--target", app.URL, "--clients", "64", "--warmup", "0s", "--duration", "3s")
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	parent := t.TempDir()
	// caught starts a backup and calls end while it is written; it tries until
	// it comes in time, and returns what it left.
	caught := func(end func(backup *exec.Cmd)) (dir string, left []string) {
		for n := range 50 {
			dir := filepath.Join(parent, fmt.Sprint("backup", n))
			cmd := exec.Command(testkit.Binary(t), "backup", dir, "--data", app.Data)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "it is written", func() bool {
				begun, err := filepath.Glob(dir + "*")
				return err == nil && len(begun) > 0
			})
			end(cmd)
			_ = cmd.Wait() // it was killed
			if _, err := os.Stat(dir); err == nil {
				runCasm(t, app, "restore", dir, "--dry-run") // it was whole
				continue
			}
			left, err := filepath.Glob(dir + "*")
			if err != nil {
				t.Fatal(err)
			}
			return dir, left
		}
		t.Fatal("no backup was caught in the middle")
		return "", nil
	}
	refused := func(dir string, left []string) {
		t.Helper()
		for _, d := range append(left, dir) {
			if out, err := command(t, app, "restore", d, "--dry-run"); err == nil || !strings.Contains(out, "is no backup") {
				t.Errorf("restored %s: %v %s", d, err, out)
			}
			if err := os.RemoveAll(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	kill := func(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

	dir, _ := caught(kill) // through the server, which gives it up
	eventually(t, 10*time.Second, "nothing is left", func() bool {
		left, err := filepath.Glob(dir + "*")
		return err == nil && len(left) == 0
	})
	dir, left := caught(func(*exec.Cmd) { app.Kill(); app.Start() })
	refused(dir, left)
	app.Stop()
	dir, left = caught(kill) // without a server
	refused(dir, left)

	runCasm(t, app, "backup", filepath.Join(parent, "whole"))
	restoreKilled(t, app, filepath.Join(parent, "whole"))
}

// restoreKilled kills a restore in the middle: nobody begins an empty store
// where it was, and it can be repeated.
func restoreKilled(t *testing.T, app *testkit.App, backup string) {
	t.Helper()
	for n := range 50 {
		app.Data = filepath.Join(t.TempDir(), fmt.Sprint("restored", n))
		cmd := exec.Command(testkit.Binary(t), "restore", backup, "--data", app.Data)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "it is written", func() bool {
			begun, err := filepath.Glob(filepath.Join(app.Data, "*.db"))
			return err == nil && len(begun) > 0
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if _, err := os.Stat(filepath.Join(app.Data, "casm.db")); err == nil {
			continue
		}
		for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"key", "create", "--name", "n", "--role", "reader"}} {
			if out, err := command(t, app, args...); err == nil || !strings.Contains(out, "was broken off") {
				t.Errorf("casm %v: %v %s", args, err, out)
			}
		}
		runCasm(t, app, "restore", backup)
		wantPrivate(t, app.Data, "casm.db", "casm.lock")
		app.Start()
		if _, head := headOf(t, app); head != readManifest(t, backup).Position {
			t.Errorf("the restored log ends at %d", head)
		}
		return
	}
	t.Fatal("no restore was caught in the middle")
}
