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
)

// load reads what the fold must know of entities.
func (f *fold) load(ctx context.Context, r sqldb.Reader, needs map[casm.Kind][][]sqldb.Value) error {
	for _, kind := range casm.Kinds {
		t := f.layout.entities[kind]
		err := r.Many(ctx, t.facts, idRows, needs[kind], func(row []sqldb.Value) error {
			id, err := uuid.Parse(row[0].Text())
			if err != nil {
				return fmt.Errorf("%s: ref_id %q: %w", t.current.Name, row[0].Text(), err)
			}
			f.know(entityKey{kind, id}).read(row)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes what gathered: first what changes rows that are there, then the
// new rows. A database takes statements of a kind more cheaply in a row.
func (f *fold) write(ctx context.Context, tx sqldb.Tx) error {
	var inserts []insert
	for _, kind := range casm.Kinds {
		added, err := f.changeKind(ctx, tx, kind)
		if err != nil {
			return fmt.Errorf("%v: %w", kind, err)
		}
		t := f.layout.entities[kind]
		inserts = append(inserts, insert{t.past, f.past[kind]}, insert{t.current, added})
	}
	attributes, err := f.dropAttributes(ctx, tx)
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
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
	if err := tx.Many(ctx, addMessages, transactionTable.Columns, begun, nil); err != nil {
		return fmt.Errorf("transactions: %w", err)
	}
	if err := tx.Many(ctx, deadTable.Upsert(), deadTable.Columns, f.dead, nil); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	if err := f.writeMetrics(ctx, tx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	inserts = append(inserts, insert{attributeTable, attributes}, insert{transactionTable, added}, insert{messageTable, f.messages})
	for _, i := range inserts {
		if err := tx.Insert(ctx, i.table, i.rows); err != nil {
			return fmt.Errorf("%s: %w", i.table.Name, err)
		}
	}
	return nil
}

// insert are new rows of a table.
type insert struct {
	table *sqldb.Table
	rows  [][]sqldb.Value
}

// changeKind changes the present rows of one kind that are there, those that
// end being kept among the former ones, and gives the new ones.
func (f *fold) changeKind(ctx context.Context, tx sqldb.Tx, kind casm.Kind) (added [][]sqldb.Value, err error) {
	t := f.layout.entities[kind]
	if err := tx.Many(ctx, t.archive, endRows, f.archived[kind], nil); err != nil {
		return nil, err
	}
	var moved, changed [][]sqldb.Value
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
	if err := tx.Many(ctx, t.replace, t.current.Columns, moved, nil); err != nil {
		return nil, err
	}
	return added, tx.Many(ctx, t.update, t.current.Columns, changed, nil)
}

// dropAttributes takes the custom attributes of entities whose attributes
// changed out of their table, and gives those that they have now.
func (f *fold) dropAttributes(ctx context.Context, tx sqldb.Tx) (add [][]sqldb.Value, err error) {
	var drop [][]sqldb.Value
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
	return add, tx.Many(ctx, dropRows, ownRows, drop, nil)
}

func (f *fold) writeMetrics(ctx context.Context, tx sqldb.Tx) error {
	var counts [][]sqldb.Value
	fell := false
	for k, n := range f.counts {
		if n != 0 {
			fell = fell || n < 0
			counts = append(counts, []sqldb.Value{sqldb.Str(k.metric), sqldb.Str(k.key), sqldb.Bool(k.test), sqldb.Int(n)})
		}
	}
	if err := tx.Many(ctx, countTable.Accumulate(), countTable.Columns, counts, nil); err != nil {
		return err
	}
	if fell {
		if err := tx.Exec(ctx, "DELETE FROM metric_count WHERE value = 0"); err != nil {
			return err
		}
	}
	if err := f.writeBalances(ctx, tx); err != nil {
		return err
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
	if err := tx.Many(ctx, dayTable.Accumulate(), dayTable.Columns, days, nil); err != nil {
		return err
	}
	return tx.Many(ctx, factTable.Accumulate(), factTable.Columns, facts, nil)
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
	if err := addUp(ctx, tx, balanceTable, sums); err != nil {
		return err
	}
	if len(sums) > 0 {
		if err := tx.Exec(ctx, "DELETE FROM metric_balance WHERE count = 0"); err != nil {
			return err
		}
	}
	return addUp(ctx, tx, balanceFactTable, usage)
}

// addUp adds rows to those with the same key, exactly.
func addUp(ctx context.Context, tx sqldb.Tx, t *sqldb.Table, rows [][]sqldb.Value) error {
	if len(rows) == 0 {
		return nil
	}
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
	err := tx.Many(ctx, "SELECT "+t.Names("t.")+" FROM {rows} JOIN "+t.Name+" t ON "+join, t.Columns[:t.Key], keys, func(old []sqldb.Value) error {
		row := byKey[keyOf(old)]
		for i := t.Key; i < len(row); i++ {
			sum := new(big.Int).Add(parseNumber(row[i]), parseNumber(old[i]))
			row[i] = number(sum)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Many(ctx, t.Upsert(), t.Columns, rows, nil)
}
