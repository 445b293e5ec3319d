package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	neturl "net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/store"
	"casm/store/postgres"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// filled is how many customers, each with an account, a subscriber, a resource
// and a subscription, stand in the tables that plans are looked at on.
const filled = 6_000

// most is how many rows a part of a plan may look at: those of the widest
// window of a list and of the configuration, but no table.
const most = 2_000

// fill puts rows into the tables as the store would.
var fill = []string{
	`INSERT INTO entity (kind, ref_id, version, customer, superior, superior_kind, link, link_kind, external_id, lookup_key,
	   state, reason, segment, offer, custom_name, test, created, updated, due, planned, doc)
	 SELECT k, id(k, n), 3, CASE WHEN k > 1 THEN id(1, n) END, CASE WHEN k > 1 THEN id(CASE k WHEN 4 THEN 3 WHEN 5 THEN 3 WHEN 6 THEN 5 ELSE k - 1 END, n) END,
	   CASE k WHEN 1 THEN 0 WHEN 4 THEN 3 WHEN 5 THEN 3 WHEN 6 THEN 5 ELSE k - 1 END, NULL, 0, 'x' || n,
	   CASE WHEN k = 4 THEN E'msisdn\x1f' || n END, 'ACTIVE', 'dflt', 'b2b', '', 'name ' || n, false, now(), now() + n * interval '1 second',
	   CASE WHEN n % 50 = 0 THEN now() + n * interval '1 second' END, CASE WHEN n % 50 = 0 THEN now() + n * interval '1 second' END, '{}'
	 FROM generate_series(1, 6) k, generate_series(1, FILLED) n`,
	`INSERT INTO claim SELECT 16 + k, 'x' || n, id(k, n) FROM generate_series(1, 6) k, generate_series(1, FILLED) n`,
	`INSERT INTO claim SELECT 1, 'request ' || n, id(9, n) FROM generate_series(1, FILLED) n`,
	`INSERT INTO entity_attribute SELECT k, n % 2000, id(k, n) FROM generate_series(1, 6) k, generate_series(1, FILLED) n`,
	`INSERT INTO business_transaction (month, position, transaction_id, ordinal, request_id, claim, operation, at, actor, comment, versions, rows, customer, kinds)
	 SELECT 202601 + n / 3000, n, id(9, n), 0, 'request ' || n, 1, 'test', now(), 'me', '', 6, 6, id(1, n), 126 FROM generate_series(1, FILLED) n`,
	`INSERT INTO journal SELECT 202601 + n / 3000, id(9, n), 0, k, k, id(k, n), v, id(1, n), 'updated', v % 2, now() + v * interval '1 second', 0, '{}'
	 FROM generate_series(1, 6) k, generate_series(1, FILLED) n, generate_series(1, 3) v`,
	`INSERT INTO config SELECT 'offers', 'o' || n, 1, '{}', now(), 'me' FROM generate_series(1, 1000) n`,
	`INSERT INTO config_history (collection, code, version, doc, at, actor) SELECT 'offers', 'o' || n % 1000, 1, '{}', now(), 'me' FROM generate_series(1, 5000) n`,
	`INSERT INTO use_count SELECT 'offers', 'o' || n, n FROM generate_series(1, 1000) n ON CONFLICT DO NOTHING`,
	`INSERT INTO progress SELECT 'endpoints', 'o' || n, 1, 1, n, 0, '{}' FROM generate_series(1, 1000) n`,
	`INSERT INTO behind SELECT 'endpoints', 'o' || n % 100, id(1, n), n, 0, n % 200 = 7, '{}' FROM generate_series(1, FILLED) n`,
	`INSERT INTO audit SELECT id(10, n), 'a' || n % 50, 'b' || n % 50, 'c' || n % 50, '', 1, '{}' FROM generate_series(1, FILLED) n`,
	`INSERT INTO session SELECT sha256(('s' || n)::bytea), 'u' || n % 300, 'e', now(), now() + interval '1 day' FROM generate_series(1, 1500) n`,
	`UPDATE log_head SET position = greatest(position, FILLED)`,
}

// id is what the SQL function of the same name gives.
func id(kind, n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-%04d%08d", kind, n))
}

// call is one call of the store whose statements are looked at.
type call struct {
	name string
	run  func(r store.Reader) error
}

