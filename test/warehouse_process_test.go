package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/nats-io/nats-server/v2/server"
)

// TestWarehouseProcessKill kills casm warehouse serve, a process of its own beside
// a server that asks for credentials, at random moments under load: over the
// feed alone into a file, and with a broker that stands by itself into
// PostgreSQL. Afterwards the warehouse has what the journal has, and every
// command works on it.
func TestWarehouseProcessKill(t *testing.T) {
	t.Run("feed to SQLite", func(t *testing.T) {
		warehouseProcess(t, testkit.NewKeyedApp(t, "--warehouse", "off"), "--data", t.TempDir())
	})
	t.Run("stream to PostgreSQL", func(t *testing.T) {
		stream := broker(t, func(o *server.Options) { o.Username, o.Password = "casm", "hidden" })
		stream = strings.Replace(stream, "nats://", "nats://casm:hidden@", 1)
		app := testkit.NewKeyedApp(t, "--warehouse", "off", "--stream", stream)
		warehouseProcess(t, app, "--warehouse", testkit.Database(t), "--stream", stream)
	})
}

func warehouseProcess(t *testing.T, app *testkit.App, args ...string) {
	w := &warehouseServe{t: t, app: app, url: fmt.Sprintf("http://127.0.0.1:%d", testkit.FreePort(t))}
	w.key = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(w.key, []byte(app.Key("warehouse", "--permission", "stream:read")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.where = args[:2]
	w.args = append([]string{"warehouse", "serve", "--feed", app.URL, "--api-key-file", w.key, "--listen", w.url[len("http://"):]}, args...)
	crm := app.Key("crm", "--role", "CRM Integration")

	w.start()
	for round := range (rounds() + 1) / 2 {
		ctx, cancel := context.WithCancel(t.Context())
		written, wait := writing(ctx, t, app, crm, round)
		for written() < 100 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		for range 3 {
			time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
			w.kill()
			w.start()
		}
		cancel()
		wait()
		w.wantReconciled(crm)
	}
	metrics := w.get("/v1/dwh/metrics?test=true")
	head, _, _ := strings.Cut(metrics, `,"lag"`)
	if !strings.HasSuffix(metrics, `"lag":{"messages":0,"seconds":0}}`) {
		t.Errorf("when all is done the lag is %s", metrics[len(head):])
	}
	if got := w.get("/metrics"); !strings.Contains(got, "casm_warehouse_reconciliation_equal 1\n") || !strings.Contains(got, "casm_warehouse_dead_letters 0\n") {
		t.Errorf("the metrics are\n%s", got)
	}
	if got := w.get("/readyz"); !strings.HasPrefix(got, `{"ready":true,"missing":[],`) {
		t.Errorf("/readyz answers %s", got)
	}

	// The commands, while it runs.
	count := w.casm("sql", "--csv", "SELECT count(*) AS n FROM customer WHERE state = 'ACTIVE'")
	var answer struct{ CustomersByState map[string]int64 }
	if err := json.Unmarshal([]byte(metrics), &answer); err != nil || count != fmt.Sprintf("n\n%d\n", answer.CustomersByState["ACTIVE"]) {
		t.Errorf("sql counts %q, the metrics %v %v", count, answer.CustomersByState, err)
	}
	if out, err := exec.CommandContext(t.Context(), testkit.Binary(t), append([]string{"warehouse", "sql", "DELETE FROM customer"}, w.where...)...).CombinedOutput(); err == nil {
		t.Errorf("sql deleted: %s", out)
	}
	endless := "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
	if out, err := exec.CommandContext(t.Context(), testkit.Binary(t), append([]string{"warehouse", "sql", "--timeout", "1s", endless}, w.where...)...).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "ended after 1s") {
		t.Errorf("a statement without an end: %v %s", err, out)
	}
	lake := t.TempDir()
	if out := w.casm("export", "--parquet", lake); !strings.HasPrefix(out, "1 days, ") && !strings.HasPrefix(out, "2 days, ") {
		t.Errorf("export says %q", out)
	}
	if out := w.casm("export", "--parquet", lake); out != "0 days, 0 files, 0 rows\n" {
		t.Errorf("a second export says %q", out)
	}
	file := args[0] == "--data"
	if file { // it is its process's
		w.stop()
	}
	if out := w.casm("rebuild", "--feed", app.URL, "--api-key-file", w.key); !strings.HasPrefix(out, "rebuilt: ") {
		t.Errorf("rebuild says %q", out)
	}
	if file {
		w.start()
	}
	w.wantReconciled(crm)
	if after, _, _ := strings.Cut(w.get("/v1/dwh/metrics?test=true"), `,"lag"`); after != head {
		t.Errorf("rebuilt, the metrics are\n%s\nbefore they were\n%s", after, head)
	}
	w.stop()
}

// writing lets 8 clients write until ctx ends. It returns how many requests
// were answered, and what waits for the clients' end.
func writing(ctx context.Context, t *testing.T, app *testkit.App, key string, round int) (func() int64, func()) {
	var count atomic.Int64
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("p%d-%d-%d", round, c, n)
				path, body := "customers/create", fmt.Sprintf(`{"requestId":"%s","externalId":"%s","customerProfile":"b2b"}`, id, id)
				if n%2 == 1 {
					path = "subscribers/create"
					body = fmt.Sprintf(`{"requestId":"%s","externalId":"%s","subscriberProfile":"mobile"}`, id, id)
				}
				req, err := http.NewRequest(http.MethodPost, app.URL+"/v1/casm/"+path, bytes.NewBufferString(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+key)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				answer, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %s", res.StatusCode, answer)
					return
				}
				count.Add(1)
			}
		})
	}
	return count.Load, wg.Wait
}

