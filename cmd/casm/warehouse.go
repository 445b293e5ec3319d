package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"casm/app"
)

type warehouse struct {
	Serve   warehouseServe   `cmd:"" help:"Follow the stream into a data warehouse, as a process of its own."`
	Rebuild warehouseRebuild `cmd:"" help:"Build the data warehouse anew from the feed, beside the one there is."`
	SQL     warehouseSQL     `cmd:"" name:"sql" help:"Run one SQL statement that reads."`
	Export  warehouseExport  `cmd:"" help:"Write the data warehouse as Parquet files, by day."`
}

// Help is what casm warehouse --help adds.
func (warehouse) Help() string {
	return `casm serve keeps a data warehouse of its own in the data folder; these commands work on it, or with --warehouse on one in PostgreSQL. docs/warehouse.md describes its tables, the table data_dictionary lists them.

Examples:

  casm warehouse sql "SELECT state, count(*) FROM customer WHERE NOT is_test GROUP BY state"
  casm warehouse export --parquet /data/lake
  casm warehouse rebuild`
}

type warehouseServe struct {
	app.WarehouseServer `embed:""`
}

// Help is what casm warehouse serve --help adds.
func (warehouseServe) Help() string {
	return `Let the server run with --warehouse off, or name the same PostgreSQL: then it answers /v1/dwh from there, and one of the processes follows while the others stand by.

Example:

  casm warehouse serve --feed http://127.0.0.1:8080 --stream nats://127.0.0.1:4222 --data /var/lib/casm-warehouse`
}

// Validate is called when the command line was read.
func (s *warehouseServe) Validate() error { return s.Check() }

// Run follows until it is stopped.
func (s *warehouseServe) Run(ctx context.Context, to streams) error {
	return app.RunWarehouse(ctx, s.WarehouseServer, to.out, to.err)
}

type warehouseRebuild struct {
	app.WarehouseData `embed:""`
	app.FeedSettings  `embed:""`
}

// Help is what casm warehouse rebuild --help adds.
func (warehouseRebuild) Help() string {
	return `A server that runs on the data folder is asked to do it, and goes on following meanwhile; where none runs, the folder is read. With --feed the feed of that server is read: to rebuild the warehouse of another process, or one in PostgreSQL.

Examples:

  casm warehouse rebuild --data /var/lib/casm
  casm warehouse rebuild --feed https://casm.example --warehouse "$WAREHOUSE"`
}

// Validate is called when the command line was read.
func (r *warehouseRebuild) Validate() error {
	return errors.Join(r.WarehouseData.Check(), r.FeedSettings.Check())
}

// Run rebuilds.
func (r *warehouseRebuild) Run(ctx context.Context, to streams) error {
	bar := newBar(to.err, "transactions")
	var messages int64
	begun := time.Now()
	log := slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	err := app.RebuildWarehouse(ctx, r.WarehouseData, r.FeedSettings, log, func(done, total, n int64) {
		messages = n
		bar.show(done, total, "")
	})
	bar.clear()
	if err != nil {
		return err
	}
	took := time.Since(begun)
	_, err = fmt.Fprintf(to.out, "rebuilt: %d messages in %s\n", messages, took.Round(10*time.Millisecond))
	return err
}

type warehouseSQL struct {
	app.WarehouseData `embed:""`
	JSON              bool          `name:"json" xor:"form" help:"Print a JSON object a line."`
	CSV               bool          `name:"csv" xor:"form" help:"Print comma-separated values with a header."`
	Timeout           time.Duration `default:"10m" help:"How long the statement may take; 0: as long as it likes (default: ${default})."`
	Statement         string        `arg:"" help:"The statement; it can read and nothing else."`
}

// Help is what casm warehouse sql --help adds.
func (warehouseSQL) Help() string {
	return `The warehouse may be in use meanwhile. Its dialect is SQLite's, or PostgreSQL's with --warehouse postgres://…

Examples:

  casm warehouse sql "SELECT table_name, description FROM data_dictionary WHERE column_name = ''"
  casm warehouse sql --csv "SELECT * FROM daily_metric ORDER BY date" > daily.csv`
}

// Validate is called when the command line was read.
func (q *warehouseSQL) Validate() error {
	if q.Timeout < 0 {
		return errors.New("--timeout must not be below 0")
	}
	return q.Check()
}

