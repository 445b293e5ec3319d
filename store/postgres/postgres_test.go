package postgres_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"casm/internal/testkit"
	"casm/store"
	"casm/store/postgres"
	"casm/store/storetest"

	"go.uber.org/goleak"
)

// server is the one server of these tests, with a migrated database to copy.
var server struct {
	once     sync.Once
	pg       *testkit.Postgres
	template string
	err      error
}

func TestMain(m *testing.M) {
	// What a run by hand gives, go test ./store/postgres -rapid.checks=1000, wins.
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	code := m.Run()
	var err error
	if server.pg != nil {
		err = server.pg.Stop()
	}
	if code == 0 {
		err = errors.Join(err, goleak.Find())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// startServer gives the tests' server.
func startServer(tb testing.TB) *testkit.Postgres {
	tb.Helper()
	server.once.Do(func() {
		ctx := context.Background()
		if server.pg, server.err = testkit.StartPostgres(); server.err != nil {
			return
		}
		if server.template, server.err = server.pg.CreateDatabase(ctx, "template1"); server.err == nil {
			server.err = postgres.Migrate(ctx, server.pg.URL(server.template))
		}
	})
	if server.err != nil {
		tb.Fatal(server.err)
	}
	return server.pg
}

// database gives the URL of a migrated database that goes with the test.
func database(tb testing.TB) string {
	tb.Helper()
	return startServer(tb).Database(tb, server.template)
}

func open(tb testing.TB, url string) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(context.Background(), url, postgres.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	startServer(t)
	var mu sync.Mutex
	urls := make(map[*testing.T]string)
	storetest.Run(t, func(t *testing.T) store.Store {
		mu.Lock()
		url, ok := urls[t]
		mu.Unlock()
		if !ok {
			url = database(t)
			mu.Lock()
			urls[t] = url
			mu.Unlock()
		}
		return open(t, url)
	})
}
