package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

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