// Run runs the statement.
func (q *warehouseSQL) Run(ctx context.Context, to streams) error {
	var form resultForm
	switch {
	case q.JSON:
		form = &jsonForm{out: json.NewEncoder(to.out)}
	case q.CSV:
		form = csvForm{csv.NewWriter(to.out)}
	default:
		form = &tableForm{w: tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)}
	}
	err := app.QueryWarehouse(ctx, q.WarehouseData, q.Statement, q.Timeout, form.header, form.row)
	return errors.Join(err, form.end())
}

// resultForm is how a result is printed.
type resultForm interface {
	header(columns []string) error
	row(cells []app.Cell) error
	end() error
}

// tableForm prints columns, whose widths are those of a thousand rows at a time.
type tableForm struct {
	w    *tabwriter.Writer
	rows int
}

const tableRows = 1000

func (f *tableForm) header(columns []string) error {
	_, err := fmt.Fprintln(f.w, strings.Join(columns, "\t"))
	return err
}

func (f *tableForm) row(cells []app.Cell) error {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = c.Text
		if c.Null {
			texts[i] = "-"
		}
	}
	line := strings.NewReplacer("\n", "\\n", "\r", "\\r", "\v", " ", "\f", " ").Replace(strings.Join(texts, "\x1f"))
	line = strings.ReplaceAll(strings.ReplaceAll(line, "\t", "\\t"), "\x1f", "\t")
	if f.rows++; f.rows%tableRows == 0 {
		if err := f.w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(f.w, line)
	return err
}

func (f *tableForm) end() error { return f.w.Flush() }

type csvForm struct{ w *csv.Writer }

func (f csvForm) header(columns []string) error { return f.w.Write(columns) }

func (f csvForm) row(cells []app.Cell) error {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = c.Text
	}
	return f.w.Write(texts)
}

func (f csvForm) end() error {
	f.w.Flush()
	return f.w.Error()
}

type jsonForm struct {
	out     *json.Encoder
	columns []string
}

func (f *jsonForm) header(columns []string) error {
	f.columns = columns
	f.out.SetEscapeHTML(false)
	return nil
}

func (f *jsonForm) row(cells []app.Cell) error {
	var b strings.Builder
	b.WriteByte('{')
	for i, c := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.columns[i])
		if err != nil {
			return err
		}
		value := []byte(c.Text)
		switch {
		case c.Null:
			value = []byte("null")
		case !c.Number || !json.Valid(value):
			if value, err = json.Marshal(c.Text); err != nil {
				return err
			}
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return f.out.Encode(json.RawMessage(b.String()))
}

func (f *jsonForm) end() error { return nil }

type warehouseExport struct {
	app.WarehouseData `embed:""`
	Parquet           string `required:"" placeholder:"DIR" help:"Folder of the files; made when it is missing."`
}

// Help is what casm warehouse export --help adds.
func (warehouseExport) Help() string {
	return `Writes DIR/<dataset>/date=<day>/part-0.parquet. A further run writes the days that got transactions since, each as a whole: it may be repeated, and interrupted, at any time.

Example:

  casm warehouse export --parquet /data/lake`
}

// Validate is called when the command line was read.
func (e *warehouseExport) Validate() error { return e.Check() }

// Run exports.
func (e *warehouseExport) Run(ctx context.Context, to streams) error {
	bar := newBar(to.err, "rows")
	days, files, rows, err := app.ExportWarehouse(ctx, e.WarehouseData, e.Parquet, bar.show)
	bar.clear()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "%d days, %d files, %d rows\n", days, files, rows)
	return err
}

// bar shows on a terminal how far something is.
type bar struct {
	to    io.Writer // nil: nobody looks
	what  string
	begun time.Time
	shown time.Time
}

func newBar(to io.Writer, what string) *bar {
	b := &bar{what: what, begun: time.Now()}
	if isTerminal(to) {
		b.to = to
	}
	return b
}

func (b *bar) show(done, total int64, note string) {
	const width, every = 30, 100 * time.Millisecond
	if b.to == nil || time.Since(b.shown) < every {
		return
	}
	b.shown = time.Now()
	share := 1.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	full := int(share * width)
	rate := float64(done) / time.Since(b.begun).Seconds()
	_, _ = fmt.Fprintf(b.to, "\r\x1b[K[%s%s] %3.0f %%  %d of %d %s, %.0f a second  %s",
		strings.Repeat("#", full), strings.Repeat(".", width-full), 100*share, done, total, b.what, rate, note)
}

func (b *bar) clear() {
	if b.to != nil {
		_, _ = io.WriteString(b.to, "\r\x1b[K")
	}
}
