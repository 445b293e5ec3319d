package storetest

import "time"

var leaseTests = []test{
	{"the one who asks gets a lease, and keeps it", func(w *world) {
		for range 3 {
			if has, err := w.store.Lease(w.ctx, "relay", "a", time.Minute); err != nil || has != "a" {
				w.Fatalf("a asked, %q has it, %v", has, err)
			}
		}
		if _, err := w.store.Lease(w.ctx, "relay", "a", 0); err != nil {
			w.Fatal(err)
		}
		if has, err := w.store.Lease(w.ctx, "relay", "b", time.Minute); err != nil || has != "b" {
			w.Errorf("b asked for what was given up, %q has it, %v", has, err)
		}
	}},
	{"an epoch is higher than all that were", func(w *world) {
		before := w.head()
		raised, err := w.store.RaiseEpoch(w.ctx, 0)
		if err != nil || raised.Epoch != before.Epoch+1 || raised.Position != before.Position || raised.Config != before.Config {
			w.Errorf("%+v became %+v, %v", before, raised, err)
		}
		if raised, err = w.store.RaiseEpoch(w.ctx, 17); err != nil || raised.Epoch != 18 {
			w.Errorf("over 17: %+v, %v", raised, err)
		}
		w.reopen()
		if head := w.head(); head != raised {
			w.Errorf("%+v became %+v", raised, head)
		}
	}},
}