func readerCalls(ctx context.Context) []call {
	const n = filled / 2
	key := func(kind casm.Kind) store.Key { return store.Key{Kind: kind, RefID: id(int(kind), n)} }
	keys := []store.Key{key(casm.KindAccount), key(casm.KindBalance), key(casm.KindOfferSubscription)}
	offer := store.CodeKey{Collection: "offers", Code: "o7"}
	var calls []call
	add := func(name string, run func(r store.Reader) error) { calls = append(calls, call{name, run}) }
	add("Head", func(r store.Reader) error { _, err := r.Head(ctx); return err })
	add("Load", func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{
			Requests: []store.ClaimKey{store.Request("request 77", -1), store.Request("unknown", -1)},
			Claims:   []store.ClaimKey{store.ExternalID(casm.KindSubscriber, "x99"), store.ExternalID(casm.KindCustomer, "unknown")},
			Entities: keys,
		})
		if err == nil && (len(l.Entities) != 9 || len(l.Transactions) != 1) {
			err = fmt.Errorf("loaded %d entities and %d transactions", len(l.Entities), len(l.Transactions))
		}
		return err
	})
	for _, kind := range casm.Kinds {
		add(fmt.Sprint("Load of ", kind), func(r store.Reader) error {
			_, err := r.Load(ctx, store.Needs{
				Claims: []store.ClaimKey{store.ExternalID(kind, "x77")}, Entities: []store.Key{key(kind), {Kind: kind, RefID: id(int(kind), 78)}},
			})
			return err
		})
	}
	add("ExternalIDs", func(r store.Reader) error { _, err := r.ExternalIDs(ctx, keys); return err })
	for _, deep := range []bool{false, true} {
		for _, q := range []store.ChildQuery{{}, {SkipDeactivated: true}, {DeactivatedLast: true}, {CreatedBefore: casm.MaxTime}, {After: id(2, 1)}} {
			q.Of, q.Kind, q.Deep, q.Limit = id(1, n), casm.KindAccount, deep, 10
			add(fmt.Sprintf("Children %+v", q), func(r store.Reader) error { _, err := r.Children(ctx, q); return err })
		}
	}
	for _, skip := range []bool{false, true} {
		add(fmt.Sprint("ChildrenOf ", skip), func(r store.Reader) error {
			_, err := r.ChildrenOf(ctx, []uuid.UUID{id(1, n), id(1, 1)}, casm.KindAccount, skip, 10)
			return err
		})
	}
	add("ByLookupKey", func(r store.Reader) error {
		found, err := r.ByLookupKey(ctx, casm.KindSubscriberResource, "msisdn"+store.Separator+"77")
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("found %d", len(found))
		}
		return err
	})
	add("Due", func(r store.Reader) error { _, err := r.Due(ctx, casm.MaxTime, 10); return err })
	add("Versions", func(r store.Reader) error {
		_, err := r.Versions(ctx, []store.VersionKey{{Key: keys[0], Version: 1}, {Key: keys[1], Version: 2}})
		return err
	})
	add("AsOf", func(r store.Reader) error { _, err := r.AsOf(ctx, keys, casm.MinTime); return err })
	for _, lines := range []store.Line{0, store.LineState} {
		add(fmt.Sprint("History ", lines), func(r store.Reader) error { _, err := r.History(ctx, keys[0], 0, lines, 10); return err })
	}
	for _, filter := range []store.FeedFilter{{}, {Kind: casm.KindBalance}, {Customer: id(1, n)}, {Customer: id(1, n), Kind: casm.KindAccount}} {
		for _, after := range []int64{0, n, filled} {
			add(fmt.Sprintf("Feed %+v after %d", filter, after), func(r store.Reader) error {
				_, err := r.Feed(ctx, casm.Position{Transaction: after}, filter, 20)
				return err
			})
		}
	}
	add("Transaction", func(r store.Reader) error { _, err := r.Transaction(ctx, id(9, n)); return err })
	add("TransactionChanges", func(r store.Reader) error { _, _, err := r.TransactionChanges(ctx, id(9, n), 0, 10); return err })
	add("ConfigHistory", func(r store.Reader) error { _, err := r.ConfigHistory(ctx, offer, 10); return err })
	for _, q := range []store.AuditQuery{{}, {Actor: "a7"}, {Act: "b7"}, {Outcome: "c7"}, {Actor: "a7", Act: "b8", Outcome: "c7"}, {Before: id(10, n), Since: casm.MinTime}} {
		for _, scan := range []int{10, 500} { // the end of a window, the end of all
			q.Limit, q.Scan = 20, scan
			add(fmt.Sprintf("Audit %+v", q), func(r store.Reader) error { _, err := r.Audit(ctx, q); return err })
		}
	}
	add("Uses", func(r store.Reader) error { _, err := r.Uses(ctx, []store.CodeKey{offer}); return err })
	endpoint := store.CodeKey{Collection: "endpoints", Code: "o7"}
	add("Progress", func(r store.Reader) error {
		p, err := r.Progress(ctx, endpoint)
		if err == nil && (p == nil || p.Behind != filled/100 || p.Parked != filled/200) {
			err = fmt.Errorf("progress %+v", p)
		}
		return err
	})
	add("Behind", func(r store.Reader) error {
		_, err := r.Behind(ctx, endpoint, store.BehindQuery{After: id(1, n), ParkedOnly: true, Limit: 10})
		return err
	})
	add("Config", func(r store.Reader) error { _, err := r.Config(ctx); return err })
	for _, kind := range casm.Kinds {
		add(fmt.Sprint("Feed of ", kind), func(r store.Reader) error {
			_, err := r.Feed(ctx, casm.Position{Transaction: n}, store.FeedFilter{Kind: kind}, 20)
			return err
		})
		for name, q := range listQueries(kind) {
			add(fmt.Sprintf("List of %v %s", kind, name), func(r store.Reader) error { _, err := r.List(ctx, q); return err })
		}
	}
	return calls
}

