package app

import (
	"context"

	"casm/store/postgres"
)

// Migration is what bringing a database to this release's schema takes.
type Migration = postgres.Plan

// Migrate brings the schema of a PostgreSQL database to this release's, unless
// dryRun, and returns what there was to do.
func Migrate(ctx context.Context, database string, dryRun bool) (Migration, error) {
	plan, err := postgres.Planned(ctx, database)
	if err == nil && !dryRun {
		err = postgres.Migrate(ctx, database)
	}
	return plan, err
}
