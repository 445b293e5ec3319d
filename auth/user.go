package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"

	"casm"
	"casm/command"
)

// UserCollection is the internal collection of configuration that holds the users.
const UserCollection = "users"

// User is what is told of a user: nothing secret.
type User struct {
	Code        string    `json:"code" in:"create,update" is:"required,fixed,max=64,pattern=[A-Za-z0-9_.@-]+" order:"-4" doc:"What they sign in with, such as ann or ann@example.com; it cannot be changed."`
	Name        string    `json:"name" in:"create,update" is:"required" order:"-3" doc:"Their name."`
	Description string    `json:"description,omitzero" in:"create,update" is:"multiline,max=4000" order:"-2" doc:"Who they are, for people."`
	Roles       []string  `json:"roles" in:"create,update" code:"roles" doc:"Codes of roles whose permissions they have, as they are at each time."`
	Permissions []string  `json:"permissions" in:"create,update" is:"enum=casm:read|casm:write|balance:write|config:read|config:write|stream:read|dwh:read|admin" doc:"What they may do beside what their roles may; admin implies all."`
	Disabled    bool      `json:"disabled" in:"create,update" doc:"Whether they cannot sign in. To set it ends their sessions."`
	CreatedAt   casm.Time `json:"createdAt" in:"update" is:"derived" doc:"When they were made."`
	Version     int64     `json:"version" in:"update" is:"derived" doc:"1, 2 …: one more with each change."`
}

// Password is what a request says beside a User.
type Password struct {
	Password string `json:"password,omitzero" in:"create,update" is:"max=1000" as:"secret" order:"-1" doc:"12 to 128 characters, without the user's own name. It is never told; a PUT without it keeps what stands, one with it ends the user's sessions. A user without one cannot sign in."`
}

// UserOf returns what is told of a user.
func UserOf(u *casm.User) User {
	return User{
		Code: u.Code, Name: u.Name, Description: u.Description, Roles: u.Roles, Permissions: u.Permissions,
		Disabled: u.Disabled, CreatedAt: u.CreatedAt, Version: u.Version,
	}
}

// Users administers users.
type Users Office

// List returns all users, by code.
func (u Users) List(ctx context.Context) ([]User, error) {
	s, err := Office(u).config(ctx)
	if err != nil {
		return nil, err
	}
	users := []User{}
	for _, item := range s.Items(UserCollection) {
		users = append(users, UserOf(item.(*casm.User)))
	}
	return users, nil
}

// Get returns one user. Errors: casm.Violations with not_found, and those of
// the engine.
func (u Users) Get(ctx context.Context, code string) (User, error) {
	user, err := get[*casm.User](ctx, Office(u), UserCollection, code)
	if err != nil {
		return User{}, err
	}
	return UserOf(user), nil
}

// Create makes a user; without a password they cannot sign in. Errors:
// casm.Violations, and those of the engine.
func (u Users) Create(ctx context.Context, actor, remote string, n User, password string) (made User, err error) {
	defer func() { err = Office(u).audit(ctx, actor, "user.create", remote, err, n.attrs(password)...) }()
	s, err := Office(u).config(ctx)
	if err != nil {
		return User{}, err
	}
	item, v := n.item(s, password)
	if err := v.Err(); err != nil {
		return User{}, err
	}
	item.CreatedAt, item.Era = casm.TimeOf(Office(u).now()), newEra()
	if password != "" {
		if item.Hash, err = hashPassword(ctx, password); err != nil {
			return User{}, err
		}
	}
	after, err := Office(u).edit(ctx, actor, command.ConfigEdit{
		Collection: casm.CollectionByPath(UserCollection), Code: n.Code, Item: item, Create: true,
	})
	if err != nil {
		return User{}, err
	}
	return UserOf(after.(*casm.User)), nil
}

// Replace replaces the user with the code; without a password it stays. One
// that is set, and Disabled, ends the user's sessions. ifMatch is the version
// that they must have, 0 for any. Errors: casm.Violations, and those of the
// engine.
func (u Users) Replace(ctx context.Context, actor, remote, code string, n User, password string, ifMatch int64) (now User, err error) {
	defer func() { err = Office(u).audit(ctx, actor, "user.replace", remote, err, n.attrs(password)...) }()
	return u.change(ctx, actor, code, password, ifMatch, func(s *casm.Snapshot, _ *casm.User) (*casm.User, casm.Violations) {
		return n.item(s, password)
	})
}

// SetPassword gives a user another password, which ends their sessions.
// Errors: casm.Violations, and those of the engine.
func (u Users) SetPassword(ctx context.Context, actor, remote, code, password string) (err error) {
	defer func() {
		err = Office(u).audit(ctx, actor, "user.set-password", remote, err, slog.String("user", clip(code)))
	}()
	_, err = u.change(ctx, actor, code, password, 0, func(_ *casm.Snapshot, old *casm.User) (*casm.User, casm.Violations) {
		same := *old
		var v casm.Violations
		if password == "" {
			v.Add(casm.Required, "/password", "give a password of %d to %d characters", MinPassword, MaxPassword)
		} else {
			checkPassword(password, old.Code, old.Name, &v)
		}
		return &same, v
	})
	return err
}

