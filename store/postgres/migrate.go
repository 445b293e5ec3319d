package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// stepTable is where the steps that were taken are written down.
const stepTable = "schema_step"

// migrationLock is the advisory lock of whoever changes the schema.
const migrationLock = 0x6361736d_00000002

// lockWait is how long a migration waits for a lock of a table that others
// use. All that come later wait behind it, so it is short; what could not be
// had is tried again migrateTries times, with pauses in which they go on.
const (
	lockWait     = 2 * time.Second
	migrateTries = 10
	migratePause = 3 * time.Second
)

// ErrNewer is the error of a database that a newer release has migrated. Open
// tells whether this one can serve it all the same.
var ErrNewer = errors.New("a newer release has made the schema")

// Migrate brings the schema of the database at a URL to this release's: every
// step in schema/ that it has not seen, and then the partitions that are
// needed, and the views. It may run while processes serve, also of the release
// before, and several at once: one does the work. Its errors do not hold the
// password.
func Migrate(ctx context.Context, url string) error { return migrateTo(ctx, url, math.MaxInt64) }

// migrateTo is Migrate up to a step.
func migrateTo(ctx context.Context, url string, step int64) error {
	for try := 1; ; try++ {
		err := migrateOnce(ctx, url, step)
		switch {
		case err == nil:
			return nil
		case codeOf(err) == codeLockTimeout && try < migrateTries:
		case codeOf(err) == codeLockTimeout:
			return fmt.Errorf("migrate: others hold a table for long; look for old transactions in pg_stat_activity, and migrate again: %w", err)
		default:
			return fmt.Errorf("migrate: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("migrate: %w", errors.Join(ctx.Err(), err))
		case <-time.After(migratePause):
		}
	}
}

func migrateOnce(ctx context.Context, url string, step int64) (err error) {
	db, err := openForSchema(url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 600)) // looks each second
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(stepTable), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	plan, err := planOf(ctx, db)
	if err != nil {
		return err
	}
	if plan.Has > plan.Needs {
		return fmt.Errorf("%w: the database has schema %d; this one knows up to %d", ErrNewer, plan.Has, plan.Needs)
	}
	if len(plan.Pending) > 0 {
		if _, err := provider.UpTo(ctx, step); err != nil {
			return err
		}
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		c := driver.(*stdlib.Conn).Conn()
		if err := makePartitions(ctx, c); err != nil {
			return fmt.Errorf("partitions: %w", err)
		}
		if err := makeViews(ctx, c); err != nil {
			return fmt.Errorf("views: %w", err)
		}
		return nil
	})
}

// openForSchema gives connections that wait for no lock for long.
func openForSchema(url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockWait.Milliseconds(), 10)
	return stdlib.OpenDB(*config), nil
}

// Plan is what a migration would do.
type Plan struct {
	// Has is the schema's newest step, 0 when there is none; Needs is this
	// release's.
	Has, Needs int64
	// Pending are the names of the steps that are to be taken, in their order.
	Pending []string
}

// Planned tells what Migrate would do. It changes nothing.
func Planned(ctx context.Context, url string) (p Plan, err error) {
	db, err := openForSchema(url)
	if err != nil {
		return p, fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if p, err = planOf(ctx, db); err != nil {
		return p, fmt.Errorf("migrate: %w", err)
	}
	return p, nil
}

func planOf(ctx context.Context, db *sql.DB) (p Plan, err error) {
	if p.Needs, err = lastStep(); err != nil {
		return p, err
	}
	taken := map[int64]bool{}
	rows, err := db.QueryContext(ctx, `SELECT version_id FROM `+stepTable+` WHERE is_applied`)
	if err != nil && codeOf(err) != codeNoTable {
		return p, err
	}
	if err == nil {
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var step int64
			if err := rows.Scan(&step); err != nil {
				return p, err
			}
			taken[step], p.Has = true, max(p.Has, step)
		}
		if err := rows.Err(); err != nil {
			return p, err
		}
	}
	files, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return p, err
	}
	for _, file := range files {
		step, err := stepOf(file)
		if err != nil {
			return p, err
		}
		if !taken[step] {
			p.Pending = append(p.Pending, path.Base(file))
		}
	}
	return p, nil
}

// stepOf is the number of a step's file.
func stepOf(file string) (int64, error) {
	number, _, _ := strings.Cut(path.Base(file), "_")
	return strconv.ParseInt(number, 10, 64)
}

// lastStep is the newest step that this release knows.
func lastStep() (int64, error) {
	files, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return 0, err
	}
	return stepOf(files[len(files)-1])
}
