package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestFeed(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	first := a.customer("c1")
	a.post("/v1/casm/subscribers/create", `{"requestId":"`+fresh()+`","subscriberProfile":"mobile","primaryResource":"491701234567","comment":"why"}`).is(200)
	r := a.get("/v1/business-transactions").is(200)
	s.validate(t, "Feed", r.Body)
	all := feedItems(t, r.Body)
	var codes []string
	for _, item := range all {
		codes = append(codes, item.MessageCode)
		validateMessage(t, item)
	}
	if !slices.Equal(codes[:1], []string{"customer"}) || len(codes) != 5 {
		t.Fatalf("codes %v", codes)
	}
	if all[1].Comment != "why" || all[1].Operation != "createSubscriber" || all[1].Event != "created" || all[1].Actor != "dev" {
		t.Errorf("%+v", all[1])
	}
	// The headers of the stream, where they are asked for.
	if all[0].Headers != nil {
		t.Errorf("headers that nobody asked for: %s", all[0].Headers)
	}
	r = a.get("/v1/business-transactions?headers=true&limit=1").is(200)
	s.validate(t, "Feed", r.Body)
	headers := map[string]string{}
	if err := json.Unmarshal(feedItems(t, r.Body)[0].Headers, &headers); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Ocs-Io-transaction-id": all[0].TransactionID.String(), "X-Ocs-Io-message-code": "customer", "X-Ocs-Io-message-payload": "Customer",
		"ce-specversion": "1.0", "ce-type": "casm.customer.created.v1", "ce-subject": first, "ce-source": "/casm", "Casm-Position": all[0].Position,
	} {
		if headers[name] != want {
			t.Errorf("header %s is %q, not %q", name, headers[name], want)
		}
	}
	if len(headers["ce-id"]) != 36 {
		t.Errorf("ce-id %q", headers["ce-id"])
	}
	// Page by page it is the same.
	var again []string
	for after := "0"; ; {
		page := feedItems(t, a.get("/v1/business-transactions?limit=2&after="+after).is(200).Body)
		if len(page) == 0 {
			break
		}
		for _, item := range page {
			again = append(again, item.Position)
			after = item.Position
		}
	}
	var positions []string
	for _, item := range all {
		positions = append(positions, item.Position)
	}
	if !slices.Equal(again, positions) {
		t.Errorf("pages give %v, not %v", again, positions)
	}
	if page := feedItems(t, a.get("/v1/business-transactions?customer="+first).is(200).Body); len(page) != 1 || page[0].Position != positions[0] {
		t.Errorf("of the customer: %+v", page)
	}
	if page := feedItems(t, a.get("/v1/business-transactions?messageCode=subscriberResource").is(200).Body); len(page) != 1 {
		t.Errorf("of the message code: %+v", page)
	}
	a.get("/v1/business-transactions?after=x&limit=1001&customer=1&messageCode=no").refuses(400,
		"invalid_value after", "invalid_value customer", "out_of_range limit", "invalid_value messageCode")
}

