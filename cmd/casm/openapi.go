package main

import (
	"casm/app"
	"casm/httpapi"
)

type openAPI struct{}

// Help is what casm openapi --help adds.
func (openAPI) Help() string { return "Example:\n\n  casm openapi > openapi.json" }

// Run prints the description.
func (openAPI) Run(to streams) error {
	_, err := to.out.Write(httpapi.OpenAPI(app.Version))
	return err
}
