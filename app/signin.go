package app

import (
	"context"
	"log/slog"

	"casm/auth"
	"casm/command"
)

// signIn implements natsjs.SignIn: who may read the stream over the API may
// subscribe to it.
func (a *App) signIn(ctx context.Context, credential, remote string) (name string, ok bool, err error) {
	deny := func(key, reason string) {
		auth.Audit(ctx, a.log, "", "subscribe", auth.OutcomeDenied, remote, slog.String("reason", reason), slog.String("key", key))
	}
	who, err := a.auth.Identify(ctx, credential)
	if err != nil {
		if d := auth.DeniedBy(err); d != nil {
			deny(d.Key, d.Reason)
			err = nil
		}
		return "", false, err
	}
	if !who.May(command.ReadStream) {
		deny(who.Key, "needs "+string(command.ReadStream))
		return "", false, nil
	}
	return who.Actor, true, nil
}
