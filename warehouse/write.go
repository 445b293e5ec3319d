package warehouse

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/google/uuid"
)

// The columns of rows that statements take.
var (
	idRows  = []sqldb.Column{{Name: "ref_id", Type: sqldb.ID}}
	endRows = []sqldb.Column{{Name: "ref_id", Type: sqldb.ID}, {Name: "valid_to", Type: sqldb.Time}}
	ownRows = attributeTable.Columns[:2]
	// addMessages is for transactions whose first messages came before.
	addMessages = transactionTable.Insert() + ` WHERE true ON CONFLICT (position) DO UPDATE
		SET messages = business_transaction.messages + excluded.messages`
	dropRows = "DELETE FROM custom_attribute WHERE (type, ref_id) IN (SELECT v.type, v.ref_id FROM {rows})"
	// What is counted no more leaves the counters.
	dropNone     = "DELETE FROM metric_count WHERE value = 0 AND (metric, key, is_test) IN (SELECT v.metric, v.key, v.is_test FROM {rows})"
	dropBalances = `DELETE FROM metric_balance WHERE count = 0 AND (service, unit_of_measure, currency, is_test) IN
		(SELECT v.service, v.unit_of_measure, v.currency, v.is_test FROM {rows})`
)

// load reads what the fold must know of entities.
func (f *fold) load(ctx context.Context, r sqldb.Reader, needs map[casm.Kind][][]sqldb.Value) error {
	var all []sqldb.Statement
	for _, kind := range casm.Kinds {
		t := f.layout.entities[kind]
		all = append(all, sqldb.Statement{SQL: t.facts, Columns: idRows, Rows: needs[kind], Each: func(row []sqldb.Value) error {
			id, err := uuid.Parse(row[0].Text())
			if err != nil {
				return fmt.Errorf("%s: ref_id %q: %w", t.current.Name, row[0].Text(), err)
			}
			f.know(entityKey{kind, id}).read(row)
			return nil
		}})
	}
	return r.All(ctx, all)
}

