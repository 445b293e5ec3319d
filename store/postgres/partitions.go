package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"casm"

	"github.com/jackc/pgx/v5"
)

const (
	// monthsAhead is for how many months after this one partitions are made.
	monthsAhead = 2
	// partitionPause is how often it is looked whether one is missing.
	partitionPause = 6 * time.Hour
	// partitionLock is the advisory lock of whoever makes partitions.
	partitionLock = 0x6361736d_00000003
)

// monthOf returns the number of a month, as partitions are named by.
func monthOf(t casm.Time) int32 { return int32(numberOf(t.Std())) }

func numberOf(t time.Time) int { return t.Year()*100 + int(t.Month()) }

// makePartitions makes the partitions of this month and those that follow, as
// far as they are missing. Each is made beside its table and then attached,
// which stops neither readers nor writers; where a long query is in the way it
// gives up, and the next time will do.
func makePartitions(ctx context.Context, c *pgx.Conn) error {
	var now time.Time
	if err := c.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return err
	}
	now = now.UTC()
	type partition struct {
		table string
		month time.Time
	}
	wanted := make(map[string]partition)
	var names []string
	for n := range monthsAhead + 1 {
		month := time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		for _, table := range []string{"business_transaction", "journal"} {
			name := fmt.Sprintf("%s_%d", table, numberOf(month))
			wanted[name] = partition{table, month}
			names = append(names, name)
		}
	}
	rows, err := c.Query(ctx, `SELECT n FROM unnest($1::text[]) n WHERE to_regclass(n) IS NULL`, names)
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var failed error
	for _, name := range missing {
		p := wanted[name]
		if err := makePartition(ctx, c, p.table, name, numberOf(p.month)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	return failed
}

func makePartition(ctx context.Context, c *pgx.Conn, table, name string, number int) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		exec := func(format string, a ...any) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(format, a...))
			return err
		}
		if err := exec(`SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(%d)`, partitionLock); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&exists); err != nil || exists {
			return err
		}
		// The constraint tells that no row has to be looked at.
		if err := exec(`CREATE TABLE %s (LIKE %s INCLUDING ALL, CONSTRAINT of_month CHECK (month >= %d AND month < %d))
			WITH (autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000)`,
			name, table, number, number+1); err != nil {
			return err
		}
		if err := exec(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, table, name, number, number+1); err != nil {
			return err
		}
		return exec(`ALTER TABLE %s DROP CONSTRAINT of_month`, name)
	})
}

// keepPartitions makes partitions as time goes on.
func (s *Store) keepPartitions(ctx context.Context) {
	for {
		if err := s.addPartitions(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.Warn("partitions for the months to come could not be made; rows without one go to the partition for all others", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(partitionPause + rand.N(partitionPause/4)): // not all processes at once
		}
	}
}

func (s *Store) addPartitions(ctx context.Context) error {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return err
	}
	defer c.end()
	return makePartitions(ctx, c.pooled.Conn())
}
