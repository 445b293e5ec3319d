// Package sqldb is the SQL layer of the data warehouse: what SQLite and
// PostgreSQL have in common, so that the warehouse is written once. Statements
// are standard SQL with $1, $2 … for arguments; one that is to run for many
// rows has {rows} where a FROM item stands: there the rows appear as v with the
// columns' names.
package sqldb

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"casm"

	"github.com/google/uuid"
)

// Type is a column's type.
type Type uint8

// The types of columns. Values of all but Integer and Boolean have a text in a
// canonical form, so that both databases give back exactly what was written.
const (
	Text    Type = iota + 1
	Integer      // 64 bits
	Boolean      // 0 or 1
	Time         // RFC 3339 in UTC with six digits of fraction
	Date         // 2006-01-02
	ID           // a UUID
	JSON         // kept byte for byte
	Number       // a whole number of any size
)

// String returns the type's name, as documents have it.
func (t Type) String() string {
	return [...]string{"", "text", "integer", "boolean", "time", "date", "id", "json", "number"}[t]
}

// Column is a column of a table.
type Column struct {
	Name string
	Type Type
	Doc  string
}

// Table is a table.
type Table struct {
	Name    string
	Doc     string
	Columns []Column
	// Key is the primary key: the first columns that Columns has. Without one
	// rows are only added.
	Key int
	// Clustered: rows are small, or stand in the order of their key.
	Clustered bool
	// Changing: rows change often, so room is kept for their new versions.
	Changing bool
	// Indexes are lists of columns.
	Indexes [][]string
}

// Names returns the columns' names with commas, each with a prefix.
func (t *Table) Names(prefix string) string { return names(t.Columns, prefix) }

func names(columns []Column, prefix string) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(c.Name)
	}
	return b.String()
}

// Column returns the column with the name; it panics when there is none.
func (t *Table) Column(name string) Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	panic("sqldb: table " + t.Name + " has no column " + name)
}

// Insert returns the statement that adds rows.
func (t *Table) Insert() string {
	return "INSERT INTO " + t.Name + " (" + t.Names("") + ") SELECT " + t.Names("v.") + " FROM {rows}"
}

// Upsert returns the statement that adds rows and, where the key is there,
// replaces the row.
func (t *Table) Upsert() string { return t.conflict(func(c string) string { return "excluded." + c }) }

// Update returns the statement that replaces rows that are there, but for some
// columns.
func (t *Table) Update(except []string) string {
	var b strings.Builder
	b.WriteString("UPDATE " + t.Name + " SET ")
	first := true
	for _, c := range t.Columns[t.Key:] {
		if slices.Contains(except, c.Name) {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(c.Name + " = v." + c.Name)
	}
	b.WriteString(" FROM {rows} WHERE ")
	for i, c := range t.Columns[:t.Key] {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(t.Name + "." + c.Name + " = v." + c.Name)
	}
	return b.String()
}

// Accumulate returns the statement that adds rows and, where the key is there,
// adds up the other columns.
func (t *Table) Accumulate() string {
	return t.conflict(func(c string) string { return t.Name + "." + c + " + excluded." + c })
}

func (t *Table) conflict(value func(column string) string) string {
	var b strings.Builder
	b.WriteString(t.Insert() + " WHERE true ON CONFLICT (" + names(t.Columns[:t.Key], "") + ") DO UPDATE SET ")
	for i, c := range t.Columns[t.Key:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name + " = " + value(c.Name))
	}
	return b.String()
}

// View is a view. Its text may use the columns of tables by their names.
type View struct{ Name, Doc, Select string }

// Schema is all that a database holds.
type Schema struct {
	Tables []*Table
	Views  []View
}

// Reader reads one consistent state. The slice that each gets is used again.
type Reader interface {
	// Query runs a statement and calls each for every row.
	Query(ctx context.Context, sql string, args []Value, each func([]Value) error) error
	// Many runs a statement with {rows}; each may be nil. Rows have a value for
	// each column.
	Many(ctx context.Context, sql string, columns []Column, rows [][]Value, each func([]Value) error) error
	// All is Many of several statements, one after another; those without rows
	// are left out.
	All(ctx context.Context, statements []Statement) error
}

// Statement is a statement with {rows}, as Many runs it.
type Statement struct {
	SQL     string
	Columns []Column
	Rows    [][]Value
	Each    func([]Value) error
}

// Tx reads and writes in one transaction. Nobody else writes meanwhile. What is
// written may wait until something is read or the transaction ends, and a
// refusal of it be told only then.
type Tx interface {
	Reader
	Exec(ctx context.Context, sql string, args ...Value) error
}

