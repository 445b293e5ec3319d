package sqldb

import (
	"context"
	"fmt"
	"strings"
)

var sqliteTypes = map[Type]string{
	Text: "TEXT", Integer: "INTEGER", Boolean: "INTEGER", Time: "TEXT", Date: "TEXT", ID: "TEXT", JSON: "TEXT",
	Number: "ANY", // an integer where it fits, else a text
}

// Define implements DB.
func (d *sqliteDB) Define(ctx context.Context, s Schema) error {
	return d.Update(ctx, func(tx Tx) error {
		t := tx.(sqliteTx)
		for _, table := range s.Tables {
			if err := t.defineTable(ctx, table); err != nil {
				return fmt.Errorf("table %s: %w", table.Name, err)
			}
		}
		for _, v := range s.Views {
			if err := t.defineView(ctx, v); err != nil {
				return fmt.Errorf("view %s: %w", v.Name, err)
			}
		}
		return nil
	})
}

func (t sqliteTx) defineTable(ctx context.Context, table *Table) error {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (", table.Name)
	for i, c := range table.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", c.Name, sqliteTypes[c.Type])
		if i < table.Key {
			b.WriteString(" NOT NULL")
		}
	}
	if table.Key > 0 {
		fmt.Fprintf(&b, ", PRIMARY KEY (%s)", names(table.Columns[:table.Key], ""))
	}
	b.WriteString(") STRICT")
	if table.Clustered {
		b.WriteString(", WITHOUT ROWID")
	}
	if err := t.c.script(b.String()); err != nil {
		return err
	}
	there := map[string]bool{}
	err := t.c.rows(ctx, `SELECT name FROM pragma_table_info('`+table.Name+`')`, func(row []Value) error {
		there[row[0].Text()] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range table.Columns {
		if !there[c.Name] {
			if err := t.c.script(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table.Name, c.Name, sqliteTypes[c.Type])); err != nil {
				return err
			}
		}
	}
	for _, columns := range table.Indexes {
		err := t.c.script(fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s_by_%s ON %s (%s)",
			table.Name, strings.Join(columns, "_"), table.Name, strings.Join(columns, ", ")))
		if err != nil {
			return err
		}
	}
	return nil
}

func (t sqliteTx) defineView(ctx context.Context, v View) error {
	create := fmt.Sprintf("CREATE VIEW %s AS %s", v.Name, v.Select)
	stands := ""
	err := t.c.rows(ctx, `SELECT sql FROM sqlite_master WHERE type = 'view' AND name = '`+v.Name+`'`, func(row []Value) error {
		stands = row[0].Text()
		return nil
	})
	if err != nil || stands == create {
		return err
	}
	return t.c.script("DROP VIEW IF EXISTS " + v.Name + "; " + create)
}
