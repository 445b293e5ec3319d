// Package lake exports a data warehouse as Parquet files, a folder a day, for
// data lakes. Files are replaced as a whole: a run that is repeated, or was
// interrupted, leaves neither holes nor duplicates.
package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"casm"
	"casm/warehouse"
	"casm/warehouse/sqldb"
)

// manifestName is the file in which an export notes how far it is.
const manifestName = "_casm_export.json"

// manifest says what a folder holds. What is of another warehouse, or of
// another timeline of it, is exported anew.
type manifest struct {
	Instance string   `json:"instance"`
	Epoch    int64    `json:"epoch"`
	TimeZone string   `json:"timeZone"`
	Format   int      `json:"format"`
	Position int64    `json:"position"` // up to which transaction
	Columns  []string `json:"columns"`
}

// format counts changes of the files' form.
const format = 1

// Progress tells how far an export is.
type Progress struct {
	Done, Total int64 // rows
	Date        string
}

// Result is what an export did.
type Result struct {
	Days  int   // that were written
	Files int   //
	Rows  int64 //
}

// dataset is one kind of file: the rows of a day.
type dataset struct {
	name    string
	columns []sqldb.Column
	query   string // with the day as $1
}

// datasets are all that is exported.
func datasets() []dataset {
	var all []dataset
	for _, kind := range casm.Kinds {
		current, past := warehouse.EntityTables(kind)
		of := func(table *sqldb.Table) string {
			return "SELECT " + current.Names("h.") + ` FROM business_transaction t
				JOIN message m ON m.position = t.position
				JOIN ` + table.Name + ` h ON h.ref_id = m.ref_id AND h.version = m.version
				WHERE t.date = $1 AND m.type = '` + kind.String() + `' AND m.threshold IS NULL`
		}
		all = append(all, dataset{current.Name + "_version", current.Columns, of(past) + " UNION ALL " + of(current)})
	}
	byDate := func(name string, t *sqldb.Table, from string) {
		columns := slices.DeleteFunc(slices.Clone(t.Columns), func(c sqldb.Column) bool {
			return c.Name == "date" || c.Name == "is_test" // the folder tells the one; others are left out
		})
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = "x." + c.Name
		}
		all = append(all, dataset{name, columns, "SELECT " + strings.Join(names, ", ") + " FROM " + from + " WHERE date = $1"})
	}
	byDate("business_transaction", warehouse.TransactionTable(), "business_transaction x")
	byDate("message", warehouse.MessageTable(), "business_transaction t JOIN message x ON x.position = t.position")
	facts, balances := warehouse.FactTables()
	byDate("daily_metric", facts, "daily_metric x")
	byDate("daily_balance", balances, "daily_balance x")
	return all
}

// Export writes to a folder what a warehouse has and the folder does not: all
// days that got transactions since the last export, each as a whole. report,
// unless nil, is called now and then.
func Export(ctx context.Context, db sqldb.DB, dir string, report func(Progress)) (done Result, err error) {
	if report == nil {
		report = func(Progress) {}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return done, err
	}
	had, err := readManifest(dir)
	if err != nil {
		return done, err
	}
	now, err := presentManifest(ctx, db)
	if err != nil {
		return done, err
	}
	sets := datasets()
	for _, s := range sets {
		for _, c := range s.columns {
			now.Columns = append(now.Columns, s.name+"."+c.Name)
		}
	}
	if had.Instance != now.Instance || had.Epoch != now.Epoch || had.TimeZone != now.TimeZone || had.Format != now.Format ||
		!slices.Equal(had.Columns, now.Columns) || had.Position > now.Position {
		had = manifest{}
		if err := clear(dir, sets); err != nil {
			return done, err
		}
	}
	days, total, err := daysSince(ctx, db, had.Position)
	if err != nil {
		return done, err
	}
	p := Progress{Total: total}
	for _, day := range days {
		p.Date = day
		for _, s := range sets {
			n, err := s.export(ctx, db, dir, day, func() { p.Done++; report(p) })
			if err != nil {
				return done, fmt.Errorf("%s of %s: %w", s.name, day, err)
			}
			if n > 0 {
				done.Files++
				done.Rows += n
			}
		}
		done.Days++
		report(p)
	}
	return done, writeManifest(dir, now)
}

func readManifest(dir string) (m manifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, fmt.Errorf("%s, which says what the folder holds: %w; remove it to export all anew", filepath.Join(dir, manifestName), err)
	}
	return m, nil
}

func writeManifest(dir string, m manifest) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, manifestName), func(f *os.File) error {
		_, err := f.Write(append(b, '\n'))
		return err
	})
}

func presentManifest(ctx context.Context, db sqldb.DB) (m manifest, err error) {
	err = db.View(ctx, func(r sqldb.Reader) error {
		return r.Query(ctx, "SELECT instance, epoch, time_zone, position FROM progress", nil, func(row []sqldb.Value) error {
			m = manifest{Instance: row[0].Text(), Epoch: row[1].Int(), TimeZone: row[2].Text(), Format: format, Position: row[3].Int()}
			return nil
		})
	})
	if err == nil && m.Instance == "" {
		err = errors.New("the warehouse is empty")
	}
	return m, err
}

// clear removes what earlier exports wrote, and nothing else.
func clear(dir string, sets []dataset) error {
	for _, s := range sets {
		files, err := filepath.Glob(filepath.Join(dir, s.name, "date=*", fileName))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return err
			}
			_ = os.Remove(filepath.Dir(f)) // unless something else is in it
		}
	}
	if err := os.Remove(filepath.Join(dir, manifestName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// daysSince gives the days that have transactions behind a position, and about
// how many rows will be written of them.
func daysSince(ctx context.Context, db sqldb.DB, position int64) (days []string, rows int64, err error) {
	err = db.View(ctx, func(r sqldb.Reader) error {
		return r.Query(ctx, `SELECT date, count(*), sum(messages) FROM business_transaction
			WHERE date IN (SELECT date FROM business_transaction WHERE position > $1) GROUP BY date ORDER BY date`,
			[]sqldb.Value{sqldb.Int(position)}, func(row []sqldb.Value) error {
				days = append(days, row[0].Text())
				rows += row[1].Int() + 2*row[2].Int() // the transaction, and of each message itself and the version
				return nil
			})
	})
	return days, rows, err
}

// replace writes a file beside the one there is, and puts it in its place.
func replace(path string, write func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".casm-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it may be gone
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
