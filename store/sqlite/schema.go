package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"zombiezen.com/go/sqlite"
)

// applicationID marks a file as ours ("casm" in ASCII).
const applicationID = 0x6361736d

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrate brings the schema to this release's: one transaction for each file
// in schema/ that the database has not seen, counted in its user_version.
func migrate(ctx context.Context, c conn) error {
	steps, err := schemaSteps()
	if err != nil {
		return err
	}
	version, err := c.known()
	if err != nil {
		return err
	}
	for i := int(version); i < len(steps); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		script, err := fs.ReadFile(schemaFiles, steps[i])
		if err != nil {
			return err
		}
		// user_version goes up in the step's own transaction: a kill leaves
		// the step done or not done.
		err = c.script(fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			script, applicationID, i+1))
		if err != nil {
			c.rollback() //nolint:errcheck // the error that counts is returned
			return fmt.Errorf("%s: %w", steps[i], err)
		}
	}
	return nil
}

// schemaSteps gives the files in schema/ in the order of their names.
func schemaSteps() ([]string, error) { return fs.Glob(schemaFiles, "schema/*.sql") }

// ErrNewer is the error of a file whose schema a newer release has written.
var ErrNewer = errors.New("written by a newer release")

// known gives the number of the file's schema, 0 when it has none yet; an error
// when it is none that this release can work on.
func (c conn) known() (version int64, err error) {
	steps, err := schemaSteps()
	if err != nil {
		return 0, err
	}
	app, err := c.pragma("application_id")
	if err != nil {
		return 0, err
	}
	if version, err = c.pragma("user_version"); err != nil {
		return 0, err
	}
	switch {
	case app != applicationID && (app != 0 || version != 0):
		return 0, errors.New("the file is another application's database")
	case version > int64(len(steps)):
		return 0, fmt.Errorf("the file has schema %d, %w; this one knows up to %d", version, ErrNewer, len(steps))
	}
	return version, nil
}

// script runs statements that give no rows of interest, once each. The last
// one must not be followed by a comment.
func (c conn) script(sql string) error {
	for strings.TrimSpace(sql) != "" {
		stmt, trailing, err := c.PrepareTransient(sql)
		if err != nil {
			return err
		}
		sql = sql[len(sql)-trailing:]
		if err := drain(stmt); err != nil {
			return err
		}
	}
	return nil
}

// drain runs a transient statement to its end and frees it.
func drain(stmt *sqlite.Stmt) error {
	defer stmt.Finalize() //nolint:errcheck // repeats the error of Step
	for {
		if more, err := stmt.Step(); err != nil || !more {
			return err
		}
	}
}

// pragma reads a setting that is a number.
func (c conn) pragma(name string) (value int64, err error) {
	stmt, _, err := c.PrepareTransient("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer stmt.Finalize() //nolint:errcheck // repeats the error of Step
	if _, err := stmt.Step(); err != nil {
		return 0, err
	}
	return stmt.ColumnInt64(0), nil
}
