package postgres

import (
	"context"
	"crypto/sha256"
	"strings"

	"casm"
)

var (
	// Rows that another sign-in removes are left to it, so that the two do not
	// wait for each other.
	endOldSessions = newStatement(`DELETE FROM session d WHERE d.hash = ANY (ARRAY(
	SELECT s.hash FROM session s WHERE s.ends <= $1 ORDER BY s.ends LIMIT 1000 FOR UPDATE SKIP LOCKED))`)
	insertSession = newStatement(`INSERT INTO session (hash, person, era, name, roles, created, ends) VALUES ($1, $2, $3, $4, $5, $6, $7)`)
	endMostOf     = newStatement(`DELETE FROM session d WHERE d.hash = ANY (ARRAY(
	SELECT s.hash FROM session s WHERE s.person = $1 ORDER BY s.created DESC OFFSET $2 FOR UPDATE SKIP LOCKED))`)
	selectSession  = newStatement(`SELECT s.person, s.era, s.name, s.roles, s.created, s.ends FROM session s WHERE s.hash = $1`)
	extendSession  = newStatement(`UPDATE session s SET ends = greatest(s.ends, $2) WHERE s.hash = $1`)
	endSession     = newStatement(`DELETE FROM session s WHERE s.hash = $1`)
	endSessionsOf  = newStatement(`DELETE FROM session s WHERE s.person = $1`)
	endAllSessions = newStatement(`DELETE FROM session s WHERE s.ends > '-infinity'`)
)

func (a *args) hash(h [sha256.Size]byte) { a.add(h[:]) }

// AddSession implements store.Store.
func (s *Store) AddSession(ctx context.Context, n casm.Session, most int) error {
	return s.sessions(ctx, "add", func(p *pipe) {
		p.add(endOldSessions, func(a *args) { a.time(n.Created) }, nil)
		p.add(insertSession, func(a *args) {
			a.hash(n.Hash)
			a.text(n.User)
			a.text(n.Era)
			a.text(n.Name)
			a.text(strings.Join(n.Roles, " ")) // a code holds none
			a.time(n.Created)
			a.time(n.Ends)
		}, nil)
		p.add(endMostOf, func(a *args) { a.text(n.User); a.limit(most) }, nil)
	})
}

// Session implements store.Store.
func (s *Store) Session(ctx context.Context, hash [sha256.Size]byte) (found *casm.Session, err error) {
	err = s.sessions(ctx, "read", func(p *pipe) {
		p.add(selectSession, func(a *args) { a.hash(hash) }, func(r *row) error {
			found = &casm.Session{Hash: hash, User: r.text(), Era: r.text(), Name: r.text(), Roles: strings.Fields(r.text()), Created: r.time(), Ends: r.time()}
			return nil
		})
	})
	return found, err
}

// ExtendSession implements store.Store.
func (s *Store) ExtendSession(ctx context.Context, hash [sha256.Size]byte, ends casm.Time) error {
	return s.sessions(ctx, "extend", func(p *pipe) {
		p.add(extendSession, func(a *args) { a.hash(hash); a.time(ends) }, nil)
	})
}

// EndSession implements store.Store.
func (s *Store) EndSession(ctx context.Context, hash [sha256.Size]byte) error {
	return s.sessions(ctx, "end", func(p *pipe) {
		p.add(endSession, func(a *args) { a.hash(hash) }, nil)
	})
}

// EndSessions implements store.Store.
func (s *Store) EndSessions(ctx context.Context, user string) error {
	return s.sessions(ctx, "end all of a user", func(p *pipe) {
		p.add(endSessionsOf, func(a *args) { a.text(user) }, nil)
	})
}

// sessions runs statements in one transaction, which ends with them.
func (s *Store) sessions(ctx context.Context, what string, fill func(*pipe)) error {
	c, err := s.acquire(ctx, s.readers)
	if err != nil {
		return err
	}
	defer c.end()
	p := &pipe{c: c}
	fill(p)
	_, err = p.run(ctx)
	return errorf(ctx, err, "sessions: %s", what)
}