// write writes what gathered: first what takes reading, then what changes rows
// that are there, then the new rows. A database takes statements of a kind more
// cheaply in a row.
func (f *fold) write(ctx context.Context, tx sqldb.Tx) error {
	if err := f.writeMetrics(ctx, tx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	var changes, inserts []sqldb.Statement
	insert := func(t *sqldb.Table, rows [][]sqldb.Value) {
		inserts = append(inserts, sqldb.Statement{SQL: t.Insert(), Columns: t.Columns, Rows: rows})
	}
	for _, kind := range casm.Kinds {
		t := f.layout.entities[kind]
		added, moved, changed := f.presentRows(t)
		changes = append(changes,
			sqldb.Statement{SQL: t.archive, Columns: endRows, Rows: f.archived[kind]},
			sqldb.Statement{SQL: t.replace, Columns: t.current.Columns, Rows: moved},
			sqldb.Statement{SQL: t.update, Columns: t.current.Columns, Rows: changed})
		insert(t.past, f.past[kind])
		insert(t.current, added)
	}
	dropped, attributes := f.attributes()
	insert(attributeTable, attributes)
	var added, begun [][]sqldb.Value
	for _, position := range f.order {
		t := f.transactions[position]
		t.row[len(t.row)-1] = sqldb.Int(t.messages)
		if position > f.passed {
			added = append(added, t.row)
		} else {
			begun = append(begun, t.row)
		}
	}
	insert(transactionTable, added)
	insert(messageTable, f.messages)
	changes = append(changes,
		sqldb.Statement{SQL: dropRows, Columns: ownRows, Rows: dropped},
		sqldb.Statement{SQL: addMessages, Columns: transactionTable.Columns, Rows: begun},
		sqldb.Statement{SQL: deadTable.Upsert(), Columns: deadTable.Columns, Rows: f.dead})
	return tx.All(ctx, append(changes, inserts...))
}

// presentRows gives the present rows of a kind: new ones, those whose indexed
// columns are others than before, and those whose other columns are.
func (f *fold) presentRows(t *entityTable) (added, moved, changed [][]sqldb.Value) {
	for _, e := range f.touched {
		switch {
		case e.table != t:
		case !e.stored:
			added = append(added, e.row)
		case e.moved():
			moved = append(moved, e.row)
		default:
			changed = append(changed, e.row)
		}
	}
	return added, moved, changed
}

// attributes gives, of entities whose custom attributes changed, those whose
// rows go, and the rows that come.
func (f *fold) attributes() (drop, add [][]sqldb.Value) {
	for _, e := range f.touched {
		top := e.entity.Top()
		if top == nil {
			continue
		}
		kind, id := sqldb.Str(e.table.kind.String()), sqldb.UUID(e.entity.Base().RefID)
		if e.row[e.table.attributes].Text() == e.attributes {
			continue
		}
		if e.attributes != "" {
			drop = append(drop, []sqldb.Value{kind, id})
		}
		for _, name := range slices.Sorted(maps.Keys(top.CustomAttributes)) {
			add = append(add, []sqldb.Value{kind, id, sqldb.Str(name), sqldb.Str(top.CustomAttributes[name])})
		}
	}
	return drop, add
}

func (f *fold) writeMetrics(ctx context.Context, tx sqldb.Tx) error {
	if err := f.writeBalances(ctx, tx); err != nil {
		return err
	}
	var counts, fell [][]sqldb.Value
	for k, n := range f.counts {
		row := []sqldb.Value{sqldb.Str(k.metric), sqldb.Str(k.key), sqldb.Bool(k.test), sqldb.Int(n)}
		if n != 0 {
			counts = append(counts, row)
		}
		if n < 0 {
			fell = append(fell, row[:countTable.Key])
		}
	}
	var days, facts [][]sqldb.Value
	for k, e := range f.days {
		days = append(days, append([]sqldb.Value{sqldb.Str(k.date), sqldb.Str(k.kind), sqldb.Bool(k.test)}, e.values()...))
	}
	for k, e := range f.facts {
		facts = append(facts, append([]sqldb.Value{
			sqldb.Str(k.date), sqldb.Str(k.kind), sqldb.Str(k.segment), sqldb.Str(k.offer), sqldb.Str(k.accountType), sqldb.Bool(k.test),
		}, e.values()...))
	}
	return tx.All(ctx, []sqldb.Statement{
		{SQL: countTable.Accumulate(), Columns: countTable.Columns, Rows: counts},
		{SQL: dropNone, Columns: countTable.Columns[:countTable.Key], Rows: fell},
		{SQL: dayTable.Accumulate(), Columns: dayTable.Columns, Rows: days},
		{SQL: factTable.Accumulate(), Columns: factTable.Columns, Rows: facts},
	})
}

func (e *dayEvents) values() []sqldb.Value {
	return []sqldb.Value{sqldb.Int(e.created), sqldb.Int(e.activated), sqldb.Int(e.suspended), sqldb.Int(e.deactivated)}
}

// writeBalances adds to sums that may be larger than a database's integers.
func (f *fold) writeBalances(ctx context.Context, tx sqldb.Tx) error {
	var sums, usage [][]sqldb.Value
	for k, s := range f.balances {
		sums = append(sums, []sqldb.Value{
			sqldb.Str(k.service), sqldb.Str(k.unit), sqldb.Str(k.currency), sqldb.Bool(k.test),
			sqldb.Int(s.count), number(&s.granted), number(&s.actual),
		})
	}
	for k, s := range f.usage {
		usage = append(usage, []sqldb.Value{
			sqldb.Str(k.date), sqldb.Str(k.service), sqldb.Str(k.unit), sqldb.Str(k.currency), sqldb.Str(k.offer), sqldb.Bool(k.test),
			sqldb.Int(s.created), number(&s.granted), number(&s.added), number(&s.used),
		})
	}
	if err := tx.All(ctx, []sqldb.Statement{addUp(balanceTable, sums), addUp(balanceFactTable, usage)}); err != nil {
		return err
	}
	var none [][]sqldb.Value
	for _, row := range sums {
		if row[balanceTable.Key].Int() == 0 {
			none = append(none, row[:balanceTable.Key])
		}
	}
	return tx.All(ctx, []sqldb.Statement{
		{SQL: balanceTable.Upsert(), Columns: balanceTable.Columns, Rows: sums},
		{SQL: dropBalances, Columns: balanceTable.Columns[:balanceTable.Key], Rows: none},
		{SQL: balanceFactTable.Upsert(), Columns: balanceFactTable.Columns, Rows: usage},
	})
}

// addUp is a statement that reads what rows are to be added to, exactly, and
// adds it to them.
func addUp(t *sqldb.Table, rows [][]sqldb.Value) sqldb.Statement {
	keyOf := func(row []sqldb.Value) string {
		var b []byte
		for _, v := range row[:t.Key] {
			b = append(v.AppendText(b), 0)
		}
		return string(b)
	}
	byKey := map[string][]sqldb.Value{}
	keys := make([][]sqldb.Value, len(rows))
	join := ""
	for i, c := range t.Columns[:t.Key] {
		if i > 0 {
			join += " AND "
		}
		join += "t." + c.Name + " = v." + c.Name
	}
	for i, row := range rows {
		byKey[keyOf(row)] = row
		keys[i] = row[:t.Key]
	}
	sql := "SELECT " + t.Names("t.") + " FROM {rows} JOIN " + t.Name + " t ON " + join
	return sqldb.Statement{SQL: sql, Columns: t.Columns[:t.Key], Rows: keys, Each: func(old []sqldb.Value) error {
		row := byKey[keyOf(old)]
		for i := t.Key; i < len(row); i++ {
			sum := new(big.Int).Add(parseNumber(row[i]), parseNumber(old[i]))
			row[i] = number(sum)
		}
		return nil
	}}
}
