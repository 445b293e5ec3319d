package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"casm/store"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 5 * time.Second
	// endTimeout is how long a connection has to end its transaction before it
	// is given up.
	endTimeout = 5 * time.Second
)

// settings hold on every connection of ours. All statements are look-ups by
// keys: they are planned once, for any parameters and any size of the tables,
// and as nothing else is allowed, by the indexes they were written for, also
// before the database has seen how the tables are filled.
const settings = `
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_bitmapscan = off;
SET enable_material = off;
SET enable_memoize = off;
SET enable_sort = off;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
SET standard_conforming_strings = on;
SET TimeZone = 'UTC';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
`

// The composite types of rows that are written, by their place in connState.types.
const (
	entityRows = iota
	journalRows
	transactionRows
	rowTypeCount
)

const rowTypes = `
SELECT to_regtype('casm_entity_row')::oid, to_regtype('casm_journal_row')::oid, to_regtype('casm_transaction_row')::oid;
`

// connState is what is kept with a connection.
type connState struct {
	prepared map[*statement]*pgconn.StatementDescription
	types    [rowTypeCount]uint32
}

const stateKey = "casm"

// statement is one that is prepared on each connection that runs it.
type statement struct{ name, sql string }

// statements are all of them, in the order of their numbers.
var statements []*statement

// lateral joins a table row by row: each row before it looks its own up. The
// database could also begin with the table, and does where that is small when
// it plans; OFFSET 0 keeps it from that.
func lateral(table, name, condition string) string {
	return `CROSS JOIN LATERAL (SELECT * FROM ` + table + ` ` + name + ` WHERE ` + condition + ` OFFSET 0) ` + name
}

// lateralOne is lateral for what a unique key finds: that it is one row at the
// most keeps the database from making room for many.
func lateralOne(table, name, condition string) string {
	return `CROSS JOIN LATERAL (SELECT * FROM ` + table + ` ` + name + ` WHERE ` + condition + ` LIMIT 1) ` + name
}

func newStatement(sql string) *statement {
	s := &statement{"casm" + strconv.Itoa(len(statements)), sql}
	statements = append(statements, s)
	return s
}

// A COMMIT can be told apart by its name, which tests need.
var (
	beginWrite = &statement{"begin_write", `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`}
	beginRead  = &statement{"begin_read", `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`}
	commit     = &statement{"commit", `COMMIT`}
)

// poolConfig is how connections are made, limit of them at the most.
func poolConfig(url string, limit int, idle, lockWait time.Duration) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err // without the password
	}
	config.MaxConns = int32(limit)
	config.MinConns = 0
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if len(config.ConnConfig.Fallbacks) > 0 && config.ConnConfig.ValidateConnect == nil {
		// Of several servers the one that can be written to.
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "casm"
	}
	// A call that is given up ends its statement, not the connection.
	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
	}
	limits := fmt.Sprintf("SET idle_in_transaction_session_timeout = %d; SET lock_timeout = %d;",
		idle.Milliseconds(), lockWait.Milliseconds())
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		results, err := c.PgConn().Exec(ctx, settings+limits+rowTypes).ReadAll()
		if err != nil {
			return err
		}
		// Their numbers differ from database to database.
		state := &connState{prepared: make(map[*statement]*pgconn.StatementDescription)}
		for i, text := range results[len(results)-1].Rows[0] {
			if text == nil {
				continue // there is no schema yet
			}
			number, err := strconv.ParseUint(string(text), 10, 32)
			if err != nil {
				return err
			}
			state.types[i] = uint32(number)
		}
		c.PgConn().CustomData()[stateKey] = state
		return nil
	}
	return config, nil
}

// conn is a connection out of a pool, for one goroutine at a time.
type conn struct {
	*connState
	pooled *pgxpool.Conn
	pg     *pgconn.PgConn
}

// acquire takes a connection out of a pool.
func (s *Store) acquire(ctx context.Context, pool *pgxpool.Pool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: connect: %w", store.ErrUnavailable, err)
	}
	pg := pooled.Conn().PgConn()
	state, _ := pg.CustomData()[stateKey].(*connState) // AfterConnect has put it there
	c := &conn{state, pooled, pg}
	return c, nil
}

// end ends a transaction that is open, and gives the connection back. One that
// cannot is closed, which the pool notices.
func (c *conn) end() {
	if !c.pg.IsClosed() && c.pg.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		if _, err := c.pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
			_ = c.pg.Close(ctx) // the transaction ends with the connection, however that ends
		}
	}
	c.pooled.Release()
}

// pipe is a sequence of statements that goes to the database in one message
// and comes back in one: one round trip.
type pipe struct {
	c     *conn
	steps []step
	bytes int // of parameters
}

type step struct {
	statement *statement
	args      args
	each      func(*row) error
}

// add adds a statement; bind gives its parameters and each takes its rows.
func (p *pipe) add(s *statement, bind func(*args), each func(*row) error) {
	st := step{statement: s, each: each}
	if bind != nil {
		bind(&st.args)
	}
	for _, v := range st.args.values {
		p.bytes += len(v)
	}
	p.steps = append(p.steps, st)
}

// run sends what was added and reads the results. It returns how many
// statements were done: after an error the database skips those that follow;
// notSent when nothing was sent.
func (p *pipe) run(ctx context.Context) (done int, err error) {
	steps := p.steps
	p.steps, p.bytes = nil, 0
	var batch pgconn.Batch
	for i := range steps {
		description, err := p.c.prepare(ctx, steps[i].statement)
		if err != nil {
			return notSent, err
		}
		batch.ExecStatement(description, steps[i].args.values, binaryFormat, binaryFormat)
	}
	results := p.c.pg.ExecBatch(ctx, &batch)
	var failed error // of what takes the rows
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			if each := steps[done].each; each != nil && failed == nil {
				r := row{values: reader.Values()}
				if failed = each(&r); failed == nil && r.err != nil {
					failed = fmt.Errorf("%w: %w", errDecode, r.err)
				}
			}
		}
		if _, err := reader.Close(); err != nil {
			break // Close gives it again
		}
		done++
	}
	if err := results.Close(); err != nil {
		if stale(err) {
			_ = p.c.pg.Close(ctx) // the pool makes another one
		}
		return done, err
	}
	if failed == nil && done != len(steps) {
		failed = fmt.Errorf("%w: %d results of %d statements", errDecode, done, len(steps))
	}
	return done, failed
}

const notSent = -1

// prepare prepares a statement on the connection, once.
func (c *conn) prepare(ctx context.Context, s *statement) (*pgconn.StatementDescription, error) {
	if d := c.prepared[s]; d != nil {
		return d, nil
	}
	d, err := c.pg.Prepare(ctx, s.name, s.sql, nil)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", s.sql, err)
	}
	c.prepared[s] = d
	return d, nil
}

var errReaderOver = errors.New("store: the reader was used after the end of its call")
