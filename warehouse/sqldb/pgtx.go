package sqldb

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// pgTx implements Tx and Reader. Statements of Many that give no rows wait for
// each other, and go to the server together ahead of whatever comes next: a way
// there and back for each would cost more than the statement.
type pgTx struct {
	tx      pgx.Tx
	waiting pgx.Batch
}

// flush runs the statements that wait.
func (t *pgTx) flush(ctx context.Context) error {
	if t.waiting.Len() == 0 {
		return nil
	}
	batch := t.waiting
	t.waiting = pgx.Batch{}
	return t.tx.SendBatch(ctx, &batch).Close()
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
	if err := t.flush(ctx); err != nil {
		return err
	}
	_, err := t.tx.Conn().PgConn().CopyFrom(ctx, &copyText{rows: rows}, "COPY "+table.Name+" ("+table.Names("")+") FROM STDIN")
	return err
}

// copyText reads rows in the text form of COPY, made as they are read: the
// server works on the first of them while the others are written.
type copyText struct {
	rows [][]Value
	row  []byte // of which the first read bytes are read
	read int
}

// Read implements io.Reader.
func (c *copyText) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if c.read == len(c.row) {
			if len(c.rows) == 0 {
				break
			}
			c.row, c.read = appendRow(c.row[:0], c.rows[0]), 0
			c.rows = c.rows[1:]
		}
		k := copy(b[n:], c.row[c.read:])
		n, c.read = n+k, c.read+k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func appendRow(b []byte, row []Value) []byte {
	for i, v := range row {
		if i > 0 {
			b = append(b, '\t')
		}
		b = appendCopy(b, v)
	}
	return append(b, '\n')
}

// appendCopy appends a value in the text form of COPY.
func appendCopy(b []byte, v Value) []byte {
	if v.IsNull() {
		return append(b, `\N`...)
	}
	if v.kind != kindText || !strings.ContainsAny(v.s, "\\\t\n\r") {
		return v.AppendText(b)
	}
	for _, c := range []byte(v.s) {
		switch c {
		case '\\':
			b = append(b, `\\`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// Many implements Reader: the statement runs once for all rows.
func (t *pgTx) Many(ctx context.Context, sql string, columns []Column, rows [][]Value, each func([]Value) error) error {
	if len(rows) == 0 {
		return nil
	}
	args := make([]any, 0, len(columns)+1)
	if each != nil {
		if err := t.flush(ctx); err != nil {
			return err
		}
		args = append(args, pgx.QueryResultFormats{pgx.TextFormatCode})
	}
	for i := range columns {
		texts := make([]*string, len(rows))
		values := make([]string, len(rows)) // one allocation for all
		for n, row := range rows {
			if !row[i].IsNull() {
				values[n] = row[i].Text()
				texts[n] = &values[n]
			}
		}
		args = append(args, texts)
	}
	sql = strings.Replace(sql, "{rows}", pgRows(columns), 1)
	if each == nil {
		t.waiting.Queue(sql, args...)
		return nil
	}
	found, err := t.tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	return readRows(found, each)
}

// pgRows is a FROM item of arrays of texts, a column each.
func pgRows(columns []Column) string {
	var of, from, as strings.Builder
	for i, c := range columns {
		if i > 0 {
			of.WriteString(", ")
			from.WriteString(", ")
			as.WriteString(", ")
		}
		fmt.Fprintf(&of, "u.c%d::%s AS %s", i, pgTypes[c.Type], c.Name)
		fmt.Fprintf(&from, "$%d::text[]", i+1)
		fmt.Fprintf(&as, "c%d", i)
	}
	return "(SELECT " + of.String() + " FROM unnest(" + from.String() + ") AS u(" + as.String() + ")) AS v"
}