func feedItems(t *testing.T, body []byte) []feedItem {
	t.Helper()
	var page struct {
		Items []feedItem `json:"items"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// validateMessage checks a payload against the served schema of its message.
func validateMessage(t *testing.T, item feedItem) {
	t.Helper()
	kind, ok := casm.KindByMessageCode(item.MessageCode)
	if !ok {
		t.Fatalf("message code %s", item.MessageCode)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(MessageSchema(kind)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:test", parsed); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(item.Payload))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("urn:test").Validate(value); err != nil {
		t.Errorf("%s: %v", item.Payload, err)
	}
}

// follower reads server-sent events.
type follower struct {
	t      *testing.T
	cancel context.CancelFunc
	events chan event
}

type event struct {
	id   string
	data string
}

func (a *api) follow(query string, header ...string) *follower {
	a.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/v1/business-transactions/stream"+query, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header = a.header.Clone()
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := a.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		a.t.Fatalf("status %d, %v", resp.StatusCode, resp.Header)
	}
	f := &follower{a.t, cancel, make(chan event, 1000)}
	go func() {
		defer close(f.events)
		defer resp.Body.Close()
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "data":
				e.data += value
			case "":
				if lines.Text() == "" {
					f.events <- e
					e = event{}
				}
			}
		}
	}()
	a.t.Cleanup(cancel)
	first := f.next()
	if first.id == "" || first.data != "" {
		a.t.Fatalf("it begins with %+v", first)
	}
	return f
}

func (f *follower) next() event {
	f.t.Helper()
	select {
	case e, ok := <-f.events:
		if !ok {
			f.t.Fatal("the stream ended")
		}
		return e
	case <-time.After(5 * time.Second):
		f.t.Fatal("nothing came in 5 s")
	}
	return event{}
}

func (f *follower) ends() {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case _, ok := <-f.events:
			if !ok {
				return
			}
		case <-deadline:
			f.t.Fatal("the stream goes on")
		}
	}
}

func TestStream(t *testing.T) {
	a := newDev(t)
	a.customer("before")
	now := a.follow("")
	all := a.follow("?after=0")
	if e := all.next(); !strings.Contains(e.data, `"externalId":"before"`) {
		t.Errorf("%+v", e)
	}
	var last event
	for i := range 5 {
		name := fmt.Sprintf("c%d", i)
		a.customer(name)
		for _, f := range []*follower{now, all} {
			last = f.next()
			if !strings.Contains(last.data, `"externalId":"`+name+`"`) {
				t.Errorf("%+v is not about %s", last, name)
			}
		}
		if i == 1 {
			all.cancel()
			all = a.follow("?after=0", "Last-Event-ID", last.id) // the header wins
		}
	}
	var item feedItem
	if err := json.Unmarshal([]byte(last.data), &item); err != nil || item.Position != last.id {
		t.Errorf("%+v: %v", last, err)
	}
	loadOpenAPI(t).validate(t, "FeedItem", []byte(last.data))
	a.get("/v1/business-transactions/stream?after=1-", "Last-Event-ID", "x").refuses(400, "invalid_value Last-Event-ID", "invalid_value after")

	if e := a.follow("?after=0&headers=true").next(); !strings.Contains(e.data, `"headers":{"X-Ocs-Io-transaction-id":"`) {
		t.Errorf("%+v", e)
	}

	// What the filter leaves out does not come; what it takes does.
	some := a.follow("?after=0&messageCode=subscriberResource")
	a.post("/v1/casm/subscribers/create", `{"requestId":"`+fresh()+`","subscriberProfile":"mobile","primaryResource":"491701234567"}`).is(200)
	if e := some.next(); !strings.Contains(e.data, `"491701234567"`) {
		t.Errorf("%+v", e)
	}
	a.server.Close()
	now.ends()
	some.ends()
	a.get("/healthz").is(200)
	a.get("/readyz").is(503)
}

// TestStreamEndsWithItsKey: a revocation is seen at once, by what goes on, too.
func TestStreamEndsWithItsKey(t *testing.T) {
	a := newAPI(t, nil)
	key := a.key("stream:read")
	f := a.follow("")
	if err := a.keys.Revoke(context.Background(), "test", "here", key[:len(key)-44], 0); err != nil {
		t.Fatal(err)
	}
	f.ends()
}

// pipes are connections that hold nothing: what is written waits until it is read.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// TestStreamEndsWithItsKeyFarBehind: a revocation ends also the stream of one
// that has much to read before it is at the end: no page begins after it.
func TestStreamEndsWithItsKeyFarBehind(t *testing.T) {
	a := newAPI(t, nil)
	a.key("casm:write")
	for n := range 2*streamPage + 50 {
		a.customer(fmt.Sprint("c", n))
	}
	key := a.key("stream:read")
	conns := make(pipes, 1)
	server := &http.Server{Handler: a.server}
	served := make(chan error, 1)
	go func() { served <- server.Serve(conns) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		conns <- theirs
		return ours, nil
	}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://casm/v1/business-transactions/stream?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = a.header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "data: ") {
			continue
		}
		if events++; events == 1 {
			if err := a.keys.Revoke(t.Context(), "test", "here", key[:len(key)-44], 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if events != streamPage {
		t.Errorf("%d messages came, not the %d of the page that was under way", events, streamPage)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

func TestStreamsAreBounded(t *testing.T) {
	a := newDev(t)
	for range maxStreams {
		a.server.streams <- struct{}{}
	}
	r := a.get("/v1/business-transactions/stream")
	r.refuses(503, "overloaded")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
