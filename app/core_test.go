package app

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"casm/auth"
	"casm/command"
	"casm/engine"
	"casm/internal/testkit"
	"casm/store"
	"casm/store/sqlite"
)

// TestAdministeringForgetsNothing: a requestId that the server keeps for longer than is
// usual is still known after the command line worked on its folder.
func TestAdministeringForgetsNothing(t *testing.T) {
	where := Data{Data: t.TempDir()}
	path, ctx := filepath.Join(where.Data, storeFile), t.Context()
	s, err := sqlite.Open(ctx, path, sqlite.Options{Now: func() time.Time { return time.Now().Add(-60 * 24 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(ctx, engine.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	if _, err := e.EditConfig(ctx, "test", false, testkit.Config()); err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"requestId":"old","customerProfile":"b2b"}`)
	in, v := command.OperationByID("createCustomer").Decode(body, "", false)
	if len(v) > 0 {
		t.Fatal(v)
	}
	if _, err := e.Write(ctx, engine.Write{Input: in, Body: body, Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 20 { // who would forget does so beside the work, and may come too late
		err := Administer(ctx, where, "me", false, slog.New(slog.DiscardHandler), func(a Admin) error {
			_, err := a.CreateKey(ctx, auth.NewKey{Name: "x", Permissions: []string{"admin"}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if s, err = sqlite.Open(ctx, path, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := store.Request("old", -1)
	err = s.View(ctx, func(r store.Reader) error {
		l, err := r.Load(ctx, store.Needs{Requests: []store.ClaimKey{key}})
		if _, known := l.Transactions[key]; err == nil && !known {
			t.Error("it is forgotten")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
