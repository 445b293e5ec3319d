package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// StartStandby makes a copy of a running server that follows it (streaming
// replication), and has the server wait for it at each COMMIT (synchronous). It
// must be stopped, as the server must be; either may be ended first.
func (p *Postgres) StartStandby(ctx context.Context) (*Postgres, error) {
	folder, err := os.MkdirTemp("", "casm-pg-")
	if err != nil {
		return nil, err
	}
	s := &Postgres{daemon: daemon{folder: folder}, bin: p.bin, user: p.user}
	if err := s.follow(p); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary standby: %w", err), os.RemoveAll(folder))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	// Only now: the copy must not wait for a standby when it is promoted.
	err = p.Exec(ctx, "postgres", `ALTER SYSTEM SET synchronous_standby_names = 'standby'`, `SELECT pg_reload_conf()`)
	if err == nil {
		err = p.awaitSync(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("temporary standby: %w", err), s.Stop())
	}
	return s, nil
}

func (p *Postgres) follow(primary *Postgres) error {
	if err := p.prepare(); err != nil {
		return err
	}
	cmd := p.command("pg_basebackup", "--pgdata="+p.data(), "--checkpoint=fast", "--no-sync", "--wal-method=stream", "--write-recovery-conf",
		"--dbname=host=127.0.0.1 port="+strconv.Itoa(primary.port)+" user=casm application_name=standby")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, output)
	}
	return p.configure()
}

// awaitSync waits until commits wait for the standby.
func (p *Postgres) awaitSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postgresStartTimeout)
	defer cancel()
	for {
		err := p.Exec(ctx, "postgres", `DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync') = 1; END $$`)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the standby does not follow: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Promote makes a standby a server of its own.
func (p *Postgres) Promote(ctx context.Context) error {
	return p.Exec(ctx, "postgres", `SELECT pg_promote()`)
}
