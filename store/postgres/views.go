package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"casm"

	"github.com/jackc/pgx/v5"
)

// A view shows the entities of a kind with their attributes as columns, for
// people and for reports: casm_customer, casm_account and so on. They follow
// from the declarations of the entities. A new attribute comes last, so that
// a view can be replaced while it is used.

// column is a column of a view.
type column struct{ name, expression, comment string }

// viewOf returns the name of a kind's view and its columns.
func viewOf(kind casm.Kind) (name string, columns []column) {
	name = "casm_" + strings.TrimPrefix(partitions[kind], "entity_")
	// What stands beside the document as well is taken from there, where an
	// index may find it.
	stored := map[string]string{
		"refId": "e.ref_id", "version": "e.version", "externalId": "e.external_id", "customName": "nullif(e.custom_name, '')",
		"createdAt": "e.created", "updatedAt": "e.updated",
	}
	for _, f := range casm.DescribeValue(casm.NewEntity(kind)).Fields {
		if expression, ok := stored[f.Name]; ok {
			columns = append(columns, column{snake(f.Name), expression, f.Doc})
			continue
		}
		columns = append(columns, columnsOf(f, "", "d.doc")...)
	}
	return name, append(columns,
		column{"customer_at_top_ref_id", "coalesce(e.customer, e.ref_id)", "The refId of the customer at the top; of a customer its own."},
		column{"test", "e.test", "Whether it stands below a test customer or test account, or is one."},
		column{"due_at", "e.due", "When it next changes by itself. From then on, until that is recorded, the columns show what held before."})
}

// columnsOf returns the columns of a member of a JSON object; one that is an
// object itself has a column for each of its members.
func columnsOf(f *casm.Field, prefix, object string) []column {
	name := joined(prefix, snake(f.Name))
	text := fmt.Sprintf("(%s ->> '%s')", object, f.Name)
	as := func(t string) []column { return []column{{name, text + "::" + t, f.Doc}} }
	switch f.Type {
	case casm.TypeString:
		return []column{{name, text, f.Doc}}
	case casm.TypeInteger:
		return as("bigint")
	case casm.TypeBoolean:
		return as("boolean")
	case casm.TypeTime:
		return as("timestamptz")
	case casm.TypeID:
		return as("uuid")
	case casm.TypeReference:
		return []column{
			{name + "_ref_id", fmt.Sprintf("(%s #>> '{%s,refId}')::uuid", object, f.Name), f.Doc + " Its refId."},
			{name + "_external_id", fmt.Sprintf("(%s #>> '{%s,externalId}')", object, f.Name), f.Doc + " Its externalId as it was when this version was made."},
		}
	case casm.TypeObject:
		var all []column
		for _, inner := range f.Object.Fields {
			all = append(all, columnsOf(inner, name, fmt.Sprintf("(%s -> '%s')", object, f.Name))...)
		}
		return all
	}
	return []column{{name, fmt.Sprintf("(%s -> '%s')", object, f.Name), f.Doc}}
}

// snake returns a JSON name as SQL names are written: stateValidFrom is
// state_valid_from.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// joined puts two names together; words in which the one ends and the other
// begins are written once: state and state_reason make state_reason.
func joined(outer, inner string) string {
	if outer == "" {
		return inner
	}
	a, b := strings.Split(outer, "_"), strings.Split(inner, "_")
	for n := min(len(a), len(b)); n > 0; n-- {
		if slices.Equal(a[len(a)-n:], b[:n]) {
			return strings.Join(append(slices.Clone(a), b[n:]...), "_")
		}
	}
	return outer + "_" + inner
}

// makeViews makes the views, or those that are not as they should be anew.
func makeViews(ctx context.Context, c *pgx.Conn) error {
	for _, kind := range casm.Kinds {
		name, columns := viewOf(kind)
		if err := makeView(ctx, c, name, partitions[kind], kind, columns); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

const (
	codeOtherColumns = "42P16" // of a view that is to be replaced
	codeNeeded       = "2BP01" // by other objects
)

func makeView(ctx context.Context, c *pgx.Conn, name, table string, kind casm.Kind, columns []column) error {
	// The mark tells whether a view is as this release makes it.
	hash := sha256.Sum256([]byte(fmt.Sprint(columns)))
	comment := fmt.Sprintf("Entities of type %s with their attributes, as stored now. (%s)", kind, hex.EncodeToString(hash[:6]))
	var present string
	if err := c.QueryRow(ctx, `SELECT coalesce(obj_description(to_regclass($1), 'pg_class'), '')`, name).Scan(&present); err != nil {
		return err
	}
	if present == comment {
		return nil
	}
	if err := oldOrder(ctx, c, name, columns); err != nil {
		return err
	}
	create := func(before string) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			statements := []string{
				`SET LOCAL lock_timeout = '5s'`, before, createView(name, table, columns),
				fmt.Sprintf(`COMMENT ON VIEW %s IS %s`, name, quoted(comment)),
			}
			for _, x := range columns {
				statements = append(statements, fmt.Sprintf(`COMMENT ON COLUMN %s.%s IS %s`, name, x.name, quoted(x.comment)))
			}
			_, err := tx.Exec(ctx, strings.Join(statements, ";\n"))
			return err
		})
	}
	err := create(`SELECT`)
	if codeOf(err) == codeOtherColumns {
		err = create(`DROP VIEW ` + name)
		if codeOf(err) == codeNeeded {
			return errors.Join(errors.New("it has other columns now; drop what is built on it, migrate again, and make that anew"), err)
		}
	}
	return err
}

// oldOrder puts columns that a view has already into their order in it, and
// the others behind them.
func oldOrder(ctx context.Context, c *pgx.Conn, view string, columns []column) error {
	rows, err := c.Query(ctx, `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, view)
	if err != nil {
		return err
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	place := func(x column) int {
		if i := slices.Index(old, x.name); i >= 0 {
			return i
		}
		return len(old)
	}
	slices.SortStableFunc(columns, func(x, y column) int { return place(x) - place(y) })
	return nil
}

func createView(name, table string, columns []column) string {
	var list []string
	for _, x := range columns {
		list = append(list, x.expression+" AS "+x.name)
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT\n  %s\nFROM %s e CROSS JOIN LATERAL (SELECT e.doc::jsonb AS doc) d",
		name, strings.Join(list, ",\n  "), table)
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
