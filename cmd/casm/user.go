package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"casm/app"
	"casm/auth"

	"golang.org/x/term"
)

type user struct {
	app.Data `embed:""`

	Create      createUser  `cmd:"" help:"Make a user, who can then sign in to the console."`
	List        listUsers   `cmd:"" help:"List the users."`
	SetPassword setPassword `cmd:"" name:"set-password" help:"Give a user another password, which ends their sessions."`
	Disable     disableUser `cmd:"" help:"Keep a user from signing in, and end their sessions."`
	Enable      enableUser  `cmd:"" help:"Let a user sign in again."`
	Delete      deleteUser  `cmd:"" help:"Delete a user, and end their sessions."`
}

// Help is what casm user --help adds.
func (user) Help() string {
	return `A server that runs on the data folder is reached through the socket in it and sees the change with its next request. A password is typed, without being shown, or read from a file; it is never an argument.

Examples:

  casm user create ann --name "Ann Example" --role "Organization Manager"
  casm user create bob --role Reader --password-file bob.txt
  casm user list
  casm user set-password ann
  casm user disable bob`
}

func (u *user) administer(ctx context.Context, create bool, to streams, fn func(app.Admin) error) error {
	return (&key{Data: u.Data}).administer(ctx, create, to, fn)
}

// secretOf says where a password comes from.
type secretOf struct {
	PasswordFile string `placeholder:"FILE" help:"File that holds the password, to its first line break; - is standard input. None: it is typed, twice, on the terminal."`
}

// read returns the password.
func (s secretOf) read(ctx context.Context, to streams) (string, error) {
	const flag = "--password-file"
	switch s.PasswordFile {
	case "":
		return typed(ctx, to)
	case "-":
		return app.Secret(flag, os.Stdin)
	}
	return app.SecretFile(flag, s.PasswordFile)
}

// typed asks for a password on the terminal, twice, without showing it.
func typed(ctx context.Context, to streams) (string, error) {
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return "", errors.New("there is no terminal to type a password on; give --password-file FILE, or - for standard input")
	}
	first, err := typedOnce(ctx, terminal, "Password: ", to)
	if err != nil {
		return "", err
	}
	second, err := typedOnce(ctx, terminal, "The same again: ", to)
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was done")
	}
	return first, nil
}

// typedOnce asks once. After Ctrl-C the terminal shows what is typed again.
func typedOnce(ctx context.Context, terminal int, prompt string, to streams) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprint(to.err, prompt) // one that is not seen can be answered all the same
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		_, _ = fmt.Fprintln(to.err)
		return string(l.text), l.err
	case <-ctx.Done(): // the process ends, and with it what reads
		_, _ = fmt.Fprintln(to.err)
		return "", errors.Join(errors.New("interrupted; nothing was done"), term.Restore(terminal, before))
	}
}

type createUser struct {
	Code       string   `arg:"" help:"What they sign in with: letters, digits and _ . @ -, such as ann or ann@example.com."`
	Name       string   `placeholder:"N" help:"Their name. None: as they sign in."`
	Role       []string `placeholder:"R" help:"A role, by code or name; may be repeated: \"Organization Manager\", \"Power User\", Reader, \"CRM Integration\", or one of your own."`
	Permission []string `placeholder:"P" help:"What they may do beside; may be repeated: casm:read, casm:write, balance:write, config:read, config:write, stream:read, dwh:read, admin."`
	secretOf   `embed:""`
}

// Help is what casm user create --help adds.
func (createUser) Help() string {
	return `Examples:

  casm user create ann --name "Ann Example" --role "Organization Manager"
  casm user create bob --role Reader --password-file bob.txt
  pwgen 20 1 | tee /dev/stderr | casm user create cid --role "Power User" --password-file -`
}

// Run makes a user.
func (c *createUser) Run(ctx context.Context, u *user, to streams) error {
	password, err := c.read(ctx, to)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = c.Code
	}
	return u.administer(ctx, true, to, func(a app.Admin) error {
		err := a.CreateUser(ctx, auth.User{Code: c.Code, Name: name, Roles: c.Role, Permissions: c.Permission}, password)
		return told(to, err, "user %s was made", c.Code)
	})
}

// told says what was done, unless it was not.
func told(to streams, err error, format string, args ...any) error {
	if err == nil {
		_, err = fmt.Fprintf(to.out, format+"\n", args...)
	}
	return err
}

type listUsers struct{}

// Help is what casm user list --help adds.
func (listUsers) Help() string { return "Example:\n\n  casm user list --data /var/lib/casm" }

// Run lists the users.
func (listUsers) Run(ctx context.Context, u *user, to streams) error {
	return u.administer(ctx, false, to, func(a app.Admin) error {
		users, err := a.Users(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "CODE\tNAME\tSTATE\tCREATED\tROLES\tPERMISSIONS") // what is wrong with w, Flush tells
		for _, x := range users {
			state := "valid"
			if x.Disabled {
				state = "disabled"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Code, x.Name, state, day(x.CreatedAt), listed(x.Roles), listed(x.Permissions))
		}
		return w.Flush()
	})
}

func listed(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ",")
}

type setPassword struct {
	Code     string `arg:"" help:"The user's code."`
	secretOf `embed:""`
}

// Help is what casm user set-password --help adds.
func (setPassword) Help() string {
	return "Examples:\n\n  casm user set-password ann\n  casm user set-password ann --password-file ann.txt"
}

// Run sets a password.
func (s *setPassword) Run(ctx context.Context, u *user, to streams) error {
	password, err := s.read(ctx, to)
	if err != nil {
		return err
	}
	return u.administer(ctx, false, to, func(a app.Admin) error {
		return told(to, a.SetPassword(ctx, s.Code, password), "the password of %s was set; their sessions ended", s.Code)
	})
}

type disableUser struct {
	Code string `arg:"" help:"The user's code."`
}

// Help is what casm user disable --help adds.
func (disableUser) Help() string { return "Example:\n\n  casm user disable bob" }

// Run disables a user.
func (d *disableUser) Run(ctx context.Context, u *user, to streams) error {
	return u.administer(ctx, false, to, func(a app.Admin) error {
		return told(to, a.SetDisabled(ctx, d.Code, true), "%s cannot sign in; their sessions ended", d.Code)
	})
}

type enableUser struct {
	Code string `arg:"" help:"The user's code."`
}

// Help is what casm user enable --help adds.
func (enableUser) Help() string { return "Example:\n\n  casm user enable bob" }

// Run enables a user.
func (e *enableUser) Run(ctx context.Context, u *user, to streams) error {
	return u.administer(ctx, false, to, func(a app.Admin) error {
		return told(to, a.SetDisabled(ctx, e.Code, false), "%s can sign in", e.Code)
	})
}

type deleteUser struct {
	Code string `arg:"" help:"The user's code."`
}

// Help is what casm user delete --help adds.
func (deleteUser) Help() string { return "Example:\n\n  casm user delete bob" }

// Run deletes a user.
func (d *deleteUser) Run(ctx context.Context, u *user, to streams) error {
	return u.administer(ctx, false, to, func(a app.Admin) error {
		return told(to, a.DeleteUser(ctx, d.Code), "%s was deleted", d.Code)
	})
}
