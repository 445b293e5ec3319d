// Command subscribe prints the business transactions that a casm server
// publishes, the first ones first: an example of a subscriber that resumes
// where it left off. Where there is no --dev, CASM_API_KEY holds a key with the
// permission stream:read.
//
//	go run ./demo/subscribe -url nats://127.0.0.1:4222 -name my-crm
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	url := flag.String("url", nats.DefaultURL, "the server, as casm serve prints it")
	name := flag.String("name", "", "a name under which the place in the stream is kept; none: from the first message each time")
	count := flag.Int("count", 0, "end after so many messages; 0: never")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, *url, *name, *count); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func follow(ctx context.Context, url, name string, count int) error {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.Token(os.Getenv("CASM_API_KEY")))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	// Creating a consumer that is there already with the same settings is no error.
	consumer, err := js.CreateOrUpdateConsumer(ctx, "CASM", jetstream.ConsumerConfig{
		Durable: name, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return err
	}
	for n := 0; count == 0 || n < count; {
		batch, err := consumer.Fetch(100, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			fmt.Printf("%s  %s\n", m.Subject(), m.Data())
			// Acknowledged after it took effect: what is lost in between comes again.
			if err := m.Ack(); err != nil {
				return err
			}
			if n++; n == count {
				break
			}
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
