package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"casm"
)

// SessionStore keeps sessions; the methods are those of store.Store.
type SessionStore interface {
	SessionEnder
	AddSession(ctx context.Context, s casm.Session, most int) error
	Session(ctx context.Context, hash [sha256.Size]byte) (*casm.Session, error)
	ExtendSession(ctx context.Context, hash [sha256.Size]byte, ends casm.Time) error
	EndSession(ctx context.Context, hash [sha256.Size]byte) error
}

// CookieName is that of the cookie that holds a session's secret.
const CookieName = "casm_session"

// The spans of sessions, unless they are set.
const (
	DefaultSessionIdle = 12 * time.Hour     // without a request
	DefaultSessionLife = 7 * 24 * time.Hour // in all
)

const (
	// sessionsPerUser is how many a user has at once; the oldest ends first.
	sessionsPerUser = 20
	// askAgain is how long a session that was seen holds without asking the
	// store, and so how late its end is seen when another server did it.
	askAgain = time.Second
	// extendEvery is how much later a session's end must be to be written.
	extendEvery = 5 * time.Minute
	// maxSeen bounds how many sessions are kept in mind.
	maxSeen = 10_000
)

// SignedIn is a session that began.
type SignedIn struct {
	*Principal
	// Cookie is what the client is to keep; its value is secret.
	Cookie *http.Cookie
}

// wrongPassword is the one answer to a sign-in that fails.
const wrongPassword = "the user or the password is not right"

// SignIn checks a password and begins a session. An unknown user, one who may
// not sign in and a wrong password take the same work and get the same answer.
// The session that the request came with ends. Errors: *Denied
// (unauthenticated, rate_limited), casm.Violations with overloaded, or a fault
// of the store.
func (a *Authenticator) SignIn(r *http.Request, code, password string) (*SignedIn, error) {
	ctx := r.Context()
	if a.sessions == nil {
		return nil, &Denied{Violation: casm.Violation{Code: casm.Unauthenticated, Detail: wrongPassword}, Reason: "no sessions are kept"}
	}
	attempt, wait := a.throttle.begin(code, r.RemoteAddr, a.now())
	if wait > 0 {
		return nil, tooManyFailed(wait)
	}
	s, err := a.configuration.Config(ctx)
	if err != nil {
		attempt.forgive()
		return nil, fmt.Errorf("auth: read users: %w", err)
	}
	user, known := s.Item(UserCollection, code).(*casm.User)
	stored := ""
	if known && !user.Disabled {
		stored = user.Hash
	}
	if stored == "" {
		stored = noPassword()
	}
	right, err := verifyPassword(ctx, stored, password)
	if err != nil {
		attempt.forgive()
		return nil, err
	}
	if !right {
		d := &Denied{Violation: casm.Violation{Code: casm.Unauthenticated, Detail: wrongPassword}, Reason: "wrong password"}
		switch {
		case !known: // what was typed may be a password: it is not for the log
			d.Reason = "unknown user"
		case user.Disabled:
			d.Reason, d.User = "disabled user", code
		default:
			d.User = code
		}
		return nil, d
	}
	attempt.succeed()
	now := casm.TimeOf(a.now())
	session := &casm.Session{User: code, Era: user.Era, Created: now}
	session.Ends = a.endOf(session, now)
	cookie, err := a.beginSession(r, session)
	if err != nil {
		return nil, err
	}
	return &SignedIn{a.userPrincipal(s, user, session), cookie}, nil
}

// SignOut ends the session of a request, if there is one, and returns the
// cookie that clears the client's, and whose session it was, as an actor; "" of
// none. Errors: a fault of the store.
func (a *Authenticator) SignOut(r *http.Request) (cookie *http.Cookie, actor string, err error) {
	secret, ok := cookieOf(r)
	if !ok || a.sessions == nil {
		return a.cookie(r, ""), "", nil
	}
	session, err := a.session(r.Context(), hashOf(secret))
	if err != nil {
		return nil, "", err
	}
	if session != nil {
		actor = actorOf(session.User)
	}
	if err := a.endSession(r.Context(), hashOf(secret)); err != nil {
		return nil, "", err
	}
	return a.cookie(r, ""), actor, nil
}

// actorOf is what is recorded of who signed in.
func actorOf(user string) string {
	if strings.HasPrefix(user, oidcPrefix) {
		return user
	}
	return "user:" + user
}

// EndSessions removes all sessions of a user.
func (a *Authenticator) EndSessions(ctx context.Context, user string) error {
	if a.sessions == nil {
		return nil
	}
	err := a.sessions.EndSessions(ctx, user)
	a.seen.forgetUser(user)
	return err
}

func (a *Authenticator) endSession(ctx context.Context, hash [sha256.Size]byte) error {
	err := a.sessions.EndSession(ctx, hash)
	a.seen.forget(hash)
	if err != nil {
		return fmt.Errorf("auth: end a session: %w", err)
	}
	return nil
}

