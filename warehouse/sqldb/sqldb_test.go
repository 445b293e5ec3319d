package sqldb_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/internal/testkit"
	"casm/warehouse/sqldb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.CleanUp()
	os.Exit(code)
}

// places are one of each kind.
func places(t *testing.T) map[string]sqldb.Place {
	postgres, err := sqldb.NewPostgres(testkit.Database(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]sqldb.Place{"SQLite": sqldb.SQLite{Path: filepath.Join(t.TempDir(), "x.db")}, "PostgreSQL": postgres}
}

var table = &sqldb.Table{
	Name: "thing", Doc: "It's a thing.", Key: 1,
	Columns: []sqldb.Column{
		{Name: "id", Type: sqldb.ID, Doc: "Which."},
		{Name: "word", Type: sqldb.Text},
		{Name: "n", Type: sqldb.Integer},
		{Name: "yes", Type: sqldb.Boolean},
		{Name: "at", Type: sqldb.Time},
		{Name: "day", Type: sqldb.Date},
		{Name: "doc", Type: sqldb.JSON},
		{Name: "big", Type: sqldb.Number},
	},
	Indexes: [][]string{{"word", "n"}},
}

func row(id string, values ...sqldb.Value) []sqldb.Value {
	return append([]sqldb.Value{sqldb.Str("00000000-0000-7000-8000-0000000000" + id)}, values...)
}

var rows = [][]sqldb.Value{
	row("01", sqldb.Str("tab\t line\n back\\slash \\N \r ü\u2028"), sqldb.Int(-1<<63), sqldb.Bool(true), sqldb.Str("2026-01-02T03:04:05.000006Z"),
		sqldb.Str("2026-01-02"), sqldb.Str(`{"b": 1, "a":"\\\t"}`), sqldb.Int(7)),
	row("02", sqldb.Str(""), sqldb.Int(1<<63-1), sqldb.Bool(false), sqldb.Str("2199-12-31T23:59:59.000000Z"), sqldb.Str("1970-01-01"), sqldb.Str(`[]`),
		sqldb.Str("123456789012345678901234567890")),
	row("03", sqldb.Null, sqldb.Null, sqldb.Null, sqldb.Null, sqldb.Null, sqldb.Null, sqldb.Null),
	{
		sqldb.UUID(uuid.MustParse("01890123-4567-79ab-8def-fedcba987654")), sqldb.UUID(uuid.Max), sqldb.Int(0), sqldb.Bool(true),
		sqldb.At(casm.MinTime + 1), sqldb.Str("2199-12-31"), sqldb.Str(`"\u00e4 ä"`), sqldb.Int(-1 << 63),
	},
}

func insert(t *testing.T, tx sqldb.Tx, rows [][]sqldb.Value) error {
	return tx.Many(t.Context(), table.Insert(), table.Columns, rows, nil)
}

func all(t *testing.T, db sqldb.DB, of string) (out [][]string) {
	t.Helper()
	err := db.View(t.Context(), func(r sqldb.Reader) error {
		return r.Query(t.Context(), "SELECT "+table.Names("")+" FROM "+of+" ORDER BY id", nil, func(row []sqldb.Value) error {
			out = append(out, texts(row))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(row []sqldb.Value) (out []string) {
	for _, v := range row {
		if v.IsNull() {
			out = append(out, "NULL")
		} else {
			out = append(out, v.Text())
		}
	}
	return out
}

// TestValues: what is written, in whichever way, is read back exactly.
func TestValues(t *testing.T) {
	var want [][]string
	for _, r := range rows {
		want = append(want, texts(r))
	}
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			db, err := place.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for range 2 { // the second time it is there
				if err := db.Define(t.Context(), sqldb.Schema{Tables: []*sqldb.Table{table}, Views: []sqldb.View{{Name: "things", Select: "SELECT * FROM thing"}}}); err != nil {
					t.Fatal(err)
				}
			}
			ways := map[string]func(sqldb.Tx) error{
				"insert": func(tx sqldb.Tx) error { return insert(t, tx, rows) },
				"upsert": func(tx sqldb.Tx) error {
					empty := [][]sqldb.Value{append(row("01"), rows[2][1:]...)}
					if err := insert(t, tx, empty); err != nil {
						return err
					}
					return tx.Many(t.Context(), table.Upsert(), table.Columns, rows, nil)
				},
				"update": func(tx sqldb.Tx) error {
					var empty [][]sqldb.Value
					for _, r := range rows {
						empty = append(empty, append([]sqldb.Value{r[0]}, rows[2][1:]...))
					}
					if err := insert(t, tx, empty); err != nil {
						return err
					}
					return tx.Many(t.Context(), table.Update(nil), table.Columns, rows, nil)
				},
			}
			for way, write := range ways {
				err := db.Update(t.Context(), func(tx sqldb.Tx) error {
					if err := tx.Exec(t.Context(), "DELETE FROM thing"); err != nil {
						return err
					}
					return write(tx)
				})
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				if d := cmp.Diff(want, all(t, db, "things")); d != "" {
					t.Errorf("%s (-want +got):\n%s", way, d)
				}
			}
			// What fails leaves nothing.
			boom := errors.New("boom")
			err = db.Update(t.Context(), func(tx sqldb.Tx) error {
				return errors.Join(tx.Exec(t.Context(), "DELETE FROM thing"), boom)
			})
			if !errors.Is(err, boom) || errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("the error is %v", err)
			}
			if d := cmp.Diff(want, all(t, db, "things")); d != "" {
				t.Errorf("rolled back (-want +got):\n%s", d)
			}
			// What cannot be written is at fault itself.
			nowhere := row("04", rows[2][1:]...)
			nowhere[1] = sqldb.Str("\x00")
			err = db.Update(t.Context(), func(tx sqldb.Tx) error { return insert(t, tx, [][]sqldb.Value{nowhere}) })
			if name == "PostgreSQL" && err == nil || errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("the error of a text with a zero byte is %v", err)
			}
			err = db.Update(t.Context(), func(tx sqldb.Tx) error { return insert(t, tx, rows) })
			if err == nil || errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("the error of a key that is there is %v", err)
			}
		})
	}
}

