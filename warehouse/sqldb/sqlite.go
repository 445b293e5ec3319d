package sqldb

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"casm/internal/ownfile"

	"zombiezen.com/go/sqlite"
)

const (
	// A commit is safe from a kill of the process at once, and from a loss of
	// power with the next checkpoint: what is lost then is read again, for the
	// position goes with the data.
	sqliteSettings = `PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;`
	// sqlitePages is the length of the write-ahead log from which it is copied back.
	sqlitePages       = 32000
	sqliteLogLimit    = 256 << 20
	sqliteWriterCache = 96 << 20
	sqliteReaderCache = 8 << 20
	sqliteBusy        = 5 * time.Second
	// sqliteID marks a file as a warehouse of ours ("casw" in ASCII).
	sqliteID = 0x63617377
)

// SQLite is a database file. One process at a time writes it, which the caller
// sees to; any number may read it.
type SQLite struct {
	Path string
	// Lock takes the file for this process; nil: the caller has seen to it.
	Lock func() (release func() error, ok bool, err error)
}

var _ Place = SQLite{}

// String implements Place.
func (p SQLite) String() string { return p.Path }

// next is where the next database is built, and ready what it is called once
// it is whole and is to take the present one's place.
func (p SQLite) next() string  { return p.Path + ".next" }
func (p SQLite) ready() string { return p.Path + ".ready" }

// Open implements Place.
func (p SQLite) Open(ctx context.Context) (DB, error) {
	if err := p.finish(); err != nil {
		return nil, err
	}
	return openSQLite(ctx, p.Path)
}

// OpenReader implements Place.
func (p SQLite) OpenReader(ctx context.Context) (DB, error) {
	if _, err := os.Stat(p.Path); err != nil {
		return nil, fmt.Errorf("there is no warehouse: %w", err)
	}
	return &sqliteDB{path: p.Path, readers: newPool(1), closed: make(chan struct{})}, ctx.Err()
}

// Next implements Place.
func (p SQLite) Next(ctx context.Context) (DB, error) {
	if err := removeSQLite(p.next()); err != nil {
		return nil, err
	}
	return openSQLite(ctx, p.next())
}

// Switch implements Place. The rename to ready decides; what follows it is
// done again by Open where the process was killed in between.
func (p SQLite) Switch(context.Context) error {
	if _, err := os.Stat(p.next() + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s is still open", p.next()), err)
	}
	if err := syncPath(p.next()); err != nil {
		return err
	}
	if err := os.Rename(p.next(), p.ready()); err != nil {
		return err
	}
	if err := syncPath(filepath.Dir(p.Path)); err != nil {
		return err
	}
	return p.finish()
}

