package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"casm/auth"
	"casm/engine"
	"casm/internal/testkit"
	"casm/store/sqlite"
)

// BenchmarkOverhead is what the HTTP layer adds to a write: with
// --dev, and with an API key.
func BenchmarkOverhead(b *testing.B) {
	ctx := context.Background()
	st, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	e, err := engine.New(ctx, engine.Options{Store: st})
	if err != nil {
		b.Fatal(err)
	}
	e.Start()
	defer e.Stop(ctx)
	key, _, err := auth.Keys{Configuration: e}.Create(ctx, "bench", "", auth.NewKey{Name: "bench", Permissions: []string{"admin"}, RateLimit: auth.MaxRateLimit})
	if err != nil {
		b.Fatal(err)
	}
	for _, dev := range []bool{true, false} {
		s := New(Options{Engine: nothing{e}, Dev: dev, Auth: auth.New(auth.Options{Configuration: e})})
		b.Run(fmt.Sprintf("dev=%t", dev), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/casm/customers/create", strings.NewReader(`{"requestId":"1","externalId":"c","customerProfile":"b2b","customName":"Somebody"}`))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Authorization", "Bearer "+key)
					w := httptest.NewRecorder()
					if s.ServeHTTP(w, r); w.Code != 200 {
						b.Fatal(w.Body)
					}
				}
			})
		})
	}
}

// nothing is an engine that takes no time for writes.
type nothing struct{ Engine }

func (nothing) Write(context.Context, engine.Write) (*engine.Answer, error) {
	return &engine.Answer{Body: []byte(`{}`), ETag: 1}, nil
}

// BenchmarkRead is a read by external id, without the network.
func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	st, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "casm.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	e, err := engine.New(ctx, engine.Options{Store: st})
	if err != nil {
		b.Fatal(err)
	}
	e.Start()
	defer e.Stop(ctx)
	if _, err := e.EditConfig(ctx, "bench", false, testkit.Config()); err != nil {
		b.Fatal(err)
	}
	s := New(Options{Engine: e, Dev: true})
	for n := range 1000 {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/casm/customers/create", strings.NewReader(fmt.Sprintf(
			`{"requestId":"%d","externalId":"c-%d","customerProfile":"b2b","customName":"Customer","customAttributes":{"street":"1 Main Street","language":"en"}}`, n, n)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("http://localhost/v1/casm/customers/read?externalId=c-%d", n%1000), nil))
			if w.Code != 200 {
				b.Fatal(w.Body)
			}
		}
	})
}
