package warehouse

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Reconciliation compares the warehouse with the journal up to the position
// that the warehouse has reached (contract 8).
type Reconciliation struct {
	Equal       bool                 `json:"equal" doc:"Whether nothing differs."`
	Differences []string             `json:"differences" doc:"What differs, in words."`
	Epoch       int64                `json:"epoch" doc:"The log's epoch."`
	Position    string               `json:"position" doc:"Up to where was compared."`
	At          casm.Time            `json:"at" doc:"When."`
	Seconds     float64              `json:"seconds" doc:"How long it took."`
	DeadLetters int64                `json:"deadLetters" doc:"How many messages were set aside."`
	Types       []TypeReconciliation `json:"types" doc:"The two sides, by type."`
}

// TypeReconciliation is both sides of one type.
type TypeReconciliation struct {
	Type      string `json:"type" doc:"The entities' type."`
	Equal     bool   `json:"equal" doc:"Whether the sides are equal."`
	Journal   Side   `json:"journal" doc:"What the journal has."`
	Warehouse Side   `json:"warehouse" doc:"What the warehouse has, counted row by row."`
	// Altered rows were changed by something else than the warehouse.
	Altered     int64    `json:"altered" doc:"How many rows of the warehouse were changed by something else."`
	AlteredRows []string `json:"alteredRows,omitempty" doc:"The first of them: refId and version."`
}

// Side is what one side has of a type.
type Side struct {
	Count            int64  `json:"count" doc:"How many entities."`
	Checksum         string `json:"checksum" doc:"The sum modulo 2^64 of a hash of type, refId and version, of the present versions, as 16 hexadecimal digits."`
	Versions         int64  `json:"versions" doc:"How many versions."`
	VersionsChecksum string `json:"versionsChecksum" doc:"The same sum, of all versions."`
}

func sideOf(s casm.Sum) Side {
	return Side{s.Entities, fmt.Sprintf("%016x", s.EntitySum), s.Versions, fmt.Sprintf("%016x", s.VersionSum)}
}

// maxAlteredRows is how many rows are named.
const maxAlteredRows = 10

// Reconcile counts the warehouse row by row and compares it with the journal.
// It reads all of the warehouse: seconds at a million entities.
func (w *Warehouse) Reconcile(ctx context.Context) (Reconciliation, error) {
	begun := time.Now()
	s := scan{layout: w.layout, fold: newFold(w.layout, w.o.Zone, 0, nil), types: map[casm.Kind]*scanned{}, seed: maphash.MakeSeed()}
	if err := w.view(ctx, func(r sqldb.Reader) error { return s.run(ctx, r) }); err != nil {
		return Reconciliation{}, fmt.Errorf("reconciliation: %w", err)
	}
	journal, err := w.o.Feed.Sums(ctx, s.at.position)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("reconciliation: the journal: %w", err)
	}
	out := Reconciliation{
		Differences: s.differences, Epoch: s.at.epoch, Position: s.at.position.String(), At: casm.TimeOf(w.o.Now()), DeadLetters: s.dead,
	}
	if journal.Epoch != s.at.epoch && s.at.messages > 0 {
		out.Differences = append(out.Differences, fmt.Sprintf("the journal's epoch is %d, the warehouse's %d", journal.Epoch, s.at.epoch))
	}
	for _, kind := range casm.Kinds {
		have := s.types[kind]
		t := TypeReconciliation{
			Type: kind.String(), Journal: sideOf(journal.Kinds[kind]), Warehouse: sideOf(have.sum), Altered: have.altered, AlteredRows: have.rows,
		}
		t.Equal = t.Journal == t.Warehouse && t.Altered == 0
		if t.Journal != t.Warehouse {
			out.Differences = append(out.Differences, fmt.Sprintf("%s: the journal has %d entities in %d versions, the warehouse %d in %d; the checksums tell whether they are the same",
				kind, t.Journal.Count, t.Journal.Versions, t.Warehouse.Count, t.Warehouse.Versions))
		}
		if t.Altered > 0 {
			out.Differences = append(out.Differences, fmt.Sprintf("%s: %d rows were altered", kind, t.Altered))
		}
		out.Types = append(out.Types, t)
	}
	if s.dead > 0 {
		out.Differences = append(out.Differences, fmt.Sprintf("%d messages were set aside; the table dead_letter has them", s.dead))
	}
	if out.Differences == nil {
		out.Equal, out.Differences = true, []string{}
	}
	out.Seconds = time.Since(begun).Seconds()
	w.metrics.reconciled(out)
	return out, nil
}

