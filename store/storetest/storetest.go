// Package storetest is the suite that every store passes.
package storetest

import (
	"testing"

	"casm/store"
)

// Open gives a store for a test. Called for the first time with a t it gives an
// empty one; called again with the same t, after Close, the same data again.
type Open func(t *testing.T) store.Store

// Run runs the suite.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Commit", commitTests},
		{"Claims", claimTests},
		{"Concurrency", concurrencyTests},
		{"Entities", entityTests},
		{"Journal", journalTests},
		{"Feed", feedTests},
		{"Checksum", checksumTests},
		{"Lease", leaseTests},
		{"Config", configTests},
		{"Progress", progressTests},
		{"Session", sessionTests},
		{"List", listTests},
		{"Audit", auditTests},
		{"Model", modelTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(newWorld(t, open))
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(w *world)
}
