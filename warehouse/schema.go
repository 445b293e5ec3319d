package warehouse

import (
	"slices"
	"strings"

	"casm"
	"casm/warehouse/sqldb"
)

// entityTable is where a kind of entity stands: the present rows, the former
// ones, and a view of both.
type entityTable struct {
	kind    casm.Kind
	columns []column // of the entity's members; fixed ones follow them
	current *sqldb.Table
	past    *sqldb.Table
	facts   string // the statement that finds what is known of entities
	archive string // the statement that copies present rows to the former ones
	// replace and update are of the present rows; update leaves the indexed
	// columns alone, which spares their indexes.
	replace, update string

	indexed    []int // the columns with an index of their own
	order      []int // the columns that row_hash is of
	attributes int   // the column custom_attributes; -1: none
	test       int   // the column is_test
}

// The columns that all entities have beside their members.
var fixedColumns = []sqldb.Column{
	{Name: "is_test", Type: sqldb.Boolean, Doc: "Whether it, or what it belongs to, exists for tests; metrics leave it out."},
	{Name: "valid_from", Type: sqldb.Time, Doc: "Since when this version is, or was, the present one."},
	{Name: "transaction_id", Type: sqldb.ID, Doc: "The business transaction that made this version."},
	{Name: "position", Type: sqldb.Integer, Doc: "The transaction's place in the log; joins business_transaction."},
	{Name: "event", Type: sqldb.Text, Doc: "What happened: created, updated, stateChanged, stateChangePlanned, ended."},
	{Name: "unknown_members", Type: sqldb.JSON, Doc: "Members that this release does not know."},
	{Name: "row_hash", Type: sqldb.Integer, Doc: "A hash of the other columns, by which a reconciliation finds rows that were changed by hand."},
}

var validTo = sqldb.Column{Name: "valid_to", Type: sqldb.Time, Doc: "Until when this version was the present one; none: it still is."}

// indexed are members with an index of their own, where a kind has them.
var indexed = []string{
	"external_id", "customer_ref_id", "account_ref_id", "parent_ref_id", "subscriber_ref_id", "offer_subscription_ref_id", "resource",
}

func newEntityTable(kind casm.Kind, o *casm.Object) *entityTable {
	t := &entityTable{kind: kind, columns: columnsOf(o)}
	name := snake(kind.MessageCode())
	for i, c := range t.columns {
		// valid_from and valid_to are the version's, in all tables.
		if c.Name == validTo.Name || slices.ContainsFunc(fixedColumns, func(x sqldb.Column) bool { return x.Name == c.Name }) {
			t.columns[i].Name = name[strings.LastIndexByte(name, '_')+1:] + "_" + c.Name
		}
	}
	// The key stands first: refId and version are the first two members.
	var columns []sqldb.Column
	for _, c := range t.columns {
		columns = append(columns, c.Column)
	}
	columns = append(columns, fixedColumns...)
	t.current = &sqldb.Table{
		Name: name, Doc: "The present version of each " + kind.String() + ".", Columns: columns, Key: 1, Clustered: true, Changing: true,
	}
	var own []string
	for _, c := range indexed {
		if slices.ContainsFunc(columns, func(x sqldb.Column) bool { return x.Name == c }) {
			t.current.Indexes = append(t.current.Indexes, []string{c})
			own = append(own, c)
		}
	}
	for i, c := range columns {
		if slices.Contains(own, c.Name) {
			t.indexed = append(t.indexed, i)
		}
	}
	t.past = &sqldb.Table{
		Name: name + "_past", Doc: "The former versions of each " + kind.String() + ".",
		Columns: append(slices.Clone(columns), validTo), Key: 2,
	}
	t.order = t.hashOrder()
	t.replace, t.update = t.current.Update(nil), t.current.Update(own)
	t.attributes = slices.IndexFunc(columns, func(c sqldb.Column) bool { return c.Name == "custom_attributes" })
	t.test = len(t.columns)
	t.facts = "SELECT " + strings.Join(t.factColumns(), ", ") + " FROM {rows} JOIN " + name + " t ON t.ref_id = v.ref_id"
	t.archive = "INSERT INTO " + t.past.Name + " (" + t.past.Names("") + ") SELECT " + t.current.Names("t.") +
		", v.valid_to FROM {rows} JOIN " + name + " t ON t.ref_id = v.ref_id"
	return t
}

