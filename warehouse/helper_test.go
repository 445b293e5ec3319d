package warehouse_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casm/warehouse"
	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
)

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// place is a new SQLite place.
func place(t testing.TB) sqldb.SQLite {
	return sqldb.SQLite{Path: filepath.Join(t.TempDir(), "warehouse.db")}
}

// open opens a warehouse until the end of the test.
func open(t testing.TB, o warehouse.Options) *warehouse.Warehouse {
	t.Helper()
	if o.Logger == nil {
		o.Logger = logger(t)
	}
	o.ReconcileAt = -1
	w, err := warehouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func catchUp(t testing.TB, w *warehouse.Warehouse) {
	t.Helper()
	if err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// run lets a warehouse follow until the test ends, or the function is called.
func run(t testing.TB, w *warehouse.Warehouse) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dump gives all rows of all tables, but for what is of one warehouse only.
func dump(t testing.TB, p sqldb.Place) map[string][]string {
	t.Helper()
	db, err := p.OpenReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string][]string{}
	for _, table := range warehouse.TableNames() {
		columns := "*"
		switch table {
		case "progress":
			columns = "epoch, position, ordinal, messages, recorded_at, time_zone"
		case "dead_letter":
			columns = "id, type, ref_id, version, reason, body"
		}
		rows := []string{}
		err := db.View(t.Context(), func(r sqldb.Reader) error {
			return r.Query(t.Context(), "SELECT "+columns+" FROM "+table, nil, func(row []sqldb.Value) error {
				var b strings.Builder
				for i, v := range row {
					if i > 0 {
						b.WriteByte('|')
					}
					if v.IsNull() {
						b.WriteString("NULL")
					} else {
						b.WriteString(v.Text())
					}
				}
				rows = append(rows, b.String())
				return nil
			})
		})
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		slices.Sort(rows)
		out[table] = rows
	}
	return out
}

func wantSame(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got, want map[string][]string,
) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: the tables differ (-want +got):\n%.4000s", what, d)
	}
}

// reference is the dump of a warehouse that read the ledger's feed once, in order.
func reference(t testing.TB, l *ledger) map[string][]string {
	t.Helper()
	p := place(t)
	w, err := warehouse.Open(t.Context(), warehouse.Options{Place: p, Feed: l, Logger: logger(t), ReconcileAt: -1})
	if err != nil {
		t.Fatal(err)
	}
	catchUp(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dump(t, p)
}

func reconcile(t testing.TB, w *warehouse.Warehouse) warehouse.Reconciliation {
	t.Helper()
	r, err := w.Reconcile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantEqual(t testing.TB, w *warehouse.Warehouse) {
	t.Helper()
	if r := reconcile(t, w); !r.Equal {
		t.Fatalf("the reconciliation finds %v", r.Differences)
	}
}

// sql runs a statement as a tamperer.
func query(t testing.TB, p sqldb.Place, statement string) (out []string) {
	t.Helper()
	db, err := p.OpenReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Select(t.Context(), statement, func([]string) error { return nil }, func(row []sqldb.Value) error {
		var cells []string
		for _, v := range row {
			cells = append(cells, v.Text())
		}
		out = append(out, fmt.Sprint(strings.Join(cells, "|")))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
