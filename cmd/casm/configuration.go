package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"casm"
	"casm/app"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// configuration is the configuration as code, against a running server.
type configuration struct {
	Export configExport `cmd:"" help:"Print the whole configuration as one document."`
	Diff   configDiff   `cmd:"" help:"Show what an import would change; exit code 1 when something would, 2 when that could not be found out."`
	Import configImport `cmd:"" help:"Make the configuration equal to a document, all or nothing."`
}

// Help is what casm config --help adds.
func (configuration) Help() string {
	return `A collection that the document has is made equal to it, one that it lacks is left alone.

Examples:

  casm config export > casm.yaml
  casm config diff casm.yaml
  casm config import casm.yaml
  casm config export --json --server https://casm.example
  casm config export --server https://casm.internal --ca-file ca.pem --client-cert me.pem --client-key me-key.pem`
}

// client is how a running server is reached.
type client struct {
	Server string `default:"http://127.0.0.1:8080" env:"CASM_SERVER" placeholder:"URL" help:"The running server (default: ${default})."`
	APIKey string `env:"CASM_API_KEY" placeholder:"KEY" help:"API key; give it in the environment rather than on the command line."`

	app.ClientTLS `embed:""`
}

// Validate is called when the command line was read.
func (c *client) Validate() error {
	u, err := url.Parse(c.Server)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("--server must be an address such as http://127.0.0.1:8080")
	}
	return c.ClientTLS.Check()
}

// maxAnswer bounds what is read of a server's answer.
const maxAnswer = 256 << 20

// send sends a request and returns the body of a 200.
func (c *client) send(ctx context.Context, method, path string, body []byte, header ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if c.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.APIKey)
	}
	caller, err := c.HTTP(0) // ctx bounds it
	if err != nil {
		return nil, err
	}
	res, err := caller.Do(req)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, fmt.Errorf("%w; --ca-file names the CA of a server whose CA this machine does not know", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; is the server running, and is --server right?", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return answer, nil
	}
	var problem casm.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || len(problem.Errors) == 0 {
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	for i := range problem.Errors {
		e := &problem.Errors[i]
		e.Detail = strings.TrimPrefix(e.Pointer+" ", " ") + e.Detail
	}
	return nil, problem.Errors
}

type configExport struct {
	client `embed:""`
	JSON   bool `name:"json" help:"As JSON instead of YAML."`
}

// Run prints the configuration.
func (c *configExport) Run(ctx context.Context, to streams) error {
	accept := "application/yaml"
	if c.JSON {
		accept = "application/json"
	}
	document, err := c.send(ctx, http.MethodGet, "/v1/config/export", nil, "Accept", accept)
	if err != nil {
		return err
	}
	if c.JSON {
		document = append(document, '\n')
	}
	_, err = to.out.Write(document)
	return err
}

type configDocument struct {
	client `embed:""`
	File   string `arg:"" placeholder:"FILE" help:"The document, YAML or (with the ending .json) JSON; - is standard input."`
}

type configDiff struct {
	configDocument `embed:""`
}

type configImport struct {
	configDocument `embed:""`
	DryRun         bool `help:"Only show what would change."`
}

// errDiffers ends casm config diff when something would change.
var errDiffers = errors.New("the configuration differs from the document")

// Run shows what would change.
func (c *configDiff) Run(ctx context.Context, to streams) error {
	n, err := c.send(ctx, true, to.out)
	switch {
	case err != nil:
		return coded{err, 2}
	case n > 0:
		return errDiffers
	}
	return nil
}

// Run imports the document.
func (c *configImport) Run(ctx context.Context, to streams) error {
	_, err := c.send(ctx, c.DryRun, to.out)
	return err
}

// send imports the document and prints the changes; it returns how many.
func (c *configDocument) send(ctx context.Context, dryRun bool, out io.Writer) (int, error) {
	document, err := c.read()
	if err != nil {
		return 0, err
	}
	contentType := "application/yaml"
	if strings.HasSuffix(c.File, ".json") {
		contentType = "application/json"
	}
	answer, err := c.client.send(ctx, http.MethodPost, fmt.Sprintf("/v1/config/import?dryRun=%t", dryRun), document, "Content-Type", contentType)
	if err != nil {
		return 0, err
	}
	var changes struct {
		Changes []struct {
			Collection, Code, Change string
			Differences              []struct {
				Pointer  string
				From, To jsontext.Value
			}
		}
	}
	if err := json.Unmarshal(answer, &changes, json.MatchCaseInsensitiveNames(true)); err != nil {
		return 0, fmt.Errorf("the server's answer: %w", err)
	}
	var b strings.Builder
	marks := map[string]string{"created": "+", "replaced": "~", "deleted": "-"}
	for _, x := range changes.Changes {
		fmt.Fprintf(&b, "%s %s/%s\n", marks[x.Change], x.Collection, x.Code)
		if x.Change != "replaced" {
			continue
		}
		for _, d := range x.Differences {
			fmt.Fprintf(&b, "    %s: %s → %s\n", d.Pointer, orNothing(d.From), orNothing(d.To))
		}
	}
	verb := "changed"
	if dryRun {
		verb = "would change"
	}
	fmt.Fprintf(&b, "%d %s\n", len(changes.Changes), verb)
	_, err = io.WriteString(out, b.String())
	return len(changes.Changes), err
}

func orNothing(v jsontext.Value) string {
	if v == nil {
		return "nothing"
	}
	return string(v)
}

func (c *configDocument) read() ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(c.File)
}
