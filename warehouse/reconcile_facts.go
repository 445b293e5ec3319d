package warehouse

import (
	"context"
	"hash/maphash"
	"math/big"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/go-json-experiment/json"
)

// attributeSum is a count and a sum of hashes of custom attributes.
type attributeSum struct {
	rows int64
	sum  uint64
}

func (s *scan) addAttributes(kind casm.Kind, refID, document string) {
	if document == "" {
		return
	}
	var attributes map[string]string
	if json.Unmarshal([]byte(document), &attributes) != nil {
		return // the row was altered, which its hash shows
	}
	for name, value := range attributes {
		s.attributes.rows++
		s.attributes.sum += s.hashAttribute(kind.String(), refID, name, value)
	}
}

func (s *scan) hashAttribute(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, p := range parts {
		maphash.WriteComparable(&h, p) // which tells the parts' ends
	}
	return h.Sum64()
}

// compareAttributes compares the table of custom attributes with what stands
// in the entities' rows.
func (s *scan) compareAttributes(ctx context.Context, r sqldb.Reader) error {
	var have attributeSum
	err := r.Query(ctx, "SELECT type, ref_id, name, value FROM custom_attribute", nil, func(row []sqldb.Value) error {
		have.rows++
		have.sum += s.hashAttribute(row[0].Text(), row[1].Text(), row[2].Text(), row[3].Text())
		return nil
	})
	if have != s.attributes {
		s.differ("custom_attribute: %d rows, where the entities have %d attributes; the hashes tell whether they are the same", have.rows, s.attributes.rows)
	}
	return err
}

// compareDays compares the events of days with each other, which are counted
// in two tables, and with how many entities there are.
func (s *scan) compareDays(ctx context.Context, r sqldb.Reader) error {
	days := map[dayKey]dayEvents{}
	created := map[string]int64{}
	err := r.Query(ctx, "SELECT date, type, is_test, created, activated, suspended, deactivated FROM metric_day", nil, func(row []sqldb.Value) error {
		days[dayKey{date: row[0].Text(), kind: row[1].Text(), test: row[2].Bool()}] = eventsOf(row[3:])
		created[row[1].Text()] += row[3].Int()
		return nil
	})
	if err != nil {
		return err
	}
	err = r.Query(ctx, `SELECT date, type, is_test, sum(created), sum(activated), sum(suspended), sum(deactivated) FROM daily_fact
		GROUP BY date, type, is_test`, nil, func(row []sqldb.Value) error {
		k := dayKey{date: row[0].Text(), kind: row[1].Text(), test: row[2].Bool()}
		if days[k] != eventsOf(row[3:]) {
			s.differ("%s on %s: daily_fact and metric_day differ", clean(k.kind), k.date)
		}
		delete(days, k)
		return nil
	})
	if err != nil {
		return err
	}
	for k := range days {
		s.differ("%s on %s: daily_fact has nothing, metric_day has", clean(k.kind), k.date)
	}
	for _, kind := range casm.Kinds {
		if e := casm.NewEntity(kind); e.Top() != nil && created[kind.String()] != s.types[kind].sum.Entities {
			s.differ("%v: by the daily facts %d were created, there are %d", kind, created[kind.String()], s.types[kind].sum.Entities)
		}
	}
	return nil
}

func eventsOf(row []sqldb.Value) dayEvents {
	return dayEvents{row[0].Int(), row[1].Int(), row[2].Int(), row[3].Int()}
}

// compareUsage compares what balances were granted, added and used of by day
// with what they hold.
func (s *scan) compareUsage(ctx context.Context, r sqldb.Reader) error {
	sums := map[balanceKeyed]*balanceSums{}
	sumOf := func(k balanceKeyed) *balanceSums {
		k.test = false // what became a test balance was granted before, perhaps
		if sums[k] == nil {
			sums[k] = &balanceSums{}
		}
		return sums[k]
	}
	err := r.Query(ctx, "SELECT service, unit_of_measure, currency, created, granted, added, used FROM daily_balance_fact", nil, func(row []sqldb.Value) error {
		b := sumOf(balanceKeyed{service: row[0].Text(), unit: row[1].Text(), currency: row[2].Text()})
		granted := parseNumber(row[4])
		b.count += row[3].Int()
		b.granted.Add(&b.granted, granted)
		rest := new(big.Int).Add(granted, parseNumber(row[5]))
		b.actual.Add(&b.actual, rest.Sub(rest, parseNumber(row[6])))
		return nil
	})
	if err != nil {
		return err
	}
	for k, have := range s.fold.balances {
		b := sumOf(k)
		b.count -= have.count
		b.granted.Sub(&b.granted, &have.granted)
		b.actual.Sub(&b.actual, &have.actual)
	}
	for k, b := range sums {
		if b.count != 0 || b.granted.Sign() != 0 || b.actual.Sign() != 0 {
			s.differ("balances of %s: what the daily facts come to differs from what they hold", clean(k.service))
		}
	}
	return nil
}
