package natsjs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// LevelTrace is below slog.LevelDebug: what the server itself calls debugging.
const LevelTrace = slog.LevelDebug - 4

// logAdapter hands the server's messages to slog. Its notices (a banner of
// twenty lines at each start) are debugging to an operator of casm.
type logAdapter struct {
	log   *slog.Logger
	fatal chan string // takes the first fatal message
}

func (l *logAdapter) write(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "stream server: "+fmt.Sprintf(format, v...))
	}
}

func (l *logAdapter) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *logAdapter) Debugf(format string, v ...any)  { l.write(LevelTrace, format, v) }
func (l *logAdapter) Tracef(format string, v ...any)  { l.write(LevelTrace, format, v) }

// Errorf tells what a client did wrong, such as a token that is not right, as a
// warning: it is no fault of ours. The server puts the client before the message.
func (l *logAdapter) Errorf(format string, v ...any) {
	level := slog.LevelError
	if strings.Contains(format, " - cid:") {
		level = slog.LevelWarn
	}
	l.write(level, format, v)
}

// Warnf leaves out what warns of passwords in a file: ours are random, made at
// each start, and in no file.
func (l *logAdapter) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords detected") {
		l.write(slog.LevelWarn, format, v)
	}
}

// Fatalf does not end the process, as it would in a server of its own: Start
// returns the message.
func (l *logAdapter) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
		l.write(slog.LevelError, format, v)
	}
}
