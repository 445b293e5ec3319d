package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgTx implements Tx and Reader. Statements of Many that give no rows wait for
// each other, and go to the server together ahead of whatever comes next: a way
// there and back for each would cost more than the statement.
type pgTx struct {
	tx      pgx.Tx
	waiting *pgconn.Batch // nil: none wait
	buf     []byte        // the arguments of one statement
}

// flush runs the statements that wait.
func (t *pgTx) flush(ctx context.Context) error {
	if t.waiting == nil {
		return nil
	}
	batch := t.waiting
	t.waiting = nil
	return t.tx.Conn().PgConn().ExecBatch(ctx, batch).Close()
}

// Query implements Reader.
func (t *pgTx) Query(ctx context.Context, sql string, args []Value, each func([]Value) error) error {
	if err := t.flush(ctx); err != nil {
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

// Insert implements Tx: with COPY, which costs the server least.
func (t *pgTx) Insert(ctx context.Context, table *Table, rows [][]Value) error {
	if len(rows) == 0 {
		return nil
	}
	if !copies(table) {
		return t.Many(ctx, table.Insert(), table.Columns, rows, nil)
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	from := newPgCopy(table.Columns, rows)
	_, err := t.tx.Conn().PgConn().CopyFrom(ctx, from, "COPY "+table.Name+" ("+table.Names("")+") FROM STDIN BINARY")
	if from.err != nil {
		return from.err // what the server says of it is that it was given up
	}
	return err
}

// Many implements Reader: the statement runs once for all rows, which are its
// arguments, an array for each column.
func (t *pgTx) Many(ctx context.Context, sql string, columns []Column, rows [][]Value, each func([]Value) error) error {
	if len(rows) == 0 {
		return nil
	}
	sql = strings.Replace(sql, "{rows}", pgRows(columns), 1)
	conn := t.tx.Conn()
	if each != nil {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	statement, err := conn.Prepare(ctx, sql, sql) // the first time
	if err != nil {
		return err
	}
	args, formats := make([][]byte, len(columns)), make([]int16, len(columns))
	buf := t.buf[:0]
	ends := make([]int, len(columns))
	for i, c := range columns {
		formats[i] = pgx.BinaryFormatCode
		if buf, err = appendArray(buf, c, i, rows); err != nil {
			return err
		}
		ends[i] = len(buf)
	}
	t.buf = buf
	begin := 0
	for i, end := range ends {
		args[i] = buf[begin:end]
		begin = end
	}
	if each == nil {
		if t.waiting == nil {
			t.waiting = &pgconn.Batch{}
		}
		t.waiting.ExecStatement(statement, args, formats, nil)
		return nil
	}
	found := pgx.RowsFromResultReader(conn.TypeMap(), conn.PgConn().ExecStatement(ctx, statement, args, formats, nil))
	defer found.Close()
	return readRows(found, each)
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
