package httpapi

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casm"
	"casm/command"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// goldenVersion stands for the product's version in the golden files, which do
// not change with it.
const goldenVersion = "0.0.0"

// TestGolden fails when what is served differs from api/; -update writes it anew.
func TestGolden(t *testing.T) {
	want := map[string][]byte{"openapi.json": OpenAPI(goldenVersion), "postman_collection.json": PostmanCollection()}
	for _, k := range casm.Kinds {
		want["schemas/"+k.MessageCode()+".json"] = MessageSchema(k)
	}
	for name, content := range want {
		path := filepath.Join("..", "api", filepath.FromSlash(name))
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(have, content) {
			t.Errorf("%s is stale; look at the difference after: go test ./httpapi -run TestGolden -update", path)
		}
	}
}

// document is /openapi.json as the tests look into it.
type document struct {
	Paths      map[string]map[string]documentOperation `json:"paths"`
	Components struct {
		Schemas   map[string]any              `json:"schemas"`
		Responses map[string]documentResponse `json:"responses"`
		Headers   map[string]any              `json:"headers"`
	} `json:"components"`
}

type documentOperation struct {
	OperationID string                      `json:"operationId"`
	RequestBody documentResponse            `json:"requestBody"`
	Responses   map[string]documentResponse `json:"responses"`
}

type documentResponse struct {
	Content map[string]media `json:"content"`
}

type media struct {
	Schema   map[string]any                 `json:"schema"`
	Example  any                            `json:"example"`
	Examples map[string]struct{ Value any } `json:"examples"`
}

// openAPISchemas compiles schemas of the document by name.
type openAPISchemas struct {
	document document
	compiler *jsonschema.Compiler
}

const documentURL = "urn:test:openapi"

func loadOpenAPI(t *testing.T) *openAPISchemas {
	t.Helper()
	s := &openAPISchemas{compiler: jsonschema.NewCompiler()}
	text := OpenAPI(goldenVersion)
	if err := json.Unmarshal(text, &s.document); err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	s.compiler.AssertFormat()
	if err := s.compiler.AddResource(documentURL, parsed); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *openAPISchemas) schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := s.compiler.Compile(documentURL + componentPrefix + name)
	if err != nil {
		t.Fatalf("schema %s: %v", name, err)
	}
	return schema
}

func (s *openAPISchemas) validate(t *testing.T, name string, body []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := s.schema(t, name).Validate(value); err != nil {
		t.Errorf("%s is not of schema %s: %v", body, name, err)
	}
}

func TestOpenAPISchemasCompile(t *testing.T) {
	s := loadOpenAPI(t)
	for name := range s.document.Components.Schemas {
		s.schema(t, name)
	}
	ids := map[string]bool{}
	for path, item := range s.document.Paths {
		for method, op := range item {
			if ids[op.OperationID] {
				t.Errorf("operationId %s stands twice", op.OperationID)
			}
			ids[op.OperationID] = true
			if len(op.Responses) == 0 {
				t.Errorf("%s %s has no responses", method, path)
			}
		}
	}
	for _, op := range command.Operations {
		if !ids[op.ID] {
			t.Errorf("operation %s is not described", op.ID)
		}
	}
}

// TestOpenAPIReferences looks for references to what is not there.
func TestOpenAPIReferences(t *testing.T) {
	s := loadOpenAPI(t)
	for _, m := range regexp.MustCompile(`"\$ref": "#/components/(\w+)/([^"]+)"`).FindAllSubmatch(OpenAPI(goldenVersion), -1) {
		c := s.document.Components
		in := map[string]bool{"schemas": c.Schemas[string(m[2])] != nil, "responses": c.Responses[string(m[2])].Content != nil, "headers": c.Headers[string(m[2])] != nil}
		if !in[string(m[1])] {
			t.Errorf("%s %s is referred to and not there", m[1], m[2])
		}
	}
}

// TestExamples decodes every example of a body as the server does, and checks
// all examples of the document against their schemas. Every body and every
// answer that is JSON has one.
func TestExamples(t *testing.T) {
	for _, op := range command.Operations {
		if _, v := op.Decode(example(op.Example), "", false); len(v) > 0 {
			t.Errorf("example of %s: %v", op.ID, v)
		}
	}
	if _, v := command.DecodeBatch(example(batchExample)); len(v) > 0 {
		t.Errorf("example of batch: %v", v)
	}
	s := loadOpenAPI(t)
	check := func(where string, content map[string]media, pointer string) {
		for kind, m := range content {
			if m.Example == nil && m.Examples == nil {
				if strings.HasSuffix(kind, "json") && !slices.Contains([]string{"openAPI", "readMessageSchema", "listServices"}, where) {
					t.Errorf("%s has no example: %s", where, pointer)
				}
				continue
			}
			schema, err := s.compiler.Compile(documentURL + pointer + "/content/" + strings.ReplaceAll(url.PathEscape(kind), "%2F", "~1") + "/schema")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range append(slices.Collect(maps.Values(m.Examples)), struct{ Value any }{m.Example}) {
				if e.Value == nil {
					continue
				}
				text, err := json.Marshal(e.Value)
				if err != nil {
					t.Fatal(err)
				}
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(value); err != nil {
					t.Errorf("%s, %s: the example %s is not of its schema: %v", where, pointer, text, err)
				}
			}
		}
	}
	for path, item := range s.document.Paths {
		for method, op := range item {
			at := "#/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + method
			check(op.OperationID, op.RequestBody.Content, at+"/requestBody")
			for status, r := range op.Responses {
				check(op.OperationID, r.Content, at+"/responses/"+status)
			}
		}
	}
	for name, r := range s.document.Components.Responses {
		check(name, r.Content, "#/components/responses/"+name)
	}
}

// TestRequestSchemasRefuse makes sure that the schemas of requests are closed
// and limited as decoding is.
func TestRequestSchemasRefuse(t *testing.T) {
	s := loadOpenAPI(t)
	for _, body := range []string{
		`{"requestId": "1", "customName": "x", "unknown": 1}`,
		`{"customName": "x"}`,
		`{"requestId": ""}`,
		`{"requestId": "1", "customName": ""}`,
		`{"requestId": "1", "state": {"state": "ALIVE", "stateReason": "x"}}`,
		`{"requestId": "1", "state": {"state": "ACTIVE", "stateReason": "x", "other": 1}}`,
		`{"requestId": "1", "testCustomer": "yes"}`,
		`{"requestId": "1", "customAttributes": {"a": 1}}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if s.schema(t, "CreateCustomerRequest").Validate(value) == nil {
			t.Errorf("the schema takes %s", body)
		}
		if _, v := command.OperationByID("createCustomer").Decode([]byte(body), "", false); len(v) == 0 {
			t.Errorf("decoding takes %s", body)
		}
	}
}

func TestMessageSchemasCompile(t *testing.T) {
	for _, k := range casm.Kinds {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(MessageSchema(k)))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("urn:test", value); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Compile("urn:test"); err != nil {
			t.Errorf("%v: %v", k, err)
		}
	}
}

// TestAllCodesAreDescribed reads the codes from their declaration.
func TestAllCodesAreDescribed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../violation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, c := range codeDocs {
		if described[string(c.Code)] {
			t.Errorf("%s is described twice", c.Code)
		}
		described[string(c.Code)] = true
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		declared++
		if !described[code] {
			t.Errorf("%s is not described", code)
		}
		return true
	})
	if declared != len(codeDocs) {
		t.Errorf("%d codes are declared, %d described", declared, len(codeDocs))
	}
}
