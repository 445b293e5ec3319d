package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casm/auth"
	"casm/internal/testkit"
)

// metricsOf are those of a server without --dev.
func metricsOf(t *testing.T, a *App) string {
	t.Helper()
	var key string
	err := Administer(t.Context(), a.settings.Data, "local:tester", true, quiet, func(a Admin) (err error) {
		key, err = a.CreateKey(t.Context(), auth.NewKey{Name: "crm", Permissions: []string{"casm:read"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Status().URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return string(body)
}

// TestProvider: the metrics tell whether the provider was read. One that never
// answers keeps a server neither from starting nor from stopping.
func TestProvider(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	s := settings(t)
	s.Dev = false
	s.OIDC = OIDC{OIDCIssuer: silent.URL, OIDCClientID: "casm"}
	a := start(t, s)
	if m := metricsOf(t, a); !strings.Contains(m, "\ncasm_oidc_read_timestamp_seconds 0\n") {
		t.Errorf("%.3000s", m)
	}
	stop(t, a)

	o := testkit.NewOIDC(t)
	s.OIDC = OIDC{OIDCIssuer: o.URL, OIDCClientID: o.ClientID}
	a = start(t, s)
	if m := metricsOf(t, a); !strings.Contains(m, "\ncasm_oidc_read_timestamp_seconds 1.") {
		t.Errorf("%.3000s", m)
	}
}
