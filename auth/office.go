package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"casm"
	"casm/command"
)

// Office is what those who administer work with: Keys, Roles and Users are
// parts of it.
type Office struct {
	Configuration Configuration
	Logger        *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// KeepAdmin refuses, with in_use, what would leave nobody with the
	// permission admin who can sign in or has a valid key.
	KeepAdmin bool
	// Sessions are where those of people are kept; Users needs it.
	Sessions SessionEnder
	// Request is what the audit tells of the request that asks for it, such as
	// its id; nil: there is none.
	Request []slog.Attr
}

// SessionEnder removes all sessions of a user.
type SessionEnder interface {
	EndSessions(ctx context.Context, user string) error
}

func (o Office) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o Office) log() *slog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// audit records what came of an act, and returns its error, or that it could
// not be recorded.
func (o Office) audit(ctx context.Context, actor, act, remote string, err error, attrs ...slog.Attr) error {
	attrs = append(attrs, o.Request...)
	if err == nil {
		return AuditDone(ctx, o.log(), actor, act, remote, attrs...)
	}
	Audit(ctx, o.log(), actor, act, OutcomeRefused, remote, append(attrs, slog.String("error", err.Error()))...)
	return err
}

// config reads the configuration.
func (o Office) config(ctx context.Context) (*casm.Snapshot, error) {
	s, err := o.Configuration.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("auth: read the configuration: %w", err)
	}
	return s, nil
}

// edit carries out one change and returns the item as it is then.
func (o Office) edit(ctx context.Context, actor string, e command.ConfigEdit) (casm.ConfigItem, error) {
	if o.KeepAdmin {
		e.Check = keepAdmin(casm.TimeOf(o.now()))
	}
	changes, err := o.Configuration.EditConfig(ctx, actor, false, []command.ConfigEdit{e})
	if err != nil {
		if v, ok := errors.AsType[casm.Violations](err); ok {
			return nil, v
		}
		return nil, fmt.Errorf("auth: change %s: %w", e.Collection.Path, err)
	}
	for _, c := range changes {
		if c.Code == e.Code {
			return c.After, nil
		}
	}
	return nil, nil // nothing changed
}

// change replaces an item by what fn makes of the present one, which it leaves
// as it is; nil deletes it. What others change meanwhile is looked at again, so that
// nothing of theirs is lost. ifMatch is the version that must stand; 0 for any.
// It returns the item as it stands then, and as it stood before.
func change[T casm.ConfigItem](ctx context.Context, o Office, actor, collection, code string, ifMatch int64,
	fn func(s *casm.Snapshot, old T) (casm.ConfigItem, error),
) (now, before T, err error) {
	for {
		s, err := o.config(ctx)
		if err != nil {
			return now, before, err
		}
		old, ok := s.Item(collection, code).(T)
		if !ok {
			return now, before, noItem(collection, code)
		}
		item, err := fn(s, old)
		if err != nil {
			return now, before, err
		}
		e := command.ConfigEdit{Collection: casm.CollectionByPath(collection), Code: code, Item: item, Replace: true, IfMatch: old.Base().Version}
		if ifMatch != 0 {
			e.IfMatch = ifMatch
		}
		after, err := o.edit(ctx, actor, e)
		if v, ok := errors.AsType[casm.Violations](err); ok && v.Has(casm.VersionMismatch) && ifMatch == 0 && ctx.Err() == nil {
			continue // who lost to another tries as often as it takes: one of them gets on each time
		}
		if err != nil {
			return now, before, err
		}
		if after == nil && item != nil {
			return old, old, nil
		}
		now, _ = after.(T)
		return now, old, nil
	}
}

// get returns one item as it stands.
func get[T casm.ConfigItem](ctx context.Context, o Office, collection, code string) (item T, err error) {
	s, err := o.config(ctx)
	if err != nil {
		return item, err
	}
	item, ok := s.Item(collection, code).(T)
	if !ok {
		return item, noItem(collection, code)
	}
	return item, nil
}

// nouns are what people call the items of a collection.
var nouns = map[string]string{Collection: "key", RoleCollection: "role", UserCollection: "user"}

func noItem(collection, code string) casm.Violations {
	return casm.Violations{{Code: casm.NotFound, Detail: fmt.Sprintf("there is no %s %q", nouns[collection], clip(code))}}
}
