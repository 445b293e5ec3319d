package testkit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// OpenAPI is the description that a running server serves at /openapi.json.
// Tests find operations in it and check answers against it.
type OpenAPI struct {
	Operations []*APIOperation
	// Codes are the known codes of errors.
	Codes []string

	document  map[string]any
	responses map[string]any // components

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// APIOperation is one method at one path.
type APIOperation struct {
	ID, Method, Path string
	Params           []APIParam
	// Request is the schema of the body, nil for none; Example is an example of it.
	Request map[string]any
	Example json.RawMessage

	pattern   *regexp.Regexp
	responses map[string]any
}

// APIParam is a parameter of an operation.
type APIParam struct {
	Name     string         `json:"name"`
	In       string         `json:"in"` // path, query or header
	Required bool           `json:"required"`
	Schema   map[string]any `json:"schema"`
}

const openAPIURL = "urn:casm:openapi"

// LoadOpenAPI reads the description from a running server.
func LoadOpenAPI(t testing.TB, app *App) *OpenAPI {
	t.Helper()
	status, _, text, err := app.Get(t.Context(), "/openapi.json")
	if err != nil || status != http.StatusOK {
		t.Fatalf("/openapi.json: %d %v", status, err)
	}
	o, err := ParseOpenAPI(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// ParseOpenAPI reads a description.
func ParseOpenAPI(text []byte) (*OpenAPI, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	o := &OpenAPI{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	o.compiler.AssertFormat()
	if err := o.compiler.AddResource(openAPIURL, value); err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID         string     `json:"operationId"`
			Parameters []APIParam `json:"parameters"`
			Request    struct {
				Content map[string]struct {
					Schema  map[string]any  `json:"schema"`
					Example json.RawMessage `json:"example"`
				} `json:"content"`
			} `json:"requestBody"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
		Components struct {
			Responses map[string]any `json:"responses"`
			Schemas   struct {
				Violation struct {
					Properties struct {
						Code struct {
							Known []string `json:"x-extensible-enum"`
						} `json:"code"`
					} `json:"properties"`
				} `json:"Violation"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := errors.Join(json.Unmarshal(text, &doc), json.Unmarshal(text, &o.document)); err != nil {
		return nil, err
	}
	o.Codes, o.responses = doc.Components.Schemas.Violation.Properties.Code.Known, doc.Components.Responses
	for path, item := range doc.Paths {
		for method, op := range item {
			media := op.Request.Content["application/json"]
			o.Operations = append(o.Operations, &APIOperation{
				ID: op.ID, Method: strings.ToUpper(method), Path: path, Params: op.Parameters,
				Request: media.Schema, Example: media.Example, responses: op.Responses,
				pattern: regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$"),
			})
		}
	}
	slices.SortFunc(o.Operations, func(a, b *APIOperation) int { return strings.Compare(a.ID, b.ID) })
	return o, nil
}

// Find returns the operation that answers a method at a path (without query),
// or nil. A path without parameters goes before one with.
func (o *OpenAPI) Find(method, path string) *APIOperation {
	var found *APIOperation
	for _, op := range o.Operations {
		if op.Method == method && op.pattern.MatchString(path) && (found == nil || op.Path == path) {
			found = op
		}
	}
	return found
}

// ByID returns the operation, or nil.
func (o *OpenAPI) ByID(id string) *APIOperation {
	i := slices.IndexFunc(o.Operations, func(op *APIOperation) bool { return op.ID == id })
	if i < 0 {
		return nil
	}
	return o.Operations[i]
}

// Schema returns what a reference such as #/components/schemas/Customer means.
func (o *OpenAPI) Schema(ref string) map[string]any {
	var at any = o.document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at, _ = at.(map[string]any)[part].(map[string]any)
	}
	schema, _ := at.(map[string]any)
	return schema
}

// Refuses reports whether the operation's description has an answer 400.
func (op *APIOperation) Refuses() bool { return op.responses["400"] != nil }

// CheckAnswer checks an answer against the description: that its status and
// content type are described, that its body is of their schema, and of a
// problem that its errors are as contract 4 says. A nil operation stands for a
// path or method that does not exist.
func (o *OpenAPI) CheckAnswer(op *APIOperation, status int, header http.Header, body []byte) error {
	if header.Get("X-Request-Id") == "" {
		return errors.New("the answer has no X-Request-Id")
	}
	if op == nil {
		if status < 400 {
			return fmt.Errorf("status %d of what is not described", status)
		}
		return o.checkProblem(nil, status, header, body)
	}
	if status >= 400 && status != http.StatusMethodNotAllowed && op.responses[strconv.Itoa(status)] == nil {
		return fmt.Errorf("%s: the status %d is not described", op.ID, status)
	}
	if status >= 400 && (op.ID != "ready" || status != http.StatusServiceUnavailable) {
		return o.checkProblem(op, status, header, body)
	}
	described, _ := op.responses[strconv.Itoa(status)].(map[string]any)
	if described == nil {
		return fmt.Errorf("%s: the status %d is not described", op.ID, status)
	}
	content, _ := described["content"].(map[string]any)
	if content == nil {
		if len(body) > 0 {
			return fmt.Errorf("%s: the status %d has a body that is not described: %.200s", op.ID, status, body)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		return fmt.Errorf("%s: the content type %q is not described", op.ID, header.Get("Content-Type"))
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	pointer := "/paths/" + escapePointer(op.Path) + "/" + strings.ToLower(op.Method) + "/responses/" + strconv.Itoa(status) + "/content/" + escapePointer(kind) + "/schema"
	return o.validate(op.ID, pointer, body)
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(s)
}

// Validate checks a JSON value against a schema of the components.
func (o *OpenAPI) Validate(name string, body []byte) error {
	return o.validate(name, "/components/schemas/"+name, body)
}

func (o *OpenAPI) validate(what, pointer string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: no JSON: %w: %.300s", what, err, body)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	schema := o.compiled[pointer]
	if schema == nil {
		if schema, err = o.compiler.Compile(openAPIURL + "#" + pointer); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		o.compiled[pointer] = schema
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s: the answer is not of its schema: %w\n%.2000s", what, err, body)
	}
	return nil
}

// APIProblem is a problem as a client sees it.
type APIProblem struct {
	Type, Title, Detail, RequestID string
	Status                         int
	Errors                         []APIError
}

// APIError is one error of a problem.
type APIError struct{ Code, Pointer, Detail string }

func (o *OpenAPI) checkProblem(op *APIOperation, status int, header http.Header, body []byte) error {
	if kind := header.Get("Content-Type"); kind != "application/problem+json" {
		return fmt.Errorf("the status %d has the content type %q: %.300s", status, kind, body)
	}
	if err := o.validate("Problem", "/components/schemas/Problem", body); err != nil {
		return err
	}
	var p APIProblem
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || len(p.Errors) == 0 {
		return fmt.Errorf("the problem of status %d lacks something: %s", status, body)
	}
	sorted := slices.IsSortedFunc(p.Errors, func(a, b APIError) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Code, b.Code))
	})
	if !sorted {
		return fmt.Errorf("the errors are not sorted by pointer, then code: %s", body)
	}
	for _, e := range p.Errors {
		switch {
		case !slices.Contains(o.Codes, e.Code):
			return fmt.Errorf("the code %q is not known: %s", e.Code, body)
		case e.Detail == "":
			return fmt.Errorf("%s has no detail: %s", e.Code, body)
		case status == 400 && op != nil && !op.mayPoint(e):
			return fmt.Errorf("%s points at %q, which is neither in the body nor a parameter of %s: %s", e.Code, e.Pointer, op.ID, body)
		}
	}
	return nil
}

// mayPoint reports whether an error's pointer is one that the operation can
// have: into a body, to the body as a whole, or the name of a parameter.
func (op *APIOperation) mayPoint(e APIError) bool {
	switch {
	case strings.HasPrefix(e.Pointer, "/"):
		return op.Request != nil
	case e.Code == "unknown_member":
		return true // the name that nobody knows
	case e.Pointer == "":
		whole := []string{"malformed_json", "wrong_type", "one_of_required", "required", "too_long", "too_many"}
		return slices.Contains(whole, e.Code)
	}
	return e.Pointer == "If-Match" || strings.HasPrefix(e.Pointer, "customAttributes.") || slices.ContainsFunc(op.Params, func(p APIParam) bool { return p.Name == e.Pointer })
}