// useSessions calls all that a store does with sessions.
func useSessions(ctx context.Context, s store.Store) error {
	session := casm.Session{User: "u7", Era: "e", Created: casm.MinTime + 1, Ends: casm.MinTime + 2}
	session.Hash[0] = 1
	_, err := s.Session(ctx, session.Hash)
	return errors.Join(err, s.AddSession(ctx, session, 8), s.ExtendSession(ctx, session.Hash, casm.MinTime+3),
		s.EndSession(ctx, session.Hash), s.EndSessions(ctx, "u8"))
}

// listQueries are lists of a kind by every filter.
func listQueries(kind casm.Kind) map[string]store.ListQuery {
	const n = filled / 2
	no := false
	queries := map[string]store.ListQuery{
		"in order":      {},
		"by update":     {UpdatedSince: casm.MinTime},
		"a page on":     {After: store.Cursor{RefID: id(int(kind), n)}},
		"IDs":           {IDs: []uuid.UUID{id(int(kind), 7), id(int(kind), 8)}},
		"states":        {States: []string{"ACTIVE"}, Test: &no, DueAt: casm.MinTime},
		"nothing":       {States: []string{"INACTIVE"}},
		"customNames":   {CustomNames: []string{"name 123"}},
		"externalIDs":   {ExternalIDs: []string{"x123"}},
		"attributes":    {Attributes: []int64{77}},
		"customers":     {Customers: []uuid.UUID{id(1, n)}},
		"accounts":      {Accounts: []uuid.UUID{id(2, n)}},
		"subscribers":   {Subscribers: []uuid.UUID{id(3, n)}},
		"resourceTypes": {Accounts: []uuid.UUID{id(2, n)}, ResourceTypes: []string{"msisdn"}},
		"planned":       {PlannedBefore: casm.MaxTime},
		"both":          {CustomNames: []string{"name 123"}, UpdatedSince: casm.MinTime},
		// More than are looked at: the index gives no candidates.
		"many names":     {CustomNames: []string{"name"}, Attributes: []int64{77, 78}},
		"name in a page": {CustomNames: []string{"name 1"}, Accounts: []uuid.UUID{id(2, n)}},
	}
	for name, q := range queries {
		q.Kind, q.Limit, q.Scan = kind, 20, 500
		queries[name] = q
	}
	return queries
}

