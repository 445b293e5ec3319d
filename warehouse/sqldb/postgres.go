package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The schemas of the warehouse: the present one, and the one that is built to
// take its place.
const (
	pgPresent = "casm_warehouse"
	pgNext    = "casm_warehouse_next"
	pgFormer  = "casm_warehouse_former"

	pgConns   = 6
	pgConnect = 10 * time.Second
	// pgCancel is how long the server has to end a statement that is given up.
	pgCancel = 2 * time.Second
)

// The advisory locks: of the process that follows, and of who writes.
const (
	pgLeadLock  = 0x63617377_00000001
	pgWriteLock = 0x63617377_00000002
)

// Postgres is a database of a PostgreSQL server, in which the warehouse has
// schemas of its own.
type Postgres struct {
	config *pgxpool.Config
	log    *slog.Logger
}

var _ Place = (*Postgres)(nil)

// NewPostgres takes the URL of a database. Its errors do not hold the password.
// log may be nil.
func NewPostgres(url string, log *slog.Logger) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("--warehouse: the address of the database cannot be read") // it may hold a password
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = pgConnect
	}
	for name, value := range map[string]string{
		"application_name": "casm warehouse", "timezone": "UTC", "datestyle": "ISO",
		// What a crash of the server loses is read again: the position goes
		// with the data.
		"synchronous_commit": "off",
	} {
		c.RuntimeParams[name] = value
	}
	config.MaxConns = max(config.MaxConns, pgConns)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Postgres{config, log}, nil
}

// String implements Place.
func (p *Postgres) String() string {
	c := p.config.ConnConfig
	return fmt.Sprintf("database %s at %s:%d", c.Database, c.Host, c.Port)
}

// Open implements Place.
func (p *Postgres) Open(ctx context.Context) (DB, error) { return p.open(ctx, pgPresent, true) }

// OpenReader implements Place.
func (p *Postgres) OpenReader(ctx context.Context) (DB, error) { return p.open(ctx, pgPresent, false) }

func (p *Postgres) open(ctx context.Context, schema string, write bool) (DB, error) {
	config := p.config.Copy()
	config.ConnConfig.RuntimeParams["search_path"] = schema
	if write {
		// Rows are found by their keys, however little the planner knows of a
		// table that grows: a plan that reads all of it must not stick.
		for _, name := range []string{"jit", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"} {
			config.ConnConfig.RuntimeParams[name] = "off"
		}
	} else {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
		config.MaxConns = 1
		// A statement that is given up ends on the server, too.
		config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: pgCancel}
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, classifyPostgres(err)
	}
	db := &pgDB{pool: pool, schema: schema}
	if write {
		_, err = pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema)
	} else {
		err = pool.Ping(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, classifyPostgres(err)
	}
	return db, nil
}

// Lead implements Place: a lock of a connection that stays open.
func (p *Postgres) Lead(ctx context.Context) (func() error, bool, error) {
	c, err := pgx.ConnectConfig(ctx, p.config.ConnConfig.Copy())
	if err != nil {
		return nil, false, classifyPostgres(err)
	}
	end := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return c.Close(ctx)
	}
	var ok bool
	err = c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(pgLeadLock)).Scan(&ok)
	if err != nil || !ok {
		return nil, false, errors.Join(classifyPostgres(err), end())
	}
	return end, true, nil
}

// pgDB is an open schema.
type pgDB struct {
	pool   *pgxpool.Pool
	schema string
	closed atomic.Bool
}

// Close implements DB.
func (d *pgDB) Close() error {
	d.closed.Store(true)
	d.pool.Close()
	return nil
}

// Update implements DB.
func (d *pgDB) Update(ctx context.Context, fn func(Tx) error) error {
	begin := fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", pgWriteLock)
	return d.in(ctx, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		return (&pgTx{tx: tx}).run(func(t *pgTx) error { return fn(t) })
	})
}

// View implements DB.
func (d *pgDB) View(ctx context.Context, fn func(Reader) error) error {
	return d.in(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return (&pgTx{tx: tx}).run(func(t *pgTx) error { return fn(t) })
	})
}

func (d *pgDB) in(ctx context.Context, o pgx.TxOptions, fn func(pgx.Tx) error) (err error) {
	tx, err := d.pool.BeginTx(ctx, o)
	if err != nil {
		if d.closed.Load() {
			return fmt.Errorf("%w: it is closed", ErrUnavailable)
		}
		return classifyPostgres(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pgConnect)
		defer cancel()
		if e := tx.Rollback(ctx); e != nil && !errors.Is(e, pgx.ErrTxClosed) {
			err = errors.Join(err, classifyPostgres(e))
		}
	}()
	if err := fn(tx); err != nil {
		return classifyPostgres(err)
	}
	return classifyPostgres(tx.Commit(ctx))
}

// Select implements DB. The transaction cannot write, and a statement that
// gives no rows (COPY, DO, SET and the like) is refused before it runs.
func (d *pgDB) Select(ctx context.Context, sql string, header func([]string) error, each func([]Value) error) error {
	err := d.in(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if end, ok := ctx.Deadline(); ok { // should nobody be there to give it up
			limit := strconv.FormatInt((time.Until(end) + pgCancel).Milliseconds(), 10)
			if _, err := tx.Exec(ctx, "SELECT set_config('statement_timeout', $1, true)", limit); err != nil {
				return err
			}
		}
		// The extended protocol takes one statement at a time.
		described, err := tx.Prepare(ctx, "", sql)
		if err != nil {
			return err
		}
		if len(described.Fields) == 0 {
			return errNoRows
		}
		columns := make([]string, len(described.Fields))
		for i, f := range described.Fields {
			columns[i] = f.Name
		}
		rows, err := tx.Query(ctx, sql, pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.TextFormatCode})
		if err != nil {
			return err
		}
		defer rows.Close()
		if err := header(columns); err != nil {
			return err
		}
		return readRows(rows, each)
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == pgReadOnly {
		return e // the statement is at fault
	}
	return err
}

// pgReadOnly is the code of an attempt to write where nothing can be written.
const pgReadOnly = "25006"

// readRows reads rows whose values are texts.
func readRows(rows pgx.Rows, each func([]Value) error) error {
	fields := rows.FieldDescriptions()
	row := make([]Value, len(fields))
	for rows.Next() {
		if each == nil {
			continue
		}
		for i, raw := range rows.RawValues() {
			v, err := pgValue(fields[i].DataTypeOID, raw)
			if err != nil {
				return err
			}
			row[i] = v
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// classifyPostgres tells what is the fault of what was written from what is not.
func classifyPostgres(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:2] {
		case "08", "25", "40", "53", "55", "57", "58", "XX": // the connection, the transaction, resources, the server
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	if connect || network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
