package sqlite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"casm"
)

func (a *args) hash(h [sha256.Size]byte) { a.stmt.BindBytes(a.next(), h[:]) }

// AddSession implements store.Store.
func (s *Store) AddSession(ctx context.Context, n casm.Session, most int) error {
	return s.writeSessions(ctx, "add", func(w conn) error {
		err := w.exec(`DELETE FROM session WHERE ends <= ?`, func(a *args) { a.time(n.Created) })
		if err == nil {
			err = w.exec(`INSERT INTO session (hash, user, era, name, roles, created, ends) VALUES (?, ?, ?, ?, ?, ?, ?)`, func(a *args) {
				a.hash(n.Hash)
				a.text(n.User)
				a.text(n.Era)
				a.text(n.Name)
				a.text(strings.Join(n.Roles, " ")) // a code holds none
				a.time(n.Created)
				a.time(n.Ends)
			})
		}
		if err == nil {
			err = w.exec(`DELETE FROM session WHERE hash IN (SELECT s.hash FROM session s WHERE s.user = ? ORDER BY s.created DESC LIMIT -1 OFFSET ?)`,
				func(a *args) { a.text(n.User); a.limit(most) })
		}
		return err
	})
}

// Session implements store.Store.
func (s *Store) Session(ctx context.Context, hash [sha256.Size]byte) (found *casm.Session, err error) {
	c, err := s.take(ctx, s.readers)
	if err != nil {
		return nil, err
	}
	defer func() { s.put(s.readers, c) }()
	defer c.until(ctx)()
	err = c.query(ctx, `SELECT user, era, name, roles, created, ends FROM session WHERE hash = ?`, func(a *args) { a.hash(hash) }, func(r *row) error {
		found = &casm.Session{Hash: hash, User: r.text(), Era: r.text(), Name: r.text(), Roles: strings.Fields(r.text()), Created: r.time(), Ends: r.time()}
		return nil
	})
	if err != nil {
		return nil, classify(fmt.Errorf("session: %w", err))
	}
	return found, nil
}

// ExtendSession implements store.Store.
func (s *Store) ExtendSession(ctx context.Context, hash [sha256.Size]byte, ends casm.Time) error {
	return s.writeSessions(ctx, "extend", func(w conn) error {
		return w.exec(`UPDATE session SET ends = max(ends, ?) WHERE hash = ?`, func(a *args) { a.time(ends); a.hash(hash) })
	})
}

// EndSession implements store.Store.
func (s *Store) EndSession(ctx context.Context, hash [sha256.Size]byte) error {
	return s.writeSessions(ctx, "end", func(w conn) error {
		return w.exec(`DELETE FROM session WHERE hash = ?`, func(a *args) { a.hash(hash) })
	})
}

// EndSessions implements store.Store.
func (s *Store) EndSessions(ctx context.Context, user string) error {
	return s.writeSessions(ctx, "end all of a user", func(w conn) error {
		return w.exec(`DELETE FROM session WHERE user = ?`, func(a *args) { a.text(user) })
	})
}

// writeSessions runs fn in a transaction of its own.
func (s *Store) writeSessions(ctx context.Context, what string, fn func(conn) error) (err error) {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.put(s.writer, w) }()
	err = w.exec("BEGIN IMMEDIATE", nil)
	if err == nil {
		err = fn(w)
	}
	if err == nil {
		err = w.exec("COMMIT", nil)
	}
	if err != nil {
		w.rollback() //nolint:errcheck // the error that counts is returned
		return classify(fmt.Errorf("sessions: %s: %w", what, err))
	}
	return nil
}
