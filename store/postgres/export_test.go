package postgres

import (
	"context"
	"strings"
)

// Statements are all statements that look something up or write.
func Statements() (list []string) {
	for _, s := range statements {
		if !strings.HasPrefix(s.sql, "BEGIN") && s != commit {
			list = append(list, s.sql)
		}
	}
	return list
}

// AddSums keeps the sums of so many transactions.
var AddSums = (*Store).addSums

// MakePartition makes the partition of a month.
var MakePartition = makePartition

const Settings = settings

// MigrateTo is Migrate up to a step: what a release had that ended with it.
var MigrateTo = migrateTo

// OpenUnchecked is Open as of a release whose schema the database has.
func OpenUnchecked(ctx context.Context, url string) (*Store, error) {
	return openStore(ctx, url, Options{}, false)
}
