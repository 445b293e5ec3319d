package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"casm"
	"casm/command"
	"casm/engine"
)

func TestOverload(t *testing.T) {
	f := newFixture(t, true, func(o *engine.Options) { o.QueueLimit = 4 })
	f.do("createCustomer", customer("c"))
	release := f.hold()
	done := make(chan error, 100)
	for n := range 4 {
		go func() {
			_, err := f.try("updateCustomerCustomName", name("c", fmt.Sprint(n)))
			done <- err
		}()
	}
	f.waitFor(4)
	for range 10 {
		if _, err := f.try("updateCustomerCustomName", name("c", "x")); !errors.Is(err, engine.ErrOverloaded) {
			t.Fatal(err)
		}
		if _, err := f.tryBatch(operations("b", true, "createCustomer", customer("d"), "createCustomer", customer("e"))); !errors.Is(err, engine.ErrOverloaded) {
			t.Fatal(err)
		}
	}
	release()
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 5)
	// a batch beyond the limit goes through when nothing else waits
	f.batch(operations("b", true, "createCustomer", customer("1"), "createCustomer", customer("2"), "createCustomer", customer("3"), "createCustomer", customer("4"), "createCustomer", customer("5")))
}

func TestAWaitingClientGoesAway(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	release := f.hold()
	op := command.OperationByID("updateCustomerCustomName")
	write := func(ctx context.Context, to string) error {
		body := []byte(`{"requestId":"` + to + `",` + name("c", to)[1:])
		in, v := op.Decode(body, "", false)
		if len(v) > 0 {
			return v
		}
		_, err := f.Write(ctx, engine.Write{Input: in, Body: body})
		return err
	}
	first, second := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { first <- write(t.Context(), "stays") }()
	f.waitFor(1)
	go func() { second <- write(ctx, "goes") }()
	f.waitFor(2)
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	f.do("updateCustomerCustomAttributes", `{"customer":{"externalId":"c"},"customAttributes":{"a":"1"}}`)
	f.want(f.read(casm.KindCustomer, "c", 0), "customName", "stays", "version", 3)
	if n := f.Waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

func TestStopDrains(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	release := f.hold()
	done := make(chan error, clients)
	for n := range clients {
		go func() {
			_, err := f.try("updateCustomerCustomName", name("c", fmt.Sprint(n)))
			done <- err
		}()
	}
	f.waitFor(clients)
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(t.Context()) }()
	for !f.Stopping() {
		time.Sleep(time.Millisecond)
	}
	if _, err := f.try("createCustomer", customer("late")); !errors.Is(err, engine.ErrOverloaded) {
		t.Error(err)
	}
	release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 1+clients)
}

func TestStopInTime(t *testing.T) {
	f := newFixture(t, true)
	f.do("createCustomer", customer("c"))
	release := f.hold()
	done := make(chan error, 10)
	for n := range 10 {
		go func() {
			_, err := f.try("updateCustomerCustomName", name("c", fmt.Sprint(n)))
			done <- err
		}()
		f.waitFor(n + 1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(ctx) }()
	<-ctx.Done()
	time.Sleep(20 * time.Millisecond)
	release()
	if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	committed := 0
	for range 10 {
		switch err := <-done; {
		case err == nil:
			committed++
		case !errors.Is(err, engine.ErrOverloaded):
			t.Error(err)
		}
	}
	if committed == 10 {
		t.Error("nothing was refused")
	}
	f.want(f.read(casm.KindCustomer, "c", 0), "version", 1+committed)
}
