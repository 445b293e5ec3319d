package httpapi

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
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
	want := map[string][]byte{"openapi.json": OpenAPI(goldenVersion)}
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
		Schemas   map[string]any `json:"schemas"`
		Responses map[string]any `json:"responses"`
		Headers   map[string]any `json:"headers"`
	} `json:"components"`
}

type documentOperation struct {
	OperationID string `json:"operationId"`
	RequestBody struct {
		Content map[string]struct {
			Schema  map[string]any `json:"schema"`
			Example any            `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct {
			Schema map[string]any `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
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
		in := map[string]map[string]any{"schemas": s.document.Components.Schemas, "responses": s.document.Components.Responses, "headers": s.document.Components.Headers}
		if in[string(m[1])][string(m[2])] == nil {
			t.Errorf("%s %s is referred to and not there", m[1], m[2])
		}
	}
}

// TestExamples decodes every example as the server does, and checks it against
// its schema.
func TestExamples(t *testing.T) {
	s := loadOpenAPI(t)
	for _, op := range command.Operations {
		body := []byte(example(op.Example))
		if _, v := op.Decode(body, "", false); len(v) > 0 {
			t.Errorf("example of %s: %v", op.ID, v)
		}
		s.validate(t, strings.ToUpper(op.ID[:1])+op.ID[1:]+"Request", body)
	}
	if _, v := command.DecodeBatch(example(batchExample)); len(v) > 0 {
		t.Errorf("example of batch: %v", v)
	}
	s.validate(t, "BatchRequest", example(batchExample))
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
