package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"casm/auth"
	"casm/warehouse"
	"casm/warehouse/httpfeed"
	"casm/warehouse/lake"
	"casm/warehouse/sqldb"
)

// WarehouseData is where a data warehouse is.
type WarehouseData struct {
	Data
	Warehouse string `env:"CASM_WAREHOUSE" placeholder:"URL" help:"PostgreSQL in which the data warehouse is kept, postgres://… None: a file in the data folder."`
}

// Check finds what is wrong with it.
func (w *WarehouseData) Check() error {
	if w.Warehouse == Off {
		return errors.New("--warehouse off: there is no warehouse to work on")
	}
	return errors.Join(w.Data.Check(), checkWarehouse(w.Warehouse))
}

func (w *WarehouseData) place(log *slog.Logger) (sqldb.Place, error) {
	return warehousePlace(w.Warehouse, w.Data.Data, log)
}

// reader opens the warehouse to read it, whether a process works on it or not.
func (w *WarehouseData) reader(ctx context.Context) (sqldb.DB, error) {
	place, err := w.place(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return place.OpenReader(ctx)
}

// Cell is a value of a result.
type Cell struct {
	Text   string
	Null   bool
	Number bool
}

// QueryWarehouse runs one SQL statement that reads, for no longer than limit;
// 0: without one. header is called once, before the rows; the slice that row
// gets is used again.
func QueryWarehouse(ctx context.Context, w WarehouseData, statement string, limit time.Duration, header func([]string) error, row func([]Cell) error) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the statement was ended after %v; --timeout says how long one may take", limit))
		defer cancel()
	}
	db, err := w.reader(ctx)
	if err != nil {
		return err
	}
	var cells []Cell
	err = db.Select(ctx, statement, header, func(values []sqldb.Value) error {
		cells = cells[:0]
		for _, v := range values {
			cells = append(cells, Cell{v.Text(), v.IsNull(), v.IsNumber()})
		}
		return row(cells)
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return errors.Join(err, db.Close())
}

// ExportWarehouse writes the warehouse as Parquet files to a folder. progress
// gets how many rows of about how many are done, and of which day they are.
func ExportWarehouse(ctx context.Context, w WarehouseData, dir string, progress func(done, total int64, day string)) (days, files int, rows int64, err error) {
	db, err := w.reader(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	r, err := lake.Export(ctx, db, dir, func(p lake.Progress) { progress(p.Done, p.Total, p.Date) })
	return r.Days, r.Files, r.Rows, errors.Join(err, db.Close())
}

// FeedSettings are where a warehouse in a process of its own gets the log from.
type FeedSettings struct {
	Feed       string `env:"CASM_FEED" placeholder:"URL" help:"Server whose feed is read, such as http://127.0.0.1:8080."`
	APIKey     string `name:"api-key" env:"CASM_API_KEY" xor:"api-key" placeholder:"KEY" help:"API key for --feed, with the permission stream:read. Give it in the environment rather than on the command line."`
	APIKeyFile string `name:"api-key-file" env:"CASM_API_KEY_FILE" xor:"api-key" placeholder:"FILE" help:"File that holds the API key."`
	ClientTLS
	TimeZone string `env:"CASM_TIME_ZONE" default:"UTC" placeholder:"ZONE" help:"The installation's time zone (IANA), of daily figures (default: ${default})."`
}

// Check finds what is wrong with them.
func (f *FeedSettings) Check() error {
	if _, err := time.LoadLocation(f.TimeZone); err != nil || f.TimeZone == "Local" {
		return fmt.Errorf("--time-zone %q: no time zone of the IANA database, such as UTC or Europe/Vienna", f.TimeZone)
	}
	if f.Feed == "" {
		return nil
	}
	if _, err := httpfeed.New(f.Feed, "", nil); err != nil {
		return fmt.Errorf("--feed: %w", err)
	}
	return f.ClientTLS.Check()
}

// feedTimeout bounds one request to the feed.
const feedTimeout = 2 * time.Minute

// open opens the feed that is named.
func (f *FeedSettings) open() (*httpfeed.Feed, error) {
	key := f.APIKey
	if f.APIKeyFile != "" {
		var err error
		if key, err = SecretFile("--api-key-file", f.APIKeyFile); err != nil {
			return nil, err
		}
	}
	client, err := f.HTTP(feedTimeout)
	if err != nil {
		return nil, err
	}
	return httpfeed.New(f.Feed, key, client)
}

// RebuildWarehouse builds the warehouse anew, beside the one there is, from
// the feed that is named, or else of the server that works on the data folder,
// or else from the folder itself, which is refused with ErrNoData if it holds
// nothing yet.
func RebuildWarehouse(ctx context.Context, w WarehouseData, f FeedSettings, log *slog.Logger, progress func(done, total, messages int64)) error {
	if f.Feed != "" {
		return w.rebuildFrom(ctx, f, log, progress)
	}
	if w.Database == "" {
		if _, err := ServerStatus(ctx, w.Data.Data); err == nil {
			return rebuildThrough(ctx, w.Data.Data, progress)
		}
	}
	if err := w.Data.begun(); err != nil {
		return err
	}
	core, err := open(ctx, w.Data, log)
	if err != nil {
		return err
	}
	err = w.rebuild(ctx, journal{core.engine}, f, log, progress)
	return errors.Join(err, core.close(ctx))
}

func (w *WarehouseData) rebuildFrom(ctx context.Context, f FeedSettings, log *slog.Logger, progress func(done, total, messages int64)) error {
	feed, err := f.open()
	if err != nil {
		return err
	}
	return w.rebuild(ctx, feed, f, log, progress)
}

// rebuild builds the warehouse anew in this process. In a file that another
// process works on that is the other's affair; in a database it goes on in
// what it finds.
func (w *WarehouseData) rebuild(ctx context.Context, feed warehouse.Feed, f FeedSettings, log *slog.Logger, progress func(done, total, messages int64)) (err error) {
	place, err := w.place(log)
	if err != nil {
		return err
	}
	if w.Warehouse == "" {
		release, ok, err := place.Lead(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: a process works on its warehouse; stop it first (casm serve rebuilds its own when --feed is left out)", ErrInUse)
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil {
		return err
	}
	open, err := warehouse.Open(ctx, warehouse.Options{Place: place, Feed: feed, Zone: zone, Logger: log})
	if err != nil {
		return err
	}
	err = open.Rebuild(ctx, func(p warehouse.RebuildProgress) { progress(p.Done, p.Total, p.Messages) })
	return errors.Join(err, open.Close())
}

// rebuildThrough asks the server that works on the data folder to rebuild its
// warehouse.
func rebuildThrough(ctx context.Context, data string, progress func(done, total, messages int64)) error {
	_, err := callLong(ctx, data, Actor(), "/warehouse/rebuild", nil, func(l longLine) { progress(l.Done, l.Total, l.Messages) })
	return err
}

// serveRebuild rebuilds the warehouse for the other end of the socket, and
// gives it up when that goes away.
func (d *dwh) serveRebuild(w http.ResponseWriter, r *http.Request) {
	serveLong(w, r, func(ctx context.Context, say func(longLine)) (any, error) {
		open, err := d.get()
		if err != nil {
			return nil, err
		}
		err = open.Rebuild(ctx, func(p warehouse.RebuildProgress) {
			say(longLine{Done: p.Done, Total: p.Total, Messages: p.Messages})
		})
		if err != nil {
			return nil, err
		}
		return nil, auth.AuditDone(ctx, d.log, actorOf(r), "warehouse.rebuild", "socket")
	})
}
