package testkit

import (
	"sync"
	"testing"
)

var shared struct {
	once sync.Once
	p    *Postgres
	err  error
}

// Database returns the URL of a fresh, empty database on a private PostgreSQL
// that the tests of this process share; CleanUp ends it.
func Database(t testing.TB) string {
	t.Helper()
	return SharedPostgres(t).Database(t, "template1")
}

// SharedPostgres returns the server of Database.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	shared.once.Do(func() { shared.p, shared.err = StartPostgres() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.p
}
