package main

import (
	"context"
	"fmt"

	"casm/app"
)

type migrate struct {
	Database string `env:"CASM_DATABASE" required:"" placeholder:"URL" help:"PostgreSQL 15 or later: postgres://… It holds a password: give it in the environment or in the settings file rather than on the command line."`
	DryRun   bool   `name:"dry-run" help:"Tell what there is to do, and change nothing."`
}

// Help is what casm migrate --help adds.
func (migrate) Help() string {
	return `casm serve does the same at its start, unless --no-migrate is set. Servers of the release before go on meanwhile; a step waits at most two seconds at a time for a table that others hold, and is tried again. Several at once do no harm: one does the work.

Examples:

  casm migrate --dry-run
    with CASM_DATABASE set: which steps are pending; exits with 0 either way

  casm migrate --database postgres://casm@db.example/casm
  casm serve --no-migrate --database postgres://casm@db.example/casm
    where servers are to wait until the schema was changed by hand`
}

// Validate is called when the command line was read.
func (m *migrate) Validate() error { return (&app.Data{Database: m.Database}).Check() }

// Run migrates.
func (m *migrate) Run(ctx context.Context, to streams) error {
	plan, err := app.Migrate(ctx, m.Database, m.DryRun)
	if err != nil {
		return err
	}
	say := func(format string, a ...any) {
		if err == nil {
			_, err = fmt.Fprintf(to.out, format+"\n", a...)
		}
	}
	verb := "taken"
	if m.DryRun {
		verb = "pending"
	}
	for _, step := range plan.Pending {
		say("%s: %s", verb, step)
	}
	switch {
	case plan.Has > plan.Needs:
		say("the database has schema %d, made by a newer release; this one needs %d", plan.Has, plan.Needs)
	case len(plan.Pending) == 0:
		say("the database has schema %d, as this release needs", plan.Has)
	case m.DryRun:
		say("the database has schema %d, this release needs %d", plan.Has, plan.Needs)
	default:
		say("the database had schema %d and has %d now", plan.Has, plan.Needs)
	}
	return err
}
