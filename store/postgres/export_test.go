package postgres

import "strings"

// Statements are all statements that look something up or write.
func Statements() (list []string) {
	for _, s := range statements {
		if !strings.HasPrefix(s.sql, "BEGIN") && s != commit {
			list = append(list, s.sql)
		}
	}
	return list
}

// MakePartition makes the partition of a month.
var MakePartition = makePartition

const Settings = settings
