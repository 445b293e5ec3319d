package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casm/auth"
	"casm/store"
	"casm/store/sqlite"

	"github.com/go-json-experiment/json"
)

// restoringFile is the store that is being restored, until it is whole.
const restoringFile = "restoring.db"

// Restored says what Restore did.
type Restored struct {
	Manifest
	// NewEpoch is the epoch that begins with the restored store; 0 when it was
	// only tried.
	NewEpoch int64
}

// ErrHoldsData is the error of a Restore to a data folder that holds data.
var ErrHoldsData = errors.New("the data folder holds data already")

// ErrBackupDamaged is the error of a backup that is not as it was written.
var ErrBackupDamaged = errors.New("the backup is not as it was written; nothing was restored")

// Restore makes the store of a new data folder of a backup, after it has proved
// the backup; with dryRun it does that alone. The log's epoch rises above all
// that were before. The store comes into being at the end, whole and on the
// disk. progress gets bytes, and what is done when it takes long without any.
func Restore(ctx context.Context, dir, data string, dryRun bool, progress func(done, total int64, note string)) (r Restored, err error) {
	if !dryRun {
		if err := vacant(ctx, data); err != nil {
			return r, err
		}
	}
	if r.Manifest, err = readManifest(dir); err != nil {
		return r, err
	}
	want := r.Files[storeFile]
	total := want.Bytes
	if !dryRun {
		total *= 2
	}
	path := filepath.Join(dir, storeFile)
	d, err := digest(ctx, path, io.Discard, func(done, _ int64) { progress(done, total, "") })
	if err != nil {
		return r, err
	}
	if d != want {
		return r, fmt.Errorf("%w: %s has %d bytes with the SHA-256 %s, the manifest says %d and %s", ErrBackupDamaged, path, d.Bytes, d.SHA256, want.Bytes, want.SHA256)
	}
	progress(want.Bytes, total, "looking through the database")
	file, err := sqlite.Check(ctx, path)
	if err != nil {
		return r, fmt.Errorf("the backup cannot be used; nothing was restored: %w", err)
	}
	if is := newManifest(file, d, r.At.Std()); is.Epoch != r.Epoch || is.Position != r.Position || is.Schema != r.Schema || !maps.Equal(is.Types, r.Types) {
		return r, fmt.Errorf("%w: %s does not hold what the manifest says", ErrBackupDamaged, path)
	}
	if dryRun {
		return r, nil
	}
	l, err := lock(data)
	if err != nil {
		return r, err
	}
	head, err := r.install(ctx, path, data, func(done, _ int64) { progress(want.Bytes+done, total, "") })
	r.NewEpoch = head.Epoch
	return r, errors.Join(err, l.Unlock())
}

// vacant makes sure that a data folder holds no data yet.
func vacant(ctx context.Context, data string) error {
	entries, err := os.ReadDir(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var held []string
	for _, e := range entries {
		if name := e.Name(); name == streamDir || strings.HasPrefix(name, storeFile) || strings.HasPrefix(name, warehouseFile) {
			held = append(held, name)
		}
	}
	if status, err := ServerStatus(ctx, data); err == nil {
		return fmt.Errorf("%w by process %d, a server: %s; restore to a new folder with --data", ErrInUse, status.PID, data)
	}
	if len(held) > 0 {
		return fmt.Errorf("%w: %s in %s; name a new folder with --data, or move this one away first", ErrHoldsData, strings.Join(held, ", "), data)
	}
	return nil
}

func readManifest(dir string) (m Manifest, err error) {
	const most = 1 << 20
	path := filepath.Join(dir, manifestFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s is no backup, or one that was broken off: %w", dir, err)
	}
	if err != nil {
		return m, err
	}
	err = json.UnmarshalRead(io.LimitReader(f, most), &m)
	switch err := errors.Join(err, f.Close()); {
	case err != nil:
		return m, fmt.Errorf("%w: %s: %w", ErrBackupDamaged, path, err)
	case m.Format > manifestFormat:
		return m, fmt.Errorf("%s has the form %d: %w; this one knows up to %d", path, m.Format, sqlite.ErrNewer, manifestFormat)
	case m.Format != manifestFormat || len(m.Files) != 1 || m.Files[storeFile].Bytes == 0:
		return m, fmt.Errorf("%w: %s is no manifest", ErrBackupDamaged, path)
	}
	return m, nil
}

// install puts a store into a data folder whose lock is held.
func (r *Restored) install(ctx context.Context, from, data string, progress func(done, total int64)) (head store.Head, err error) {
	if err := vacant(ctx, data); err != nil { // now that nobody else can change that
		return head, err
	}
	path := filepath.Join(data, restoringFile)
	if err := removeRestoring(path); err != nil { // of a restore that was killed
		return head, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeRestoring(path))
		}
	}()
	if err := r.copyStore(ctx, from, path, progress); err != nil {
		return head, err
	}
	if head, err = beginEpoch(ctx, path, from); err != nil {
		return head, err
	}
	if err := os.Rename(path, filepath.Join(data, storeFile)); err != nil {
		return head, err
	}
	return head, errors.Join(syncDir(data), syncDir(filepath.Dir(filepath.Clean(data))))
}

// copyStore copies the store, and makes sure that it is what was proved.
func (r *Restored) copyStore(ctx context.Context, from, to string, progress func(done, total int64)) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d, err := digest(ctx, from, f, progress)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if d != r.Files[storeFile] {
		return fmt.Errorf("%w: %s has changed meanwhile", ErrBackupDamaged, from)
	}
	return nil
}

// beginEpoch brings a store that was put back to an earlier time to this
// release's schema, and begins a new epoch. The number is that of the
// milliseconds since 1970: counted on from the backup's, two restores of the
// same backup would begin the same epoch, and those who follow the log would
// not see the second. The audit records it, too.
func beginEpoch(ctx context.Context, path, from string) (head store.Head, err error) {
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return head, err
	}
	head, err = s.RaiseEpoch(ctx, time.Now().UnixMilli())
	if err == nil {
		trail := auth.NewTrail(auth.TrailOptions{Store: s})
		err = auth.AuditDone(ctx, auth.Audited(slog.New(slog.DiscardHandler), trail), Actor(), "restore", "command line",
			slog.String("from", from), slog.Int64("epoch", head.Epoch), slog.Int64("position", head.Position))
		trail.Close(ctx)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return head, err
	}
	// Without its log the store could be lost: closing it has taken that in.
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return head, errors.Join(fmt.Errorf("%s has still a write-ahead log", path), err)
	}
	return head, nil
}

// removeRestoring removes what a restore that was broken off has left.
func removeRestoring(path string) error {
	var all []error
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + end); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// checkRestored refuses a data folder whose restore was broken off, so that
// nobody begins an empty store in it.
func checkRestored(data string) error {
	_, store := os.Stat(filepath.Join(data, storeFile))
	_, restoring := os.Stat(filepath.Join(data, restoringFile))
	if restoring == nil && errors.Is(store, fs.ErrNotExist) {
		return fmt.Errorf("a restore to %s was broken off: repeat it with casm restore, or remove %s", data, restoringFile)
	}
	return nil
}
