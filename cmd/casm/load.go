package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"casm/app"
	"casm/bench"
)

type load struct {
	Scenario          []string      `default:"create-customer" enum:"create-customer,update-one,update-each,balance-one,balance-each,read" placeholder:"S" help:"What the clients do: ${enum}; several with commas (default: ${default})."`
	Clients           []int         `default:"1,16,64,256" placeholder:"N" help:"How many clients at once, each on a connection of its own (default: ${default})."`
	Duration          time.Duration `default:"3s" help:"How long each is measured (default: ${default})."`
	Warmup            time.Duration `default:"500ms" help:"How long before it is measured (default: ${default})."`
	Target            string        `placeholder:"URL" help:"A running server with the demonstration, such as http://127.0.0.1:8080. It gets many customers. None: a server of its own, on a temporary folder."`
	APIKey            string        `env:"CASM_API_KEY" placeholder:"KEY" help:"API key for --target."`
	app.ClientTLS     `embed:""`
	Rate              float64 `placeholder:"N" help:"Requests a second that all clients send together; latencies then count from when a request was due. None: as many as are answered."`
	Warehouse         bool    `help:"Keeps the data warehouse of a server of its own on, and reports how far it fell behind."`
	BatchLimit        int     `placeholder:"N" help:"Batch limit of the server of its own. None: the default."`
	Database          string  `env:"CASM_LOAD_DATABASE" placeholder:"URL" help:"PostgreSQL for the server of its own, postgres://…; it gets many customers, so give it a database for this alone."`
	Servers           int     `default:"1" placeholder:"N" help:"How many servers of its own share the database; clients take turns (default: ${default})."`
	CompareBatchLimit int     `placeholder:"N" help:"Measures a second server of its own with this batch limit too, in turns with the first."`
	JSON              bool    `name:"json" help:"Print the results as JSON."`
}

// Help is what casm load --help adds.
func (load) Help() string {
	return `Each client sends its next request when it has the answer to the one before. The server measured, the clients, and everything else on the machine share its processors: compare results of one machine only.

  create-customer  each request creates a customer by profile, with an external id
  update-one       all clients change the name of one customer
  update-each      each client changes the name of a customer of its own
  balance-one      all clients deduct from one balance
  balance-each     each client deducts from a balance of its own
  read             each request reads a customer

Examples:

  casm load
  casm load --compare-batch-limit 1
  casm load --clients 64 --scenario update-one,update-each
  casm load --clients 64,256 --compare-batch-limit 1 --database postgres://casm@127.0.0.1/casm_load
  casm load --clients 64 --scenario update-one,update-each --servers 2 --database postgres://casm@127.0.0.1/casm_load
  casm load --clients 64 --warehouse --rate 2000 --duration 30s
  casm load --target https://casm.example --api-key "$KEY" --clients 16 --duration 1m --json`
}

// Validate is called when the command line was read.
func (l *load) Validate() error {
	for _, n := range l.Clients {
		if n < 1 || n > bench.MaxClients {
			return fmt.Errorf("--clients %d: must be from 1 to %d", n, bench.MaxClients)
		}
	}
	if l.Duration < 100*time.Millisecond || l.Duration > 24*time.Hour {
		return errors.New("--duration must be from 100ms to 24h")
	}
	if l.Warmup < 0 || l.Warmup > time.Hour {
		return errors.New("--warmup must be from 0s to 1h")
	}
	if err := (&app.Data{Database: l.Database}).Check(); err != nil {
		return err
	}
	switch {
	case l.Servers < 1 || l.Servers > 16:
		return fmt.Errorf("--servers %d: must be from 1 to 16", l.Servers)
	case l.Servers > 1 && l.Database == "":
		return errors.New("--servers: several need a --database")
	case l.Servers > 1 && l.Warehouse:
		return errors.New("--warehouse: the lag is measured of one server, not with --servers above 1")
	case l.Target != "" && l.Database != "":
		return errors.New("--database is for a server of its own, not with --target")
	}
	if l.Rate < 0 {
		return errors.New("--rate must not be below 0")
	}
	if l.Target != "" {
		u, err := url.Parse(l.Target)
		if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("--target must be an address such as http://127.0.0.1:8080")
		}
		if err := l.ClientTLS.Check(); err != nil {
			return err
		}
		if l.BatchLimit != 0 || l.CompareBatchLimit != 0 {
			return errors.New("the batch limit can be given for a server of its own only, not with --target")
		}
	}
	return nil
}

