package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

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

// Migrate brings the schema of the database at a URL to this release's: every
// step in schema/ that it has not seen, and then the partitions that are
// needed, and the views. It may run while processes serve, also of the release
// before, and several at once: one does the work. Its errors do not hold the
// password.
func Migrate(ctx context.Context, url string) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(stepTable), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := knownSteps(ctx, db); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		c := driver.(*stdlib.Conn).Conn()
		if err := makePartitions(ctx, c); err != nil {
			return fmt.Errorf("migrate: partitions: %w", err)
		}
		if err := makeViews(ctx, c); err != nil {
			return fmt.Errorf("migrate: views: %w", err)
		}
		return nil
	})
}

// lastStep is the newest step that this release knows.
func lastStep() (int64, error) {
	files, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(path.Base(files[len(files)-1]), "_")
	return strconv.ParseInt(number, 10, 64)
}

// knownSteps refuses a database that a newer release has migrated.
func knownSteps(ctx context.Context, db *sql.DB) error {
	known, err := lastStep()
	if err != nil {
		return err
	}
	var taken int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+stepTable+` WHERE is_applied`).Scan(&taken)
	if codeOf(err) == codeNoTable {
		return nil
	}
	if err == nil && taken > known {
		err = fmt.Errorf("the database has schema %d, made by a newer release; this one knows up to %d", taken, known)
	}
	return err
}

// checkSchema refuses a database whose schema this release cannot serve.
func (s *Store) checkSchema(ctx context.Context) error {
	known, err := lastStep()
	if err != nil {
		return err
	}
	c, err := s.acquire(ctx, s.writers)
	if err != nil {
		return err
	}
	defer c.end()
	var taken, from int64
	var fsync, version string
	err = c.pooled.QueryRow(ctx, `SELECT coalesce(max(version_id), 0), (SELECT from_step FROM schema_compatibility),
		current_setting('fsync'), current_setting('server_version_num') FROM `+stepTable+` WHERE is_applied`).
		Scan(&taken, &from, &fsync, &version)
	switch {
	case codeOf(err) == codeNoTable:
		return errors.New("the database has no schema of CASM; make it with: casm migrate")
	case err != nil:
		return classify(ctx, err)
	case taken < known:
		return fmt.Errorf("the database has schema %d, this release needs %d; bring it there with: casm migrate", taken, known)
	case from > known:
		return fmt.Errorf("the database has schema %d, which releases from schema %d on can serve; this one knows up to %d: start a newer release", taken, from, known)
	}
	if number, err := strconv.Atoi(version); err != nil || number < 150000 {
		return fmt.Errorf("the server is PostgreSQL %s; it must be 15 or newer", version)
	}
	if fsync != "on" {
		s.options.Logger.Warn("PostgreSQL runs with fsync off: what is acknowledged is lost when the machine fails")
	}
	return nil
}
