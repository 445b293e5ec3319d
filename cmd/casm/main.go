// Command casm is a system of record for customers, accounts, subscribers and
// their subscriptions.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // --time-zone works on machines without a time zone database

	"casm"

	"github.com/alecthomas/kong"
)

// commandLine is the whole command line.
type commandLine struct {
	Serve         serve         `cmd:"" help:"Run a server: API, stream, relay, worker for planned changes."`
	Key           key           `cmd:"" help:"Make, list and revoke API keys, of a running server or on its data folder."`
	User          user          `cmd:"" help:"Make, list and disable the people who can sign in, of a running server or on its data folder."`
	Configuration configuration `cmd:"" name:"config" help:"Export, compare and import the configuration as code."`
	Warehouse     warehouse     `cmd:"" help:"Work on the data warehouse: follow, rebuild, query, export."`
	Backup        backup        `cmd:"" help:"Copy the embedded data, while a server runs on it or not."`
	Restore       restore       `cmd:"" help:"Make the embedded data of a backup."`
	Migrate       migrate       `cmd:"" help:"Bring the schema of a PostgreSQL database to this release's, also while servers run on it."`
	Relay         relay         `cmd:"" help:"Look after the relay that publishes to the stream: status, pause, resume, adopt."`
	Load          load          `cmd:"" help:"Measure a server under load."`
	OpenAPI       openAPI       `cmd:"" name:"openapi" help:"Print the API's description (OpenAPI 3.1)."`
	Version       version       `cmd:"" help:"Print the version."`

	Config kong.ConfigFlag `env:"CASM_CONFIG" placeholder:"FILE" help:"File of settings (YAML): flags' names without dashes in front, such as \"listen: 127.0.0.1:8080\"."`
}

// Help is what casm --help adds.
func (commandLine) Help() string {
	return `Examples:

  casm serve --dev --demo
  casm key create --name crm --role "CRM Integration"
  casm load --clients 64`
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// gcPercent lets the heap grow to five times what lives before it is collected:
// what lives is small here, and collecting it often would take a tenth of the
// processor under load. GOGC and GOMEMLIMIT, if set, win.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// The first signal asks to stop, a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// exitCode is what kong's own exits (--help, a wrong command line) end with.
type exitCode int

// coded is an error that the program ends with another code than 1 for.
type coded struct {
	error
	code int
}

// Unwrap returns the error.
func (c coded) Unwrap() error { return c.error }

// run is the program: 0 when all went well, 1 after an error, 2 when the
// command line was wrong or as the command has it.
func run(ctx context.Context, args []string, s streams) (code int) {
	defer func() {
		if r := recover(); r != nil {
			c, ok := r.(exitCode)
			if !ok {
				panic(r)
			}
			code = int(c)
		}
	}()
	var cl commandLine
	parser := newParser(ctx, &cl, s)
	command, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "casm: %v\n", err)
		if _, ok := errors.AsType[*kong.ParseError](err); ok {
			_, _ = fmt.Fprintln(s.err, "casm --help, and --help of each command, tell what can be given")
		}
		return 2
	}
	if err := command.Run(); err != nil {
		report(s.err, err)
		if c, ok := errors.AsType[coded](err); ok {
			return c.code
		}
		return 1
	}
	return 0
}

// newParser makes what reads a command line into cl.
func newParser(ctx context.Context, cl *commandLine, s streams) *kong.Kong {
	return kong.Must(
		cl,
		kong.Name("casm"),
		kong.Description("A system of record for customers, accounts, subscribers and their subscriptions."),
		kong.Configuration(yamlSettings),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exitCode(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
}

// report tells an error; what is wrong with a request, a line each.
func report(w io.Writer, err error) {
	v, ok := errors.AsType[casm.Violations](err)
	if !ok {
		_, _ = fmt.Fprintf(w, "casm: %v\n", err)
		return
	}
	for _, x := range v {
		_, _ = fmt.Fprintf(w, "casm: %s: %s\n", x.Code, x.Detail)
	}
}
