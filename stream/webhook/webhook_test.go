package webhook_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm"
	"casm/stream"
	"casm/stream/webhook"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // that of Standard Webhooks' own examples
	newSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

var message = stream.Message{
	Position: casm.Position{Transaction: 7}, ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`),
	Headers: []stream.Header{
		{Name: stream.HeaderTransactionID, Value: "t"},
		{Name: stream.HeaderID, Value: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
		{Name: stream.HeaderContentType, Value: "application/json"},
		{Name: stream.HeaderActor, Value: "key:Zoë 100%\n"},
	},
}

// TestSign: the signature is that of Standard Webhooks' own example, and with
// two secrets there are both.
func TestSign(t *testing.T) {
	at := time.Unix(1614265330, 0)
	got, err := webhook.Sign(oldSecret, message.ID, at, message.Body)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	both, err := webhook.Sign(newSecret+"\n"+oldSecret+"\n", message.ID, at, message.Body)
	if err != nil || !strings.HasSuffix(both, " "+want) || strings.Count(both, "v1,") != 2 {
		t.Errorf("%s, %v", both, err)
	}
	for _, wrong := range []string{"", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", strings.Repeat(oldSecret+" ", 5), oldSecret + " hunter2"} {
		_, err := webhook.Sign(wrong, "", at, nil)
		if !errors.Is(err, stream.ErrSetup) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func open(t *testing.T, url string, networks ...string) *webhook.Endpoint {
	t.Helper()
	o := webhook.Options{URL: url, Secret: func() (string, error) { return newSecret, nil }, Timeout: 500 * time.Millisecond}
	for _, n := range networks {
		o.Networks = append(o.Networks, netip.MustParsePrefix(n))
	}
	e := webhook.New(o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestSend: a message comes as a POST with its headers and a signature that
// holds.
func TestSend(t *testing.T) {
	seen := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) //nolint:errcheck // the comparison tells
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(newSecret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		holds := r.Header.Get("webhook-signature") == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
		seen <- fmt.Sprint(r.Method, " ", r.URL, " ", holds, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("X-Ocs-Io-transaction-id"), " ",
			r.Header.Get("ce-id"), " ", r.Header.Get("ce-datacontenttype"), " ", r.Header.Get("Casm-Actor"), " ", string(body))
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(strings.Repeat("x", 100_000))) // more than is read of it
	}))
	defer s.Close()
	if n, err := open(t, s.URL+"/in?tenant=1").Send(t.Context(), []stream.Message{message}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	want := `POST /in?tenant=1 true application/json t msg_p5jXN8AQM9LWM0D4loKWxJek  key:Zo%C3%AB 100%25%0A {"test": 2432232314}`
	if got := <-seen; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRefusals: what is not a 2xx in time is an error that holds nothing of the
// address's path or of the secret.
func TestRefusals(t *testing.T) {
	const hidden = "/hidden-token"
	var status atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then it is seen that the client went away
		switch status := int(status.Load()); status {
		case 0:
			<-r.Context().Done()
		case http.StatusFound:
			http.Redirect(w, r, "http://169.254.169.254"+hidden, status)
		default:
			http.Error(w, "a body with "+hidden, status)
		}
	}))
	defer s.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct {
		status   int
		url      string
		networks []string
		want     string
		setup    bool
	}{
		{status: 500, url: s.URL, want: "500"},
		{status: 401, url: s.URL, want: "401"},
		{status: http.StatusFound, url: s.URL, want: "redirects are not followed"},
		{status: 0, url: s.URL, want: "within 500ms"},
		{url: "http://" + closed.Addr().String(), want: "refused"},
		{url: "http://169.254.169.254", want: "link-local", setup: true},
		{url: "http://[fe80::1]", want: "link-local", setup: true},
		{url: "http://0.0.0.0:1", want: "link-local", setup: true},
		{url: s.URL, networks: []string{"10.0.0.0/8"}, want: "in none of the networks", setup: true},
		{status: 200, url: s.URL, networks: []string{"127.0.0.0/8"}},
	} {
		status.Store(int64(c.status))
		n, err := open(t, c.url+hidden, c.networks...).Send(t.Context(), []stream.Message{message, message})
		if c.want == "" {
			if n != 2 || err != nil {
				t.Errorf("%+v: %d, %v", c, n, err)
			}
			continue
		}
		if n != 0 || err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, stream.ErrSetup) != c.setup {
			t.Errorf("%+v: %d, %v", c, n, err)
		} else if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), newSecret) {
			t.Errorf("the error tells too much: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := open(t, s.URL).Send(ctx, []stream.Message{message}); n != 0 || err == nil {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

// TestNoHTTP: of what answers in another protocol, such as a database that only
// the server can reach, an error tells nothing.
func TestNoHTTP(t *testing.T) {
	for answer, want := range map[string]string{
		"SSH-2.0-hidden\r\n":                                     "no HTTP",
		"HTTP/1.1 200 hidden\r\nhidden line\r\n\r\n":             "no HTTP",
		"HTTP/1.1 hidden\r\n\r\n":                                "no HTTP",
		"HTTP/1.1 200 OK\r\nContent-Length: hidden\r\n\r\n":      "no HTTP",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: hidden\r\n\r\n":   "no HTTP",
		"HTTP/1.1 500 hidden\r\nContent-Length: 6\r\n\r\nhidden": "500 Internal",
		"": "without an answer",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				_, _ = c.Write([]byte(answer))
				c.Close()
			}
		}()
		n, err := open(t, "http://"+l.Addr().String()).Send(t.Context(), []stream.Message{message})
		if n != 0 || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hid") {
			t.Errorf("%q: %d, %v", answer, n, err)
		}
		l.Close()
		<-served
	}
}
