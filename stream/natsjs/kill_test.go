package natsjs_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"casm/stream"
	"casm/stream/natsjs"
	"casm/stream/natsjs/natstest"
	"casm/stream/streamtest"

	"go.uber.org/goleak"
)

// killedDir tells the test's binary, started again, to publish in that folder
// until it is killed.
const killedDir = "CASM_TEST_PUBLISH_UNTIL_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		if err := publishUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// publishUntilKilled publishes batches of all sizes and prints how far the
// acknowledgements have come.
func publishUntilKilled(dir string) error {
	ctx := context.Background()
	srv, err := natsjs.Start(ctx, natsjs.ServerOptions{Dir: dir})
	if err != nil {
		return err
	}
	g, err := srv.Target(ctx)
	if err != nil {
		return err
	}
	tail, err := g.Tail(ctx)
	for err == nil {
		tail, err = g.Publish(ctx, tail, streamtest.Messages(tail.Position.Transaction+1, 1+rand.IntN(300)))
		fmt.Println(tail.Position.Transaction)
	}
	return err
}

func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		acknowledged := publishAndKill(t, dir)
		srv := natstest.Start(t, natsjs.ServerOptions{Dir: dir})
		g := natstest.Target(t, srv)
		tail, err := g.Tail(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tail.Position.Transaction < acknowledged {
			t.Errorf("the stream ends at %d, %d was acknowledged", tail.Position.Transaction, acknowledged)
		}
		// It is of use at once, too.
		last := tail.Position.Transaction + 1
		if _, err := g.Publish(t.Context(), tail, streamtest.Messages(last, 1)); err != nil {
			t.Fatal(err)
		}
		wantGapless(t, natstest.Read(t, srv), last)
		_ = g.Close()
		srv.Stop()
	}
}

// publishAndKill kills a publishing process with SIGKILL after a short time
// and says what it had acknowledged.
func publishAndKill(t *testing.T, dir string) (acknowledged int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
			t.Error(err)
		}
		if kill == nil { // once it publishes
			kill = time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || kill == nil {
		t.Fatalf("the publisher ended by itself: %v", err)
	}
	return acknowledged
}

func wantGapless(t *testing.T, ms []stream.Message, last int64) {
	t.Helper()
	if int64(len(ms)) != last {
		t.Errorf("the stream has %d messages, %d were published", len(ms), last)
	}
	for i, m := range ms {
		if m.Position.Transaction != int64(i)+1 {
			t.Fatalf("message %d has the position %s", i+1, m.Position)
		}
	}
}
