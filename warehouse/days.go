package warehouse

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"casm/warehouse/sqldb"
)

// dayName names what happened to entities of a type on a day.
type dayName struct{ date, kind string }

// dayStep are the days that a batch changed, between two counts of messages
// that took effect.
type dayStep struct {
	from, to int64
	days     []dayName
}

// maxDaySteps bounds how many batches are remembered.
const maxDaySteps = 1024

// noteDays remembers which days a batch of this process changed, so that
// metrics need not read all others again: their number grows with the years.
func (w *Warehouse) noteDays(s dayStep) {
	if s.from == s.to {
		return
	}
	w.status.mu.Lock()
	defer w.status.mu.Unlock()
	n := len(w.daySteps)
	switch {
	case n > 0 && w.daySteps[n-1].to != s.from: // something else changed the database meanwhile
		w.daySteps = nil
	case n >= maxDaySteps:
		w.daySteps = slices.Delete(w.daySteps, 0, maxDaySteps/2)
	}
	w.daySteps = append(w.daySteps, s)
}

// daysBetween gives the days that changed between two counts of messages; not
// ok: something else changed the database too, or it is too long ago.
func (w *Warehouse) daysBetween(from, to int64) (days []dayName, ok bool) {
	w.status.mu.Lock()
	defer w.status.mu.Unlock()
	i, found := slices.BinarySearchFunc(w.daySteps, from, func(s dayStep, from int64) int { return cmp.Compare(s.from, from) })
	if from != to && !found {
		return nil, false
	}
	seen := map[dayName]bool{}
	for ; from != to; i++ {
		if i == len(w.daySteps) {
			return nil, false
		}
		from = w.daySteps[i].to
		for _, d := range w.daySteps[i].days {
			seen[d] = true
		}
	}
	return slices.Collect(maps.Keys(seen)), true
}

const dayEventSums = "sum(t.created), sum(t.activated), sum(t.suspended), sum(t.deactivated)"

// readDays reads all days.
func readDays(ctx context.Context, r sqldb.Reader, test bool) ([]Day, error) {
	days := []Day{}
	err := r.Query(ctx, "SELECT t.date, t.type, "+dayEventSums+" FROM metric_day t WHERE t.is_test = false OR $1 GROUP BY t.date, t.type ORDER BY t.date, t.type",
		[]sqldb.Value{sqldb.Bool(test)}, func(row []sqldb.Value) error { days = append(days, dayOf(row)); return nil })
	return days, err
}

// readSome gives the days that were known, with those that changed read again.
func readSome(ctx context.Context, r sqldb.Reader, test bool, known []Day, changed []dayName) ([]Day, error) {
	if len(changed) == 0 {
		return known, nil
	}
	days := slices.Clone(known)
	sql := "SELECT t.date, t.type, " + dayEventSums + " FROM {rows} JOIN metric_day t ON t.date = v.date AND t.type = v.type"
	if !test {
		sql += " WHERE t.is_test = false"
	}
	rows := make([][]sqldb.Value, len(changed))
	for i, d := range changed {
		rows[i] = []sqldb.Value{sqldb.Str(d.date), sqldb.Str(d.kind)}
	}
	err := r.Many(ctx, sql+" GROUP BY t.date, t.type", dayTable.Columns[:2], rows, func(row []sqldb.Value) error {
		d := dayOf(row)
		i, found := slices.BinarySearchFunc(days, d, func(a, b Day) int {
			return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Type, b.Type))
		})
		if found {
			days[i] = d
		} else {
			days = slices.Insert(days, i, d)
		}
		return nil
	})
	return days, err
}

func dayOf(row []sqldb.Value) Day {
	return Day{row[0].Text(), row[1].Text(), row[2].Int(), row[3].Int(), row[4].Int(), row[5].Int()}
}