// cookie is one that holds a secret, or that clears it when it is "".
func (a *Authenticator) cookie(r *http.Request, secret string) *http.Cookie {
	c := &http.Cookie{
		Name: CookieName, Value: secret, Path: "/", MaxAge: int(a.life.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
	if secret == "" {
		c.MaxAge = -1
	}
	return c
}

// cookieOf returns the session's secret that a request came with. Of several
// none is taken: a page of a neighbouring host may have added one.
func cookieOf(r *http.Request) (string, bool) {
	cookies := r.CookiesNamed(CookieName)
	if len(cookies) != 1 || len(cookies[0].Value) != secretLength {
		return "", false
	}
	return cookies[0].Value, true
}

func hashOf(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// endOf returns when a session ends that is used now.
func (a *Authenticator) endOf(s *casm.Session, now casm.Time) casm.Time {
	return min(casm.TimeOf(now.Std().Add(a.idle)), casm.TimeOf(s.Created.Std().Add(a.life)))
}

// SameOrigin checks that a request that a browser may have made for a page of
// another site was not (CSRF). Errors: *Denied with forbidden.
func SameOrigin(r *http.Request) error {
	if err := crossOrigin.Check(r); err != nil {
		return &Denied{
			Violation: casm.Violation{Code: casm.Forbidden, Pointer: "Origin", Detail: "a session can be used from pages of this server only; others send an API key in the header Authorization"},
			Reason:    "another origin",
		}
	}
	return nil
}

var crossOrigin = http.NewCrossOriginProtection()

// bySession finds out who calls by the session's cookie; use moves its end.
func (a *Authenticator) bySession(r *http.Request, use bool) (*Principal, error) {
	secret, ok := cookieOf(r)
	if !ok {
		return nil, noSession("no session")
	}
	if err := SameOrigin(r); err != nil {
		return nil, err
	}
	ctx := r.Context()
	session, err := a.session(ctx, hashOf(secret))
	if err != nil {
		return nil, err
	}
	s, err := a.configuration.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("auth: read users: %w", err)
	}
	now := casm.TimeOf(a.now())
	if session == nil || now >= session.Ends || now >= casm.TimeOf(session.Created.Std().Add(a.life)) {
		return nil, noSession("unknown or ended session")
	}
	if strings.HasPrefix(session.User, oidcPrefix) {
		if a.oidc == nil || session.Era != a.oidc.Issuer() {
			d := noSession("session of another OIDC provider")
			d.User = session.User
			return nil, d
		}
		return vouched(s, session.User, session.Name, session.Roles, session.Ends), nil
	}
	user, known := s.Item(UserCollection, session.User).(*casm.User)
	if !known || user.Disabled || user.Era != session.Era {
		d := noSession("session of a user who has changed")
		d.User = session.User
		return nil, d
	}
	if ends := a.endOf(session, now); use && ends.Std().Sub(session.Ends.Std()) >= min(extendEvery, a.idle/10) {
		if err := a.sessions.ExtendSession(ctx, session.Hash, ends); err != nil {
			return nil, fmt.Errorf("auth: use a session: %w", err)
		}
		longer := *session
		longer.Ends = ends
		session = a.seen.extend(&longer)
	}
	return a.userPrincipal(s, user, session), nil
}

func noSession(reason string) *Denied {
	return &Denied{
		Violation: casm.Violation{Code: casm.Unauthenticated, Pointer: "Cookie", Detail: "the session is not known or has ended; sign in again"},
		Reason:    reason,
	}
}

func (a *Authenticator) userPrincipal(s *casm.Snapshot, user *casm.User, session *casm.Session) *Principal {
	return &Principal{
		User: user.Code, Name: user.Name, Actor: actorOf(user.Code),
		Permissions: granted(s, user.Permissions, user.Roles), Expires: session.Ends,
	}
}

// session returns the session with the hash, or nil; one that was seen within
// the last second without asking the store.
func (a *Authenticator) session(ctx context.Context, hash [sha256.Size]byte) (*casm.Session, error) {
	now := a.now()
	if s := a.seen.get(hash, now); s != nil {
		return s, nil
	}
	s, err := a.sessions.Session(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("auth: read a session: %w", err)
	}
	a.seen.put(hash, s, now)
	return s, nil
}

// sightings are the sessions that were seen of late.
type sightings struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]sighting
}

type sighting struct {
	session *casm.Session // never changed
	asked   time.Time     // when the store was asked
}

func (s *sightings) get(hash [sha256.Size]byte, now time.Time) *casm.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.all[hash]
	if age := now.Sub(x.asked); !ok || age < 0 || age >= askAgain {
		return nil
	}
	return x.session
}

// put notes what the store said, nil for none; asked is from before that.
func (s *sightings) put(hash [sha256.Size]byte, session *casm.Session, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session == nil {
		delete(s.all, hash)
		return
	}
	if s.all == nil {
		s.all = map[[sha256.Size]byte]sighting{}
	}
	if _, known := s.all[hash]; !known && len(s.all) >= maxSeen {
		for other := range s.all {
			delete(s.all, other)
			break
		}
	}
	s.all[hash] = sighting{session, asked}
}

// extend notes a later end of a session, unless it was forgotten meanwhile.
func (s *sightings) extend(session *casm.Session) *casm.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.all[session.Hash]; ok {
		s.all[session.Hash] = sighting{session, x.asked}
	}
	return session
}

func (s *sightings) forget(hash [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, hash)
}

func (s *sightings) forgetUser(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, x := range s.all {
		if x.session.User == user {
			delete(s.all, hash)
		}
	}
}
