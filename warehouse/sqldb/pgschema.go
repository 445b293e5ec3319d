package sqldb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"casm"

	"github.com/jackc/pgx/v5/pgtype"
)

var pgTypes = map[Type]string{
	Text: "text", Integer: "bigint", Boolean: "boolean", Time: "timestamptz", Date: "date", ID: "uuid",
	JSON:   "json", // which keeps the text, unlike jsonb
	Number: "numeric",
}

// pgTime is the form of times in what the database answers.
const pgTime = "2006-01-02 15:04:05.999999-07"

// pgValue reads a value's text.
func pgValue(oid uint32, raw []byte) (Value, error) {
	if raw == nil {
		return Null, nil
	}
	s := string(raw)
	switch oid {
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.NumericOID:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Int(n), nil
		}
	case pgtype.BoolOID:
		return Bool(s == "t"), nil
	case pgtype.Float8OID, pgtype.Float4OID:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return Float(f), nil
		}
	case pgtype.TimestamptzOID:
		t, err := time.Parse(pgTime, s)
		if err != nil {
			return Null, fmt.Errorf("time %q: %w", s, err)
		}
		return At(casm.TimeOf(t)), nil
	}
	return Str(s), nil
}

// Define implements DB.
func (d *pgDB) Define(ctx context.Context, s Schema) error {
	return d.Update(ctx, func(tx Tx) error {
		t := tx.(*pgTx)
		have, err := t.columns(ctx, d.schema)
		if err != nil {
			return err
		}
		for _, table := range s.Tables {
			if err := t.defineTable(ctx, table, have[table.Name]); err != nil {
				return fmt.Errorf("table %s: %w", table.Name, err)
			}
		}
		for _, v := range s.Views {
			if err := t.defineView(ctx, d.schema, v); err != nil {
				return fmt.Errorf("view %s: %w", v.Name, err)
			}
		}
		return nil
	})
}

// columns gives the columns that tables have.
func (t *pgTx) columns(ctx context.Context, schema string) (map[string]map[string]bool, error) {
	have := map[string]map[string]bool{}
	err := t.Query(ctx, `SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = $1`,
		[]Value{Str(schema)}, func(row []Value) error {
			table := row[0].Text()
			if have[table] == nil {
				have[table] = map[string]bool{}
			}
			have[table][row[1].Text()] = true
			return nil
		})
	return have, err
}

func (t *pgTx) defineTable(ctx context.Context, table *Table, have map[string]bool) error {
	var all []string
	if have == nil {
		var columns []string
		for i, c := range table.Columns {
			column := c.Name + " " + pgTypes[c.Type]
			if i < table.Key {
				column += " NOT NULL"
			}
			columns = append(columns, column)
		}
		if table.Key > 0 {
			columns = append(columns, "PRIMARY KEY ("+names(table.Columns[:table.Key], "")+")")
		}
		storage := ""
		if table.Changing { // a new version in the same page needs no new entries in the indexes
			storage = " WITH (fillfactor = 85)"
		}
		all = append(all, fmt.Sprintf("CREATE TABLE %s (%s)%s", table.Name, strings.Join(columns, ", "), storage),
			fmt.Sprintf("COMMENT ON TABLE %s IS %s", table.Name, quote(table.Doc)))
	}
	for _, c := range table.Columns {
		if have != nil && !have[c.Name] {
			all = append(all, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table.Name, c.Name, pgTypes[c.Type]))
		}
		if !have[c.Name] {
			all = append(all, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", table.Name, c.Name, quote(c.Doc)))
		}
	}
	for _, columns := range table.Indexes {
		all = append(all, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s_by_%s ON %s (%s)",
			table.Name, strings.Join(columns, "_"), table.Name, strings.Join(columns, ", ")))
	}
	return t.all(ctx, all...)
}

func (t *pgTx) all(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if err := t.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// defineView makes a view anew where its text, which stands in its comment, is
// another.
func (t *pgTx) defineView(ctx context.Context, schema string, v View) error {
	comment := v.Doc + "\n\n" + v.Select
	stands := ""
	err := t.Query(ctx, `SELECT coalesce(obj_description(to_regclass($1)::oid, 'pg_class'), '')`, []Value{Str(schema + "." + v.Name)},
		func(row []Value) error { stands = row[0].Text(); return nil })
	if err != nil || stands == comment {
		return err
	}
	return t.all(ctx, "DROP VIEW IF EXISTS "+v.Name, "CREATE VIEW "+v.Name+" AS "+v.Select, "COMMENT ON VIEW "+v.Name+" IS "+quote(comment))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