// warehouseServe is a started casm warehouse serve.
type warehouseServe struct {
	t     *testing.T
	app   *testkit.App
	args  []string
	where []string // which warehouse it is
	key   string   // file of the API key
	url   string
	cmd   *exec.Cmd
	log   *bytes.Buffer
}

func (w *warehouseServe) start() {
	w.t.Helper()
	w.log = &bytes.Buffer{}
	w.cmd = exec.Command(testkit.Binary(w.t), w.args...)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.kill)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(w.url + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			w.kill()
			w.t.Fatalf("casm warehouse serve is not ready: %v\n%s", err, w.log)
		}
	}
}

// kill ends the process with SIGKILL, stop with SIGTERM.
func (w *warehouseServe) kill() { w.end(syscall.SIGKILL) }
func (w *warehouseServe) stop() { w.end(syscall.SIGTERM) }

func (w *warehouseServe) end(how syscall.Signal) {
	if w.cmd == nil {
		return
	}
	_ = w.cmd.Process.Signal(how) // it may have ended
	err := w.cmd.Wait()
	if how == syscall.SIGTERM && err != nil {
		w.t.Errorf("casm warehouse serve ended with %v\n%s", err, w.log)
	}
	if text := w.log.String(); strings.Contains(text, "hidden") || strings.Contains(text, "set aside") {
		w.t.Errorf("the log tells a password, or of messages that were set aside:\n%s", text)
	}
	w.cmd = nil
	http.DefaultClient.CloseIdleConnections()
}

func (w *warehouseServe) get(path string) string {
	w.t.Helper()
	res, err := http.Get(w.url + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %v %s", path, res.StatusCode, err, body)
	}
	return string(body)
}

// casm runs a command of casm warehouse on the warehouse.
func (w *warehouseServe) casm(args ...string) string {
	w.t.Helper()
	args = append(append([]string{"warehouse"}, args...), w.where...)
	out, err := exec.CommandContext(w.t.Context(), testkit.Binary(w.t), args...).Output()
	if err != nil {
		w.t.Fatalf("casm %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// wantReconciled waits until the warehouse has all that the journal has.
func (w *warehouseServe) wantReconciled(key string) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var r struct {
			Equal       bool
			Differences []string
			Position    string
		}
		if err := json.Unmarshal([]byte(w.get("/v1/dwh/reconciliation")), &r); err != nil {
			w.t.Fatal(err)
		}
		if !r.Equal {
			w.t.Fatalf("at %s the reconciliation finds %q", r.Position, r.Differences)
		}
		req, err := http.NewRequest(http.MethodGet, w.app.URL+"/v1/business-transactions?limit=1&after="+r.Position, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if strings.HasPrefix(string(body), `{"items":[]`) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the warehouse is still at %s; the feed answers %.200s\n%s", r.Position, body, w.log)
		}
	}
}
