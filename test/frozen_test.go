package test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/internal/testkit"
)

// TestDatabaseHangs: while the database does not answer, what was not sent is
// answered 503, and the server ends in time all the same.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
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
	app := testkit.NewApp(t, "--database", pg.URL(name)+"&connect_timeout=1", "--warehouse", "off")
	post(t, app, "/v1/casm/customers/create", `{"requestId":"a","externalId":"a","customerProfile":"b2b"}`)
	if err := pg.Freeze(true); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for n := range 20 {
		clients.Go(func() {
			status, header, body, err := app.Post(t.Context(), "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"b%d","externalId":"b%d","customerProfile":"b2b"}`, n, n))
			if err != nil {
				return // the server ended
			}
			if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(string(body), "nothing was done") {
				t.Errorf("%d %s", status, body)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
		time.Sleep(50 * time.Millisecond) // one commit after the other
	}
	time.Sleep(2 * time.Second)
	begun := time.Now()
	err = app.Terminate()
	t.Logf("it ended after %v with %v", time.Since(begun).Round(time.Millisecond), err)
	clients.Wait()
	if answers[http.StatusServiceUnavailable] == 0 {
		t.Error("nobody was answered")
	}
	if err := pg.Freeze(false); err != nil {
		t.Fatal(err)
	}
	app.Start()
	post(t, app, "/v1/casm/customers/create", `{"requestId":"c","externalId":"c","customerProfile":"b2b"}`)
}
