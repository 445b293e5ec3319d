package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/google/uuid"
)

// postmanItem is a request or a folder of a Postman collection.
type postmanItem struct {
	Name    string        `json:"name"`
	Item    []postmanItem `json:"item"`
	Request *struct {
		Method string `json:"method"`
		URL    struct {
			Raw string `json:"raw"`
		} `json:"url"`
		Header []struct{ Key, Value string } `json:"header"`
		Body   struct {
			Raw string `json:"raw"`
		} `json:"body"`
	} `json:"request"`
}

// TestPostman sends every request of the Postman collection, in order, as
// Postman's runner would, twice: all succeed, and all operations are there.
func TestPostman(t *testing.T) {
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "api", "postman_collection.json"))
	if err != nil {
		t.Fatal(err)
	}
	var collection struct {
		Item     []postmanItem
		Variable []struct{ Key, Value string }
	}
	if err := json.Unmarshal(text, &collection); err != nil {
		t.Fatal(err)
	}
	app := testkit.NewApp(t)
	api := testkit.LoadOpenAPI(t, app)
	variables := map[string]string{}
	for _, v := range collection.Variable {
		variables[v.Key] = v.Value
	}
	variables["baseUrl"] = app.URL
	sent := map[string]bool{}
	for range 2 {
		variables["run"] = strconv.FormatInt(time.Now().UnixMilli(), 10) // as the first request's script does
		for _, folder := range collection.Item {
			for _, item := range folder.Item {
				sent[sendItem(t, api, item, variables)] = true
			}
		}
	}
	for _, op := range api.Operations {
		ofKeys := op.ID == "createKey" || op.ID == "readKey" || op.ID == "revokeKey" // the server makes their codes
		ofProvider := op.ID == "beginOIDCSignIn" || op.ID == "finishOIDCSignIn"      // there is none, and it wants a browser
		if !sent[op.ID] && op.ID != "streamBusinessTransactions" && !ofKeys && !ofProvider {
			t.Errorf("%s is not in the collection", op.ID)
		}
	}
}

var postmanVariable = regexp.MustCompile(`\{\{[^}]+\}\}`)

// sendItem sends a request and returns the id of its operation.
func sendItem(t *testing.T, api *testkit.OpenAPI, item postmanItem, variables map[string]string) string {
	t.Helper()
	fill := func(s string) string {
		return postmanVariable.ReplaceAllStringFunc(s, func(v string) string {
			name := v[2 : len(v)-2]
			if name == "$guid" {
				return uuid.NewString()
			}
			value, ok := variables[name]
			if !ok {
				t.Errorf("%s: the variable %s is not known", item.Name, name)
			}
			return value
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), item.Request.Method, fill(item.Request.URL.Raw), strings.NewReader(fill(item.Request.Body.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range item.Request.Header {
		req.Header.Set(h.Key, h.Value)
	}
	res, body := exchange(t, http.DefaultClient, req)
	op := api.Find(req.Method, req.URL.Path)
	if err := api.CheckAnswer(op, res.StatusCode, res.Header, body); err != nil {
		t.Errorf("%s: %v", item.Name, err)
	}
	if res.StatusCode > 299 {
		t.Errorf("%s: %d %s\n%s", item.Name, res.StatusCode, body, fill(item.Request.Body.Raw))
	}
	if op == nil {
		return ""
	}
	return op.ID
}
