package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"
)

// outcome is what a client was told of a request in the end.
type outcome struct {
	sent
	status  int
	unknown bool // it was told 504 once, and repeated it
}

// TestDatabaseKill kills PostgreSQL at random moments under 16 clients of a
// whole server. What was acknowledged stands, once; what was answered 503 was
// not done; what was answered 504 is settled by its repeat; all goes on by
// itself.
func TestDatabaseKill(t *testing.T) {
	pg, err := testkit.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	name, err := pg.CreateDatabase(t.Context(), "template1")
	if err != nil {
		t.Fatal(err)
	}
	app := testkit.NewApp(t, "--database", pg.URL(name), "--warehouse", "off")
	for n := range 4 {
		post(t, app, "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"hot%d","externalId":"hot%d","customerProfile":"b2b"}`, n, n))
	}
	l := &lossLoad{t: t, app: app}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() { l.client(ctx, c) })
	}
	for round := range rounds() {
		l.progress("before it ends")
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		end, way := pg.Crash, "SIGQUIT"
		if round%2 == 1 {
			end, way = pg.Kill, "SIGKILL"
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := pg.Start(); err != nil {
			t.Fatal(err)
		}
		took := l.progress("after it was started again")
		t.Logf("%s: clients go on %v after the start", way, took.Round(time.Millisecond))
	}
	stop()
	clients.Wait()
	l.check()
}

// lossLoad is what clients do while something is killed.
type lossLoad struct {
	t   *testing.T
	app *testkit.App

	done atomic.Int64 // requests acknowledged
	mu   sync.Mutex
	all  []outcome
}

// progress waits until so many requests more are acknowledged, and tells how
// long the first of them took.
func (l *lossLoad) progress(when string) (first time.Duration) {
	l.t.Helper()
	begun, before := time.Now(), l.done.Load()
	eventually(l.t, 20*time.Second, "a request is acknowledged "+when, func() bool { return l.done.Load() > before })
	first = time.Since(begun)
	eventually(l.t, 20*time.Second, "clients go on "+when, func() bool { return l.done.Load() > before+50 })
	return first
}

func (l *lossLoad) client(ctx context.Context, c int) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("p%d-%d", c, n)
		o := outcome{sent: sent{path: "/v1/casm/customers/create", body: fmt.Sprintf(`{"requestId":"%s","externalId":"%s","customerProfile":"b2b"}`, id, id)}}
		if n%3 == 1 {
			o.path = "/v1/casm/customers/custom-name/update"
			o.body = fmt.Sprintf(`{"requestId":"%s","customer":{"externalId":"hot%d"},"customName":"%s"}`, id, c%4, id)
		}
		for {
			status, header, body, err := l.app.Post(context.WithoutCancel(ctx), o.path, o.body)
			if err != nil {
				l.t.Errorf("%s: %v", id, err)
				return
			}
			o.status, o.answer = status, string(body)
			if status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
				l.t.Errorf("503 without Retry-After: %s", body)
			}
			if status == http.StatusGatewayTimeout {
				o.unknown = true
			}
			// Once it was told that the outcome is not known, a client repeats
			// until it is; a 503 then says nothing of the first attempt.
			if !o.unknown || status == http.StatusOK {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		switch o.status {
		case http.StatusOK:
			l.done.Add(1)
		case http.StatusServiceUnavailable:
			time.Sleep(20 * time.Millisecond)
		default:
			l.t.Errorf("%d for %s: %s", o.status, o.body, o.answer)
		}
		l.mu.Lock()
		l.all = append(l.all, o)
		l.mu.Unlock()
	}
}

// check compares what clients were told with what stands.
func (l *lossLoad) check() {
	t := l.t
	messages := feed(t, l.app)
	effects := map[string]int{}
	for _, m := range messages {
		effects[m.RequestID]++
	}
	var acknowledged, unknown, refused int
	for i := range l.all {
		o := &l.all[i]
		_, id, _ := strings.Cut(o.body, `"requestId":"`)
		id, _, _ = strings.Cut(id, `"`)
		want := 1
		if o.status == http.StatusServiceUnavailable {
			refused++
			want = 0
		} else {
			acknowledged++
		}
		if o.unknown {
			unknown++
		}
		if effects[id] != want {
			t.Errorf("%s was answered %d and took effect %d times", id, o.status, effects[id])
		}
	}
	t.Logf("%d acknowledged, %d of them after the outcome was unknown, %d told that nothing was done", acknowledged, unknown, refused)
	if refused+unknown == 0 {
		t.Error("nobody noticed")
	}
	for n := range min(300, len(l.all)) {
		if o := l.all[n]; o.status == http.StatusOK && !o.unknown {
			checkRepeat(t, l.app, o.sent)
		}
	}
	checkVersions(t, messages)
	checkStream(t.Context(), t, l.app, messages)
}

// behindProxy starts a server whose database is behind a fault proxy.
func behindProxy(t *testing.T) (*testkit.App, *testkit.Proxy) {
	t.Helper()
	pg := testkit.SharedPostgres(t)
	proxy, err := testkit.StartProxy(pg.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return testkit.NewApp(t, "--database", strings.Replace(testkit.Database(t), pg.Address(), proxy.Address(), 1), "--warehouse", "off"), proxy
}

// TestConnectionCut cuts the connection to the database exactly at a COMMIT.
func TestConnectionCut(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  testkit.Cut
		done bool // the database has committed
	}{{"before the COMMIT came", testkit.CutBeforeCommit, false}, {"after the COMMIT came", testkit.CutAfterCommit, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, proxy := behindProxy(t)
			body := func(n int) string {
				return fmt.Sprintf(`{"requestId":"cut%d","externalId":"cut%d","customerProfile":"b2b"}`, n, n)
			}
			create := func(n int) (int, http.Header, string) {
				status, header, answer, err := app.Post(t.Context(), "/v1/casm/customers/create", body(n))
				if err != nil {
					t.Fatal(err)
				}
				return status, header, string(answer)
			}
			// Where the database can be reached the server settles it by itself,
			// and the client sees nothing.
			for n := range 5 {
				proxy.Arm(c.cut)
				if status, header, answer := create(n); status != 200 || header.Get("Idempotent-Replayed") != "" {
					t.Errorf("%d %s", status, answer)
				}
			}
			if proxy.Cuts() != 5 {
				t.Errorf("%d cuts were made, want 5", proxy.Cuts())
			}
			// Where it cannot, the outcome is unknown; the repeat settles it.
			proxy.Refuse(true)
			proxy.Arm(c.cut)
			if status, _, answer := create(100); status != 504 || !strings.Contains(answer, "outcome_unknown") {
				t.Errorf("%d %s, want 504 outcome_unknown", status, answer)
			}
			// Before anything was sent: nothing was done.
			status, header, answer := create(101)
			if status != 503 || header.Get("Retry-After") == "" {
				t.Errorf("%d %s, want 503", status, answer)
			}
			proxy.Refuse(false)
			for n, done := range map[int]bool{100: c.done, 101: false} {
				var replayed bool
				eventually(t, 5*time.Second, "the server is back by itself", func() bool {
					status, header, _ := create(n)
					replayed = header.Get("Idempotent-Replayed") == "true"
					return status == 200
				})
				if replayed != done {
					t.Errorf("the repeat of %d was a replay: %t, want %t", n, replayed, done)
				}
			}
			messages := feed(t, app)
			if len(messages) != 7 {
				t.Errorf("%d messages in the feed, want 7", len(messages))
			}
			checkVersions(t, messages)
			checkStream(t.Context(), t, app, messages)
		})
	}
}
