package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// TestPlans looks at how SQLite runs every query of a reader: by the index it
// was written for, without reading a whole table and without sorting.
func TestPlans(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "casm.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, tx := uuid.New(), store.Transaction{ID: uuid.New(), RequestID: "r", Claim: store.Request("r", -1)}
	key := store.Key{Kind: casm.KindAccount, RefID: id}
	tx.Changes = []store.Change{{Key: key, Version: 1}}
	_, err = s.Commit(ctx, store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		return &store.WriteSet{
			Claims:       []store.ClaimChange{{ClaimKey: tx.Claim, To: tx.ID}},
			Transactions: []store.Transaction{tx},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := <-s.writer
	defer func() { s.writer <- c }()

	plans := make(map[string]string) // by query
	r := &reader{c: c, now: time.Now, trace: func(sql string) { plans[sql] = plan(t, c, sql) }}
	code := store.CodeKey{Collection: "offers", Code: "o"}
	used := func(indexes string, call func() error) {
		t.Helper()
		clear(plans)
		if err := call(); err != nil {
			t.Fatal(err)
		}
		for sql, plan := range plans {
			plan = strings.ReplaceAll(plan, "SCAN k VIRTUAL TABLE", "") // what was asked for
			plan = strings.ReplaceAll(plan, "SCAN seen", "")            // the window of the audit
			if strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") || !containsAll(plan, indexes) {
				t.Errorf("%s\nruns as %s\nwant %s", sql, plan, indexes)
			}
		}
	}
	for _, sql := range []string{findByExternalID, findByRefID} {
		if plan := plan(t, c, sql); strings.Contains(plan, "SCAN") {
			t.Errorf("%s\nruns as %s", sql, plan)
		}
	}
	for _, deep := range []bool{false, true} {
		index := map[bool]string{false: "entity_superior (superior=? AND kind=? AND ref_id>?)", true: "entity_customer (customer=? AND kind=? AND ref_id>?)"}[deep]
		for _, q := range []store.ChildQuery{{}, {SkipDeactivated: true}, {DeactivatedLast: true}, {CreatedBefore: 1}} {
			q.Of, q.Kind, q.Deep, q.Limit = id, key.Kind, deep, 10
			used(index, func() error { _, err := r.Children(ctx, q); return err })
		}
	}
	used("entity_lookup_key (lookup_key=?)", func() error { _, err := r.ByLookupKey(ctx, key.Kind, "k"); return err })
	used("entity_due (due<?)", func() error { _, err := r.Due(ctx, 1, 10); return err })
	used("sqlite_autoindex_entity_1 (ref_id=?)", func() error { _, err := r.ExternalIDs(ctx, []store.Key{key}); return err })
	used("journal_version (ref_id=? AND version=?)", func() error {
		_, err := r.Versions(ctx, []store.VersionKey{{Key: key, Version: 1}})
		return err
	})
	used("COVERING INDEX journal_version (ref_id=? AND version<?)", func() error { _, err := r.AsOf(ctx, []store.Key{key}, -1); return err })
	used("journal_version (ref_id=? AND version<?)", func() error { _, err := r.History(ctx, key, 0, 0, 10); return err })
	used("(ref_id=? AND version", func() error { _, err := r.History(ctx, key, 0, store.LineState, 10); return err })
	lines := 0
	for _, plan := range plans {
		lines += strings.Count(plan, "journal_line (")
	}
	if lines != 1 {
		t.Errorf("history of lines runs as %v, want one by journal_line", plans)
	}
	used("j USING INTEGER PRIMARY KEY (rowid>?)|t USING INTEGER PRIMARY KEY (rowid=?)", func() error {
		_, err := r.Feed(ctx, casm.Start, store.FeedFilter{}, 10)
		return err
	})
	used("journal_kind (kind=? AND rowid>?)", func() error {
		_, err := r.Feed(ctx, casm.Start, store.FeedFilter{Kind: 1}, 10)
		return err
	})
	for _, filter := range []store.FeedFilter{{Customer: id}, {Customer: id, Kind: 1}} {
		used("journal_customer (customer=? AND rowid>?)", func() error { _, err := r.Feed(ctx, casm.Start, filter, 10); return err })
	}
	used("SEARCH", func() error { _, _, err := r.TransactionChanges(ctx, tx.ID, 0, 10); return err })
	used("business_transaction_id (transaction_id=?)", func() error { _, err := r.Transaction(ctx, tx.ID); return err })
	used("config_history_item (collection=? AND code=?)", func() error { _, err := r.ConfigHistory(ctx, code, 10); return err })
	for index, q := range map[string]store.AuditQuery{
		"PRIMARY KEY (id>? AND id<?)":                 {},
		"audit_actor (actor=? AND id>? AND id<?)":     {Actor: "a", Act: "b", Outcome: "c"},
		"audit_act (act=? AND id>? AND id<?)":         {Act: "b", Outcome: "c"},
		"audit_outcome (outcome=? AND id>? AND id<?)": {Outcome: "c"},
	} {
		q.Limit, q.Scan = 10, 100
		used(index, func() error { _, err := r.Audit(ctx, q); return err })
	}
	used("PRIMARY KEY (collection=? AND code=?)", func() error { _, err := r.Uses(ctx, []store.CodeKey{code}); return err })
	used("PRIMARY KEY (collection=? AND code=?)", func() error { _, err := r.Progress(ctx, code); return err })
	used("PRIMARY KEY (collection=? AND code=? AND customer>?)", func() error {
		_, err := r.Behind(ctx, code, store.BehindQuery{ParkedOnly: true, Limit: 10})
		return err
	})
	// The head is one row, so reading all of it is no matter.
	const headQuery = `SELECT epoch, position, config FROM log_head`
	used("SEARCH", func() error {
		_, err := r.Load(ctx, store.Needs{Requests: []store.ClaimKey{tx.Claim}, Entities: []store.Key{key}})
		if len(plans) < 4 || plans[headQuery] == "" {
			t.Errorf("Load ran %d queries, or the head's is another", len(plans))
		}
		delete(plans, headQuery)
		return err
	})
}

func containsAll(plan, wanted string) bool {
	for part := range strings.SplitSeq(wanted, "|") {
		if !strings.Contains(plan, part) {
			return false
		}
	}
	return true
}

func plan(t *testing.T, c conn, sql string) string {
	t.Helper()
	stmt, _, err := c.PrepareTransient("EXPLAIN QUERY PLAN " + sql)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Finalize()
	var steps []string
	for {
		more, err := stmt.Step()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return strings.Join(steps, "; ")
		}
		steps = append(steps, stmt.ColumnText(3))
	}
}
