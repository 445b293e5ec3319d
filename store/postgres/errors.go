package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"casm/store"

	"github.com/jackc/pgx/v5/pgconn"
)

// Conditions that PostgreSQL names, and those of our own that casm_assert gives.
const (
	codeClaimLost     = "ZC001" // a claim is not held by what the WriteSet said
	codeConflict      = "ZC002" // an entity is not of the version that was loaded
	codeBelowZero     = "ZC003" // fewer than no uses
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeLockTimeout   = "55P03"
	codeReadOnly      = "25006"
	codeIdleTooLong   = "25P03" // in a transaction
	codeUnique        = "23505"
	codeNoTable       = "42P01"
	codeNotSupported  = "0A000" // writing, on a standby; a prepared statement whose columns have changed
	codeNoStatement   = "26000" // no such prepared statement
)

var (
	// errDecode: what PostgreSQL sent is not what was asked for.
	errDecode = errors.New("unexpected result")
	// errRefused: what is to be written is wrong, as seen before it was sent.
	errRefused = errors.New("refused")
)

// codeOf returns the SQLSTATE of a refusal by the database, or "".
func codeOf(err error) string {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

// fatal reports whether the database said that it ends the connection.
func fatal(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.SeverityUnlocalized != "ERROR" && refusal.SeverityUnlocalized != ""
}

// taken reports whether a claim was taken, or an entity made, by another that
// did not exist when it was decided.
func taken(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Code == codeUnique &&
		(refusal.TableName == "claim" || strings.HasPrefix(refusal.TableName, "entity_") && refusal.TableName != "entity_attribute")
}

// lost reports whether err is the loss of a connection, or one that could not
// be had: everything that the database has not said itself.
func lost(err error) bool {
	return err != nil && codeOf(err) == "" && !errors.Is(err, errDecode) && !errors.Is(err, errRefused)
}

// stale reports whether another connection may do better: this one leads to a
// server that cannot be written to any more, or has statements from before the
// schema was changed.
func stale(err error) bool {
	switch codeOf(err) {
	case codeReadOnly, codeNotSupported, codeNoStatement:
		return true
	}
	return false
}

// classify gives an error of a call in which nothing was done its place in the
// store's contract. A refusal of what was asked for stays as it is; that the
// database is away, full, stopping or held by others is ErrUnavailable.
func classify(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown) {
		return err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, ended, err)
	}
	if lost(err) || fatal(err) || stale(err) || away(codeOf(err)) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// away reports whether an SQLSTATE is about the server, not about what was
// asked for: trying parts of it alone would not help.
func away(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "08", "40", "53", "57", "58", "XX":
		return true
	}
	return code == codeLockTimeout || code == codeIdleTooLong
}

// errorf classifies an error and says at what it came about; nil stays nil.
func errorf(ctx context.Context, err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return classify(ctx, fmt.Errorf(format+": %w", append(a, err)...))
}
