package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// seeds are the bodies with which the product is introduced, in the order in
// which somebody tries them; {{$guid}} becomes a fresh one, and each customer
// gets an external id of its own.
var seeds = []struct{ name, path, body, subject string }{
	{"customer by profile", "/v1/casm/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id",
  "customerProfile": "b2b"
}`, "casm.customer.created"},
	{"customer by profile with more", "/v1/casm/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id_2",
  "customerProfile": "b2b",
  "customAttributes": {
    "key1": "value 1",
    "key2": "value 2"
  },
  "customName": "Demo Customer"
}`, "casm.customer.created"},
	{"customer by attributes", "/v1/casm/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id_3",
  "customerSegment": "b2b",
  "customAttributes": {
    "key1": "value 1",
    "key2": "value 2"
  },
  "state" : {
    "state": "ACTIVE",
    "stateReason": "active"
  },
  "customName": "Demo Customer"
}`, "casm.customer.created"},
	{"subscription on the customer", "/v1/casm/customers/subscriptions/create", `{
  "requestId": "{{$guid}}",
  "customer": {
    "externalId": "customer_external_id"
  },
  "offer": "offer_code",
  "externalId": "subscription_external_id",
  "customName": "Demo Subscription",
  "customAttributes": {
    "attribute1": "value1",
    "attribute2": "value2"
  },
  "state": {
    "state": "ACTIVE",
    "stateReason": "dfltActive",
    "stateValidFrom": "2024-05-01T00:00:00+02:00"
  }
}`, "casm.offerSubscription.created"},
}

// TestSeeds pastes them, and sees from outside each message within a second of
// its answer.
func TestSeeds(t *testing.T) {
	app := testkit.NewApp(t)
	nc, err := nats.Connect(app.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("casm.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, s := range seeds {
		body := strings.ReplaceAll(s.body, "{{$guid}}", uuid.NewString())
		status, _, answer, err := app.Post(t.Context(), s.path, body)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", s.name, status, answer, err)
		}
		m, err := sub.NextMsg(time.Second)
		if err != nil || m.Subject != s.subject {
			t.Fatalf("%s: message %+v, %v; want %s", s.name, m, err, s.subject)
		}
		if id := m.Header.Get("X-Ocs-Io-transaction-id"); id == "" || !strings.Contains(string(answer), id) {
			t.Errorf("%s: the message's transaction %q is not that of the answer %s", s.name, id, answer)
		}
	}
	m, err := sub.NextMsg(time.Second)
	if err != nil || m.Subject != "casm.balance.created" {
		t.Errorf("the subscription's balance: %+v, %v", m, err)
	}
}
