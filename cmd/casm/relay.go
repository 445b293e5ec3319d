package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"casm/app"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

type relay struct {
	Data string `env:"CASM_DATA" default:"./casm-data" placeholder:"DIR" help:"Data folder of a running server, through which it is done; of several servers on one database any (default: ${default})."`

	Status relayStatus `cmd:"" help:"Tell how far the stream is, and which server publishes."`
	Pause  relayPause  `cmd:"" help:"Stop publishing on all servers until it is resumed, also over restarts. Requests are answered all the same."`
	Resume relayResume `cmd:"" help:"Go on publishing where it was paused."`
	Adopt  relayAdopt  `cmd:"" help:"Let the stream follow a store that was put back to an earlier time."`
}

// Help is what casm relay --help adds.
func (relay) Help() string {
	return `The relay publishes the business transactions to the stream. One relay works at a time; where several servers share a database, the others stand by and take over when it dies or hangs.

Examples:

  casm relay status
  casm relay pause --data /var/lib/casm
  casm relay resume --data /var/lib/casm
  casm relay adopt`
}

func (r *relay) admin() app.Relay { return app.NewRelay(r.Data, app.Actor()) }

type relayStatus struct {
	JSON bool `name:"json" help:"Print it as JSON."`
}

// Help is what casm relay status --help adds.
func (relayStatus) Help() string {
	return `States:

  starting  the stream was not found yet
  running   this server publishes, or waits for something to publish
  standby   another server does; which one is told as holder
  paused    by casm relay pause
  blocked   stream and store disagree: see casm relay adopt
  failing   an error, told below; it is tried again

Examples:

  casm relay status
  casm relay status --json --data /var/lib/casm`
}

// Run tells the status.
func (c *relayStatus) Run(ctx context.Context, r *relay, to streams) error {
	s, err := r.admin().Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.MarshalWrite(to.out, s, jsontext.WithIndent("  "))
	}
	w := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { _, _ = fmt.Fprintf(w, "%s\t%v\n", name, value) } // what is wrong with w, Flush tells
	line("state", s.State)
	who := s.Holder
	if s.Leads {
		who += " (this server)"
	}
	line("holder", who)
	line("epoch", s.Epoch)
	line("store's last transaction", s.Head)
	if s.Published != "" {
		line("last on the stream", s.Published)
		line("behind", fmt.Sprintf("%d transactions, %v", s.LagTransactions, time.Duration(s.LagSeconds*float64(time.Second))))
	}
	if s.Error != "" {
		line("error", s.Error)
	}
	return w.Flush()
}

type relayPause struct{}

// Help is what casm relay pause --help adds.
func (relayPause) Help() string { return "Example:\n\n  casm relay pause --data /var/lib/casm" }

// Run pauses.
func (relayPause) Run(ctx context.Context, r *relay, to streams) error {
	if err := r.admin().Pause(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(to.out, "paused; other servers stop within a second")
	return err
}

type relayResume struct{}

// Help is what casm relay resume --help adds.
func (relayResume) Help() string { return "Example:\n\n  casm relay resume --data /var/lib/casm" }

// Run resumes.
func (relayResume) Run(ctx context.Context, r *relay, to streams) error {
	if err := r.admin().Resume(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(to.out, "resumed")
	return err
}

type relayAdopt struct {
	After string `placeholder:"POSITION" help:"Position of the feed behind which the stream goes on, such as 4711-0, or 0 for all from the first. None: it is found by comparing stream and store."`
	Force bool   `help:"Begins a new epoch also where stream and store agree, so that those who follow the feed start again."`
}

// Help is what casm relay adopt --help adds.
func (relayAdopt) Help() string {
	return `After the store was restored to an earlier time, the stream holds messages that the store knows nothing of. The relay then publishes nothing and is blocked, until this command says that the store is right. A new epoch begins; the stream goes on with what the store holds behind the last message that both have. What the stream holds of the lost time stays on it: subscribers see by the header Casm-Epoch that the log was put back, and start again from the feed, as the data warehouse does by itself.

Examples:

  casm relay status
  casm relay adopt
  casm relay adopt --after 4711-0
    where the stream's messages are gone, so that it cannot be found`
}

// Run adopts.
func (c *relayAdopt) Run(ctx context.Context, r *relay, to streams) error {
	done, err := r.admin().Adopt(ctx, app.AdoptRequest{After: c.After, Force: c.Force})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "epoch %d: the stream goes on behind position %s; %d messages on it are of what the store lost\n", done.Epoch, done.After, done.Lost)
	return err
}