// history is the view of all versions.
func (t *entityTable) history() sqldb.View {
	names := t.current.Names("")
	null := "NULL"
	return sqldb.View{
		Name: t.current.Name + "_history", Doc: "All versions of each " + t.kind.String() + ".",
		Select: "SELECT " + names + ", valid_to FROM " + t.past.Name + " UNION ALL SELECT " + names + ", " + null + " FROM " + t.current.Name,
	}
}

// The tables that are not of one kind of entity.
var (
	attributeTable = &sqldb.Table{
		Name: "custom_attribute", Doc: "The present custom attributes, a row each.", Key: 3, Clustered: true,
		Columns: []sqldb.Column{
			{Name: "type", Type: sqldb.Text, Doc: "The entity's type, such as Customer."},
			{Name: "ref_id", Type: sqldb.ID, Doc: "The entity."},
			{Name: "name", Type: sqldb.Text, Doc: "The attribute's key."},
			{Name: "value", Type: sqldb.Text, Doc: "Its value."},
		},
		Indexes: [][]string{{"type", "name"}},
	}
	transactionTable = &sqldb.Table{
		Name: "business_transaction", Doc: "Business transactions that changed anything.", Key: 1,
		Columns: []sqldb.Column{
			{Name: "position", Type: sqldb.Integer, Doc: "The place in the log."},
			{Name: "transaction_id", Type: sqldb.ID, Doc: "Its id; operations of an atomic batch share it."},
			{Name: "request_id", Type: sqldb.Text, Doc: "The client's id of the request."},
			{Name: "operation", Type: sqldb.Text, Doc: "The operation."},
			{Name: "recorded_at", Type: sqldb.Time, Doc: "When it was recorded."},
			{Name: "date", Type: sqldb.Date, Doc: "The day of recorded_at, in the installation's time zone."},
			{Name: "actor", Type: sqldb.Text, Doc: "Who did it."},
			{Name: "comment", Type: sqldb.Text, Doc: "Why."},
			{Name: "messages", Type: sqldb.Integer, Doc: "How many messages it gave."},
		},
		Indexes: [][]string{{"date"}},
	}
	messageTable = &sqldb.Table{
		Name: "message", Doc: "All messages, in the order of the log.", Key: 2, Clustered: true,
		Columns: []sqldb.Column{
			{Name: "position", Type: sqldb.Integer, Doc: "The transaction's place in the log."},
			{Name: "ordinal", Type: sqldb.Integer, Doc: "The message's place in the transaction."},
			{Name: "type", Type: sqldb.Text, Doc: "The entity's type."},
			{Name: "ref_id", Type: sqldb.ID, Doc: "The entity."},
			{Name: "version", Type: sqldb.Integer, Doc: "Its version."},
			{Name: "event", Type: sqldb.Text, Doc: "What happened; thresholdReached tells no new version."},
			{Name: "threshold", Type: sqldb.Integer, Doc: "Of thresholdReached: which one, 1 to 3."},
			{Name: "recorded_at", Type: sqldb.Time, Doc: "When it was recorded."},
		},
	}
	deadTable = &sqldb.Table{
		Name: "dead_letter", Doc: "Messages that could not be processed and were set aside.", Key: 1,
		Columns: []sqldb.Column{
			{Name: "id", Type: sqldb.Text, Doc: "The message's place: position:<transaction>-<ordinal>, or sequence:<number> of one that does not tell it."},
			{Name: "type", Type: sqldb.Text, Doc: "The entity's type, if it is known."},
			{Name: "ref_id", Type: sqldb.Text, Doc: "The entity, if it is known."},
			{Name: "version", Type: sqldb.Integer, Doc: "Its version, if it is known."},
			{Name: "reason", Type: sqldb.Text, Doc: "Why it could not be processed."},
			{Name: "body", Type: sqldb.Text, Doc: "The message's body."},
			{Name: "set_aside_at", Type: sqldb.Time, Doc: "When it was set aside."},
		},
	}
	progressTable = &sqldb.Table{
		Name: "progress", Doc: "How far the warehouse is: one row.", Key: 1, Changing: true,
		Columns: []sqldb.Column{
			{Name: "id", Type: sqldb.Integer, Doc: "1."},
			{Name: "instance", Type: sqldb.Text, Doc: "Names this warehouse among the stream's subscribers."},
			{Name: "epoch", Type: sqldb.Integer, Doc: "The log's epoch."},
			{Name: "position", Type: sqldb.Integer, Doc: "The last message's transaction."},
			{Name: "ordinal", Type: sqldb.Integer, Doc: "Its place in the transaction; -1 before the first."},
			{Name: "sequence", Type: sqldb.Integer, Doc: "The last message's sequence in the stream, 0 where the stream was not read yet."},
			{Name: "messages", Type: sqldb.Integer, Doc: "How many messages took effect."},
			{Name: "recorded_at", Type: sqldb.Time, Doc: "When the last of them was recorded."},
			{Name: "time_zone", Type: sqldb.Text, Doc: "The time zone of days."},
			{Name: "format", Type: sqldb.Integer, Doc: "Which release's figures these are; another's are built anew."},
		},
	}
	dictionaryTable = &sqldb.Table{
		Name: "data_dictionary", Doc: "What tables and columns mean.", Key: 2, Clustered: true,
		Columns: []sqldb.Column{
			{Name: "table_name", Type: sqldb.Text, Doc: "The table."},
			{Name: "column_name", Type: sqldb.Text, Doc: "The column; empty of the table itself."},
			{Name: "type", Type: sqldb.Text, Doc: "The column's type."},
			{Name: "description", Type: sqldb.Text, Doc: "What it means."},
		},
	}
)

