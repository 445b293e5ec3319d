package postgres

import (
	"encoding/binary"
	"fmt"

	"casm"

	"github.com/google/uuid"
)

// Values go to PostgreSQL and come back in its binary form, written and read
// here for the few types that there are: that costs a fraction of a conversion
// that finds out the type of each value.

// The types of arrays' elements, by their numbers in PostgreSQL.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidTimestamptz = 1184
	oidUUID        = 2950
)

// epoch2000 is 2000-01-01, from which PostgreSQL counts, in casm.Time's microseconds.
const epoch2000 = 63_082_281_600 * 1_000_000

// args gathers a statement's parameters in their order.
type args struct{ values [][]byte }

// binaryFormat is the form of all parameters and results.
var binaryFormat = []int16{1}

func (a *args) add(v []byte) { a.values = append(a.values, v) }

func (a *args) int8(v int64) { a.add(binary.BigEndian.AppendUint64(nil, uint64(v))) }

func (a *args) int4(v int32) { a.add(binary.BigEndian.AppendUint32(nil, uint32(v))) }

func (a *args) int2(v int16) { a.add(binary.BigEndian.AppendUint16(nil, uint16(v))) }

// limit adds a number of rows; below zero it is none.
func (a *args) limit(n int) { a.int8(int64(max(n, 0))) }

func (a *args) bool(v bool) {
	if v {
		a.add([]byte{1})
	} else {
		a.add([]byte{0})
	}
}

func (a *args) text(v string) { a.add([]byte(v)) }

func (a *args) time(v casm.Time) { a.int8(int64(v) - epoch2000) }

func (a *args) id(v uuid.UUID) { a.add(v[:]) }

func (a *args) array(v *array) { a.add(v.finish()) }

// array is a parameter with a value for each row of a set.
type array struct {
	buf  []byte
	n    int
	null bool
	rows bool // what is added are columns of rows, which are counted apart
}

// arrayHeader is the length of what stands before an array's elements: how many
// dimensions, whether there are NULLs, the type, how many, and from which index.
const arrayHeader = 20

// newArray begins an array; size is about how many bytes its elements take.
func newArray(oid uint32, size int) *array {
	a := &array{buf: make([]byte, arrayHeader, arrayHeader+size)}
	binary.BigEndian.PutUint32(a.buf[8:], oid)
	return a
}

func (a *array) finish() []byte {
	if a.n == 0 {
		return a.buf[:12] // of no dimension
	}
	binary.BigEndian.PutUint32(a.buf[0:], 1)
	if a.null {
		binary.BigEndian.PutUint32(a.buf[4:], 1)
	}
	binary.BigEndian.PutUint32(a.buf[12:], uint32(a.n))
	binary.BigEndian.PutUint32(a.buf[16:], 1)
	return a.buf
}

func (a *array) length(n int) {
	if !a.rows {
		a.n++
	}
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(n))
}

func (a *array) none() {
	if !a.rows {
		a.n++
		a.null = true
	}
	a.buf = binary.BigEndian.AppendUint32(a.buf, ^uint32(0))
}

func (a *array) int8(v int64) {
	a.length(8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(v))
}

func (a *array) int4(v int32) {
	a.length(4)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(v))
}

func (a *array) int2(v int16) {
	a.length(2)
	a.buf = binary.BigEndian.AppendUint16(a.buf, uint16(v))
}

func (a *array) bool(v bool) {
	a.length(1)
	if v {
		a.buf = append(a.buf, 1)
	} else {
		a.buf = append(a.buf, 0)
	}
}

func (a *array) text(v string) {
	a.length(len(v))
	a.buf = append(a.buf, v...)
}

// optText adds NULL for "".
func (a *array) optText(v string) {
	if v == "" {
		a.none()
		return
	}
	a.text(v)
}

func (a *array) bytes(v []byte) {
	a.length(len(v))
	a.buf = append(a.buf, v...)
}

// optBytes adds NULL for nil.
func (a *array) optBytes(v []byte) {
	if v == nil {
		a.none()
		return
	}
	a.bytes(v)
}

func (a *array) id(v uuid.UUID) {
	a.length(16)
	a.buf = append(a.buf, v[:]...)
}

// optID adds NULL for the zero id.
func (a *array) optID(v uuid.UUID) {
	if v == uuid.Nil {
		a.none()
		return
	}
	a.id(v)
}

func (a *array) time(v casm.Time) { a.int8(int64(v) - epoch2000) }

// optTime adds NULL for none.
func (a *array) optTime(v casm.Time) {
	if v == 0 {
		a.none()
		return
	}
	a.time(v)
}

// records is a parameter with rows of one composite type.
type records struct {
	array
	columns []uint32 // their types
	row     int      // where it begins
	column  int
}

// rowHeader is the length of what stands before a row's columns (how long it
// is, how many) and columnHeader before each (its type, how long it is).
const (
	rowHeader    = 8
	columnHeader = 8
)

// newRecords begins rows of a type; size is about how many bytes the values of
// its n rows take.
func newRecords(oid uint32, columns []uint32, n, size int) *records {
	r := &records{array: *newArray(oid, size+n*(rowHeader+columnHeader*len(columns))), columns: columns}
	r.rows = true
	return r
}

// begin begins a row; its columns follow in their order.
func (r *records) begin() {
	r.n++
	r.row, r.column = len(r.buf), 0
	r.buf = append(r.buf, 0, 0, 0, 0)
	r.buf = binary.BigEndian.AppendUint32(r.buf, uint32(len(r.columns)))
}

// end ends a row.
func (r *records) end() {
	binary.BigEndian.PutUint32(r.buf[r.row:], uint32(len(r.buf)-r.row-4))
}

// next gives the array as what the next column of the row is added to.
func (r *records) next() *array {
	r.buf = binary.BigEndian.AppendUint32(r.buf, r.columns[r.column])
	r.column++
	return &r.array
}

// row reads a result's columns in their order. NULL is read as the zero value.
// The first column that is not of the form asked for is kept in err.
type row struct {
	values [][]byte
	n      int
	err    error
}

func (r *row) next(length int) []byte {
	v := r.values[r.n]
	r.n++
	if v != nil && length >= 0 && len(v) != length {
		if r.err == nil {
			r.err = fmt.Errorf("column %d has %d bytes, want %d", r.n, len(v), length)
		}
		return nil
	}
	return v
}

func (r *row) int8() int64 {
	if v := r.next(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (r *row) int4() int32 {
	if v := r.next(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (r *row) int2() int16 {
	if v := r.next(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (r *row) bool() bool {
	v := r.next(1)
	return v != nil && v[0] != 0
}

func (r *row) text() string { return string(r.next(-1)) }

// bytes gives nil for NULL and a copy of anything else.
func (r *row) bytes() []byte {
	v := r.next(-1)
	if v == nil {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}

func (r *row) time() casm.Time {
	if v := r.next(8); v != nil {
		return casm.Time(int64(binary.BigEndian.Uint64(v)) + epoch2000)
	}
	return 0
}

func (r *row) id() (id uuid.UUID) {
	copy(id[:], r.next(16))
	return id
}
