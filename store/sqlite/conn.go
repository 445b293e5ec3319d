package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"casm"
	"casm/store"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
)

const (
	// busyTimeout is how long a connection waits for another process (a
	// backup, a command line tool) that holds the write lock.
	busyTimeout = 5 * time.Second
	// checkpointPages is the length of the write-ahead log from which a commit
	// copies it back into the database: rarely enough that pages written often
	// are copied once (16,000 instead of 4,000 save a sixth of the CPU of
	// creates), often enough that the log stays small.
	checkpointPages = 16000
	// logLimit is what is left of a write-ahead log that a burst made longer.
	logLimit = 128 << 20

	writerCache = 16 << 20
	readerCache = 4 << 20
)

// conn is one connection to the database, for one goroutine at a time.
type conn struct {
	*sqlite.Conn
	interrupt chan struct{} // what it runs ends when this is closed; nil: it was not set
}

// until lets the end of ctx stop what the connection runs, also within a
// statement, until release is called. What SQLite watches stays set from one
// use to the next: setting it takes a goroutine and two hand-overs to it, for
// which other readers would wait.
func (c *conn) until(ctx context.Context) (release func()) {
	if c.interrupt == nil {
		c.interrupt = make(chan struct{})
		c.SetInterrupt(c.interrupt)
	}
	end := c.interrupt
	stop := context.AfterFunc(ctx, func() { close(end) })
	return func() {
		if stop() {
			return
		}
		<-end // or it would interrupt the next user
		c.SetInterrupt(nil)
		c.interrupt = nil
	}
}

// connect opens a connection and sets it up.
func connect(path string, writer bool) (c conn, err error) {
	flags := sqlite.OpenReadWrite
	if writer {
		flags |= sqlite.OpenCreate
	}
	raw, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return conn{}, err
	}
	c = conn{Conn: raw}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	c.SetBusyTimeout(busyTimeout)
	// fullfsync: on macOS nothing less reaches the disk; elsewhere without effect.
	settings := `PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA temp_store = MEMORY;`
	if writer {
		settings += fmt.Sprintf(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = %d;
			PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d;`,
			checkpointPages, logLimit, writerCache>>10)
	} else {
		settings += fmt.Sprintf(`PRAGMA query_only = ON; PRAGMA cache_size = -%d;`, readerCache>>10)
	}
	return c, c.script(settings)
}

// exec runs a prepared statement that gives no rows; bind may be nil.
func (c conn) exec(sql string, bind func(*args)) error {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	if bind != nil {
		bind(&args{stmt: stmt})
	}
	_, err = stmt.Step() // which ends it, having no rows
	return err
}

// query runs a prepared statement and calls each for every row. It stops when
// the context ends.
func (c conn) query(ctx context.Context, sql string, bind func(*args), each func(*row) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	stmt, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Reset() //nolint:errcheck // ends the statement where each gave an error; Step reported its own
	bind(&args{stmt: stmt})
	for n := 1; ; n++ {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		if err := each(&row{stmt: stmt}); err != nil {
			return err
		}
		if n%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// rollback ends a transaction that is open, and does nothing else: SQLite ends
// some by itself when a statement fails.
func (c conn) rollback() error {
	if c.AutocommitEnabled() {
		return nil
	}
	return c.exec("ROLLBACK", nil)
}

// args binds a statement's parameters in their order.
type args struct {
	stmt *sqlite.Stmt
	n    int
}

func (a *args) next() int { a.n++; return a.n }

func (a *args) int(v int64) { a.stmt.BindInt64(a.next(), v) }

// limit binds a number of rows; SQLite takes one below zero for no limit.
func (a *args) limit(n int) { a.int(int64(max(n, 0))) }

func (a *args) bool(v bool) { a.stmt.BindBool(a.next(), v) }

func (a *args) text(v string) { a.stmt.BindText(a.next(), v) }

// optText binds NULL for "".
func (a *args) optText(v string) {
	if v == "" {
		a.stmt.BindNull(a.next())
		return
	}
	a.text(v)
}

// doc binds a document as text, which SQLite keeps byte for byte. BindText
// copies what it is given, so the bytes need no copy of their own.
func (a *args) doc(v []byte) { a.text(unsafe.String(unsafe.SliceData(v), len(v))) }

// optDoc binds NULL for nil.
func (a *args) optDoc(v []byte) {
	if v == nil {
		a.stmt.BindNull(a.next())
		return
	}
	a.doc(v)
}

// optBytes binds NULL for nil.
func (a *args) optBytes(v []byte) {
	if v == nil {
		a.stmt.BindNull(a.next())
		return
	}
	a.stmt.BindBytes(a.next(), v)
}

func (a *args) id(v uuid.UUID) { a.stmt.BindBytes(a.next(), v[:]) }

// optID binds NULL for the zero id.
func (a *args) optID(v uuid.UUID) {
	if v == uuid.Nil {
		a.stmt.BindNull(a.next())
		return
	}
	a.id(v)
}

func (a *args) time(v casm.Time) { a.int(int64(v)) }

// optTime binds NULL for none.
func (a *args) optTime(v casm.Time) {
	if v == 0 {
		a.stmt.BindNull(a.next())
		return
	}
	a.time(v)
}

// row reads a result's columns in their order. NULL is read as the zero value.
type row struct {
	stmt *sqlite.Stmt
	n    int
}

func (r *row) next() int { r.n++; return r.n - 1 }

func (r *row) int() int64 { return r.stmt.ColumnInt64(r.next()) }

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string { return r.stmt.ColumnText(r.next()) }

func (r *row) time() casm.Time { return casm.Time(r.int()) }

// bytes gives nil for NULL and a copy of anything else.
func (r *row) bytes() []byte {
	col := r.next()
	if r.stmt.ColumnIsNull(col) {
		return nil
	}
	b := make([]byte, r.stmt.ColumnLen(col))
	r.stmt.ColumnBytes(col, b)
	return b
}

func (r *row) id() (v uuid.UUID) {
	r.stmt.ColumnBytes(r.next(), v[:])
	return v
}

// classify gives a database error its place in the store's contract. A refusal
// of what was written stays as it is; everything else (no space, no file, a
// lock held by another process, the end of the context) is not the fault of
// what was written, so trying its parts alone would not help.
func classify(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultIOErr, sqlite.ResultFull, sqlite.ResultNoMem, sqlite.ResultCantOpen, sqlite.ResultBusy,
		sqlite.ResultLocked, sqlite.ResultReadOnly, sqlite.ResultProtocol, sqlite.ResultCorrupt,
		sqlite.ResultNotADB, sqlite.ResultPerm, sqlite.ResultAuth, sqlite.ResultInterrupt:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
