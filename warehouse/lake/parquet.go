package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/parquet-go/parquet-go"
)

const (
	// fileName is the one file of a dataset and a day.
	fileName = "part-0.parquet"
	// rowGroup bounds what is held in memory, and chunk what is handed over at once.
	rowGroup = 50_000
	chunk    = 500
	// decimalBytes holds numbers of decimalDigits digits.
	decimalBytes  = 16
	decimalDigits = 38
)

// nodes are the types of columns. Every column may lack a value.
func node(t sqldb.Type) parquet.Node {
	switch t {
	case sqldb.Integer:
		return parquet.Int(64)
	case sqldb.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case sqldb.Time:
		return parquet.Timestamp(parquet.Microsecond)
	case sqldb.Date:
		return parquet.Date()
	case sqldb.Number:
		return parquet.Decimal(0, decimalDigits, parquet.FixedLenByteArrayType(decimalBytes))
	}
	return parquet.String()
}

// value makes the value of a column.
func value(t sqldb.Type, v sqldb.Value) (parquet.Value, error) {
	if v.IsNull() {
		return parquet.NullValue(), nil
	}
	switch t {
	case sqldb.Integer:
		return parquet.Int64Value(v.Int()), nil
	case sqldb.Boolean:
		return parquet.BooleanValue(v.Bool()), nil
	case sqldb.Time:
		at, err := casm.ParseTime(v.Text())
		return parquet.Int64Value(at.UnixMicro()), err
	case sqldb.Date:
		day, err := time.Parse(time.DateOnly, v.Text())
		return parquet.Int32Value(int32(day.Unix() / (24 * 60 * 60))), err
	case sqldb.Number:
		return decimal(v.Text())
	}
	return parquet.ByteArrayValue([]byte(v.Text())), nil
}

// decimal makes a whole number in two's complement, the highest byte first.
func decimal(s string) (parquet.Value, error) {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.BitLen() > decimalBytes*8-2 {
		return parquet.NullValue(), fmt.Errorf("%q is no number of up to %d digits", s, decimalDigits)
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), decimalBytes*8))
	}
	return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, decimalBytes))), nil
}

// export writes the file of one day, and removes it where there is nothing.
func (s *dataset) export(ctx context.Context, db sqldb.DB, dir, day string, wrote func()) (rows int64, err error) {
	folder := filepath.Join(dir, s.name, "date="+day)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return 0, err
	}
	path := filepath.Join(folder, fileName)
	err = replace(path, func(f *os.File) (err error) {
		w := s.writer(f)
		defer func() { err = errors.Join(err, w.Close()) }()
		return db.View(ctx, func(r sqldb.Reader) error {
			rows, err = s.copy(ctx, r, day, w, wrote)
			return err
		})
	})
	if err == nil && rows == 0 {
		err = os.Remove(path)
		_ = os.Remove(folder) // unless something else is in it
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return rows, err
}

func (s *dataset) writer(f *os.File) *parquet.Writer { //nolint:staticcheck // the generic writer wants a Go type; the columns are known at run time only
	group := parquet.Group{}
	for _, c := range s.columns {
		group[c.Name] = parquet.Optional(node(c.Type))
	}
	return parquet.NewWriter(f, parquet.NewSchema(s.name, group), parquet.Compression(&parquet.Snappy),
		parquet.MaxRowsPerRowGroup(rowGroup), parquet.CreatedBy("casm", "", ""))
}

// copy writes the rows of a day. Columns stand in a file by their names.
func (s *dataset) copy(ctx context.Context, r sqldb.Reader, day string, w *parquet.Writer, wrote func()) (n int64, err error) { //nolint:staticcheck // the generic writer wants a Go type; the columns are known at run time only
	order := make([]int, len(s.columns)) // of the file
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(s.columns[a].Name, s.columns[b].Name) })
	rows := make([]parquet.Row, 0, chunk)
	flush := func() error {
		_, err := w.WriteRows(rows)
		rows = rows[:0]
		return err
	}
	err = r.Query(ctx, s.query, []sqldb.Value{sqldb.Str(day)}, func(row []sqldb.Value) error {
		out := make(parquet.Row, len(order))
		for at, i := range order {
			v, err := value(s.columns[i].Type, row[i])
			if err != nil {
				return fmt.Errorf("column %s: %w", s.columns[i].Name, err)
			}
			defined := 1
			if v.IsNull() {
				defined = 0
			}
			out[at] = v.Level(0, defined, at)
		}
		rows = append(rows, out)
		n++
		wrote()
		if len(rows) == chunk {
			return flush()
		}
		return nil
	})
	if err != nil {
		return n, err
	}
	return n, flush()
}
