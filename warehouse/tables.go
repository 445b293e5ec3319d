package warehouse

import (
	"casm"
	"casm/warehouse/sqldb"
)

// TableNames lists all tables.
func TableNames() []string {
	var names []string
	for _, t := range newLayout().schema.Tables {
		names = append(names, t.Name)
	}
	return names
}

// EntityTables gives the tables of the present and of the former versions of a
// kind. The former ones have the column valid_to besides.
func EntityTables(kind casm.Kind) (present, past *sqldb.Table) {
	t := newLayout().entities[kind]
	return t.current, t.past
}

// TransactionTable gives the table of business transactions.
func TransactionTable() *sqldb.Table { return transactionTable }

// MessageTable gives the table of messages.
func MessageTable() *sqldb.Table { return messageTable }

// FactTables give the tables of daily facts: of entities, and of balances.
func FactTables() (entities, balances *sqldb.Table) { return factTable, balanceFactTable }
