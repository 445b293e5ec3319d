package warehouse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"casm"
	"casm/warehouse/sqldb"
)

// progress is how far a warehouse is. It changes in the transaction that
// changes the data.
type progress struct {
	instance   string
	epoch      int64
	position   casm.Position
	sequence   uint64
	messages   int64
	recordedAt casm.Time
	zone       string
	format     int64
}

// source says where messages come from, and so what may be expected of them.
type source uint8

const (
	// The stream may be out of order, double, or have lost what is old: its
	// messages must follow each other.
	fromTheStream source = iota
	// The feed is the log itself.
	fromTheFeed
	// What the warehouse has passed is read again from the feed: what it lacks
	// of it takes effect, and it stays where it is.
	again
)

// What keeps a message from being applied now.
var (
	// errGap: messages are missing before it; the feed has them.
	errGap = errors.New("messages are missing")
	// errEpoch: the log was put back to an earlier time.
	errEpoch = errors.New("the log's epoch has changed")
	// errMoved: somebody else moved the warehouse on, or replaced it.
	errMoved = errors.New("the warehouse was moved on by another")
)

// tables are a warehouse's tables in one database.
type tables struct {
	db     sqldb.DB
	layout *layout
	zone   *time.Location
	now    func() time.Time
}

// openTables makes the tables of a database, where they are missing, and reads
// how far they are.
func openTables(ctx context.Context, db sqldb.DB, l *layout, zone *time.Location, now func() time.Time) (*tables, progress, error) {
	t := &tables{db, l, zone, now}
	if err := db.Define(ctx, l.schema); err != nil {
		return nil, progress{}, fmt.Errorf("warehouse tables: %w", err)
	}
	var p progress
	err := db.Update(ctx, func(tx sqldb.Tx) error {
		var found bool
		var err error
		if p, found, err = readProgress(ctx, tx); err != nil {
			return err
		}
		if err := tx.Exec(ctx, "DELETE FROM data_dictionary"); err != nil {
			return err
		}
		if err := tx.Many(ctx, dictionaryTable.Insert(), dictionaryTable.Columns, l.dictionary(), nil); err != nil {
			return err
		}
		if found {
			return nil
		}
		p = progress{instance: strings.ToLower(rand.Text()[:8]), zone: zone.String(), format: format}
		return p.write(ctx, tx)
	})
	return t, p, err
}

const selectProgress = `SELECT instance, epoch, position, ordinal, sequence, messages, recorded_at, time_zone, format FROM progress WHERE id = 1`

func readProgress(ctx context.Context, r sqldb.Reader) (p progress, found bool, err error) {
	err = r.Query(ctx, selectProgress, nil, func(row []sqldb.Value) error {
		found = true
		p = progress{
			instance: row[0].Text(), epoch: row[1].Int(), position: casm.Position{Transaction: row[2].Int(), Ordinal: row[3].Int()},
			sequence: uint64(row[4].Int()), messages: row[5].Int(), zone: row[7].Text(), format: row[8].Int(),
		}
		if at := row[6].Text(); at != "" {
			p.recordedAt, err = casm.ParseTime(at)
		}
		return err
	})
	return p, found, err
}

func (p *progress) write(ctx context.Context, tx sqldb.Tx) error {
	return tx.Many(ctx, progressTable.Upsert(), progressTable.Columns, [][]sqldb.Value{{
		sqldb.Int(1), sqldb.Str(p.instance), sqldb.Int(p.epoch), sqldb.Int(p.position.Transaction), sqldb.Int(p.position.Ordinal),
		sqldb.Int(int64(p.sequence)), sqldb.Int(p.messages), sqldb.At(p.recordedAt), sqldb.Str(p.zone), sqldb.Int(p.format),
	}}, nil)
}

// applied says what a batch came to.
type applied struct {
	progress
	took, duplicates, dead int64
	deadLetters            int64     // how many there are, where dead is not 0
	days                   []dayName // of which events were counted
}