// TestSwitch: the next database takes the place of the present one.
func TestSwitch(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			write := func(db sqldb.DB, rows [][]sqldb.Value) {
				t.Helper()
				if err := db.Define(t.Context(), sqldb.Schema{Tables: []*sqldb.Table{table}, Views: []sqldb.View{{Name: "things", Select: "SELECT * FROM thing"}}}); err != nil {
					t.Fatal(err)
				}
				if err := db.Update(t.Context(), func(tx sqldb.Tx) error { return insert(t, tx, rows) }); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			present, err := place.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			write(present, rows[:1])
			for n := 2; n <= 3; n++ {
				unfinished, err := place.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				write(unfinished, rows[:1])
				next, err := place.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				write(next, rows[:n])
				if err := place.Switch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if present, err = place.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := all(t, present, "things"); len(got) != n {
					t.Errorf("%d rows are there, want %d", len(got), n)
				}
				if err := present.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestSwitchWhileRead: a statement that reads the former tables does not hold up
// the switch, and who might read those may read the new ones.
func TestSwitchWhileRead(t *testing.T) {
	url := testkit.Database(t)
	place, err := sqldb.NewPostgres(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	define := func(db sqldb.DB, err error) {
		t.Helper()
		if err == nil {
			err = db.Define(t.Context(), sqldb.Schema{Tables: []*sqldb.Table{table}, Views: []sqldb.View{{Name: "things", Select: "SELECT * FROM thing"}}})
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	define(place.Open(t.Context()))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	exec := func(sql string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`CREATE ROLE "the analyst"`)
	exec(`GRANT USAGE ON SCHEMA casm_warehouse TO "the analyst"`)
	exec(`GRANT SELECT ON casm_warehouse.thing TO "the analyst"`)
	exec(`GRANT SELECT ON casm_warehouse.things TO PUBLIC`)

	exec(`BEGIN; SELECT * FROM casm_warehouse.thing`)
	define(place.Next(t.Context()))
	begun := time.Now()
	if err := place.Switch(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	exec(`COMMIT`)
	if took > 20*time.Second { // of which 2 are for removing what is read
		t.Errorf("the switch took %v", took)
	}
	exec(`SET ROLE "the analyst"`)
	exec(`SELECT * FROM casm_warehouse.thing JOIN casm_warehouse.things USING (id)`)
	if _, err := c.Exec(t.Context(), `DELETE FROM casm_warehouse.thing`); err == nil {
		t.Error("who could read can write now")
	}
	exec(`RESET ROLE`)
	define(place.Next(t.Context())) // which removes what was left
	if err := place.Switch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'casm_warehouse_%'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d schemas were left: %v", left, err)
	}
	exec(`SET ROLE "the analyst"`)
	exec(`SELECT * FROM casm_warehouse.thing JOIN casm_warehouse.things USING (id)`)
}

func TestLead(t *testing.T) {
	for name, place := range places(t) {
		if name == "SQLite" {
			continue // its lock is the caller's
		}
		release, ok, err := place.Lead(t.Context())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if _, ok, err := place.Lead(t.Context()); err != nil || ok {
			t.Errorf("a second one leads: %t %v", ok, err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		release, ok, err = place.Lead(t.Context())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		_ = release()
	}
}

// TestForeignFile: another application's database is left alone.
func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "theirs.db")
	c, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(c, "CREATE TABLE theirs (x)", nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if _, err := (sqldb.SQLite{Path: path}).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "another application's") {
		t.Errorf("the error is %v", err)
	}
}

// TestOwnerAlone: nobody else on the machine can read the data, neither before
// a rebuild nor after it.
func TestOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	place := sqldb.SQLite{Path: filepath.Join(dir, "warehouse.db")}
	for name, open := range map[string]func(context.Context) (sqldb.DB, error){"warehouse.db": place.Open, "the next one": place.Next} {
		db, err := open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // it only reads
		files, err := os.ReadDir(dir)
		if err != nil || len(files) < 3 {
			t.Errorf("files: %v, %v", files, err)
		}
		for _, f := range files {
			if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s: %v, %v", name, f.Name(), info.Mode(), err)
			}
		}
	}
}

// TestPasswordIsNotTold: an address that cannot be read is not shown.
func TestPasswordIsNotTold(t *testing.T) {
	for _, url := range []string{"postgres://me:geheim@host:notaport/x", "postgres://me:geheim@%zz/x"} {
		if _, err := sqldb.NewPostgres(url, nil); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", url, err)
		}
	}
	p, err := sqldb.NewPostgres("postgres://me:geheim@127.0.0.1:1/x?connect_timeout=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Open(t.Context())
	if !errors.Is(err, sqldb.ErrUnavailable) || strings.Contains(err.Error()+p.String(), "geheim") {
		t.Errorf("%v, %s", err, p)
	}
}
