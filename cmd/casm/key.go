package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"casm"
	"casm/app"
	"casm/auth"
)

type key struct {
	app.Data `embed:""`

	Create createKey `cmd:"" help:"Make an API key and print it as the last word: this once, only a hash is kept."`
	List   listKeys  `cmd:"" help:"List the keys, revoked and expired ones too."`
	Revoke revokeKey `cmd:"" help:"End a key at once, for good."`
}

// Help is what casm key --help adds.
func (key) Help() string {
	return `A server that runs on the data folder is reached through the socket in it and sees the change with its next request.

Examples:

  casm key create --name crm --role "CRM Integration"
  casm key list
  casm key revoke abcdefghijklmnop`
}

// administer calls fn with what administers the data folder; create says
// whether to begin one that holds nothing yet.
func (k *key) administer(ctx context.Context, create bool, to streams, fn func(app.Admin) error) error {
	// What is refused is told as an error; who did what stands in the history of the keys.
	log := slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: slog.LevelError}))
	return app.Administer(ctx, k.Data, app.Actor(), create, log, fn)
}

type createKey struct {
	Name       string   `required:"" placeholder:"N" help:"Whose key it is; business transactions record it."`
	Permission []string `placeholder:"P" help:"What it may do; may be repeated: casm:read, casm:write, balance:write, config:read, config:write, stream:read, dwh:read, admin."`
	Role       []string `placeholder:"R" help:"A role, by code or name, whose permissions it has, as they are at each time; may be repeated: \"Organization Manager\", \"Power User\", Reader, \"CRM Integration\", or one of your own."`
	Expires    string   `placeholder:"WHEN" help:"When it ends: after a time such as 12h or 90d, or at a date such as 2027-01-31 or 2027-01-31T12:00:00+01:00. None: never."`
	Rate       int64    `placeholder:"N" help:"How many requests a second it may make. None: 5000."`
}

// Help is what casm key create --help adds.
func (createKey) Help() string {
	return `Examples:

  casm key create --name crm --role "CRM Integration" --expires 365d
  casm key create --name reports --permission casm:read --permission stream:read --rate 50
  KEY=$(casm key create --name script --role reader | awk '{print $NF}')`
}

// Run makes a key.
func (c *createKey) Run(ctx context.Context, k *key, to streams) error {
	expires, err := parseExpiry(c.Expires, time.Now())
	if err != nil {
		return err
	}
	return k.administer(ctx, true, to, func(a app.Admin) error {
		key, err := a.CreateKey(ctx, auth.NewKey{
			Name: c.Name, Permissions: c.Permission, Roles: c.Role, Expires: expires, RateLimit: c.Rate,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(to.out, "Key of %s, shown this once; send it as \"Authorization: Bearer <key>\": %s\n", c.Name, key)
		return err
	})
}

// parseExpiry reads a time from now, or a date.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, int(n)), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--expires %q: must be a time such as 12h or 90d, or a date such as 2027-01-31", s)
}

type listKeys struct{}

// Help is what casm key list --help adds.
func (listKeys) Help() string { return "Example:\n\n  casm key list --data /var/lib/casm" }

// Run lists the keys.
func (listKeys) Run(ctx context.Context, k *key, to streams) error {
	return k.administer(ctx, false, to, func(a app.Admin) error {
		keys, err := a.Keys(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "CODE\tNAME\tSTATE\tCREATED\tEXPIRES\tRATE\tROLES\tPERMISSIONS") // what is wrong with w, Flush tells
		for _, key := range keys {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", key.Code, key.Name, keyState(key, time.Now()),
				day(key.CreatedAt), day(key.Expires), rate(key.RateLimit), listed(key.Roles), listed(key.Permissions))
		}
		return w.Flush()
	})
}

func keyState(k auth.Key, now time.Time) string {
	switch {
	case k.Revoked:
		return "revoked"
	case k.Expires != 0 && casm.TimeOf(now) >= k.Expires:
		return "expired"
	}
	return "valid"
}

func day(t casm.Time) string {
	if t == 0 {
		return "-"
	}
	return t.Std().Format(time.DateOnly)
}

func rate(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10) + "/s"
}

type revokeKey struct {
	Code string `arg:"" help:"The key's code, as casm key list shows it."`
}

// Help is what casm key revoke --help adds.
func (revokeKey) Help() string { return "Example:\n\n  casm key revoke abcdefghijklmnop" }

// Run revokes a key.
func (r *revokeKey) Run(ctx context.Context, k *key, to streams) error {
	return k.administer(ctx, false, to, func(a app.Admin) error {
		if err := a.RevokeKey(ctx, r.Code); err != nil {
			return err
		}
		_, err := fmt.Fprintln(to.out, "revoked")
		return err
	})
}