// DB is an open database.
type DB interface {
	// Define makes what is missing of the schema: tables, columns (added
	// empty), indexes, views. It removes nothing but views.
	Define(ctx context.Context, s Schema) error
	// Update runs fn in one transaction, which is rolled back after an error.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one snapshot. fn must not call View or Update.
	View(ctx context.Context, fn func(Reader) error) error
	// Select runs a statement of a person's on a connection that cannot write.
	// Header is called once, before the rows.
	Select(ctx context.Context, sql string, header func(columns []string) error, each func([]Value) error) error
	// Close ends it; calls that are under way end first.
	Close() error
}

// Place is where a database stands, and can be replaced as a whole.
type Place interface {
	// Open opens the present database, which is made when there is none.
	Open(ctx context.Context) (DB, error)
	// OpenReader opens the present database for Select alone.
	OpenReader(ctx context.Context) (DB, error)
	// Next makes an empty database beside the present one, in the place of one
	// that was left unfinished.
	Next(ctx context.Context) (DB, error)
	// Switch puts the next database in the place of the present one. Both are
	// closed in this process.
	Switch(ctx context.Context) error
	// Lead makes this process the only one that writes, if none is. The
	// function gives that up.
	Lead(ctx context.Context) (release func() error, ok bool, err error)
	// String names it for people, without secrets.
	String() string
}

// errNoRows: a person's statement is not one that reads.
var errNoRows = errors.New("the statement gives no rows: only one that reads is run")

// ErrUnavailable: the database could not be reached or cannot write now; what
// was to be written is not at fault and nothing of it was.
var ErrUnavailable = errors.New("warehouse database: unavailable")

type valueKind uint8

const (
	kindNull valueKind = iota
	kindInt
	kindText
	kindFloat
	kindTime // n is a casm.Time
	kindID   // s has the sixteen bytes
)

// Value is what a column holds. The zero Value is NULL.
type Value struct {
	kind valueKind
	n    int64
	s    string
}

// Null is NULL.
var Null = Value{}

// Int makes a whole number.
func Int(n int64) Value { return Value{kind: kindInt, n: n} }

// Str makes a text.
func Str(s string) Value { return Value{kind: kindText, s: s} }

// OptStr makes a text, NULL of "".
func OptStr(s string) Value {
	if s == "" {
		return Null
	}
	return Str(s)
}

// Bool makes 0 or 1.
func Bool(b bool) Value {
	if b {
		return Int(1)
	}
	return Int(0)
}

// At makes a time, NULL of none.
func At(t casm.Time) Value {
	if t == 0 {
		return Null
	}
	return Value{kind: kindTime, n: int64(t)}
}

// UUID makes an id, NULL of the zero one.
func UUID(id uuid.UUID) Value {
	if id == uuid.Nil {
		return Null
	}
	return Value{kind: kindID, s: string(id[:])}
}

// Float makes a number with a fraction; none is ever written.
func Float(f float64) Value { return Value{kind: kindFloat, n: int64(math.Float64bits(f))} }

// IsNull reports whether it is NULL.
func (v Value) IsNull() bool { return v.kind == kindNull }

// IsNumber reports whether it is a number.
func (v Value) IsNumber() bool { return v.kind == kindInt || v.kind == kindFloat }

// Int returns a whole number; 0 of NULL and of anything that is none.
func (v Value) Int() int64 {
	if v.kind == kindText {
		n, _ := strconv.ParseInt(v.s, 10, 64) // 0: no number
		return n
	}
	if v.kind == kindInt {
		return v.n
	}
	return 0
}

// Bool reports whether it is a number other than 0.
func (v Value) Bool() bool { return v.Int() != 0 }

// Text returns it as text; "" of NULL.
func (v Value) Text() string {
	if v.kind == kindText {
		return v.s
	}
	return string(v.AppendText(make([]byte, 0, 40)))
}

// AppendText appends Text.
func (v Value) AppendText(b []byte) []byte {
	switch v.kind {
	case kindInt:
		return strconv.AppendInt(b, v.n, 10)
	case kindFloat:
		return strconv.AppendFloat(b, math.Float64frombits(uint64(v.n)), 'g', -1, 64)
	case kindTime:
		b, _ = casm.Time(v.n).AppendText(b) // it has no error
		return b
	case kindID:
		b = append(b, idForm...)
		text := b[len(b)-len(idForm):]
		for i, at := range idPlaces {
			text[at], text[at+1] = hexDigits[v.s[i]>>4], hexDigits[v.s[i]&15]
		}
		return b
	}
	return append(b, v.s...)
}

const (
	hexDigits = "0123456789abcdef"
	idForm    = "00000000-0000-0000-0000-000000000000"
)

// idPlaces are where an id's bytes stand in its text.
var idPlaces = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}