// turn is how long servers are measured in turns when they are compared: short
// enough that what else the machine does falls on all alike.
const turn = 500 * time.Millisecond

// contender is one server that is measured.
type contender struct {
	label  string // its batch limit
	target *bench.Target
}

// Run measures.
func (l *load) Run(ctx context.Context, to streams) (err error) {
	contenders, stop, err := l.contenders(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	out := newReport(to, l.JSON)
	for _, scenario := range l.Scenario {
		for _, clients := range l.Clients {
			if err := l.measure(ctx, out, contenders, bench.Run{
				Scenario: scenario, Clients: clients, Duration: l.Duration, Warmup: l.Warmup, Rate: l.Rate,
			}); err != nil {
				return errors.Join(err, out.end())
			}
		}
	}
	return out.end()
}

// measure measures all contenders, in turns when there are several.
func (l *load) measure(ctx context.Context, out *loadReport, contenders []contender, r bench.Run) error {
	results, lags := make([]bench.Result, len(contenders)), make([]lag, len(contenders))
	turns := 1
	if len(contenders) > 1 {
		turns = max(1, int(r.Duration/turn))
		r.Duration /= time.Duration(turns)
		r.Warmup /= time.Duration(turns)
	}
	for range turns {
		for i, c := range contenders {
			r.Progress = out.progress(r, c.label)
			watch := func() (lag, error) { return lag{}, nil }
			if l.Warehouse {
				watch = watchLag(ctx, c.target)
			}
			result, err := bench.Measure(ctx, c.target, r)
			fell, lagErr := watch()
			if err := errors.Join(err, lagErr); err != nil {
				return err
			}
			lags[i].add(fell)
			results[i].Add(result)
		}
	}
	for i, c := range contenders {
		if err := out.add(r, c.label, &results[i], lags[i]); err != nil {
			return err
		}
	}
	return nil
}

// contenders gives what is measured, and what ends it.
func (l *load) contenders(ctx context.Context) ([]contender, func() error, error) {
	if l.Target != "" {
		u, err1 := url.Parse(l.Target)
		config, err2 := l.Config()
		return []contender{{"-", &bench.Target{URL: u, Key: l.APIKey, TLS: config}}}, func() error { return nil }, errors.Join(err1, err2)
	}
	limits := []int{l.BatchLimit}
	if l.CompareBatchLimit != 0 {
		limits = append(limits, l.CompareBatchLimit)
	}
	var all []contender
	var servers []*ownServer
	stop := func() error {
		var errs []error
		for _, s := range slices.Backward(servers) {
			errs = append(errs, s.stop())
		}
		return errors.Join(errs...)
	}
	for _, limit := range limits {
		var target *bench.Target
		for range l.Servers {
			s, err := startOwn(ctx, limit, l.Database, l.Warehouse)
			if err != nil {
				return nil, nil, errors.Join(err, stop())
			}
			servers = append(servers, s)
			if target == nil {
				target = &bench.Target{URL: s.url}
			} else {
				target.Others = append(target.Others, &bench.Target{URL: s.url})
			}
		}
		label := "default"
		if limit != 0 {
			label = fmt.Sprint(limit)
		}
		all = append(all, contender{label, target})
	}
	return all, stop, nil
}

// isTerminal reports whether a file is shown to somebody.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
