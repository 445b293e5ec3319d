package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/engine"
	"casm/store/sqlite"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	ctx := context.Background()
	st, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(ctx, engine.Options{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	t.Cleanup(func() {
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func request(t *testing.T, credential string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	return r
}

func TestKeys(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t)
	var log bytes.Buffer
	keys := auth.Keys{Configuration: e, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	a := auth.New(auth.Options{Configuration: e})
	key, item, err := keys.Create(ctx, "root", "socket", auth.NewKey{Name: "crm", Permissions: []string{"crm-integration", "dwh:read"}, RateLimit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(key) != 65 || !strings.HasPrefix(key, "casm_"+item.Code+"_") {
		t.Errorf("key %s, item %+v", key, item)
	}
	p, err := a.Authenticate(request(t, key))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"casm:read", "casm:write", "balance:write", "stream:read", "dwh:read"}
	if p.Actor != "key:crm" || p.Key != item.Code || p.RateLimit != 10 || !slices.Equal(p.Permissions, want) {
		t.Errorf("%+v", p)
	}
	if p.May("config:read") || !p.May("casm:write") || !p.May("") {
		t.Errorf("%+v may something else", p)
	}
	// What is stored is no secret.
	s, err := e.Config(ctx)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := casm.EncodeItem(s.Item(auth.Collection, item.Code))
	if err != nil {
		t.Fatal(err)
	}
	secret := key[len(key)-43:]
	if strings.Contains(string(doc), secret) || strings.Contains(log.String(), secret) {
		t.Error("the secret is kept")
	}
	second, _, err := keys.Create(ctx, "root", "socket", auth.NewKey{Name: "crm", Permissions: []string{"admin"}})
	if err != nil || second == key {
		t.Fatal(err)
	}
	list, err := keys.List(ctx)
	if err != nil || len(list) != 2 || list[0].Code != item.Code {
		t.Errorf("list %+v: %v", list, err)
	}
	if err := keys.Revoke(ctx, "root", "socket", "casm_"+item.Code, 0); err != nil {
		t.Fatal(err)
	}
	if err := keys.Revoke(ctx, "root", "socket", item.Code, 0); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := a.Authenticate(request(t, key)); auth.DeniedBy(err) == nil || auth.DeniedBy(err).Reason != "revoked key" {
		t.Errorf("a revoked key gives %v", err)
	}
	if _, err := a.Recheck(request(t, key)); auth.DeniedBy(err) == nil {
		t.Errorf("a revoked key gives %v", err)
	}
	if p, err := a.Authenticate(request(t, second)); err != nil || !p.May("config:write") {
		t.Errorf("admin: %+v %v", p, err)
	}
	err = keys.Revoke(ctx, "root", "socket", "nobody", 0)
	if v, ok := err.(casm.Violations); !ok || !v.Has(casm.NotFound) { //nolint:errorlint // returned as it is
		t.Errorf("revoking an unknown key gives %v", err)
	}
	for _, want := range []string{"msg=audit actor=root act=key.create outcome=done remote=socket", "msg=audit actor=root act=key.revoke outcome=done", "act=key.revoke outcome=refused"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, &log)
		}
	}
}

func TestNewKeyIsChecked(t *testing.T) {
	ctx := context.Background()
	keys := auth.Keys{Configuration: newEngine(t)}
	good := auth.NewKey{Name: "x", Permissions: []string{"Reader"}, Expires: time.Now().Add(time.Hour)}
	for want, change := range map[casm.Code]func(*auth.NewKey){
		casm.Required:     func(n *auth.NewKey) { n.Name = "" },
		casm.TooLong:      func(n *auth.NewKey) { n.Name = strings.Repeat("ä", 256) },
		casm.InvalidValue: func(n *auth.NewKey) { n.Permissions = []string{"casm:read", "root"} },
		casm.OutOfRange:   func(n *auth.NewKey) { n.Expires = time.Now().Add(-time.Second) },
	} {
		n := good
		change(&n)
		_, _, err := keys.Create(ctx, "root", "socket", n)
		if v, ok := err.(casm.Violations); !ok || len(v) != 1 || v[0].Code != want { //nolint:errorlint // returned as it is
			t.Errorf("%+v gives %v, want %s", n, err, want)
		}
	}
	for _, n := range []auth.NewKey{
		{Name: "a\nb", Permissions: []string{"admin"}},
		{Name: "\xff", Permissions: []string{"admin"}},
		{Name: "x"},
		{Name: "x", Permissions: []string{"admin"}, RateLimit: -1},
		{Name: "x", Permissions: []string{"admin"}, RateLimit: auth.MaxRateLimit + 1},
		{Name: "x", Permissions: []string{"admin"}, Expires: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, _, err := keys.Create(ctx, "root", "socket", n); err == nil {
			t.Errorf("%+v is taken", n)
		}
	}
	if list, err := keys.List(ctx); err != nil || len(list) > 0 {
		t.Errorf("%+v %v", list, err)
	}
	if _, _, err := keys.Create(ctx, "root", "socket", good); err != nil {
		t.Error(err)
	}
}

func TestRateLimitIsPerKey(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t)
	now := time.Now()
	keys := auth.Keys{Configuration: e}
	a := auth.New(auth.Options{Configuration: e, DefaultRate: 2, Now: func() time.Time { return now }})
	slow, _, err := keys.Create(ctx, "root", "", auth.NewKey{Name: "slow", Permissions: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	fast, _, err := keys.Create(ctx, "root", "", auth.NewKey{Name: "fast", Permissions: []string{"admin"}, RateLimit: 5})
	if err != nil {
		t.Fatal(err)
	}
	passes := func(key string) (n int) {
		for range 10 {
			_, err := a.Authenticate(request(t, key))
			d := auth.DeniedBy(err)
			switch {
			case err == nil:
				n++
			case d == nil || d.Code != casm.RateLimited || d.RetryAfter <= 0 || d.RetryAfter > time.Second:
				t.Fatalf("%v", err)
			}
		}
		return n
	}
	if n, m := passes(slow), passes(fast); n != 2 || m != 5 {
		t.Errorf("in the first second %d and %d", n, m)
	}
	now = now.Add(time.Second)
	if n, m := passes(slow), passes(fast); n != 2 || m != 5 {
		t.Errorf("in the next second %d and %d", n, m)
	}
}

// TestRoleNames: roles are found by code and by name.
func TestRoleNames(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t)
	keys := auth.Keys{Configuration: e}
	a := auth.New(auth.Options{Configuration: e})
	for name, want := range map[string]int{"Organization Manager": 1, "power-user": 7, "READER": 4, "CRM Integration": 4} {
		for _, n := range []auth.NewKey{{Name: "x", Permissions: []string{name, name}}, {Name: "x", Roles: []string{name}}} {
			key, _, err := keys.Create(ctx, "root", "", n)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := a.Authenticate(request(t, key)); err != nil || len(p.Permissions) != want {
				t.Errorf("%s: %+v %v", name, p, err)
			}
		}
	}
}

// TestPermissionsAreDescribed: the permissions that schemas and forms offer are
// those that there are.
func TestPermissionsAreDescribed(t *testing.T) {
	var want []string
	for _, p := range command.Permissions {
		want = append(want, string(p))
	}
	for _, o := range []*casm.Object{casm.Describe[auth.Key](), casm.Describe[auth.Role](), casm.Describe[auth.User]()} {
		i := slices.IndexFunc(o.Fields, func(f *casm.Field) bool { return f.Name == "permissions" })
		if got := o.Fields[i].Enum; !slices.Equal(got, want) {
			t.Errorf("%s offers %v, not %v", o.Name, got, want)
		}
	}
}
