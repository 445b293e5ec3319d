package openid_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casm/auth/openid"
	"casm/internal/testkit"

	"github.com/go-jose/go-jose/v4"
)

// before lets fn answer the provider's requests where it returns true.
func before(o *testkit.OIDC, fn func(w http.ResponseWriter, r *http.Request) bool) {
	rest := o.Config.Handler
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fn(w, r) {
			rest.ServeHTTP(w, r)
		}
	})
}

// logged is a log that is kept.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// TestGoneAway: whoever shows a token with an unknown key and goes away does not
// keep the keys from being read.
func TestGoneAway(t *testing.T) {
	o := testkit.NewOIDC(t)
	hold, asked := make(chan bool), make(chan bool, 1)
	var mu sync.Mutex
	slow := false
	before(o, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		wait := slow && r.URL.Path == "/keys"
		mu.Unlock()
		if wait {
			asked <- true
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	p, c := start(t, o, nil)
	o.Rotate()
	c.move(11 * time.Second)
	mu.Lock()
	slow = true
	mu.Unlock()
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	if _, err := p.Token(ctx, o.Access(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(hold)
	if _, err := p.Token(t.Context(), o.Access(nil)); err != nil {
		t.Errorf("%v", err)
	}
}

// TestLog: what the provider answers gets into the log neither with what it was
// sent nor as long as it likes.
func TestLog(t *testing.T) {
	o := testkit.NewOIDC(t)
	log := &logged{}
	var broken string
	var mu sync.Mutex
	before(o, func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != broken {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("code " + r.PostFormValue("code") + strings.Repeat(" x", 100_000))) // or it went away
		return true
	})
	fail := func(path string) {
		mu.Lock()
		defer mu.Unlock()
		broken = path
	}
	p, c := start(t, o, func(options *openid.Options) { options.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	finish := func(answer url.Values) error {
		t.Helper()
		address, kept, err := p.Begin(back, "/")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		answer.Set("state", u.Query().Get("state"))
		_, _, err = p.Finish(t.Context(), kept, back, answer)
		return err
	}
	fail("/token")
	if err := finish(url.Values{"code": {"the-code"}}); !errors.Is(err, openid.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	fail("/.well-known/openid-configuration")
	c.move(11 * time.Second)
	if _, err := p.Token(t.Context(), o.Access(nil)); err != nil {
		t.Error(err)
	}
	o.Rotate()
	if _, err := p.Token(t.Context(), o.Access(nil)); refusal(t, err) != "token of nobody known" {
		t.Error(err)
	}
	if err := finish(url.Values{"error": {"consent_required"}}); refusal(t, err) != "the provider refused" {
		t.Error(err)
	}
	fail("")
	c.move(11 * time.Second)
	o.Person(claims{"sub": "1", "roles": []string{"their role"}}, nil)
	kept, answer := signedIn(t, p)
	if _, _, err := p.Finish(t.Context(), kept, back, answer); err != nil {
		t.Error(err)
	}
	text := log.String()
	if strings.Contains(text, "the-code") || len(text) > 3000 {
		t.Errorf("%d bytes: %.1000s", len(text), text)
	}
	// It says what is wrong.
	for _, want := range []string{"502 Bad Gateway", "consent_required", "their role"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not have %q: %.1000s", want, text)
		}
	}
}

const back = "http://127.0.0.1/back"

// signedIn is a sign-in of somebody who has just signed in at the provider:
// what the browser keeps, and the answer that it brings.
func signedIn(t *testing.T, p *openid.Provider) (kept string, answer url.Values) {
	t.Helper()
	address, kept, err := p.Begin(back, "/there")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	u, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return kept, u.Query()
}

// TestSpan: a sign-in has its time, whatever the browser says of when it began.
func TestSpan(t *testing.T) {
	o := testkit.NewOIDC(t)
	p, c := start(t, o, nil)
	finish := func(after time.Duration, change func(kept string) string) string {
		t.Helper()
		kept, answer := signedIn(t, p)
		c.move(after)
		who, there, err := p.Finish(t.Context(), change(kept), back, answer)
		if err == nil && (who.User != "1" || there != "/there") {
			t.Errorf("%+v %s", who, there)
		}
		return refusal(t, err)
	}
	same := func(kept string) string { return kept }
	if got := finish(openid.SignInSpan-time.Second, same); got != "" {
		t.Error(got)
	}
	if got := finish(openid.SignInSpan+2*time.Second, same); got != "the sign-in took too long" {
		t.Error(got)
	}
	later := func(kept string) string {
		parts := strings.Split(kept, ".")
		parts[1] = strconv.FormatInt(c.now().Unix(), 10)
		return strings.Join(parts, ".")
	}
	if got := finish(openid.SignInSpan+2*time.Second, later); got != "the answer is not to the sign-in of this browser" {
		t.Error(got)
	}
	for _, kept := range []string{"", "x", "..", "a.b.c", strings.Repeat("A", 43) + "." + "1"} {
		if got := finish(0, func(string) string { return kept }); got != "no sign-in was begun in this browser" {
			t.Errorf("%q: %s", kept, got)
		}
	}
}

// TestBusy: a provider that is slow holds up so many sign-ins and no more.
func TestBusy(t *testing.T) {
	const places = 16
	o := testkit.NewOIDC(t)
	waiting, hold := make(chan bool, places), make(chan bool)
	before(o, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			waiting <- true
			<-hold
		}
		return false
	})
	p, _ := start(t, o, nil)
	kept, answer := signedIn(t, p)
	ends := make(chan error, places)
	for range places {
		kept, answer := signedIn(t, p)
		go func() {
			_, _, err := p.Finish(t.Context(), kept, back, answer)
			ends <- err
		}()
	}
	for range places {
		<-waiting
	}
	if _, _, err := p.Finish(t.Context(), kept, back, answer); !errors.Is(err, openid.ErrBusy) {
		t.Error(err)
	}
	close(hold)
	for range places {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if _, _, err := p.Finish(t.Context(), kept, back, answer); err != nil {
		t.Error(err)
	}
}

// TestNotTaken: a provider is not taken that leads elsewhere, or in clear text,
// and of its keys only those for signatures.
func TestNotTaken(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	tell := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // or it went away
	}
	for name, fn := range map[string]func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool{
		"keys in clear text": func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == discovery {
				tell(w, claims{"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "jwks_uri": "http://keys.example/"})
			}
			return r.URL.Path == discovery
		},
		"a secret in clear text": func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == discovery {
				tell(w, claims{"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": "http://id.example/token", "jwks_uri": o.URL + "/keys"})
			}
			return r.URL.Path == discovery
		},
		"a redirect": func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return true
			}
			r.URL.Path = strings.Replace(r.URL.Path, "/elsewhere", "/keys", 1)
			return false
		},
		"a key for secrets": func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				tell(w, claims{"keys": []any{jose.JSONWebKey{Key: o.Key().Public(), KeyID: "key-0", Use: "enc"}}})
			}
			return r.URL.Path == "/keys"
		},
		"a key that signs": func(o *testkit.OIDC, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				tell(w, claims{"keys": []any{jose.JSONWebKey{Key: o.Key(), KeyID: "key-0"}}})
			}
			return r.URL.Path == "/keys"
		},
	} {
		o := testkit.NewOIDC(t)
		before(o, func(w http.ResponseWriter, r *http.Request) bool { return fn(o, w, r) })
		p, _ := start(t, o, nil)
		if _, err := p.Token(t.Context(), o.Access(nil)); !errors.Is(err, openid.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