// ReconciliationJSON is Reconcile as JSON.
func (w *Warehouse) ReconciliationJSON(ctx context.Context) ([]byte, error) {
	r, err := w.Reconcile(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// scan counts a warehouse row by row.
type scan struct {
	layout      *layout
	fold        *fold // counts as messages do
	at          progress
	types       map[casm.Kind]*scanned
	attributes  attributeSum
	seed        maphash.Seed
	dead        int64
	differences []string
}

type scanned struct {
	sum     casm.Sum
	altered int64
	rows    []string
}

func (s *scan) run(ctx context.Context, r sqldb.Reader) (err error) {
	if s.at, _, err = readProgress(ctx, r); err != nil {
		return err
	}
	for _, kind := range casm.Kinds {
		t, have := s.layout.entities[kind], &scanned{}
		s.types[kind] = have
		dims := t.dimsReader()
		err := r.Query(ctx, "SELECT "+t.current.Names("")+" FROM "+t.current.Name, nil, func(row []sqldb.Value) error {
			if hash := have.row(t, row); hash != 0 {
				have.sum.Entities++
				have.sum.EntitySum += hash
			}
			d, test := dims(row)
			s.fold.count(kind, d, test, 1)
			if t.attributes >= 0 {
				s.addAttributes(kind, row[0].Text(), row[t.attributes].Text())
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = r.Query(ctx, "SELECT "+t.current.Names("")+" FROM "+t.past.Name, nil, func(row []sqldb.Value) error {
			have.row(t, row)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.runOthers(ctx, r)
}

// row counts a version and returns its hash, 0 of one that has no refId.
func (s *scanned) row(t *entityTable, row []sqldb.Value) uint64 {
	id, err := uuid.Parse(row[0].Text())
	version := row[1].Int()
	if err != nil || row[len(t.current.Columns)-1].Int() != t.rowHash(row) {
		s.altered++
		if len(s.rows) < maxAlteredRows {
			s.rows = append(s.rows, fmt.Sprintf("%s version %d", clean(row[0].Text()), version))
		}
	}
	if err != nil {
		return 0
	}
	hash := casm.VersionHash(t.kind, id, version)
	s.sum.Versions++
	s.sum.VersionSum += hash
	return hash
}

// dimsReader gives what reads from a present row what metrics count by.
func (t *entityTable) dimsReader() func(row []sqldb.Value) (dims, bool) {
	at := map[string]int{}
	for i, c := range t.current.Columns {
		at[c.Name] = i
	}
	col := func(row []sqldb.Value, name string) sqldb.Value {
		if i, ok := at[name]; ok {
			return row[i]
		}
		return sqldb.Null
	}
	segment := segmentColumn[t.kind]
	return func(row []sqldb.Value) (dims, bool) {
		return dims{
			state: col(row, "state").Text(), segment: col(row, segment).Text(), offer: col(row, "offer").Text(),
			service: col(row, "service").Text(), unit: col(row, "unit_of_measure").Text(), currency: col(row, "currency").Text(),
			granted: col(row, "granted_balance").Int(), actual: col(row, "actual_balance").Int(),
		}, col(row, "is_test").Bool()
	}
}

// runOthers compares counters and messages with what was counted.
func (s *scan) runOthers(ctx context.Context, r sqldb.Reader) error {
	// The facts first: what follows takes from the sums of the rows.
	for _, compare := range []func(context.Context, sqldb.Reader) error{
		s.compareAttributes, s.compareDays, s.compareUsage, s.compareCounts, s.compareBalances, s.compareMessages,
	} {
		if err := compare(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) compareCounts(ctx context.Context, r sqldb.Reader) error {
	counts := s.fold.counts
	err := r.Query(ctx, "SELECT metric, key, is_test, value FROM metric_count", nil, func(row []sqldb.Value) error {
		counts[countKey{row[0].Text(), row[1].Text(), row[2].Bool()}] -= row[3].Int()
		return nil
	})
	if err != nil {
		return err
	}
	for k, n := range counts {
		if n != 0 {
			s.differ("%s %q: the counter is off by %d", k.metric, k.key, -n)
		}
	}
	return nil
}

func (s *scan) compareBalances(ctx context.Context, r sqldb.Reader) error {
	err := r.Query(ctx, "SELECT service, unit_of_measure, currency, is_test, count, granted, actual FROM metric_balance", nil, func(row []sqldb.Value) error {
		k := balanceKeyed{row[0].Text(), row[1].Text(), row[2].Text(), row[3].Bool()}
		b := s.fold.balances[k]
		if b == nil {
			b = &balanceSums{}
			s.fold.balances[k] = b
		}
		b.count -= row[4].Int()
		b.granted.Sub(&b.granted, parseNumber(row[5]))
		b.actual.Sub(&b.actual, parseNumber(row[6]))
		return nil
	})
	if err != nil {
		return err
	}
	for k, b := range s.fold.balances {
		if b.count != 0 || b.granted.Sign() != 0 || b.actual.Sign() != 0 {
			s.differ("balances of %s: the sums differ from the rows", k.service)
		}
	}
	return nil
}

func (s *scan) compareMessages(ctx context.Context, r sqldb.Reader) error {
	err := r.Query(ctx, "SELECT type, count(*) FROM message WHERE threshold IS NULL GROUP BY type", nil, func(row []sqldb.Value) error {
		kind, _ := casm.KindByName(row[0].Text())
		if have := s.types[kind]; have == nil || have.sum.Versions != row[1].Int() {
			s.differ("%s: %d messages tell of versions; there are not as many versions", clean(row[0].Text()), row[1].Int())
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Query(ctx, `SELECT (SELECT count(*) FROM message), (SELECT sum(messages) FROM business_transaction),
		(SELECT count(*) FROM dead_letter)`, nil, func(row []sqldb.Value) error {
		if n := row[0].Int(); n != s.at.messages || row[1].Int() != n {
			s.differ("%d messages took effect, %d are in the table message, %d in business_transaction", s.at.messages, n, row[1].Int())
		}
		s.dead = row[2].Int()
		return nil
	})
}

func (s *scan) differ(format string, args ...any) {
	const most = 100
	if len(s.differences) < most {
		s.differences = append(s.differences, fmt.Sprintf(format, args...))
	}
}

// reconcileNightly reconciles once a night, until ctx ends.
func (w *Warehouse) reconcileNightly(ctx context.Context) {
	if w.o.ReconcileAt < 0 {
		return
	}
	for ctx.Err() == nil {
		sleep(ctx, nextNight(w.o.Now(), w.o.Zone, w.o.ReconcileAt))
		if ctx.Err() != nil || w.Status().State == StateStandby {
			continue
		}
		switch r, err := w.Reconcile(ctx); {
		case ctx.Err() != nil:
		case err != nil:
			w.metrics.unreconciled()
			w.log.Error("the nightly reconciliation failed", "error", err)
		case !r.Equal:
			w.log.Error("the warehouse differs from the journal", "differences", r.Differences)
		default:
			w.log.Info("the warehouse equals the journal", "position", r.Position, "seconds", r.Seconds)
		}
	}
}

// nextNight is how long it is to the next time of day.
func nextNight(now time.Time, zone *time.Location, at time.Duration) time.Duration {
	now = now.In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	next := midnight.Add(at)
	if !next.After(now) {
		next = midnight.AddDate(0, 0, 1).Add(at)
	}
	return next.Sub(now)
}
