package engine_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"casm/internal/testkit"

	"go.uber.org/goleak"
)

// slow is how many times slower than usual the program runs.
var slow = 1

func TestMain(m *testing.M) {
	// What a run by hand gives, go test ./engine -rapid.checks=1000, wins.
	if err := flag.Set("rapid.checks", strconv.Itoa(max(60/slow, 10))); err != nil {
		panic(err)
	}
	code := m.Run()
	testkit.CleanUp() // the database is a process, and a goroutine waits for it
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
