package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"casm"
	"casm/store"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
)

// File says what a database file holds.
type File struct {
	Schema int64 // the number of its schema
	Head   store.Head
	Sums   map[casm.Kind]casm.Sum // of the whole journal, as Reader.Checksum gives them
}

// Inspect reads what a file that Backup wrote holds. It writes nothing, beside
// the file neither. A file of a newer release is refused with ErrNewer.
func Inspect(ctx context.Context, path string) (File, error) { return inspect(ctx, path, false) }

// Check is Inspect that proves the file: it goes through all pages, rows and
// indexes, and counts journal and entities, which must come to what is kept of
// them.
func Check(ctx context.Context, path string) (File, error) { return inspect(ctx, path, true) }

func inspect(ctx context.Context, path string, prove bool) (f File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	if path, err = filepath.Abs(path); err != nil {
		return f, err
	}
	// Immutable: no lock is taken, and no write-ahead log looked for or made.
	name := url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}
	raw, err := sqlite.OpenConn(name.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return f, err
	}
	c := conn{Conn: raw}
	defer func() { err = errors.Join(err, c.Close()) }()
	defer c.until(ctx)()
	if f.Schema, err = c.known(); err != nil {
		return f, err
	}
	if f.Schema == 0 {
		return f, errors.New("the file is empty")
	}
	if f.Head, err = (&reader{c: c}).Head(ctx); err != nil {
		return f, err
	}
	var kept []byte
	if f.Schema >= sumsSchema {
		if kept, err = c.keptSums(ctx); err != nil {
			return f, err
		}
	}
	var s sums
	if kept == nil || prove {
		s, err = c.journalSums(ctx)
	} else {
		s, err = decodeSums(kept)
	}
	if err != nil {
		return f, err
	}
	f.Sums = s.byKind()
	if !prove {
		return f, nil
	}
	if kept != nil && string(kept) != string(s.encode()) {
		return f, errors.New("its journal does not come to the sums that are kept of it")
	}
	return f, errors.Join(c.countEntities(ctx, &s), c.integrity(ctx))
}

// countEntities makes sure that there are the entities that the journal tells of.
func (c conn) countEntities(ctx context.Context, s *sums) error {
	var found sums
	err := c.query(ctx, `SELECT kind, ref_id, version FROM entity`, func(*args) {}, func(row *row) error {
		return row.version(func(kind casm.Kind, id uuid.UUID, version int64) {
			found[kind].Entities++
			found[kind].EntitySum += casm.VersionHash(kind, id, version)
		})
	})
	if err != nil {
		return err
	}
	for _, k := range casm.Kinds {
		if found[k].Entities != s[k].Entities || found[k].EntitySum != s[k].EntitySum {
			return fmt.Errorf("its entities of the type %s are not those that its journal tells of", k)
		}
	}
	return nil
}

// integrity lets SQLite go through the whole database.
func (c conn) integrity(ctx context.Context) error {
	var said []error
	err := c.query(ctx, `PRAGMA integrity_check(10)`, func(*args) {}, func(row *row) error {
		if text := row.text(); text != "ok" {
			said = append(said, errors.New(text))
		}
		return nil
	})
	return errors.Join(append(said, err)...)
}