// planNode is a part of a plan as PostgreSQL describes it.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Rows     float64    `json:"Actual Rows"`
	Loops    float64    `json:"Actual Loops"`
	Removed  float64    `json:"Rows Removed by Filter"`
	Joined   float64    `json:"Rows Removed by Join Filter"`
	Plans    []planNode `json:"Plans"`
}

// oneRow are the tables that are read as a whole.
var oneRow = map[string]bool{"log_head": true, "config_head": true, "forgotten": true}

// faults says what is wrong with a plan: a table that is read as a whole, or
// more rows than an index would have given.
func (n *planNode) faults(most float64) (list []string) {
	if strings.Contains(n.Type, "Seq Scan") && !oneRow[n.Relation] {
		list = append(list, "reads all of "+n.Relation)
	}
	if looked := (n.Rows + n.Removed + n.Joined) * n.Loops; looked > most {
		list = append(list, fmt.Sprintf("%s %s %s looks at %.0f rows", n.Type, n.Relation, n.Index, looked))
	}
	for i := range n.Plans {
		list = append(list, n.Plans[i].faults(most)...)
	}
	return list
}

// TestPlans looks at how PostgreSQL runs every statement of a reader and of a
// commit: by an index, looking at few rows, on tables that are filled, by plans
// made before and after that.
func TestPlans(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := database(t)
	// The server's log tells how it ran every statement of ours.
	explained := url + "&options=" + strings.ReplaceAll(neturl.QueryEscape(strings.Join([]string{
		"-c session_preload_libraries=auto_explain", "-c auto_explain.log_min_duration=0",
		"-c auto_explain.log_analyze=on", "-c auto_explain.log_timing=off", "-c auto_explain.log_format=json",
	}, " ")), "+", "%20")
	log, err := os.Open(startServer(t).Log())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	seen := make(map[string]bool)
	// look looks at what was run since the last time.
	look := func(what string) {
		t.Helper()
		// A plan is told when its transaction ends, which View does not wait for.
		for busy := 1; busy > 0; {
			err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`).Scan(&busy)
			if err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(log)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, entry := range strings.Split(string(text), "plan:\n")[1:] {
			var plan struct {
				Query string   `json:"Query Text"`
				Plan  planNode `json:"Plan"`
			}
			if err := json.NewDecoder(strings.NewReader(entry)).Decode(&plan); err != nil {
				t.Fatalf("%v in %s", err, entry)
			}
			if strings.Contains(plan.Query, "pg_catalog") || strings.Contains(plan.Query, "schema_") {
				continue // not of a call
			}
			told++
			seen[plan.Query] = true
			for _, fault := range plan.Plan.faults(most) {
				t.Errorf("%s: %s\n%s", what, fault, plan.Query)
			}
		}
		if told == 0 {
			t.Errorf("%s: no plans", what)
		}
	}
	calls := readerCalls(ctx)
	var before string
	freed := 0
	lookAtAll := func(s store.Store, when string) {
		freed += 700
		for _, c := range calls {
			if err := s.View(ctx, c.run); err != nil && when != "empty" && when != "small" {
				t.Fatalf("%s: %v", c.name, err)
			}
			look(when + ": " + c.name)
		}
		if _, err := s.Forget(ctx, casm.MaxTime, 10); err != nil {
			t.Fatal(err)
		}
		look(when + ": Forget")
		if err := s.AppendAudit(ctx, []store.AuditRecord{{ID: newID(), Count: 1, Details: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
		look(when + ": AppendAudit")
		if _, err := s.ForgetAudit(ctx, casm.MaxTime, 10); err != nil {
			t.Fatal(err)
		}
		look(when + ": ForgetAudit")
		if more, err := postgres.AddSums(s.(*postgres.Store), ctx, 1); err != nil || !more && when != "empty" && when != "small" {
			t.Fatalf("sums: %t, %v", more, err)
		}
		look(when + ": sums")
		if _, err := s.Lease(ctx, "relay", when, 0); err != nil {
			t.Fatal(err)
		}
		look(when + ": Lease")
		if err := useSessions(ctx, s); err != nil {
			t.Fatal(err)
		}
		look(when + ": sessions")
		if _, err := s.RaiseEpoch(ctx, 0); err != nil {
			t.Fatal(err)
		}
		look(when + ": RaiseEpoch")
		for _, kind := range casm.Kinds {
			for _, externalID := range []string{"", "x77"} {
				found, err := s.(store.Finder).Find(ctx, store.Key{Kind: kind, RefID: id(int(kind), 78)}, externalID)
				if err != nil || found == nil && when != "empty" && when != "small" {
					t.Fatalf("Find of %v: %v, %v", kind, found, err)
				}
				look(fmt.Sprint(when, ": Find of ", kind))
			}
		}
		for _, kind := range append(slices.Clone(casm.Kinds), 0) {
			if err := lockAll(ctx, s, kind); err != nil {
				t.Fatal(err)
			}
			look(fmt.Sprint(when, ": Commit of ", kind))
		}
		if err := giveWay(ctx, s); err != nil {
			t.Fatal(err)
		}
		look(when + ": Commit with patience")
		for n := range 3 {
			commitSome(t, s, when != "empty" && when != "small", n, freed, &before)
			look(when + ": Commit")
		}
	}
	early := open(t, explained)
	defer early.Close()
	lookAtAll(early, "empty")
	if _, err := admin.Exec(ctx, `ANALYZE`); err != nil { // which tells that there is next to nothing
		t.Fatal(err)
	}
	small := open(t, explained)
	defer small.Close()
	lookAtAll(small, "small")
	var sql strings.Builder
	sql.WriteString(`CREATE FUNCTION id(kind bigint, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
		$$ SELECT ('00000000-0000-7000-8000-' || lpad(kind::text, 4, '0') || lpad(n::text, 8, '0'))::uuid $$;`)
	for _, x := range fill {
		sql.WriteString(strings.ReplaceAll(x, "FILLED", strconv.Itoa(filled)) + ";\n")
	}
	for _, month := range []int{202601, 202602, 202603} {
		for _, table := range []string{"business_transaction", "journal"} {
			if err := postgres.MakePartition(ctx, admin, table, fmt.Sprintf("%s_%d", table, month), month); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := admin.Exec(ctx, sql.String()); err != nil {
		t.Fatal(err)
	}
	// As planned on the empty tables; then as planned anew, without knowing how
	// they are filled, and knowing it.
	lookAtAll(early, "filled")
	lookAtAll(small, "grown")
	unknowing := open(t, explained)
	defer unknowing.Close()
	lookAtAll(unknowing, "planned anew")
	if _, err := admin.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	knowing := open(t, explained)
	defer knowing.Close()
	lookAtAll(knowing, "analyzed")
	// One account has all subscribers below it; that others have none is
	// is still found at once.
	if _, err := admin.Exec(ctx, `UPDATE entity_subscriber SET superior = id(2, 3), customer = id(1, 3); CLUSTER entity_subscriber USING entity_subscriber_pkey; ANALYZE`); err != nil {
		t.Fatal(err)
	}
	giant := open(t, explained)
	defer giant.Close()
	for deep, of := range map[bool]int{false: 2, true: 1} {
		err := giant.View(ctx, func(r store.Reader) error {
			_, err := r.Children(ctx, store.ChildQuery{Of: id(of, filled/2), Kind: casm.KindSubscriber, Deep: deep, Limit: 10})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		look("one giant: Children")
	}
	err = giant.View(ctx, func(r store.Reader) error {
		_, err := r.ChildrenOf(ctx, []uuid.UUID{id(2, filled/2), id(3, 7), id(2, 3)}, casm.KindSubscriber, false, 10)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	look("one giant: ChildrenOf")
	for _, sql := range postgres.Statements() {
		if !seen[sql] {
			t.Errorf("the plan of a statement was not seen: %s", sql)
		}
	}
}

// giveWay commits with patience what another commit holds.
func giveWay(ctx context.Context, s store.Store) error {
	needs := store.Needs{Entities: []store.Key{{Kind: casm.KindCustomer, RefID: id(1, 1)}}, Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, "x1")}}
	_, err := s.Commit(ctx, needs, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
		needs.Patience = time.Millisecond
		_, err := s.Commit(ctx, needs, func(store.Reader, *store.Loaded) (*store.WriteSet, error) { return nil, nil })
		if _, busy := errors.AsType[*store.Busy](err); busy {
			err = nil
		}
		return nil, err
	})
	return err
}

// lockAll locks and loads in a commit, at its beginning and in its middle,
// entities of one kind, or of two with 0.
func lockAll(ctx context.Context, s store.Store, kind casm.Kind) error {
	some := func(n int) []store.Key {
		if kind == 0 {
			return []store.Key{{Kind: casm.KindAccount, RefID: id(2, n)}, {Kind: casm.KindSubscriber, RefID: id(3, n+1)}}
		}
		return []store.Key{{Kind: kind, RefID: id(int(kind), n)}, {Kind: kind, RefID: id(int(kind), n+1)}}
	}
	_, err := s.Commit(ctx, store.Needs{Entities: some(700)}, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		_, err := r.Load(ctx, store.Needs{Entities: some(900)})
		return nil, err
	})
	return err
}

// commitSome commits changes of all sorts.
func commitSome(t *testing.T, s store.Store, filled bool, n, freed int, before *string) {
	t.Helper()
	name := fmt.Sprint("fresh ", newID())
	needs := store.Needs{
		Requests: []store.ClaimKey{store.Request(name, -1)},
		Claims:   []store.ClaimKey{store.ExternalID(casm.KindCustomer, name)},
	}
	switch {
	case filled:
		for i := range 20 {
			needs.Entities = append(needs.Entities, store.Key{Kind: casm.KindSubscriber, RefID: id(3, 100+10*i+n)})
		}
	case n > 0: // made by the one before
		needs.Claims = append(needs.Claims, store.ExternalID(casm.KindCustomer, *before))
	}
	was := *before
	*before = name
	_, err := s.Commit(context.Background(), needs, func(r store.Reader, l *store.Loaded) (*store.WriteSet, error) {
		entities := []store.Entity{customer(l, newID(), name)}
		for _, e := range l.Entities {
			entities = append(entities, next(l, e))
		}
		if filled {
			if _, err := r.Load(context.Background(), store.Needs{Entities: []store.Key{{Kind: casm.KindAccount, RefID: id(2, 5000+n)}}}); err != nil {
				return nil, err
			}
		}
		set := write(l, name, entities...)
		set.Uses = map[store.CodeKey]int64{{Collection: "offers", Code: "o7"}: 1}
		if !filled && n > 0 { // moves
			id := l.Claims[store.ExternalID(casm.KindCustomer, was)]
			set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: store.ExternalID(casm.KindCustomer, was), From: id, To: id})
			set.Claims = append(set.Claims, store.ClaimChange{ClaimKey: store.ExternalID(casm.KindCustomer, was+"?"), To: id})
		} else if filled {
			for i := range 5 {
				n := 100 + 10*i + n
				set.Claims = append(set.Claims,
					store.ClaimChange{ClaimKey: store.ExternalID(casm.KindSubscriber, "x"+strconv.Itoa(n)), From: id(3, n), To: id(3, n)},
					store.ClaimChange{ClaimKey: store.ExternalID(casm.KindAccount, "x"+strconv.Itoa(freed+n)), From: id(2, freed+n)})
			}
		}
		for i := range set.Entities { // one that is new, and those that were loaded
			set.Entities[i].AttributesGained, set.Entities[i].AttributesLost = []int64{7}, []int64{8}
		}
		for version := range int64(2) {
			set.Progress = append(set.Progress, store.ProgressChange{
				Progress: store.Progress{CodeKey: store.CodeKey{Collection: "endpoints", Code: name}, Version: version + 1, Doc: []byte("{}")},
				Put:      []store.Behind{{Customer: id(1, n), Doc: []byte("{}")}}, Caught: []uuid.UUID{id(1, n), id(1, n+1)},
			})
		}
		if n == 2 {
			set.Config = []store.ConfigChange{
				{CodeKey: store.CodeKey{Collection: "offers", Code: name}, Version: 1, Doc: []byte("{}"), At: l.Now},
				{CodeKey: store.CodeKey{Collection: "offers", Code: name}, Version: 2, At: l.Now},
			}
		}
		return set, nil
	})
	if err == nil {
		_, err = s.Commit(context.Background(), store.Needs{}, func(store.Reader, *store.Loaded) (*store.WriteSet, error) {
			return &store.WriteSet{Uses: map[store.CodeKey]int64{{Collection: "offers", Code: "o7"}: 1}}, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
