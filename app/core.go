package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"casm"
	"casm/auth"
	"casm/demo"
	"casm/engine"
	"casm/store"
	"casm/store/postgres"
	"casm/store/sqlite"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
)

// committers is how many commits a server has under way on a database: while
// one waits for the disk there, the other is decided here.
const committers = 2

// core is what works on a data folder: lock, store, engine and audit.
type core struct {
	lock   *flock.Flock
	store  store.Store
	engine *engine.Engine
	trail  *auth.Trail
}

// open takes a data folder and starts an engine on it with default settings; how
// long request ids and the audit are kept is the servers' affair: their settings are
// not known here.
func open(ctx context.Context, data Data, log *slog.Logger) (*core, error) {
	c := &core{}
	var err error
	if data.Database == "" {
		if c.lock, err = lock(data.Data); err != nil {
			return nil, err
		}
	}
	if err := c.start(ctx, data, engine.Options{RequestRetention: -1, AuditRetention: -1, Logger: log, Metrics: prometheus.NewRegistry()}); err != nil {
		return nil, errors.Join(err, c.unlock())
	}
	return c, nil
}

// start opens the store and starts the engine and the audit, on a data folder
// that is locked. When it fails nothing stays open.
func (c *core) start(ctx context.Context, data Data, o engine.Options) (err error) {
	if data.Database == "" {
		if err := checkRestored(data.Data); err != nil {
			return err
		}
		c.store, err = sqlite.Open(ctx, filepath.Join(data.Data, storeFile), sqlite.Options{})
		o.Exclusive = true // the folder is locked
	} else {
		if !data.NoMigrate {
			// An older server may be started again while a newer release is rolled out.
			if err = postgres.Migrate(ctx, data.Database); errors.Is(err, postgres.ErrNewer) {
				err = nil
			}
		}
		if err == nil {
			o.Committers = committers
			c.store, err = postgres.Open(ctx, data.Database, postgres.Options{Logger: o.Logger, Committers: committers + 2})
		}
	}
	if err != nil {
		return err
	}
	o.Store = c.store
	if c.engine, err = engine.New(ctx, o); err != nil {
		return errors.Join(err, c.store.Close())
	}
	c.engine.Start()
	c.trail = auth.NewTrail(auth.TrailOptions{Store: c.store, Logger: o.Logger, Metrics: o.Metrics})
	return nil
}

// closeTrail writes what of the audit is gathered.
func (c *core) closeTrail(ctx context.Context) error {
	return bounded(ctx, stopAudit, func(ctx context.Context) error { c.trail.Close(ctx); return nil })
}

// office is what administers keys and users here, for whoever has the machine.
func (c *core) office(log *slog.Logger) auth.Office {
	return auth.Office{Configuration: c.engine, Logger: log, Sessions: c.store}
}

// head reads the end of the log.
func (c *core) head(ctx context.Context) (head store.Head, err error) {
	err = c.store.View(ctx, func(r store.Reader) error {
		head, err = r.Head(ctx)
		return err
	})
	return head, err
}

// drain stops the engine: it refuses new writes and commits what was gathered.
func (c *core) drain(ctx context.Context) error {
	if err := c.engine.Stop(ctx); err != nil {
		return fmt.Errorf("drain the engine: %w", err)
	}
	return nil
}

// close stops the engine, closes the store and gives the lock back.
func (c *core) close(ctx context.Context) error {
	err := bounded(context.WithoutCancel(ctx), stopEngine, c.drain)
	return errors.Join(err, c.closeTrail(context.WithoutCancel(ctx)), c.store.Close(), c.unlock())
}

func (c *core) unlock() error {
	if c.lock == nil { // on a database, which several may use
		return nil
	}
	return c.lock.Unlock()
}

// addDemo adds what the configuration never held of the demonstration. A
// configuration with which it does not go together is left as it is.
func (c *core) addDemo(ctx context.Context, log *slog.Logger) error {
	items, err := demo.Items()
	if err != nil {
		return err
	}
	s, err := c.engine.Config(ctx)
	if err != nil {
		return fmt.Errorf("demonstration: %w", err)
	}
	edits, err := demo.Missing(items, s, func(ref casm.CodeRef) (bool, error) {
		history, err := c.engine.ConfigHistory(ctx, ref, 1)
		return len(history) > 0, err
	})
	if err != nil {
		return fmt.Errorf("demonstration: %w", err)
	}
	if len(edits) == 0 {
		return nil
	}
	changes, err := c.engine.EditConfig(ctx, "demo", false, edits)
	if v, ok := errors.AsType[casm.Violations](err); ok {
		log.Warn("the demonstration does not go together with what is configured, and was not added", "why", v)
		return nil
	} else if err != nil {
		return fmt.Errorf("demonstration: %w", err)
	}
	log.Info("demonstration added", "items", len(changes))
	return nil
}
