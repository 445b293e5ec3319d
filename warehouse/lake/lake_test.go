package lake_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/warehouse"
	"casm/warehouse/lake"
	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
)

// feed is a log that is made up.
type feed struct {
	epoch    int64
	messages []warehouse.Message
}

func (f *feed) Page(_ context.Context, after casm.Position, limit int) (warehouse.Page, error) {
	i := slices.IndexFunc(f.messages, func(m warehouse.Message) bool { return m.Position.Compare(after) > 0 })
	if i < 0 {
		i = len(f.messages)
	}
	rest := f.messages[i:]
	return warehouse.Page{Epoch: f.epoch, Head: int64(len(f.messages)), Messages: rest[:min(limit, len(rest))]}, nil
}

func (f *feed) Sums(context.Context, casm.Position) (warehouse.Sums, error) {
	return warehouse.Sums{}, nil
}

// add adds a version of an entity at a time.
func (f *feed) add(t *testing.T, at string, e casm.Entity) {
	t.Helper()
	b := e.Base()
	if b.RefID == uuid.Nil {
		b.RefID = uuid.Must(uuid.NewV7())
	}
	b.Version++
	v, err := casm.ParseTime(at)
	if err != nil {
		t.Fatal(err)
	}
	if top := e.Top(); top != nil {
		top.CreatedAt, top.UpdatedAt = v, v
	}
	doc, err := casm.EncodeEntity(e)
	if err != nil {
		t.Fatal(err)
	}
	f.messages = append(f.messages, warehouse.Message{
		Position: casm.Position{Transaction: int64(len(f.messages) + 1)}, TransactionID: uuid.New(), RequestID: "r", Operation: "op", Actor: "tester",
		Timestamp: v, RecordedAt: v, Code: e.Kind().MessageCode(), Event: "updated", Body: doc,
	})
}

// exported is a warehouse whose feed grows, and a folder.
type exported struct {
	t     *testing.T
	feed  *feed
	place sqldb.Place
	dir   string
}

// export brings the warehouse up to date and exports it.
func (x *exported) export() lake.Result {
	x.t.Helper()
	w, err := warehouse.Open(x.t.Context(), warehouse.Options{Place: x.place, Feed: x.feed, ReconcileAt: -1})
	if err != nil {
		x.t.Fatal(err)
	}
	if err := w.CatchUp(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		x.t.Fatal(err)
	}
	db, err := x.place.OpenReader(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	var last lake.Progress
	r, err := lake.Export(x.t.Context(), db, x.dir, func(p lake.Progress) { last = p })
	if err != nil {
		x.t.Fatal(err)
	}
	if r.Days > 0 && (last.Done == 0 || last.Date == "") {
		x.t.Errorf("progress ended with %+v", last)
	}
	return r
}

// files lists the files of the folder and when they were written.
func (x *exported) files() map[string]time.Time {
	out := map[string]time.Time{}
	_ = filepath.WalkDir(x.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, _ := d.Info()
			name, _ := filepath.Rel(x.dir, path)
			out[name] = info.ModTime()
		}
		return err
	})
	return out
}

