package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"casm"

	"github.com/go-json-experiment/json"
)

// documents are what is made of the tables once, at start.
type documents struct {
	openAPI, openAPICompressed, docs, start []byte
	schemas                                 map[string][]byte // by message code
}

func newDocuments(version string) documents {
	d := documents{openAPI: OpenAPI(version), schemas: map[string][]byte{}}
	d.openAPICompressed = compress(d.openAPI)
	for _, k := range casm.Kinds {
		d.schemas[k.MessageCode()] = MessageSchema(k)
	}
	d.docs = render("docs.html", docsPage(version))
	d.start = render("start.html", map[string]any{"Style": style})
	return d
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // into memory
	_ = z.Close()
	return out.Bytes()
}

// openAPI answers with the description, compressed where that is taken: the
// console reads it on slow lines too.
func openAPI(s *Server, x *exchange) {
	x.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") {
		x.Header().Set("Content-Encoding", "gzip")
		x.json(http.StatusOK, s.documents.openAPICompressed)
		return
	}
	x.json(http.StatusOK, s.documents.openAPI)
}

func messageSchema(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok {
		return
	}
	code, isJSON := strings.CutSuffix(x.r.PathValue("file"), ".json")
	schema := s.documents.schemas[code]
	if schema == nil || !isJSON {
		x.absent("", "there is no such message; there are "+strings.Join(messageCodes(), ".json, ")+".json")
		return
	}
	x.Header().Set("Content-Type", "application/schema+json")
	x.send(http.StatusOK, schema)
}

func healthz(_ *Server, x *exchange) { x.json(http.StatusOK, []byte(`{"status":"ok"}`)) }

func readyz(s *Server, x *exchange) {
	missing := s.ready()
	select {
	case <-s.closing:
		missing = append([]string{"the server is stopping"}, missing...)
	default:
	}
	status := http.StatusOK
	if len(missing) > 0 {
		status = http.StatusServiceUnavailable
		x.wait(retryAfter)
	}
	answer := readiness{Ready: len(missing) == 0, Missing: []string{}}
	if s.relay != nil {
		answer.Relay = s.relay()
	}
	for _, m := range missing {
		answer.Missing = append(answer.Missing, strings.ToValidUTF8(m, "?"))
	}
	body, err := json.Marshal(answer)
	if err != nil {
		x.fail(err)
		return
	}
	x.json(status, body)
}

type readiness struct {
	Ready   bool     `json:"ready"`
	Missing []string `json:"missing"`
	Relay   string   `json:"relay,omitempty"`
}

func docs(s *Server, x *exchange) { x.page(s.documents.docs) }

// start answers at / with the console, or says that it was not built.
func start(s *Server, x *exchange) {
	if s.console != nil {
		s.console.ServeHTTP(x, x.r)
		return
	}
	x.page(s.documents.start)
}

// forConsole reports whether a path that the API does not have is the
// console's: one of its files, or a view that a browser asks for.
func (x *exchange) forConsole() bool {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return false
	}
	if x.s.console.Has(x.r.URL.Path) {
		return true
	}
	first, _, _ := strings.Cut(x.r.URL.Path[1:], "/")
	switch strings.ToLower(first) {
	case "v1", "docs", "metrics", "healthz", "readyz", "openapi.json", "assets":
		return false
	}
	return strings.Contains(x.r.Header.Get("Accept"), "text/html")
}

//go:embed pages/style.css
var styleSheet string

// style is the style sheet as it stands in pages: its hash is in the policy.
var style = template.CSS(styleSheet)

//go:embed pages/docs.js
var docsScript string

// policy lets a page load nothing but its own style sheet and script, and call
// nothing but this server.
var policy = []string{"default-src 'none'; style-src " + hashOf(styleSheet) + "; script-src " + hashOf(docsScript) +
	"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var typeHTML = []string{"text/html; charset=utf-8"}

// page answers with an HTML page.
func (x *exchange) page(body []byte) { x.pageAs(http.StatusOK, body) }

func (x *exchange) pageAs(status int, body []byte) {
	h := x.Header()
	h["Content-Type"] = typeHTML
	h["Content-Security-Policy"] = policy
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	x.send(status, body)
}
