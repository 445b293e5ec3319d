package auth

import (
	"context"
	"fmt"
	"log/slog"
)

// The outcomes that an audit record has.
const (
	OutcomeDone    = "done"
	OutcomeDenied  = "denied"
	OutcomeRefused = "refused"
)

// Outcomes are all of them.
var Outcomes = []string{OutcomeDone, OutcomeDenied, OutcomeRefused}

// Audit records a denied or administrative act (contract 11): who did what, what
// came of it, and from where. It writes a line to the log and, where that is
// Audited, a record: of what was done at once, of what was not within a second.
// attrs must hold no secret.
func Audit(ctx context.Context, log *slog.Logger, actor, act, outcome, remote string, attrs ...slog.Attr) {
	if outcome == OutcomeDone {
		if err := AuditDone(ctx, log, actor, act, remote, attrs...); err != nil {
			log.LogAttrs(ctx, slog.LevelError, "an act that was done is not in the audit", slog.String("act", act), slog.Any("error", err))
		}
		return
	}
	logAct(ctx, log, slog.LevelWarn, actor, act, outcome, remote, attrs)
	if t := trailOf(log); t != nil {
		t.gather(actor, act, outcome, remote, attrs)
	}
}

// AuditDone is Audit of an administrative act that was done and must not be
// answered before its record is on the disk. Error: *Unrecorded.
func AuditDone(ctx context.Context, log *slog.Logger, actor, act, remote string, attrs ...slog.Attr) error {
	logAct(ctx, log, slog.LevelInfo, actor, act, OutcomeDone, remote, attrs)
	if t := trailOf(log); t != nil {
		if err := t.write(ctx, actor, act, remote, attrs); err != nil {
			return &Unrecorded{Act: act, Err: err}
		}
	}
	return nil
}

// Unrecorded is the error of an act that was done, but is not in the audit.
type Unrecorded struct {
	Act string
	Err error
}

// Error implements error.
func (u *Unrecorded) Error() string {
	return fmt.Sprintf("%s was done, but could not be written to the audit (the log has it): %v", u.Act, u.Err)
}

// Unwrap returns why.
func (u *Unrecorded) Unwrap() error { return u.Err }

func logAct(ctx context.Context, log *slog.Logger, level slog.Level, actor, act, outcome, remote string, attrs []slog.Attr) {
	log.LogAttrs(ctx, level, "audit", append([]slog.Attr{
		slog.String("actor", actor), slog.String("act", act),
		slog.String("outcome", outcome), slog.String("remote", remote),
	}, attrs...)...)
}

// Audited returns the log with a trail that keeps what is audited there. So
// whoever has the log audits, and nobody can forget to keep it.
func Audited(log *slog.Logger, t *Trail) *slog.Logger {
	return slog.New(audited{log.Handler(), t})
}

// audited is a log's handler that knows the trail.
type audited struct {
	slog.Handler
	trail *Trail
}

// WithAttrs implements slog.Handler.
func (a audited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return audited{a.Handler.WithAttrs(attrs), a.trail}
}

// WithGroup implements slog.Handler.
func (a audited) WithGroup(name string) slog.Handler {
	return audited{a.Handler.WithGroup(name), a.trail}
}

// trailOf returns the trail of a log; nil when it is only a log.
func trailOf(log *slog.Logger) *Trail {
	a, _ := log.Handler().(audited)
	return a.trail
}
