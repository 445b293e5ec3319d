package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"casm"
	"casm/app"
)

// embedded is where embedded data is.
type embedded struct {
	Data     string `env:"CASM_DATA" default:"./casm-data" placeholder:"DIR" help:"Data folder (default: ${default})."`
	Database string `env:"CASM_DATABASE" placeholder:"URL" help:"Refused: a PostgreSQL is backed up with what it has itself, see docs/postgresql.md."`
}

// Validate is called when the command line was read.
func (e *embedded) Validate() error {
	if e.Database != "" {
		return app.ErrNotEmbedded
	}
	if e.Data == "" {
		return errors.New("--data must name a folder")
	}
	return nil
}

type backup struct {
	embedded `embed:""`
	Dir      string `arg:"" help:"New folder of the backup."`
}

// Help is what casm backup --help adds.
func (backup) Help() string {
	return `Copies the store, as it is at one moment, with all that was answered before. A server that runs on the data folder is asked to do it, and serves meanwhile; its user needs the right to write there. The folder gets its name when it is whole: what is left of one that was broken off is called DIR.partial-… and can be removed.

Stream and data warehouse are not in it: both are made of the store. It holds the hashes of the API keys, and all data of customers: only its owner can read it.

Examples:

  casm backup /backups/casm-$(date +%F) --data /var/lib/casm
  casm restore /backups/casm-2026-05-01 --dry-run
    to try the backup`
}

// Run makes a backup.
func (b *backup) Run(ctx context.Context, to streams) error {
	bar, begun := newBar(to.err, "bytes"), time.Now()
	m, err := app.Backup(ctx, b.Data, b.Dir, app.Actor(), func(done, total int64) { bar.show(done, total, "") })
	bar.clear()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "%s holds %s; %s, in %s\n", b.Dir, held(m), size(m), time.Since(begun).Round(10*time.Millisecond))
	return err
}

// held tells what a backup holds.
func held(m app.Manifest) string {
	var types []string
	for _, k := range casm.Kinds {
		if n := m.Types[k.String()].Count; n > 0 {
			types = append(types, fmt.Sprintf("%s %d", k, n))
		}
	}
	if types == nil {
		types = []string{"no entities"}
	}
	return fmt.Sprintf("%s, up to position %d of epoch %d, as of %s", strings.Join(types, ", "), m.Position, m.Epoch, m.At)
}

// size tells how large a backup is.
func size(m app.Manifest) string {
	var bytes int64
	for _, d := range m.Files {
		bytes += d.Bytes
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

type restore struct {
	embedded `embed:""`
	Dir      string `arg:"" help:"Folder of the backup."`
	DryRun   bool   `name:"dry-run" help:"Prove the backup, and restore nothing."`
}

// Help is what casm restore --help adds.
func (restore) Help() string {
	return `Proves the backup first: files against their SHA-256, the database by SQLite's own check, journal and entities by the checksums that are kept of them. Then it makes the store in the data folder, which must hold no data yet. Killed at any moment, it can be repeated.

The log goes back in time, so a new epoch begins: those who follow the feed or the stream see it and start again. The stream in the data folder begins anew, with the whole journal; so does the data warehouse. With --stream, a stream outside still holds what was published since the backup: see casm relay status and casm relay adopt. API keys that were revoked since the backup are valid again.

Examples:

  casm restore /backups/casm-2026-05-01 --dry-run
  mv /var/lib/casm /var/lib/casm.old
  casm restore /backups/casm-2026-05-01 --data /var/lib/casm
  casm serve --data /var/lib/casm`
}

// Run restores.
func (r *restore) Run(ctx context.Context, to streams) error {
	bar, begun := newBar(to.err, "bytes"), time.Now()
	done, err := app.Restore(ctx, r.Dir, r.Data, r.DryRun, func(done, total int64, note string) {
		if note != "" {
			bar.shown = time.Time{} // for a while there will be nothing else to show
		}
		bar.show(done, total, note)
	})
	bar.clear()
	if err != nil {
		return err
	}
	took := time.Since(begun).Round(10 * time.Millisecond)
	if r.DryRun {
		_, err = fmt.Fprintf(to.out, "%s is whole: %s; %s, in %s\n", r.Dir, held(done.Manifest), size(done.Manifest), took)
		return err
	}
	_, err = fmt.Fprintf(to.out, "restored to %s: %s; %s, in %s\nepoch %d begins; start the server: casm serve --data %s\n",
		r.Data, held(done.Manifest), size(done.Manifest), took, done.NewEpoch, r.Data)
	return err
}
