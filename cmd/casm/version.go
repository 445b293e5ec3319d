package main

import (
	"fmt"
	"runtime"

	"casm/app"
)

type version struct{}

// Help is what casm version --help adds.
func (version) Help() string { return "Example:\n\n  casm version" }

// Run prints the version.
func (version) Run(to streams) error {
	_, err := fmt.Fprintf(to.out, "casm %s (%s, %s/%s)\n", app.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