// query runs a statement on the warehouse.
func (x *exported) query(sql string) (out []string) {
	db, err := x.place.OpenReader(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	err = db.Select(x.t.Context(), sql, func([]string) error { return nil }, func(row []sqldb.Value) error {
		var cells []string
		for _, v := range row {
			cells = append(cells, v.Text())
		}
		out = append(out, strings.Join(cells, "|"))
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// versions gives ref_id, version and name of all exported customers, as
// parquet-go reads them.
func (x *exported) versions() (out []string) {
	type row struct {
		RefID   *string `parquet:"ref_id,optional"`
		Version *int64  `parquet:"version,optional"`
		Name    *string `parquet:"custom_name,optional"`
	}
	files, err := filepath.Glob(filepath.Join(x.dir, "customer_version", "date=*", "*.parquet"))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, f := range files {
		rows, err := parquet.ReadFile[row](f)
		if err != nil {
			x.t.Fatal(err)
		}
		for _, r := range rows {
			name := ""
			if r.Name != nil {
				name = *r.Name
			}
			out = append(out, fmt.Sprintf("%s|%d|%s", *r.RefID, *r.Version, name))
		}
	}
	slices.Sort(out)
	return out
}

const allVersions = "SELECT ref_id, version, custom_name FROM customer_history"

// file is a place of a new warehouse in a file, database of one in PostgreSQL.
func file(t *testing.T) sqldb.Place { return sqldb.SQLite{Path: filepath.Join(t.TempDir(), "w.db")} }

func database(t *testing.T) sqldb.Place {
	p, err := sqldb.NewPostgres(testkit.Database(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newExported(t *testing.T, place sqldb.Place) (*exported, *casm.Customer) {
	x := &exported{t: t, feed: &feed{epoch: 1}, place: place, dir: filepath.Join(t.TempDir(), "lake")}
	c := &casm.Customer{CustomerSegment: "b2b"}
	c.State = casm.State{State: casm.Active, StateReason: "x"}
	c.CustomAttributes = map[string]string{"k": "v"}
	x.feed.add(t, "2026-01-31T10:00:00Z", c)
	x.feed.add(t, "2026-01-31T11:00:00Z", &casm.Customer{TestCustomer: true})
	c.CustomName = "Zoë"
	x.feed.add(t, "2026-02-01T10:00:00Z", c)
	o := &casm.OfferSubscription{Customer: casm.Ref{RefID: c.RefID}, Offer: "gold"}
	x.feed.add(t, "2026-02-01T10:00:00Z", o)
	for range 3 {
		x.feed.add(t, "2026-02-01T10:00:00Z", &casm.Balance{
			OfferSubscription: casm.Ref{RefID: o.RefID}, Service: "data", UnitOfMeasure: "OCTET",
			GrantedBalance: casm.MaxInteger, ActualBalance: casm.MaxInteger, ValidFrom: c.CreatedAt,
		})
	}
	return x, c
}

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}

func TestExport(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testExport(t, file(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testExport(t, database(t)) })
}

func testExport(t *testing.T, place sqldb.Place) {
	x, c := newExported(t, place)
	if r := x.export(); r.Days != 2 || r.Rows == 0 || r.Files == 0 {
		t.Errorf("the first export did %+v", r)
	}
	if d := cmp.Diff(x.query(allVersions), x.versions()); d != "" {
		t.Fatalf("versions (-warehouse +files):\n%s", d)
	}
	first := x.files()
	if r := x.export(); r != (lake.Result{}) {
		t.Errorf("an export with nothing new did %+v", r)
	}
	if d := cmp.Diff(len(first), len(x.files())); d != "" {
		t.Error(d)
	}
	// A day that goes on, and one that is new; the first day stays as it is.
	c.CustomName = "later that day"
	x.feed.add(t, "2026-02-01T23:00:00Z", c)
	c.CustomName = "the next"
	x.feed.add(t, "2026-02-02T01:00:00Z", c)
	if r := x.export(); r.Days != 2 {
		t.Errorf("the third export did %+v", r)
	}
	if d := cmp.Diff(x.query(allVersions), x.versions()); d != "" {
		t.Fatalf("versions (-warehouse +files):\n%s", d)
	}
	for name, at := range x.files() {
		if strings.Contains(name, "2026-01-31") && !at.Equal(first[name]) {
			t.Errorf("%s was written again", name)
		}
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
	// Without the manifest, as after an interruption, all is written again over
	// what there is.
	if err := os.Remove(filepath.Join(x.dir, "_casm_export.json")); err != nil {
		t.Fatal(err)
	}
	if r := x.export(); r.Days != 3 {
		t.Errorf("the export after an interruption did %+v", r)
	}
	if d := cmp.Diff(x.query(allVersions), x.versions()); d != "" {
		t.Fatalf("versions (-warehouse +files):\n%s", d)
	}
}

// TestAnotherTimeline: files of an earlier epoch are removed, and nothing else.
func TestAnotherTimeline(t *testing.T) {
	x, _ := newExported(t, file(t))
	x.export()
	foreign := filepath.Join(x.dir, "customer_version", "date=2026-01-31", "theirs.parquet")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.feed.epoch, x.feed.messages = 2, nil
	x.feed.add(t, "2026-03-01T10:00:00Z", &casm.Customer{})
	x.export()
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file of another's was removed: %v", err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x.query(allVersions), x.versions()); d != "" {
		t.Fatalf("versions (-warehouse +files):\n%s", d)
	}
}
