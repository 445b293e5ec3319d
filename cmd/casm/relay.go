package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"casm"
	"casm/app"
	"casm/httpapi"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

type relay struct {
	Data string `env:"CASM_DATA" default:"./casm-data" placeholder:"DIR" help:"Data folder of a running server, through which it is done; of several servers on one database any (default: ${default})."`

	Status relayStatus `cmd:"" help:"Tell how far the stream and the pub-sub endpoints are, and which server publishes."`
	Pause  relayPause  `cmd:"" help:"Stop publishing on all servers until it is resumed, also over restarts. Requests are answered all the same."`
	Resume relayResume `cmd:"" help:"Go on publishing where it was paused; of an endpoint also what is parked."`
	Replay relayReplay `cmd:"" help:"Let an endpoint send again what follows a position or a time."`
	Adopt  relayAdopt  `cmd:"" help:"Let the stream follow a store that was put back to an earlier time."`
}

// Help is what casm relay --help adds.
func (relay) Help() string {
	return `The relay publishes the business transactions to the stream. One relay works at a time; where several servers share a database, the others stand by and take over when it dies or hangs.

Examples:

  casm relay status
  casm relay pause --data /var/lib/casm
  casm relay resume --data /var/lib/casm
  casm relay resume --endpoint crm
  casm relay replay --endpoint crm --after 4711-0
  casm relay adopt`
}

func (r *relay) admin() app.Relay { return app.NewRelay(r.Data, app.Actor()) }

// oneEndpoint is the flag that names an endpoint in the place of the stream.
type oneEndpoint struct {
	Endpoint string `placeholder:"CODE" help:"A pub-sub endpoint, by its code, instead of the built-in stream."`
}

type relayStatus struct {
	oneEndpoint
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

Of a pub-sub endpoint the state is that of all servers together.

Examples:

  casm relay status
  casm relay status --endpoint crm
  casm relay status --json --data /var/lib/casm`
}

// Run tells the status.
func (c *relayStatus) Run(ctx context.Context, r *relay, to streams) error {
	if c.Endpoint != "" {
		return c.endpoint(ctx, r, to)
	}
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
	if err := w.Flush(); err != nil {
		return err
	}
	all, err := r.admin().Streams(ctx)
	if err != nil || len(all) < 2 {
		return err
	}
	_, _ = fmt.Fprintln(w, "\nendpoint\ttype\tstate\tposition\tlag\tbehind\tparked")
	for _, e := range all[1:] { // the first is the stream
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", e.Code, e.Type, e.State, e.Position, number(e.LagTransactions), orDash(e.CustomersBehind), orDash(e.Parked))
	}
	return w.Flush()
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func orDash(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// endpoint tells the status of one endpoint.
func (c *relayStatus) endpoint(ctx context.Context, r *relay, to streams) error {
	all, err := r.admin().Streams(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s httpapi.Stream) bool { return s.Code == c.Endpoint })
	if i < 0 {
		return fmt.Errorf("there is no endpoint %q; casm relay status lists them", c.Endpoint)
	}
	s := all[i]
	if c.JSON {
		return json.MarshalWrite(to.out, s, jsontext.WithIndent("  "))
	}
	w := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { _, _ = fmt.Fprintf(w, "%s\t%v\n", name, value) } // as above
	line("state", s.State)
	line("holder", s.Holder)
	line("position", s.Position)
	line("behind the log", fmt.Sprintf("%d transactions, %d s", number(s.LagTransactions), number(s.LagSeconds)))
	if s.CustomersBehind != nil {
		line("customers behind", *s.CustomersBehind)
		line("parked of them", number(s.Parked))
	}
	if s.LastError != "" {
		line("last error", s.LastError)
		line("at", s.LastErrorAt)
	}
	return w.Flush()
}

type relayPause struct{ oneEndpoint }

// Help is what casm relay pause --help adds.
func (relayPause) Help() string { return "Example:\n\n  casm relay pause --data /var/lib/casm" }

// Run pauses.
func (c *relayPause) Run(ctx context.Context, r *relay, to streams) error {
	var err error
	if c.Endpoint == "" {
		err = r.admin().Pause(ctx)
	} else {
		err = r.admin().Act(ctx, c.Endpoint, "pause", app.StreamRequest{})
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, "paused; other servers stop within a second")
	return err
}

type relayResume struct {
	oneEndpoint
	oneCustomer
}

// oneCustomer are the flags that name a customer.
type oneCustomer struct {
	Customer   string `placeholder:"REFID" help:"Only this customer's messages, by its refId."`
	ExternalID string `name:"customer-external-id" placeholder:"ID" help:"Only this customer's messages, by its externalId."`
}

func (c *oneCustomer) ref() (ref casm.Ref, err error) {
	ref.ExternalID = c.ExternalID
	if c.Customer != "" {
		if ref.RefID, err = uuid.Parse(c.Customer); err != nil {
			err = fmt.Errorf("--customer %q: no refId; --customer-external-id takes an externalId", c.Customer)
		}
	}
	return ref, err
}

// Help is what casm relay resume --help adds.
func (relayResume) Help() string {
	return `An endpoint goes on where it was paused, and customers that were parked are tried again. With a customer only its parked messages are tried again.

Examples:

  casm relay resume --data /var/lib/casm
  casm relay resume --endpoint crm
  casm relay resume --endpoint crm --customer-external-id C-4711`
}

// Run resumes.
func (c *relayResume) Run(ctx context.Context, r *relay, to streams) error {
	customer, err := c.ref()
	switch {
	case err != nil:
	case c.Endpoint != "":
		err = r.admin().Act(ctx, c.Endpoint, "resume", app.StreamRequest{Customer: customer})
	case !customer.IsZero():
		err = errors.New("a customer's messages are parked by endpoints alone: name one with --endpoint")
	default:
		err = r.admin().Resume(ctx)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, "resumed")
	return err
}

type relayReplay struct {
	Endpoint string `required:"" placeholder:"CODE" help:"The pub-sub endpoint, by its code."`
	After    string `placeholder:"POSITION" help:"Position of the feed behind which to begin, such as 4711-0, 4711 for behind all of transaction 4711, or 0 for all from the first."`
	Since    string `placeholder:"TIME" help:"Begins with what was written then, such as 2026-05-01T00:00:00Z, instead of --after."`
	oneCustomer
}

// Help is what casm relay replay --help adds.
func (relayReplay) Help() string {
	return `An endpoint sends again what follows a position or a time: everything, or of a webhook one customer's messages. Receivers know what they have by the id of each message. The built-in stream is not replayed: it holds each message once, and subscribers read it from where they like.

Examples:

  casm relay replay --endpoint crm --after 4711-0
  casm relay replay --endpoint crm --since 2026-05-01T00:00:00Z
  casm relay replay --endpoint crm --after 0 --customer-external-id C-4711`
}

// Run replays.
func (c *relayReplay) Run(ctx context.Context, r *relay, to streams) error {
	q := app.StreamRequest{After: c.After}
	var err error
	if q.Customer, err = c.ref(); err != nil {
		return err
	}
	if c.Since != "" {
		if q.Since, err = casm.ParseTime(c.Since); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	if err := r.admin().Act(ctx, c.Endpoint, "replay", q); err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, "it is sent again, within a second")
	return err
}

type relayAdopt struct {
	After string `placeholder:"POSITION" help:"Position of the feed behind which the stream goes on, such as 4711-0, 4711 for behind all of transaction 4711, or 0 for all from the first. None: it is found by comparing stream and store."`
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
