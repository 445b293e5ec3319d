package storetest

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"casm"
)

var sessionTests = []test{
	{"Begin and end", sessionLife},
	{"Those of a user are bounded", sessionBound},
	{"Ended ones are removed", sessionExpiry},
	{"None is left of an earlier time", sessionEpoch},
	{"Many sign in at once", sessionConcurrency},
}

// session returns one that ends an hour after it begins.
func (w *world) session(user string) casm.Session {
	now := w.tick()
	return casm.Session{Hash: sha256.Sum256(fmt.Append(nil, now)), User: user, Era: "ä " + user, Created: now, Ends: now + 3_600_000_000}
}

// found checks whether a session is there, as it is given.
func (w *world) found(want casm.Session, is bool) {
	w.Helper()
	got := must(w.store.Session(w.ctx, want.Hash))(w)
	switch {
	case is && got == nil, !is && got != nil:
		w.Errorf("the session of %s is there: %t, want %t", want.User, got != nil, is)
	case is:
		same(w, "session", *got, want)
	}
}

func (w *world) addSession(s casm.Session, most int) {
	w.Helper()
	if err := w.store.AddSession(w.ctx, s, most); err != nil {
		w.Fatal(err)
	}
}

func sessionLife(w *world) {
	a, b, other := w.session("ann"), w.session("ann"), w.session("bob")
	for _, s := range []casm.Session{a, b, other} {
		w.found(s, false)
		w.addSession(s, 10)
		w.found(s, true)
	}
	if err := w.store.AddSession(w.ctx, a, 10); err == nil {
		w.Error("a session was added twice")
	}
	vouched := w.session("oidc:ann")
	vouched.Name, vouched.Roles = "Ann Ünal", []string{"reader", "own.role-2"}
	w.addSession(vouched, 10)
	w.found(vouched, true)
	b.Ends += 5
	for _, ends := range []casm.Time{b.Ends, b.Ends - 4} { // never back
		if err := w.store.ExtendSession(w.ctx, b.Hash, ends); err != nil {
			w.Fatal(err)
		}
	}
	w.found(b, true)
	w.reopen()
	w.found(a, true)
	w.found(b, true)
	for range 2 {
		if err := w.store.EndSession(w.ctx, a.Hash); err != nil {
			w.Fatal(err)
		}
		w.found(a, false)
	}
	if err := w.store.ExtendSession(w.ctx, a.Hash, a.Ends+5); err != nil {
		w.Fatal(err)
	}
	w.found(a, false)
	w.addSession(a, 10)
	for range 2 {
		if err := w.store.EndSessions(w.ctx, "ann"); err != nil {
			w.Fatal(err)
		}
	}
	w.found(a, false)
	w.found(b, false)
	w.found(other, true)
	w.found(vouched, true)
}

func sessionBound(w *world) {
	other := w.session("Ann")
	w.addSession(other, 3)
	var all []casm.Session
	for range 5 {
		all = append(all, w.session("ann"))
		w.addSession(all[len(all)-1], 3)
	}
	for n, s := range all {
		w.found(s, n >= 2)
	}
	w.found(other, true)
}

func sessionExpiry(w *world) {
	a, b, c := w.session("ann"), w.session("bob"), w.session("cid")
	c.Created = a.Ends
	c.Ends += 5
	b.Ends = a.Ends + 1
	w.addSession(a, 3)
	w.addSession(b, 3)
	w.addSession(c, 3)
	w.found(a, false)
	w.found(b, true)
	w.found(c, true)
}

func sessionEpoch(w *world) {
	a := w.session("ann")
	w.addSession(a, 3)
	if _, err := w.store.RaiseEpoch(w.ctx, 0); err != nil {
		w.Fatal(err)
	}
	w.found(a, false)
}

func sessionConcurrency(w *world) {
	old := make([]casm.Session, 20)
	for n := range old {
		old[n] = w.session("old")
		old[n].Ends = old[n].Created + 1
		w.addSession(old[n], 100)
	}
	var all sync.WaitGroup
	for n := range 20 {
		s := w.session(fmt.Sprint("u", n%2))
		all.Go(func() {
			if err := w.store.AddSession(w.ctx, s, 3); err != nil {
				w.Error(err)
			}
		})
	}
	all.Wait()
	last := []casm.Session{w.session("u0"), w.session("u1")}
	for _, s := range last {
		w.addSession(s, 1)
		w.found(s, true)
	}
	for _, s := range old {
		w.found(s, false)
	}
}
