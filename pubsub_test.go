package casm_test

import (
	"strings"
	"testing"

	"casm"
)

// TestPubSubEndpoint: an address fits the type and holds no credentials, and
// what is told of a wrong one shows none.
func TestPubSubEndpoint(t *testing.T) {
	of := func(kind, url string) casm.PubSubEndpoint {
		return casm.PubSubEndpoint{Item: casm.Item{Code: "x", Name: "x"}, Type: kind, URL: url}
	}
	with := func(e casm.PubSubEndpoint, change func(*casm.PubSubEndpoint)) casm.PubSubEndpoint {
		change(&e)
		return e
	}
	for _, c := range []struct {
		e    casm.PubSubEndpoint
		want string // code and pointer; "" for nothing
	}{
		{of("WEBHOOK", "https://crm.example/casm?tenant=1"), ""},
		{of("WEBHOOK", "http://127.0.0.1:8081"), ""},
		{of("NATS", "nats://nats.example"), ""},
		{of("NATS", "tls://[::1]:4222/"), ""},
		{of("KAFKA", "kafka://a.example:9092"), ""},
		{of("KAFKA", "kafka://a.example:9092,b.example:9093,[fd00::1]:9092"), ""},
		{of("KAFKA", "kafka+tls://a.example:9093"), ""},
		{of("WEBHOOK", "nats://crm.example"), "invalid_value /url"},
		{of("WEBHOOK", "crm.example/casm"), "invalid_value /url"},
		{of("WEBHOOK", "https:///casm"), "invalid_value /url"},
		{of("WEBHOOK", "https://crm.example/#secret"), "invalid_value /url"},
		{of("WEBHOOK", "https://user:secret@crm.example/"), "invalid_value /url"},
		{of("WEBHOOK", "https://user:sec%ret@crm.example/"), "invalid_value /url"},
		{of("WEBHOOK", "https://user@crm.example/"), "invalid_value /url"},
		{of("WEBHOOK", "file:///etc/passwd"), "invalid_value /url"},
		{of("NATS", "nats://secret@nats.example"), "invalid_value /url"},
		{of("NATS", "nats://nats.example/secret"), "invalid_value /url"},
		{of("KAFKA", "kafka://a.example:9092,"), "invalid_value /url"},
		{of("KAFKA", "kafka://a.example:9092,u:secret@b.example:9092"), "invalid_value /url"},
		{with(of("WEBHOOK", "https://a.example"), func(e *casm.PubSubEndpoint) { e.Topic = "t" }), "invalid_value /topic"},
		{with(of("KAFKA", "kafka://a.example"), func(e *casm.PubSubEndpoint) { e.Topic = "a..b" }), "invalid_value /topic"},
		{with(of("NATS", "nats://a.example"), func(e *casm.PubSubEndpoint) { e.Topic = "copy.of-casm" }), ""},
		{with(of("NATS", "nats://a.example"), func(e *casm.PubSubEndpoint) { e.Messages = []string{"balance", "balance"} }), "invalid_value /messages"},
		{with(of("NATS", "nats://a.example"), func(e *casm.PubSubEndpoint) { e.SecretEnv, e.SecretFile = "CASM_ENDPOINT_A", "a" }), "one_of_required /secretEnv"},
	} {
		var v casm.Violations
		c.e.CheckItem(casm.NewSnapshot(1, nil), &v)
		got := ""
		if len(v) > 0 {
			got = string(v[0].Code) + " " + v[0].Pointer
		}
		if got != c.want || len(v) > 1 {
			t.Errorf("%+v gives %v, want %q", c.e, v, c.want)
		}
		if len(v) > 0 && (strings.Contains(v[0].Detail, "secret@") || strings.Contains(v[0].Detail, "#secret") || strings.Contains(v[0].Detail, "/secret")) {
			t.Errorf("the detail shows the address: %s", v[0].Detail)
		}
	}
	items := make([]casm.ConfigItem, casm.MaxEndpoints+1)
	for i := range items {
		e := of("WEBHOOK", "https://a.example")
		e.Code = "e" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		items[i] = &e
	}
	var v casm.Violations
	items[0].(*casm.PubSubEndpoint).CheckItem(casm.NewSnapshot(1, map[string][]casm.ConfigItem{casm.PubSubEndpoints: items}), &v)
	if !v.Has(casm.TooMany) {
		t.Errorf("%d endpoints give %v", len(items), v)
	}
}
