package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"casm"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reads are the paths of what is read, by operationId.
var reads = map[string]string{
	"readCustomer": "/v1/casm/customers/read", "listCustomers": "/v1/casm/customers", "readCustomerHistory": "/v1/casm/customers/history",
	"readAccount": "/v1/casm/accounts/read", "listAccounts": "/v1/casm/accounts", "readAccountHistory": "/v1/casm/accounts/history",
	"readSubscriber": "/v1/casm/subscribers/read", "listSubscribers": "/v1/casm/subscribers", "readSubscriberHistory": "/v1/casm/subscribers/history",
	"readSubscription": "/v1/casm/subscriptions/read", "listSubscriptions": "/v1/casm/subscriptions", "readSubscriptionHistory": "/v1/casm/subscriptions/history",
	"readSubscriberResource":   "/v1/casm/subscribers/resources/read",
	"readSubscriptionBalance":  "/v1/casm/subscriptions/balance/read",
	"readSubscriptionBalances": "/v1/casm/subscriptions/balances/read",
}

// Query is the query of a read or a list; names may have several values where
// the API allows it.
type Query = url.Values

// ByRefID and ByExternalID name the entity of a read; views are flags such as
// accounts or stateHistory.
func ByRefID(refID string, views ...string) Query { return named("refId", refID, views) }

// ByExternalID is ByRefID with the id that the client gave.
func ByExternalID(externalID string, views ...string) Query {
	return named("externalId", externalID, views)
}

func named(name, id string, views []string) Query {
	q := Query{name: {id}}
	for _, v := range views {
		q.Set(v, "true")
	}
	return q
}

// Read reads into what the answer's JSON is decoded to, such as a *casm.Customer
// for readCustomer, and returns the entity's version for a following IfMatch.
func (c *Client) Read(ctx context.Context, operationID string, q Query, into any) (int64, error) {
	path, ok := reads[operationID]
	if !ok {
		return 0, fmt.Errorf("casm: there is no read with the operationId %q", operationID)
	}
	header, err := c.send(ctx, &call{method: http.MethodGet, path: path, query: q}, into)
	return version(header), err
}

// Entities goes through a list, such as Entities[casm.Customer](ctx, c,
// "listCustomers", q), page by page. An error ends it.
func Entities[E any](ctx context.Context, c *Client, operationID string, q Query) iter.Seq2[*E, error] {
	return func(yield func(*E, error) bool) {
		for page := copyOf(q); ; {
			var answer struct {
				Items      []jsontext.Value `json:"items"`
				NextCursor string           `json:"nextCursor"`
			}
			if _, err := c.Read(ctx, operationID, page, &answer); err != nil {
				yield(nil, err)
				return
			}
			for _, item := range answer.Items {
				e := new(E)
				if err := json.Unmarshal(item, e); err != nil {
					yield(nil, fmt.Errorf("casm: an item of %s is no %T: %w", operationID, *e, err))
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			if answer.NextCursor == "" {
				return
			}
			page.Set("cursor", answer.NextCursor)
		}
	}
}

func copyOf(q Query) Query {
	out := Query{}
	for name, values := range q {
		out[name] = values
	}
	return out
}

// Message is one message of the feed of business transactions (contract 7).
type Message struct {
	Position      string         `json:"position"`
	TransactionID string         `json:"transactionId"`
	RequestID     string         `json:"requestId"`
	Operation     string         `json:"operation"`
	MessageCode   string         `json:"messageCode"`
	Event         string         `json:"event"`
	Timestamp     casm.Time      `json:"timestamp"`
	Actor         string         `json:"actor"`
	Comment       string         `json:"comment"`
	Payload       jsontext.Value `json:"payload"`
}

// Messages returns up to limit messages of the feed behind a position, "" for
// the beginning, in the order of commits. None: that is the end for now; come
// back later with the position of the last one.
func (c *Client) Messages(ctx context.Context, after string, limit int) ([]Message, error) {
	q := Query{"limit": {fmt.Sprint(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	var page struct {
		Items []Message `json:"items"`
	}
	_, err := c.send(ctx, &call{method: http.MethodGet, path: "/v1/business-transactions", query: q}, &page)
	return page.Items, err
}
