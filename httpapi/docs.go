package httpapi

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"casm"
	"casm/command"

	"github.com/go-json-experiment/json/jsontext"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"lines": func(text string) int { return strings.Count(text, "\n") + 2 },
}).ParseFS(pageFiles, "pages/*.html"))

// render makes a page. It panics when the template is wrong: that is a mistake
// in the program, and a test makes every page.
func render(name string, data any) []byte {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		panic("httpapi: " + err.Error())
	}
	return b.Bytes()
}

// The reference page is made of these, from the tables that the server runs on.
type (
	docsData struct {
		Version  string
		Style    template.CSS
		Script   template.JS
		Sections []docsSection
		Entities []docsObject
		Codes    []docsCode
		Roles    []*casm.Role
		Services []*casm.ServiceSpec
	}
	docsSection struct {
		Title     string
		Endpoints []docsEndpoint
	}
	docsEndpoint struct {
		*endpoint
		Access  string
		Query   []docsMember
		Members []docsMember
		Curl    string
		// Inputs and Body are what can be given to try it out.
		Inputs   []docsInput
		Body     string
		Answered string // an example of the answer
	}
	docsInput struct {
		Name, In, Value, Hint string
		Required, Repeated    bool
	}
	docsObject struct {
		Name, MessageCode string
		Members           []docsMember
	}
	docsMember struct {
		Name, Type, Doc string
		Required        bool
	}
	docsCode struct {
		Code    casm.Code
		Status  string
		Meaning string
	}
)

func docsPage(version string) docsData {
	d := docsData{Version: version, Style: style, Script: template.JS(docsScript), Roles: command.Roles(), Services: casm.Services}
	for _, tag := range tags {
		section := docsSection{Title: tag}
		for _, e := range endpoints {
			if e.Tag == tag {
				section.Endpoints = append(section.Endpoints, docsOf(e))
			}
		}
		d.Sections = append(d.Sections, section)
	}
	for _, k := range casm.Kinds {
		d.Entities = append(d.Entities, docsObject{k.String(), k.MessageCode(), membersOf(casm.DescribeValue(casm.NewEntity(k)), reply)})
	}
	for _, c := range codeDocs {
		status := fmt.Sprint(c.Code.Status())
		if c.Code == casm.NotFound {
			status = "400, 404"
		}
		d.Codes = append(d.Codes, docsCode{c.Code, status, c.Meaning})
	}
	return d
}

func docsOf(e *endpoint) docsEndpoint {
	d := docsEndpoint{endpoint: e, Access: "any valid credential", Curl: curl(e)}
	switch {
	case e.Open:
		d.Access = "open"
	case e.ID == "batch":
		d.Access = "what each of its operations needs"
	case e.Permission != "":
		d.Access = string(e.Permission)
	}
	for _, p := range e.Params {
		d.Query = append(d.Query, docsMember{Name: p.Name, Type: paramType(p), Doc: p.Doc, Required: p.Required})
	}
	if e.Request != nil {
		d.Members = membersOf(e.Request, request)
	}
	if e.Example != "" {
		d.Body = pretty(e.Example)
	}
	if text := answerOf(e); text != "" {
		d.Answered = pretty(text)
	}
	input := func(in string, p param, required bool) {
		i := docsInput{Name: p.Name, In: in, Hint: paramExample(e, p.Name), Required: required, Repeated: p.Repeated}
		switch {
		case p.Type == casm.TypeBoolean:
			i.Hint = "true or false"
		case p.Prefix != "":
			i.Hint = "key=value"
		}
		if required || p.Name == "externalId" && !p.Repeated {
			i.Value = i.Hint
		}
		d.Inputs = append(d.Inputs, i)
	}
	for _, p := range e.PathParams {
		input("path", p, true)
	}
	for _, p := range e.Params {
		input("query", p, p.Required)
	}
	if e.IfMatch {
		input("header", param{Name: ifMatchHeader}, false)
	}
	for _, p := range e.Headers {
		input("header", p, false)
	}
	return d
}