// apply lets a batch take effect: data and position in one transaction. at is
// how far the caller takes the warehouse to be, lacking of which entities
// versions may be missing; nil: of all. careful looks whether an entity is there
// that a message makes.
func (t *tables) apply(ctx context.Context, at progress, batch []*change, from source, lacking map[entityKey]bool, careful bool) (done applied, err error) {
	err = t.db.Update(ctx, func(tx sqldb.Tx) error {
		p, _, err := readProgress(ctx, tx)
		if err != nil {
			return err
		}
		if p != at {
			return errMoved
		}
		f := newFold(t.layout, t.zone, casm.TimeOf(t.now()), lacking)
		f.passed = p.position.Transaction
		var due []*change
		if from == again {
			due, err = p.missing(ctx, tx, batch)
		} else {
			due, err = p.pass(batch, from)
		}
		if err != nil {
			return err
		}
		if err := f.load(ctx, tx, f.needs(due, careful || from == again)); err != nil {
			return err
		}
		for _, c := range due {
			if err := f.apply(c); err != nil {
				return err
			}
		}
		if err := f.write(ctx, tx); err != nil {
			return err
		}
		p.messages += f.applied
		done = applied{progress: p, took: f.applied, duplicates: f.duplicates + int64(len(batch)-len(due)), dead: int64(len(f.dead))}
		for k := range f.days {
			done.days = append(done.days, dayName{k.date, k.kind})
		}
		if done.dead > 0 { // one that is set aside again is one still
			if done.deadLetters, err = countDead(ctx, tx); err != nil {
				return err
			}
		}
		if p == at {
			return nil
		}
		return p.write(ctx, tx)
	})
	return done, err
}

// countDead counts the messages that were set aside.
func countDead(ctx context.Context, r sqldb.Reader) (n int64, err error) {
	err = r.Query(ctx, "SELECT count(*) FROM dead_letter", nil, func(row []sqldb.Value) error { n = row[0].Int(); return nil })
	return n, err
}

// pass moves the progress past a batch and returns what of it is new.
func (p *progress) pass(batch []*change, from source) (due []*change, err error) {
	for _, c := range batch {
		if from == fromTheStream {
			if c.Sequence <= p.sequence {
				continue // it came again
			}
			if c.Sequence != p.sequence+1 {
				return nil, fmt.Errorf("%w: sequence %d of the stream follows %d", errGap, c.Sequence, p.sequence)
			}
			p.sequence = c.Sequence
			if c.err != nil && c.Position == casm.Start {
				due = append(due, c) // it does not tell its place
				continue
			}
		}
		switch {
		case c.Epoch != p.epoch && (c.Epoch > p.epoch || from == fromTheFeed):
			return nil, fmt.Errorf("%w: from %d to %d", errEpoch, p.epoch, c.Epoch)
		case c.Epoch != p.epoch || c.Position.Compare(p.position) <= 0:
			continue
		case from == fromTheStream && !follows(c.Position, p.position):
			return nil, fmt.Errorf("%w: position %v follows %v", errGap, c.Position, p.position)
		}
		p.position = c.Position
		if c.RecordedAt > p.recordedAt {
			p.recordedAt = c.RecordedAt
		}
		due = append(due, c)
	}
	return due, nil
}

var (
	placeRows    = messageTable.Columns[:2]
	selectPlaces = "SELECT t.position, t.ordinal FROM {rows} JOIN message t ON t.position = v.position AND t.ordinal = v.ordinal"
)

// missing returns what of a batch was passed without taking effect.
func (p *progress) missing(ctx context.Context, r sqldb.Reader, batch []*change) (due []*change, err error) {
	have := map[casm.Position]bool{}
	rows := make([][]sqldb.Value, len(batch))
	for i, c := range batch {
		rows[i] = []sqldb.Value{sqldb.Int(c.Position.Transaction), sqldb.Int(c.Position.Ordinal)}
	}
	err = r.Many(ctx, selectPlaces, placeRows, rows, func(row []sqldb.Value) error {
		have[casm.Position{Transaction: row[0].Int(), Ordinal: row[1].Int()}] = true
		return nil
	})
	for _, c := range batch {
		if c.Position.Compare(p.position) <= 0 && !have[c.Position] {
			due = append(due, c)
		}
	}
	return due, err
}

// follows reports whether a message may be the next one: transactions without
// messages leave holes, but none begins in its middle.
func follows(next, last casm.Position) bool {
	if next.Transaction == last.Transaction {
		return next.Ordinal == last.Ordinal+1
	}
	return next.Ordinal == 0
}
