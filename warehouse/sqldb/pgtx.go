package sqldb

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgTx implements Tx and Reader. Statements of Many go to the server one behind
// another, which works on the first while the others are made; it is waited for
// only where there is something to read: a way there and back for each would
// cost more than the statement.
type pgTx struct {
	tx    pgx.Tx
	under *pgconn.Pipeline // nil: nothing is under way
	each  []func([]Value) error
	buf   []byte // the arguments of one statement
}

// flush waits for the statements that are under way, and reads what they give.
func (t *pgTx) flush() error {
	if t.under == nil {
		return nil
	}
	err := t.under.Sync()
	for _, each := range t.each {
		if err != nil {
			break
		}
		var result any
		if result, err = t.under.GetResults(); err != nil {
			break
		}
		r, ok := result.(*pgconn.ResultReader)
		if !ok {
			err = io.ErrUnexpectedEOF // the connection is lost
			break
		}
		rows := pgx.RowsFromResultReader(t.tx.Conn().TypeMap(), r)
		err = readRows(rows, each)
		rows.Close()
	}
	end := t.under.Close()
	t.under, t.each = nil, nil
	if err == nil {
		err = end
	}
	return err
}

// run runs fn, and whatever it left under way to its end.
func (t *pgTx) run(fn func(*pgTx) error) error {
	err := fn(t)
	if end := t.flush(); err == nil {
		err = end
	}
	return err
}

// send sends a statement.
func (t *pgTx) send(ctx context.Context, s *Statement) (err error) {
	sql := strings.Replace(s.SQL, "{rows}", pgRows(s.Columns), 1)
	conn := t.tx.Conn()
	known := conn.PgConn().CustomData()
	statement, ok := known[sql].(*pgconn.StatementDescription)
	if !ok {
		// It is prepared once for a connection, while nothing is under way.
		if err := t.flush(); err != nil {
			return err
		}
		if statement, err = conn.Prepare(ctx, sql, sql); err != nil {
			return err
		}
		known[sql] = statement
	}
	formats := make([]int16, len(s.Columns))
	ends := make([]int, len(s.Columns))
	buf := t.buf[:0]
	for i, c := range s.Columns {
		formats[i] = pgx.BinaryFormatCode
		if buf, err = appendArray(buf, c, i, s.Rows); err != nil {
			return err
		}
		ends[i] = len(buf)
	}
	t.buf = buf
	args, begin := make([][]byte, len(s.Columns)), 0
	for i, end := range ends {
		args[i], begin = buf[begin:end], end
	}
	if t.under == nil {
		t.under = conn.PgConn().StartPipeline(ctx)
	}
	t.under.SendQueryStatement(statement, args, formats, nil)
	t.each = append(t.each, s.Each)
	return t.under.Flush()
}

// Query implements Reader.
func (t *pgTx) Query(ctx context.Context, sql string, args []Value, each func([]Value) error) error {
	if err := t.flush(); err != nil {
		return err
	}
	all := make([]any, 0, len(args)+1)
	all = append(all, pgx.QueryResultFormats{pgx.TextFormatCode})
	for _, v := range args {
		if v.IsNull() {
			all = append(all, nil)
		} else {
			all = append(all, v.Text()) // a text stands for a value of any type
		}
	}
	rows, err := t.tx.Query(ctx, sql, all...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return readRows(rows, each)
}

// Exec implements Tx.
func (t *pgTx) Exec(ctx context.Context, sql string, args ...Value) error {
	return t.Query(ctx, sql, args, nil)
}

// Many implements Reader.
func (t *pgTx) Many(ctx context.Context, sql string, columns []Column, rows [][]Value, each func([]Value) error) error {
	return t.All(ctx, []Statement{{sql, columns, rows, each}})
}

// All implements Reader: each statement runs once for all its rows, which are
// its arguments, an array for each column.
func (t *pgTx) All(ctx context.Context, statements []Statement) error {
	reads := false
	for i := range statements {
		s := &statements[i]
		if len(s.Rows) == 0 {
			continue
		}
		reads = reads || s.Each != nil
		if err := t.send(ctx, s); err != nil {
			return err
		}
	}
	if !reads {
		return nil
	}
	return t.flush()
}

// pgRows is a FROM item of arrays, a column each.
func pgRows(columns []Column) string {
	var of, from, as strings.Builder
	for i, c := range columns {
		if i > 0 {
			of.WriteString(", ")
			from.WriteString(", ")
			as.WriteString(", ")
		}
		fmt.Fprintf(&of, "u.c%d::%s AS %s", i, pgTypes[c.Type], c.Name)
		fmt.Fprintf(&from, "$%d::%s[]", i+1, pgElements[c.Type].name)
		fmt.Fprintf(&as, "c%d", i)
	}
	return "(SELECT " + of.String() + " FROM unnest(" + from.String() + ") AS u(" + as.String() + ")) AS v"
}