// finish puts a database that is ready in its place. Processes that still read
// the old file go on reading it: SQLite sees that it was moved.
func (p SQLite) finish() error {
	if _, err := os.Stat(p.ready()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.Remove(p.Path + tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(p.ready(), p.Path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(p.Path))
}

// Lead implements Place.
func (p SQLite) Lead(context.Context) (func() error, bool, error) {
	if p.Lock == nil {
		return func() error { return nil }, true, nil
	}
	return p.Lock()
}

func removeSQLite(path string) error {
	for _, tail := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sqliteConn is one connection, for one goroutine at a time.
type sqliteConn struct{ *sqlite.Conn }

// sqliteDB holds what is free: the connection that writes, and some that read,
// nil for each that is not open yet.
type sqliteDB struct {
	path    string
	writer  chan *sqliteConn // nil: it only reads
	readers chan *sqliteConn
	closing sync.Once
	closed  chan struct{}
}

func newPool(n int) chan *sqliteConn {
	pool := make(chan *sqliteConn, n)
	for range n {
		pool <- nil
	}
	return pool
}

func openSQLite(ctx context.Context, path string) (*sqliteDB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := ownfile.Begin(path); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	w, err := connectSQLite(path, true)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := w.claim(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), w.Close())
	}
	d := &sqliteDB{
		path: path, writer: make(chan *sqliteConn, 1),
		readers: newPool(min(max(runtime.NumCPU(), 2), 8)), closed: make(chan struct{}),
	}
	d.writer <- w
	return d, nil
}

func connectSQLite(path string, writer bool) (c *sqliteConn, err error) {
	flags := sqlite.OpenReadWrite
	if writer {
		flags |= sqlite.OpenCreate
	}
	raw, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c = &sqliteConn{raw}
	c.SetBusyTimeout(sqliteBusy)
	settings := sqliteSettings
	if writer {
		settings += fmt.Sprintf(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = %d;
			PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d;`, sqlitePages, sqliteLogLimit, sqliteWriterCache>>10)
	} else {
		settings += fmt.Sprintf(`PRAGMA query_only = ON; PRAGMA cache_size = -%d;`, sqliteReaderCache>>10)
	}
	if err := c.script(settings); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// claim marks an empty file as ours and refuses another application's.
func (c *sqliteConn) claim(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var id, tables int64
	if err := c.rows(ctx, `PRAGMA application_id`, func(row []Value) error { id = row[0].Int(); return nil }); err != nil {
		return err
	}
	if err := c.rows(ctx, `SELECT count(*) FROM sqlite_master`, func(row []Value) error { tables = row[0].Int(); return nil }); err != nil {
		return err
	}
	switch {
	case id == sqliteID:
		return nil
	case id != 0 || tables != 0:
		return errors.New("the file is another application's database")
	}
	return c.script(fmt.Sprintf(`PRAGMA application_id = %d`, sqliteID))
}

// script runs statements that give no rows of interest.
func (c *sqliteConn) script(sql string) error {
	for strings.TrimSpace(sql) != "" {
		stmt, trailing, err := c.PrepareTransient(sql)
		if err != nil {
			return err
		}
		sql = sql[len(sql)-trailing:]
		more := true
		for more && err == nil {
			more, err = stmt.Step()
		}
		if err := errors.Join(err, stmt.Finalize()); err != nil {
			return err
		}
	}
	return nil
}

// rows runs a statement that is not kept.
func (c *sqliteConn) rows(ctx context.Context, sql string, each func([]Value) error) error {
	stmt, _, err := c.PrepareTransient(sql)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, stmt, each), stmt.Finalize())
}

// run steps through a statement's rows.
func run(ctx context.Context, stmt *sqlite.Stmt, each func([]Value) error) error {
	var row []Value
	for n := 1; ; n++ {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		if each == nil {
			continue
		}
		if row == nil {
			row = make([]Value, stmt.ColumnCount())
		}
		for i := range row {
			row[i] = column(stmt, i)
		}
		if err := each(row); err != nil {
			return err
		}
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func column(stmt *sqlite.Stmt, i int) Value {
	switch stmt.ColumnType(i) {
	case sqlite.TypeInteger:
		return Int(stmt.ColumnInt64(i))
	case sqlite.TypeText:
		return Str(stmt.ColumnText(i))
	case sqlite.TypeFloat:
		return Float(stmt.ColumnFloat(i))
	case sqlite.TypeBlob:
		b := make([]byte, stmt.ColumnLen(i))
		stmt.ColumnBytes(i, b)
		return Str(hex.EncodeToString(b))
	}
	return Null
}

func bind(stmt *sqlite.Stmt, args []Value) {
	for i, v := range args {
		switch v.kind {
		case kindNull:
			stmt.BindNull(i + 1)
		case kindInt:
			stmt.BindInt64(i+1, v.n)
		default:
			stmt.BindText(i+1, v.Text())
		}
	}
}

// sqliteTx implements Tx and Reader.
type sqliteTx struct{ c *sqliteConn }

// Query implements Reader.
func (t sqliteTx) Query(ctx context.Context, sql string, args []Value, each func([]Value) error) error {
	stmt, err := t.c.Prepare(sql)
	if err != nil {
		return err
	}
	bind(stmt, args)
	err = run(ctx, stmt, each)
	return errors.Join(err, reset(stmt, err))
}

// reset ends a statement; what Step told already is not told again.
func reset(stmt *sqlite.Stmt, err error) error {
	if e := stmt.Reset(); err == nil {
		return e
	}
	return nil
}

// Exec implements Tx.
func (t sqliteTx) Exec(ctx context.Context, sql string, args ...Value) error {
	return t.Query(ctx, sql, args, nil)
}

// All implements Reader.
func (t sqliteTx) All(ctx context.Context, statements []Statement) error {
	for _, s := range statements {
		if err := t.Many(ctx, s.SQL, s.Columns, s.Rows, s.Each); err != nil {
			return err
		}
	}
	return nil
}

// Many implements Reader: the statement runs once for each row.
func (t sqliteTx) Many(ctx context.Context, sql string, columns []Column, rows [][]Value, each func([]Value) error) error {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := t.c.Prepare(sqliteMany(sql, columns))
	if err != nil {
		return err
	}
	for n, row := range rows {
		if n%64 == 63 && ctx.Err() != nil {
			return ctx.Err()
		}
		bind(stmt, row)
		err := run(ctx, stmt, each)
		if err := errors.Join(err, reset(stmt, err)); err != nil {
			return err
		}
	}
	return nil
}

// sqliteMany is a statement with {rows} for one row. What is only added is given
// as VALUES: of a SELECT there might be several rows, and for the case that a
// later one fails the pages that change are kept.
func sqliteMany(sql string, columns []Column) string {
	rows := "SELECT " + names(columns, "v.") + " FROM {rows}"
	values := "VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	sql = strings.Replace(sql, rows+" WHERE true ON CONFLICT", values+" ON CONFLICT", 1)
	if strings.HasSuffix(sql, rows) {
		sql = strings.TrimSuffix(sql, rows) + values
	}
	return strings.Replace(sql, "{rows}", sqliteRows(columns), 1)
}

// sqliteRows is a FROM item with one row of parameters.
func sqliteRows(columns []Column) string {
	var b strings.Builder
	b.WriteString("(SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("? AS " + c.Name)
	}
	b.WriteString(") AS v")
	return b.String()
}

// Update implements DB.
func (d *sqliteDB) Update(ctx context.Context, fn func(Tx) error) (err error) {
	c, err := d.take(ctx, d.writer)
	if err != nil {
		return err
	}
	defer d.put(d.writer, c)
	c.SetInterrupt(nil)
	if err := c.script(`BEGIN IMMEDIATE`); err != nil {
		return classifySQLite(err)
	}
	defer func() {
		if e := c.rollback(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	if err := fn(sqliteTx{c}); err != nil {
		return classifySQLite(err)
	}
	return classifySQLite(c.script(`COMMIT`))
}

// rollback ends a transaction that is open.
func (c *sqliteConn) rollback() error {
	c.SetInterrupt(nil)
	if c.AutocommitEnabled() {
		return nil
	}
	return c.script(`ROLLBACK`)
}

// View implements DB.
func (d *sqliteDB) View(ctx context.Context, fn func(Reader) error) (err error) {
	c, err := d.take(ctx, d.readers)
	if err != nil {
		return err
	}
	defer d.put(d.readers, c)
	c.SetInterrupt(ctx.Done())
	defer func() { err = errors.Join(err, c.rollback()) }()
	if err := c.script(`BEGIN`); err != nil {
		return classifySQLite(err)
	}
	return classifySQLite(fn(sqliteTx{c}))
}

// Select implements DB.
func (d *sqliteDB) Select(ctx context.Context, sql string, header func([]string) error, each func([]Value) error) error {
	c, err := connectSQLite(d.path, false)
	if err != nil {
		return err
	}
	c.SetInterrupt(ctx.Done())
	err = c.selectRows(ctx, sql, header, each)
	c.SetInterrupt(nil)
	return errors.Join(err, c.Close())
}

func (c *sqliteConn) selectRows(ctx context.Context, sql string, header func([]string) error, each func([]Value) error) error {
	// Neither a file nor another database may be reached from a statement.
	if err := c.SetAuthorizer(readOnly{}); err != nil {
		return err
	}
	stmt, trailing, err := c.PrepareTransient(sql)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultAuth {
		return fmt.Errorf("the statement does not only read: %w", err)
	}
	if err != nil {
		return err
	}
	if strings.TrimRight(sql[len(sql)-trailing:], "; \t\r\n") != "" {
		return errors.Join(errors.New("one statement at a time"), stmt.Finalize())
	}
	columns := make([]string, stmt.ColumnCount())
	for i := range columns {
		columns[i] = stmt.ColumnName(i)
	}
	if err := header(columns); err != nil {
		return errors.Join(err, stmt.Finalize())
	}
	err = run(ctx, stmt, each)
	if e := stmt.Finalize(); err == nil {
		err = e
	}
	return err
}

// readOnly is an authorizer that lets a statement read, and nothing else.
type readOnly struct{}

// Authorize implements sqlite.Authorizer.
func (readOnly) Authorize(a sqlite.Action) sqlite.AuthResult {
	switch a.Type() {
	case sqlite.OpSelect, sqlite.OpRead, sqlite.OpFunction, sqlite.OpRecursive:
		return sqlite.AuthResultOK
	}
	return sqlite.AuthResultDeny
}

func (d *sqliteDB) take(ctx context.Context, pool chan *sqliteConn) (*sqliteConn, error) {
	select {
	case <-d.closed:
		return nil, fmt.Errorf("%w: it is closed", ErrUnavailable)
	default:
	}
	select {
	case c := <-pool:
		if c != nil {
			return c, nil
		}
		c, err := connectSQLite(d.path, pool == d.writer)
		if err != nil {
			pool <- nil
			return nil, fmt.Errorf("%w: connect: %w", ErrUnavailable, err)
		}
		return c, nil
	case <-d.closed:
		return nil, fmt.Errorf("%w: it is closed", ErrUnavailable)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// put gives a connection back. One whose transaction could not be ended is not
// used again.
func (d *sqliteDB) put(pool chan *sqliteConn, c *sqliteConn) {
	if !c.AutocommitEnabled() {
		_ = c.Close() // the error that led here is told
		c = nil
	}
	pool <- c
}

// Close implements DB. The connection that may write is the last to close: it
// copies the write-ahead log back into the database.
func (d *sqliteDB) Close() (err error) {
	d.closing.Do(func() {
		close(d.closed)
		for range cap(d.readers) {
			if c := <-d.readers; c != nil {
				err = errors.Join(err, c.Close())
			}
		}
		if d.writer == nil {
			return
		}
		if w := <-d.writer; w != nil {
			err = errors.Join(err, w.Close())
		}
	})
	return err
}

// classifySQLite tells what is the fault of what was written from what is not.
func classifySQLite(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultIOErr, sqlite.ResultFull, sqlite.ResultNoMem, sqlite.ResultCantOpen, sqlite.ResultBusy,
		sqlite.ResultLocked, sqlite.ResultReadOnly, sqlite.ResultProtocol, sqlite.ResultCorrupt,
		sqlite.ResultNotADB, sqlite.ResultPerm, sqlite.ResultAuth, sqlite.ResultInterrupt:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
