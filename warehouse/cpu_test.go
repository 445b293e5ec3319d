package warehouse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// meter measures what messages cost: by the clock, and of processors.
type meter struct{ took, own, below time.Duration }

func (m *meter) start(b *testing.B) {
	own, below := cpu(b)
	m.own, m.below = m.own-own, m.below-below
	m.took -= time.Since(begun)
}

func (m *meter) stop(b *testing.B) {
	m.took += time.Since(begun)
	own, below := cpu(b)
	m.own, m.below = m.own+own, m.below+below
}

// begun is when the process began, on the clock that only goes forward.
var begun = time.Now()

func (m *meter) report(b *testing.B, messages int) {
	b.ReportMetric(float64(messages)/m.took.Seconds(), "messages/s")
	b.ReportMetric(float64(m.own.Microseconds())/float64(messages), "own-cpu-µs")
	b.ReportMetric(float64(m.below.Microseconds())/float64(messages), "postgres-cpu-µs")
}

// cpu is the processor's time that this process and those below it, PostgreSQL
// above all, have used. On a machine that others use too it says more than the
// clock. It is 0 where there is no /proc.
func cpu(t testing.TB) (own, below time.Duration) {
	t.Helper()
	const tick = 10 * time.Millisecond
	self := strconv.Itoa(os.Getpid())
	parent, used := map[string]string{}, map[string]time.Duration{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		pid := strings.Split(f, "/")[2]
		// After the name in brackets: state, parent, …, user, system, and both
		// of children that have ended.
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		parent[pid] = string(fields[1])
		last := 14
		if pid == self {
			last = 12 // the compilers and others that it ran are no part of it
		}
		for _, field := range fields[11 : last+1] {
			n, err := strconv.Atoi(string(field))
			if err != nil {
				t.Fatal(err)
			}
			used[pid] += time.Duration(n) * tick
		}
	}
	for pid, d := range used {
		if pid == self {
			own = d
			continue
		}
		for p := parent[pid]; p != ""; p = parent[p] {
			if p == self {
				below += d
				break
			}
		}
	}
	return own, below
}