// The tables of metrics. What adds up is behind the key.
var (
	testColumn = sqldb.Column{Name: "is_test", Type: sqldb.Boolean, Doc: "Whether test entities are counted here, or all others."}
	dateColumn = sqldb.Column{Name: "date", Type: sqldb.Date, Doc: "The day, in the installation's time zone."}
	typeColumn = sqldb.Column{Name: "type", Type: sqldb.Text, Doc: "The entities' type."}

	dayColumns = []sqldb.Column{
		{Name: "created", Type: sqldb.Integer, Doc: "How many were created."},
		{Name: "activated", Type: sqldb.Integer, Doc: "How many became ACTIVE, those created so included."},
		{Name: "suspended", Type: sqldb.Integer, Doc: "How many became SUSPENDED."},
		{Name: "deactivated", Type: sqldb.Integer, Doc: "How many became DEACTIVATED."},
	}
	balanceKey = []sqldb.Column{
		{Name: "service", Type: sqldb.Text, Doc: "Code of the product's service."},
		{Name: "unit_of_measure", Type: sqldb.Text, Doc: "What is counted; empty of money."},
		{Name: "currency", Type: sqldb.Text, Doc: "The currency; empty unless it is money, in millionths."},
	}

	countTable = &sqldb.Table{
		Name: "metric_count", Doc: "How many entities there are, by a metric and its key.", Key: 3, Changing: true, Clustered: true,
		Columns: []sqldb.Column{
			{Name: "metric", Type: sqldb.Text, Doc: "The metric, such as customersByState."},
			{Name: "key", Type: sqldb.Text, Doc: "The state, segment or offer; empty of those without."},
			testColumn,
			{Name: "value", Type: sqldb.Integer, Doc: "How many."},
		},
	}
	balanceTable = &sqldb.Table{
		Name: "metric_balance", Doc: "What balances hold together.", Key: 4, Changing: true, Clustered: true,
		Columns: append(append(slices.Clone(balanceKey), testColumn),
			sqldb.Column{Name: "count", Type: sqldb.Integer, Doc: "How many balances."},
			sqldb.Column{Name: "granted", Type: sqldb.Number, Doc: "What was granted."},
			sqldb.Column{Name: "actual", Type: sqldb.Number, Doc: "What is left."}),
	}
	dayTable = &sqldb.Table{
		Name: "metric_day", Doc: "Events by day and type.", Key: 3, Changing: true, Clustered: true,
		Columns: append([]sqldb.Column{dateColumn, typeColumn, testColumn}, dayColumns...),
	}
	factTable = &sqldb.Table{
		Name: "daily_fact", Doc: "Events by day, type, segment, offer and account type, test entities too.", Key: 6, Changing: true, Clustered: true,
		Columns: append([]sqldb.Column{
			dateColumn, typeColumn,
			{Name: "segment", Type: sqldb.Text, Doc: "Code of the segment; empty: none."},
			{Name: "offer", Type: sqldb.Text, Doc: "Code of the offer, of subscriptions."},
			{Name: "account_type", Type: sqldb.Text, Doc: "Code of the account type, of accounts."},
			testColumn,
		}, dayColumns...),
	}
	balanceFactTable = &sqldb.Table{
		Name: "daily_balance_fact", Doc: "What balances were granted and used of, by day, test entities too.", Key: 6, Changing: true, Clustered: true,
		Columns: append(append(append([]sqldb.Column{dateColumn}, balanceKey...),
			sqldb.Column{Name: "offer", Type: sqldb.Text, Doc: "Code of the offer of the subscription."}, testColumn),
			sqldb.Column{Name: "created", Type: sqldb.Integer, Doc: "How many balances were made."},
			sqldb.Column{Name: "granted", Type: sqldb.Number, Doc: "What those were granted."},
			sqldb.Column{Name: "added", Type: sqldb.Number, Doc: "By how much balances rose later."},
			sqldb.Column{Name: "used", Type: sqldb.Number, Doc: "By how much balances fell."}),
	}
)

