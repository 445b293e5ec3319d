package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"casm"
	"casm/auth"
	"casm/store/sqlite"
)

// manifestFile says in a backup what it holds. It is written last.
const manifestFile = "manifest.json"

// manifestFormat is the form of manifests and backups that this release writes.
const manifestFormat = 1

// Manifest says what a backup holds.
type Manifest struct {
	Format   int               `json:"format"`
	Version  string            `json:"version"` // of casm, that wrote it
	Schema   int64             `json:"schema"`  // of the store
	At       casm.Time         `json:"at"`      // all that was answered before is in it
	Epoch    int64             `json:"epoch"`
	Position int64             `json:"position"` // of the last transaction
	Types    map[string]Counts `json:"types"`
	Files    map[string]Digest `json:"files"`
}

// Counts are how many entities of a type a backup holds, and versions of them,
// with the checksums of reconciliation, 16 hexadecimal digits each.
type Counts struct {
	Count            int64  `json:"count"`
	Checksum         string `json:"checksum"`
	Versions         int64  `json:"versions"`
	VersionsChecksum string `json:"versionsChecksum"`
}

// Digest is by what a file is known again.
type Digest struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// newManifest makes the manifest of a store's file.
func newManifest(file sqlite.File, d Digest, at time.Time) Manifest {
	m := Manifest{
		Format: manifestFormat, Version: Version, Schema: file.Schema, At: casm.TimeOf(at),
		Epoch: file.Head.Epoch, Position: file.Head.Position, Types: map[string]Counts{}, Files: map[string]Digest{storeFile: d},
	}
	for _, k := range casm.Kinds {
		s := file.Sums[k]
		m.Types[k.String()] = Counts{s.Entities, fmt.Sprintf("%016x", s.EntitySum), s.Versions, fmt.Sprintf("%016x", s.VersionSum)}
	}
	return m
}

// ErrBackupExists is the error of a backup to a folder that holds something.
var ErrBackupExists = errors.New("it is there already and is not empty; name a new folder")

// Backup copies the store of a data folder to a new folder dir: one state of
// it, with all that was answered before, while a server runs on it or not. The
// folder comes into being at the end, whole and on the disk. actor is recorded
// as who did it; progress gets bytes.
func Backup(ctx context.Context, data, dir, actor string, progress func(done, total int64)) (m Manifest, err error) {
	path := filepath.Join(data, storeFile)
	if err := (Data{Data: data}).begun(); err != nil {
		return m, err
	}
	if dir, err = filepath.Abs(dir); err != nil { // the server may have started elsewhere
		return m, err
	}
	err = directly(ctx, data, func() error {
		l, err := lock(data)
		if err != nil {
			return err
		}
		m, err = writeBackup(ctx, dir, progress, func(to string, progress func(done, total int64)) error {
			return sqlite.BackupFile(ctx, path, to, progress)
		})
		return errors.Join(err, l.Unlock())
	}, func() error {
		result, err := callLong(ctx, data, actor, "/backup", url.Values{"dir": {dir}}, func(l longLine) { progress(l.Done, l.Total) })
		if err != nil {
			return err
		}
		return json.Unmarshal(result, &m)
	})
	return m, err
}

// serveBackup writes a backup for the other end of the socket, and breaks it
// off when that goes away.
func (a *App) serveBackup(w http.ResponseWriter, r *http.Request) {
	serveLong(w, r, func(ctx context.Context, say func(longLine)) (any, error) {
		s, ok := a.core.store.(*sqlite.Store)
		if !ok {
			return nil, ErrNotEmbedded
		}
		dir := r.URL.Query().Get("dir")
		if !filepath.IsAbs(dir) {
			return nil, fmt.Errorf("%q is no absolute path", dir)
		}
		if !a.backingUp.TryLock() {
			return nil, errors.New("another backup is under way")
		}
		defer a.backingUp.Unlock()
		m, err := writeBackup(ctx, dir, func(done, total int64) { say(longLine{Done: done, Total: total}) },
			func(to string, progress func(done, total int64)) error { return s.Backup(ctx, to, progress) })
		if err != nil {
			a.log.Error("backup failed", "error", err)
			return nil, err
		}
		return m, auth.AuditDone(ctx, a.log, actorOf(r), "backup", "socket", slog.String("dir", dir), slog.Int64("position", m.Position))
	})
}

// ErrNotEmbedded is the error of a backup of what is not embedded.
var ErrNotEmbedded = errors.New("the data is in PostgreSQL: use what PostgreSQL has, pg_basebackup and the archived write-ahead log, or pg_dump (docs/postgresql.md)")

// writeBackup writes a backup to a folder beside dir, with what copyStore
// copies, and gives it that name when it is whole and on the disk.
func writeBackup(ctx context.Context, dir string, progress func(done, total int64), copyStore func(to string, progress func(done, total int64)) error) (m Manifest, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup to %s: %w", dir, err)
		}
	}()
	if err := vacate(dir); err != nil {
		return m, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return m, err
	}
	partial, err := os.MkdirTemp(parent, filepath.Base(dir)+".partial-")
	if err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	at, path := time.Now(), filepath.Join(partial, storeFile)
	// Half of the work is to copy, the other to read what was written.
	if err := copyStore(path, func(done, total int64) { progress(done, 2*total) }); err != nil {
		return m, err
	}
	file, err := sqlite.Inspect(ctx, path)
	if err != nil {
		return m, err
	}
	d, err := digest(ctx, path, io.Discard, func(done, total int64) { progress(total+done, 2*total) })
	if err != nil {
		return m, err
	}
	m = newManifest(file, d, at)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := writeSynced(filepath.Join(partial, manifestFile), append(text, '\n')); err != nil {
		return m, err
	}
	if err := os.Rename(partial, dir); err != nil {
		return m, err
	}
	return m, syncDir(parent)
}

// vacate makes sure that there is nothing at dir. An empty folder is removed:
// one that cannot be, such as a mounted disk, could not be replaced either.
func vacate(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return ErrBackupExists
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("the folder that is there cannot be replaced, name one in it: %w", err)
	}
	return nil
}

// digest reads a file, writes it to w, and returns by what it is known again.
func digest(ctx context.Context, path string, w io.Writer, progress func(done, total int64)) (d Digest, err error) {
	f, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return d, err
	}
	hash, block := sha256.New(), make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		n, err := f.Read(block)
		hash.Write(block[:n])
		if _, err := w.Write(block[:n]); err != nil {
			return d, err
		}
		d.Bytes += int64(n)
		progress(d.Bytes, info.Size())
		if errors.Is(err, io.EOF) {
			d.SHA256 = hex.EncodeToString(hash.Sum(nil))
			return d, nil
		}
		if err != nil {
			return d, err
		}
	}
}

// writeSynced writes a new file that only this user can read, onto the disk.
func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir brings a folder's entries onto the disk.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
