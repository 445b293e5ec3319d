// The program of TestOneLine: it runs in a copy of the project whose customer
// has one attribute more, and shows where that is met.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"casm"
	"casm/engine"
	"casm/httpapi"
	"casm/internal/testkit"
	"casm/relay"
	"casm/store"
	"casm/store/sqlite"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string) error {
	s, err := sqlite.Open(ctx, filepath.Join(dir, "casm.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := engine.New(ctx, engine.Options{Store: s})
	if err != nil {
		return err
	}
	e.Start()
	defer e.Stop(ctx)
	if _, err := e.EditConfig(ctx, "test", false, testkit.Config()); err != nil {
		return err
	}
	h := httpapi.New(httpapi.Options{Engine: e, Dev: true})
	defer h.Close()
	call := func(what, method, path, body string) {
		r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		show(what, w.Body.String())
	}
	call("create", http.MethodPost, "/v1/casm/customers/create", `{"requestId":"1","externalId":"c","customerProfile":"b2b","loyaltyNumber":"L-1"}`)
	call("refuse", http.MethodPost, "/v1/casm/customers/create", `{"requestId":"2","customerProfile":"b2b","loyaltyNumber":"much too long for it"}`)
	call("update", http.MethodPost, "/v1/casm/customers/update", `{"requestId":"3","customer":{"externalId":"c"},"loyaltyNumber":"L-2"}`)
	call("read", http.MethodGet, "/v1/casm/customers/read?externalId=c", "")
	call("openapi", http.MethodGet, "/openapi.json", "")
	call("schema", http.MethodGet, "/v1/schemas/customer.json", "")
	return e.View(ctx, func(r store.Reader) error {
		feed, err := r.Feed(ctx, casm.Start, store.FeedFilter{}, 10)
		if err != nil {
			return err
		}
		for _, entry := range feed {
			show("journal", string(entry.Doc))
			show("message", string(relay.Body(entry)))
		}
		l, err := r.Load(ctx, store.Needs{Claims: []store.ClaimKey{store.ExternalID(casm.KindCustomer, "c")}})
		if err != nil {
			return err
		}
		for _, entity := range l.Entities {
			show("store", string(entity.Doc))
		}
		return nil
	})
}

// show prints one line.
func show(what, text string) {
	fmt.Printf("%s %s\n", what, strings.Join(strings.Fields(text), " "))
}