// metricViews are the daily facts without test entities.
var metricViews = []sqldb.View{
	{
		Name: "daily_metric", Doc: "Events by day, type, segment, offer and account type, without test entities.",
		Select: "SELECT date, type, segment, offer, account_type, created, activated, suspended, deactivated FROM daily_fact WHERE NOT is_test",
	},
	{
		Name: "daily_balance", Doc: "What balances were granted and used of, by day, without test entities.",
		Select: "SELECT date, service, unit_of_measure, currency, offer, created, granted, added, used FROM daily_balance_fact WHERE NOT is_test",
	},
}

// format counts changes of what the tables mean: a warehouse of another format
// is built anew.
const format = 1

// layout is all tables of a warehouse.
type layout struct {
	entities map[casm.Kind]*entityTable
	schema   sqldb.Schema
}

// newLayout makes the tables of the entities' descriptors.
func newLayout() *layout {
	l := &layout{entities: map[casm.Kind]*entityTable{}}
	for _, kind := range casm.Kinds {
		t := newEntityTable(kind, casm.DescribeValue(casm.NewEntity(kind)))
		l.entities[kind] = t
		l.schema.Tables = append(l.schema.Tables, t.current, t.past)
		l.schema.Views = append(l.schema.Views, t.history())
	}
	l.schema.Tables = append(l.schema.Tables, attributeTable, transactionTable, messageTable, deadTable, progressTable,
		dictionaryTable, countTable, balanceTable, dayTable, factTable, balanceFactTable)
	l.schema.Views = append(l.schema.Views, metricViews...)
	return l
}

// dictionary is what data_dictionary holds.
func (l *layout) dictionary() [][]sqldb.Value {
	var rows [][]sqldb.Value
	add := func(table, column, kind, doc string) {
		rows = append(rows, []sqldb.Value{sqldb.Str(table), sqldb.Str(column), sqldb.Str(kind), sqldb.Str(doc)})
	}
	for _, t := range l.schema.Tables {
		add(t.Name, "", "table", t.Doc)
		for _, c := range t.Columns {
			add(t.Name, c.Name, c.Type.String(), c.Doc)
		}
	}
	for _, v := range l.schema.Views {
		add(v.Name, "", "view", v.Doc)
	}
	return rows
}
