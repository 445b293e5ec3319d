package testkit

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bare is the least that a create needs on PostgreSQL, for benchmarks to
// compare with: four rows with their keys, looked up and then written in two
// round trips by pgx as it comes. It knows no rules and no stream.
type Bare struct {
	pool *pgxpool.Pool
	jobs chan bareJob
}

// BareCustomer is what it creates: the request's id, the customer's, and a
// document.
type BareCustomer struct{ RequestID, ExternalID, Doc string }

type bareJob struct {
	customer BareCustomer
	done     chan error
}

// bareLimit is how many creates a commit takes at most, as in casm.
const bareLimit = 256

// OpenBare makes its tables in an empty database.
func OpenBare(ctx context.Context, url string) (*Bare, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// Without them, a plan made on empty tables reads all of them later.
	for _, name := range []string{"enable_seqscan", "enable_bitmapscan"} {
		config.ConnConfig.RuntimeParams[name] = "off"
	}
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `
		CREATE TABLE idempotency (key text COLLATE "C" PRIMARY KEY, transaction uuid NOT NULL);
		CREATE TABLE entity (id uuid PRIMARY KEY, external_id text COLLATE "C" NOT NULL UNIQUE, version bigint NOT NULL, doc text NOT NULL);
		CREATE TABLE history (id uuid, version bigint, transaction uuid NOT NULL, doc text NOT NULL, PRIMARY KEY (id, version));
		CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transaction uuid NOT NULL, doc text NOT NULL)`)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &Bare{pool: pool, jobs: make(chan bareJob, 4096)}, nil
}

// Close ends its connections.
func (l *Bare) Close() { l.pool.Close() }

// Commit creates customers in one transaction.
func (l *Bare) Commit(ctx context.Context, customers []BareCustomer) error {
	n := len(customers)
	keys, externals, docs := make([]string, n), make([]string, n), make([]string, n)
	ids, transactions := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i, c := range customers {
		keys[i], externals[i], docs[i] = c.RequestID, c.ExternalID, c.Doc
		ids[i], transactions[i] = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	}
	c, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	load := &pgx.Batch{}
	load.Queue(`BEGIN`)
	load.Queue(`SELECT transaction FROM idempotency WHERE key = ANY ($1)`, keys)
	load.Queue(`SELECT id, doc FROM entity WHERE external_id = ANY ($1)`, externals)
	if err := c.SendBatch(ctx, load).Close(); err != nil {
		return err
	}
	write := &pgx.Batch{}
	write.Queue(`INSERT INTO idempotency SELECT * FROM unnest($1::text[], $2::uuid[])`, keys, transactions)
	write.Queue(`INSERT INTO entity SELECT id, external_id, 1, doc FROM unnest($1::uuid[], $2::text[], $3::text[]) u(id, external_id, doc)`, ids, externals, docs)
	write.Queue(`INSERT INTO history SELECT id, 1, transaction, doc FROM unnest($1::uuid[], $2::uuid[], $3::text[]) u(id, transaction, doc)`, ids, transactions, docs)
	write.Queue(`INSERT INTO outbox (transaction, doc) SELECT * FROM unnest($1::uuid[], $2::text[])`, transactions, docs)
	write.Queue(`COMMIT`)
	return c.SendBatch(ctx, write).Close()
}

// Run commits what Create gathers, by so many committers, until ctx ends.
func (l *Bare) Run(ctx context.Context, committers int) {
	var wg sync.WaitGroup
	for range committers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case first := <-l.jobs:
					l.gather(ctx, first)
				}
			}
		})
	}
	wg.Wait()
}

// gather commits a job with all that wait behind it.
func (l *Bare) gather(ctx context.Context, first bareJob) {
	jobs := []bareJob{first}
	for more := true; more && len(jobs) < bareLimit; {
		select {
		case j := <-l.jobs:
			jobs = append(jobs, j)
		default:
			more = false
		}
	}
	customers := make([]BareCustomer, len(jobs))
	for i, j := range jobs {
		customers[i] = j.customer
	}
	err := l.Commit(ctx, customers)
	for _, j := range jobs {
		j.done <- err
	}
}

// Create creates one customer with others that wait at the same time.
func (l *Bare) Create(ctx context.Context, c BareCustomer) error {
	j := bareJob{c, make(chan error, 1)}
	select {
	case l.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP creates the customer of a body, such as casm takes it, and answers
// with it.
func (l *Bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		RequestID        string            `json:"requestId"`
		ExternalID       string            `json:"externalId"`
		CustomName       string            `json:"customName"`
		CustomerProfile  string            `json:"customerProfile"`
		CustomAttributes map[string]string `json:"customAttributes"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	doc, err := json.Marshal(body)
	if err == nil {
		err = l.Create(r.Context(), BareCustomer{body.RequestID, body.ExternalID, string(doc)})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc) // a client that went away
}

// NewBare is OpenBare in an empty database of a server, closed with the test.
func NewBare(t testing.TB, p *Postgres) *Bare {
	t.Helper()
	l, err := OpenBare(context.Background(), p.Database(t, "template1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}