func paramType(p param) string {
	switch {
	case p.Enum != nil:
		return strings.Join(p.Enum, " | ")
	case p.Type == casm.TypeInteger:
		return fmt.Sprintf("integer, %d to %d, default %d", p.Min, p.Max, p.Default)
	}
	return typeNames[p.Type]
}

var typeNames = map[casm.Type]string{
	casm.TypeString: "text", casm.TypeInteger: "integer", casm.TypeBoolean: "boolean", casm.TypeTime: "time",
	casm.TypeID: "UUID", casm.TypeReference: "reference", casm.TypeMap: "map of texts", casm.TypeObject: "object",
	casm.TypeList: "list of objects", casm.TypeScalars: "map of scalars", casm.TypeStrings: "list of texts", casm.TypeRaw: "any",
}

// membersOf lists the members of an object, those of objects within it too.
func membersOf(o *casm.Object, dir direction) []docsMember {
	var list []docsMember
	var walk func(o *casm.Object, prefix string, depth int)
	walk = func(o *casm.Object, prefix string, depth int) {
		for _, f := range o.Fields {
			if dir == request && !given(o, f) {
				continue
			}
			list = append(list, docsMember{prefix + f.Name, memberType(f, dir), f.Doc, dir == request && f.Required})
			if f.Object != nil && depth < 4 {
				inner := prefix + f.Name + "."
				if f.Type == casm.TypeList {
					inner = prefix + f.Name + "[]."
				}
				walk(f.Object, inner, depth+1)
			}
		}
	}
	walk(o, "", 0)
	return list
}

func memberType(f *casm.Field, dir direction) string {
	t := typeNames[f.Type]
	switch {
	case len(f.Enum) > 0:
		t = strings.Join(f.Enum, " | ")
	case f.Collection != "":
		t = "code of " + f.Collection
	case f.Ref != 0:
		t = "reference to " + f.Ref.String()
	case dir == reply:
	case f.Type == casm.TypeString:
		t = fmt.Sprintf("text, at most %d", f.MaxLength)
	case f.Type == casm.TypeInteger && f.Min != -casm.MaxInteger:
		t = fmt.Sprintf("integer, %d to %d", f.Min, f.Max)
	}
	if dir == request && f.Nullable {
		t += ", or null"
	}
	return t
}

// pretty is JSON of our own for people to read.
func pretty(text string) string {
	v := jsontext.Value(text)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		panic("httpapi: example " + text + ": " + err.Error())
	}
	return string(v)
}

// curl is how to call an endpoint from a shell.
func curl(e *endpoint) string {
	var b strings.Builder
	b.WriteString("curl -s")
	if !e.Open {
		b.WriteString(` -H "Authorization: Bearer $CASM_API_KEY"`)
	}
	path := strings.ReplaceAll(strings.ReplaceAll(e.Path, "{code}", "example"), "{file}", "customer.json")
	switch {
	case e.Example != "":
		if e.Method != http.MethodPost {
			b.WriteString(" -X " + e.Method)
		}
		b.WriteString(" http://127.0.0.1:8080" + path + " \\\n  -H 'Content-Type: application/json' -d '" + pretty(strings.ReplaceAll(e.Example, "{{$guid}}", exampleID)) + "'")
		return b.String()
	case e.ID == streamID:
		b.WriteString(" -N")
	case e.Method != http.MethodGet:
		b.WriteString(" -X " + e.Method)
	}
	if strings.HasPrefix(e.Path, "/v1/casm/") && e.Permission == command.ReadEntities {
		path += "?externalId=" + strings.ToLower(strings.TrimSuffix(e.Tag, "s")) + "_external_id"
	}
	b.WriteString(" 'http://127.0.0.1:8080" + path + "'")
	return b.String()
}
