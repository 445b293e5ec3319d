package sqldb

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"casm"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// Values go to the server in its binary form: to read texts costs it more than
// to write the rows.

// pgElement is as what a column's values go to the server.
type pgElement struct {
	name string
	oid  uint32
}

var pgElements = map[Type]pgElement{
	Text: {"text", pgtype.TextOID}, Integer: {"bigint", pgtype.Int8OID}, Boolean: {"boolean", pgtype.BoolOID},
	Time: {"timestamptz", pgtype.TimestamptzOID}, Date: {"date", pgtype.DateOID}, ID: {"uuid", pgtype.UUIDOID},
	JSON: {"json", pgtype.JSONOID}, Number: {"text", pgtype.TextOID}, // the binary form of which is not simple
}

// pgBegin is where the server's times and days begin.
var pgBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// appendBinary appends a value with its length before it.
func appendBinary(b []byte, c Column, v Value) ([]byte, error) {
	if v.kind == kindNull {
		return binary.BigEndian.AppendUint32(b, math.MaxUint32), nil
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	var err error
	switch c.Type {
	case Text, JSON, Number:
		b = v.AppendText(b)
	case Integer, Boolean:
		switch {
		case v.kind != kindInt:
			err = fmt.Errorf("%q is no whole number", v.Text())
		case c.Type == Boolean:
			b = append(b, byte(v.n))
		default:
			b = binary.BigEndian.AppendUint64(b, uint64(v.n))
		}
	case Time:
		t := casm.Time(v.n)
		if v.kind != kindTime {
			t, err = casm.ParseTime(v.Text())
		}
		b = binary.BigEndian.AppendUint64(b, uint64(t-casm.TimeOf(pgBegin)))
	case Date:
		var day time.Time
		day, err = time.Parse(time.DateOnly, v.Text())
		b = binary.BigEndian.AppendUint32(b, uint32(int32(day.Sub(pgBegin)/(24*time.Hour))))
	case ID:
		if v.kind == kindID {
			b = append(b, v.s...)
			break
		}
		var id uuid.UUID
		id, err = uuid.Parse(v.Text())
		b = append(b, id[:]...)
	}
	if err != nil {
		return b, fmt.Errorf("column %s: %w", c.Name, err)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b, nil
}

// appendArray appends a column of rows as an array.
func appendArray(b []byte, c Column, column int, rows [][]Value) (_ []byte, err error) {
	b = binary.BigEndian.AppendUint32(b, 1) // dimension
	b = binary.BigEndian.AppendUint32(b, 1) // it may hold NULL
	b = binary.BigEndian.AppendUint32(b, pgElements[c.Type].oid)
	b = binary.BigEndian.AppendUint32(b, uint32(len(rows)))
	b = binary.BigEndian.AppendUint32(b, 1) // the first one's number
	for _, row := range rows {
		if b, err = appendBinary(b, c, row[column]); err != nil {
			return b, err
		}
	}
	return b, nil
}
