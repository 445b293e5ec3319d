package warehouse

import (
	"context"
	"errors"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The metrics of contract 8 that count entities.
const (
	customersByState     = "customersByState"
	customersBySegment   = "customersBySegment"
	accountsByState      = "accountsByState"
	subscribersByState   = "subscribersByState"
	subscriptionsByState = "subscriptionsByState"
	subscriptionsByOffer = "subscriptionsByOffer"
)

// Metrics is the answer of /v1/dwh/metrics (contract 8). Of those without a
// segment the key is empty.
type Metrics struct {
	CustomersByState     map[string]int64 `json:"customersByState" doc:"How many customers there are, by state."`
	CustomersBySegment   map[string]int64 `json:"customersBySegment" doc:"By segment, those without one under the empty key."`
	AccountsByState      map[string]int64 `json:"accountsByState" doc:"How many accounts there are, by state."`
	SubscribersByState   map[string]int64 `json:"subscribersByState" doc:"How many subscribers there are, by state."`
	SubscriptionsByState map[string]int64 `json:"subscriptionsByState" doc:"How many offer subscriptions there are, by state."`
	SubscriptionsByOffer map[string]int64 `json:"subscriptionsByOffer" doc:"By offer."`
	PerDay               []Day            `json:"perDay" doc:"What happened, by day and type, the earliest day first."`
	Balances             []BalanceMetric  `json:"balances" doc:"What balances hold together."`
	Lag                  Lag              `json:"lag" doc:"How far the warehouse is behind."`
}

// Day is what happened to entities of a type on a day.
type Day struct {
	Date        string `json:"date"`
	Type        string `json:"type"`
	Created     int64  `json:"created"`
	Activated   int64  `json:"activated"`
	Suspended   int64  `json:"suspended"`
	Deactivated int64  `json:"deactivated"`
}

// BalanceMetric is what the balances of a service hold together. The amounts
// are whole numbers of any size.
type BalanceMetric struct {
	Service       string         `json:"service"`
	UnitOfMeasure string         `json:"unitOfMeasure,omitzero"`
	Currency      string         `json:"currency,omitzero"`
	Count         int64          `json:"count"`
	Granted       jsontext.Value `json:"granted"`
	Actual        jsontext.Value `json:"actual"`
}

// answer is Metrics of one moment, without the lag.
type answer struct {
	progress
	metrics *Metrics
}

// Metrics gives the metrics; with test those of test entities are in them.
// They are read from counters, however much there is.
func (w *Warehouse) Metrics(ctx context.Context, test bool) (Metrics, error) {
	var a answer
	err := w.view(ctx, func(r sqldb.Reader) error {
		p, _, err := readProgress(ctx, r)
		if err != nil {
			return err
		}
		w.status.mu.Lock()
		a = w.answers[test]
		w.status.mu.Unlock()
		if a.metrics != nil && a.progress == p {
			return nil
		}
		m, err := readMetrics(ctx, r, test)
		if err != nil {
			return err
		}
		same := a.metrics != nil && a.epoch == p.epoch && a.zone == p.zone && a.instance == p.instance
		if changed, ok := w.daysBetween(a.messages, p.messages); same && ok {
			m.PerDay, err = readSome(ctx, r, test, a.metrics.PerDay, changed)
		} else {
			m.PerDay, err = readDays(ctx, r, test)
		}
		if err != nil {
			return err
		}
		a = answer{p, m}
		w.status.mu.Lock()
		defer w.status.mu.Unlock()
		w.answers[test] = a
		return nil
	})
	if err != nil {
		return Metrics{}, err
	}
	m := *a.metrics // the maps are shared, and not changed any more
	m.Lag, err = w.lag(ctx, a.epoch, a.position)
	return m, err
}

// lag is how far the warehouse is behind the log, whatever it is doing: the
// feed tells what comes next behind a position, and since when it is there.
// Where it does not answer, what was known last is told.
func (w *Warehouse) lag(ctx context.Context, epoch int64, at casm.Position) (Lag, error) {
	known := w.Status().Lag
	page, err := w.o.Feed.Page(ctx, at, 1)
	if err == nil && page.Epoch != epoch && epoch != 0 { // all of the log is lacking
		at = casm.Start
		page, err = w.o.Feed.Page(ctx, at, 1)
	}
	switch {
	case ctx.Err() != nil:
		return Lag{}, ctx.Err()
	case err != nil:
		return known, nil //nolint:nilerr // the feed may be away while there are metrics
	case len(page.Messages) == 0:
		return Lag{}, nil
	}
	return Lag{
		// The stream counts messages; of the feed's only transactions are known.
		Messages: max(1, known.Messages, page.Head-at.Transaction),
		Seconds:  max(0, w.o.Now().Sub(page.Messages[0].RecordedAt.Std()).Seconds()),
	}, nil
}

// readMetrics reads all but the days.
func readMetrics(ctx context.Context, r sqldb.Reader, test bool) (*Metrics, error) {
	m := &Metrics{
		CustomersByState: map[string]int64{}, CustomersBySegment: map[string]int64{}, AccountsByState: map[string]int64{},
		SubscribersByState: map[string]int64{}, SubscriptionsByState: map[string]int64{}, SubscriptionsByOffer: map[string]int64{},
		Balances: []BalanceMetric{},
	}
	counted := map[string]map[string]int64{
		customersByState: m.CustomersByState, customersBySegment: m.CustomersBySegment, accountsByState: m.AccountsByState,
		subscribersByState: m.SubscribersByState, subscriptionsByState: m.SubscriptionsByState, subscriptionsByOffer: m.SubscriptionsByOffer,
	}
	const those = " WHERE is_test = false OR $1 "
	args := []sqldb.Value{sqldb.Bool(test)}
	err := r.Query(ctx, "SELECT metric, key, sum(value) FROM metric_count"+those+"GROUP BY metric, key", args, func(row []sqldb.Value) error {
		if of := counted[row[0].Text()]; of != nil {
			of[row[1].Text()] = row[2].Int()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.Query(ctx, `SELECT service, unit_of_measure, currency, count, granted, actual FROM metric_balance`+those+
		"ORDER BY service, unit_of_measure, currency", args, func(row []sqldb.Value) error {
		m.Balances = append(m.Balances, BalanceMetric{
			row[0].Text(), row[1].Text(), row[2].Text(), row[3].Int(), jsontext.Value(row[4].Text()), jsontext.Value(row[5].Text()),
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.Balances = mergeBalances(m.Balances)
	return m, nil
}

// mergeBalances adds up neighbours of one key: those of tests and the others.
func mergeBalances(all []BalanceMetric) []BalanceMetric {
	out := all[:0]
	for _, b := range all {
		if n := len(out); n > 0 && out[n-1].Service == b.Service && out[n-1].UnitOfMeasure == b.UnitOfMeasure && out[n-1].Currency == b.Currency {
			out[n-1].Count += b.Count
			out[n-1].Granted = addNumbers(out[n-1].Granted, b.Granted)
			out[n-1].Actual = addNumbers(out[n-1].Actual, b.Actual)
			continue
		}
		out = append(out, b)
	}
	return out
}

func addNumbers(a, b jsontext.Value) jsontext.Value {
	x := parseNumber(sqldb.Str(string(a)))
	return jsontext.Value(x.Add(x, parseNumber(sqldb.Str(string(b)))).String())
}

// MetricsJSON is Metrics as JSON.
func (w *Warehouse) MetricsJSON(ctx context.Context, test bool) ([]byte, error) {
	m, err := w.Metrics(ctx, test)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(m, json.Deterministic(true))
	return b, errors.Join(err)
}
