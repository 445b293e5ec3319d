// Package httpfeed reads the feed of a server over HTTP, for a data warehouse
// in a process of its own.
package httpfeed

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"casm"
	"casm/warehouse"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

const (
	// maxAnswer bounds an answer, in bytes: a page of the feed ends with the
	// item that takes it over 8 MiB.
	maxAnswer = 64 << 20
	timeout   = 2 * time.Minute
)

// Feed is the feed of one server.
type Feed struct {
	base   *url.URL
	key    string
	client *http.Client
}

var _ warehouse.Feed = (*Feed)(nil)

// New takes the server's URL, such as https://casm.example, and an API key
// with the permission stream:read; "" for a server that asks for none. client
// nil is one with a timeout of two minutes.
func New(server, key string, client *http.Client) (*Feed, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("must be the address of a server, such as http://127.0.0.1:8080") // not told: it may hold a secret
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("must be an address alone: credentials have no place in it")
	}
	if client == nil {
		client = &http.Client{Timeout: timeout}
	}
	return &Feed{base, key, client}, nil
}

// item is an item of the feed (contract 7).
type item struct {
	Position      casm.Position  `json:"position"`
	TransactionID uuid.UUID      `json:"transactionId"`
	RequestID     string         `json:"requestId"`
	Operation     string         `json:"operation"`
	MessageCode   string         `json:"messageCode"`
	Event         string         `json:"event"`
	Timestamp     casm.Time      `json:"timestamp"`
	RecordedAt    casm.Time      `json:"recordedAt,omitzero"`
	Actor         string         `json:"actor"`
	Comment       string         `json:"comment"`
	Payload       jsontext.Value `json:"payload"`
}

// Page implements warehouse.Feed.
func (f *Feed) Page(ctx context.Context, after casm.Position, limit int) (p warehouse.Page, err error) {
	var answer struct {
		Items []item `json:"items"`
		Epoch int64  `json:"epoch"`
		Head  int64  `json:"head"`
	}
	query := url.Values{"after": {after.String()}, "limit": {fmt.Sprint(min(max(limit, 1), 1000))}}
	if err := f.get(ctx, "/v1/business-transactions", query, &answer); err != nil {
		return p, err
	}
	if answer.Epoch < 1 {
		return p, errors.New("the feed does not tell the log's epoch: the server is of an earlier release")
	}
	p = warehouse.Page{Epoch: answer.Epoch, Head: answer.Head, Messages: make([]warehouse.Message, len(answer.Items))}
	for i, x := range answer.Items {
		if x.RecordedAt == 0 {
			x.RecordedAt = x.Timestamp
		}
		p.Messages[i] = warehouse.Message{
			Epoch: answer.Epoch, Position: x.Position, TransactionID: x.TransactionID, RequestID: x.RequestID, Operation: x.Operation,
			Actor: x.Actor, Comment: x.Comment, Timestamp: x.Timestamp, RecordedAt: x.RecordedAt, Code: x.MessageCode, Event: x.Event, Body: x.Payload,
		}
	}
	return p, nil
}

// Sums implements warehouse.Feed.
func (f *Feed) Sums(ctx context.Context, upTo casm.Position) (warehouse.Sums, error) {
	var answer struct {
		Epoch int64 `json:"epoch"`
		Types []struct {
			Type             string `json:"type"`
			Count            int64  `json:"count"`
			Checksum         string `json:"checksum"`
			Versions         int64  `json:"versions"`
			VersionsChecksum string `json:"versionsChecksum"`
		} `json:"types"`
	}
	sums := warehouse.Sums{Kinds: map[casm.Kind]casm.Sum{}}
	if err := f.get(ctx, "/v1/business-transactions/checksum", url.Values{"upTo": {upTo.String()}}, &answer); err != nil {
		return sums, err
	}
	sums.Epoch = answer.Epoch
	for _, t := range answer.Types {
		kind, ok := casm.KindByName(t.Type)
		entities, err1 := checksum(t.Checksum)
		versions, err2 := checksum(t.VersionsChecksum)
		if err := errors.Join(err1, err2); err != nil || !ok {
			return sums, fmt.Errorf("checksum of %q: %w", t.Type, errors.Join(err, errors.New("it cannot be read")))
		}
		sums.Kinds[kind] = casm.Sum{Entities: t.Count, EntitySum: entities, Versions: t.Versions, VersionSum: versions}
	}
	return sums, nil
}

func checksum(s string) (uint64, error) {
	b, err := hex.DecodeString(s)
	if err == nil && len(b) != 8 {
		err = fmt.Errorf("%q has not 16 digits", s)
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

// get reads one answer.
func (f *Feed) get(ctx context.Context, path string, query url.Values, into any) (err error) {
	u := f.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	if f.key != "" {
		req.Header.Set("Authorization", "Bearer "+f.key)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s answered %s: it needs an API key with the permission stream:read", f.base.Redacted(), res.Status)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answered %s: %.300s", f.base.Redacted(), res.Status, body)
	case len(body) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("answer of %s: %w", f.base.Redacted(), err)
	}
	return nil
}