// SetDisabled keeps a user from signing in, which ends their sessions, or lets
// them again. Errors: casm.Violations, and those of the engine.
func (u Users) SetDisabled(ctx context.Context, actor, remote, code string, disabled bool) (err error) {
	defer func() {
		err = Office(u).audit(ctx, actor, "user.disable", remote, err, slog.String("user", clip(code)), slog.Bool("disabled", disabled))
	}()
	_, err = u.change(ctx, actor, code, "", 0, func(_ *casm.Snapshot, old *casm.User) (*casm.User, casm.Violations) {
		same := *old
		same.Disabled = disabled
		return &same, nil
	})
	return err
}

// Delete deletes a user, which ends their sessions. ifMatch is the version
// that they must have, 0 for any. Errors: casm.Violations, and those of the
// engine.
func (u Users) Delete(ctx context.Context, actor, remote, code string, ifMatch int64) (err error) {
	defer func() { err = Office(u).audit(ctx, actor, "user.delete", remote, err, slog.String("user", clip(code))) }()
	_, _, err = change(ctx, Office(u), actor, UserCollection, code, ifMatch, func(*casm.Snapshot, *casm.User) (casm.ConfigItem, error) {
		return nil, nil
	})
	if err == nil {
		u.endSessions(ctx, code)
	}
	return err
}

// change replaces a user by what fn makes of the present one; what a request
// cannot say is kept.
func (u Users) change(ctx context.Context, actor, code, password string, ifMatch int64,
	fn func(s *casm.Snapshot, old *casm.User) (*casm.User, casm.Violations),
) (User, error) {
	hash := ""
	now, before, err := change(ctx, Office(u), actor, UserCollection, code, ifMatch, func(s *casm.Snapshot, old *casm.User) (casm.ConfigItem, error) {
		item, v := fn(s, old)
		if err := v.Err(); err != nil {
			return nil, err
		}
		item.CreatedAt, item.Hash, item.Era = old.CreatedAt, old.Hash, old.Era
		if password != "" && hash == "" {
			var err error
			if hash, err = hashPassword(ctx, password); err != nil {
				return nil, err
			}
		}
		if password != "" {
			item.Hash = hash
		}
		if password != "" || item.Disabled && !old.Disabled {
			item.Era = newEra()
		}
		return item, nil
	})
	if err != nil {
		return User{}, err
	}
	if now.Era != before.Era {
		u.endSessions(ctx, code)
	}
	return UserOf(now), nil
}

// EndSessions ends all sessions that somebody has: a user, by code, or one whom
// the OIDC provider vouches for, by "oidc:" and their name. That there are none
// is no error. Errors: faults of the store.
func (u Users) EndSessions(ctx context.Context, actor, remote, who string) (err error) {
	defer func() {
		err = Office(u).audit(ctx, actor, "user.endSessions", remote, err, slog.String("user", clip(who)))
	}()
	if err := u.Sessions.EndSessions(ctx, who); err != nil {
		return fmt.Errorf("auth: end sessions: %w", err)
	}
	return nil
}

// endSessions removes the sessions of a user, which hold no more in any case.
func (u Users) endSessions(ctx context.Context, code string) {
	if u.Sessions == nil {
		return
	}
	if err := u.Sessions.EndSessions(context.WithoutCancel(ctx), code); err != nil {
		Office(u).log().Warn("sessions that ended are not removed yet", "user", code, "error", err)
	}
}

// newEra is one that never was.
func newEra() string {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

func (n User) attrs(password string) []slog.Attr {
	return []slog.Attr{
		slog.String("user", clip(n.Code)), slog.Any("permissions", few(n.Permissions)), slog.Any("roles", few(n.Roles)),
		slog.Bool("disabled", n.Disabled), slog.Bool("password", password != ""),
	}
}

var userCode = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\z`)

// item returns the user as stored, without what a request cannot say, or what
// is wrong with them.
func (n User) item(s *casm.Snapshot, password string) (*casm.User, casm.Violations) {
	permissions, roles, v := resolve(s, n.Permissions, n.Roles)
	if !userCode.MatchString(n.Code) {
		v.Add(casm.InvalidValue, "/code", "%q is no name to sign in with: 1 to 64 letters, digits and _ . @ -, a letter, digit or _ first", clip(n.Code))
	}
	checkTexts(n.Name, n.Description, "a user needs a name", &v)
	if password != "" {
		checkPassword(password, n.Code, n.Name, &v)
	}
	v.Sort()
	return &casm.User{
		Item:  casm.Item{Code: n.Code, Name: n.Name, Description: n.Description},
		Roles: roles, Permissions: permissions, Disabled: n.Disabled,
	}, v
}
