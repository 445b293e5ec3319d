package httpapi

import (
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/configdoc"
	"casm/engine"
)

// yamlType is the media type of YAML (RFC 9512).
const yamlType = "application/yaml"

func documentEndpoints() []*endpoint {
	return []*endpoint{
		{
			Method: http.MethodGet, Path: "/v1/config/export", ID: "exportConfiguration", Tag: tagConfig,
			Summary:    "Gives the whole configuration as one document: YAML, or JSON where Accept says so.",
			Permission: command.ReadConfig, Answer: answer{Schema: "ConfigurationDocument", Type: yamlType, AsJSON: true}, serve: exportConfig,
		},
		{
			Method: http.MethodPost, Path: "/v1/config/import", ID: "importConfiguration", Tag: tagConfig,
			Summary:    "Makes the collections of a document, YAML or JSON, equal to it, all or nothing; a collection that is absent is untouched.",
			Permission: command.WriteConfig, Params: []param{dryRunParam}, Document: "ConfigurationDocument", Example: importExample,
			Answer: answer{Schema: "ImportAnswer"}, serve: importConfig,
		},
		{
			Method: http.MethodGet, Path: "/v1/config/demonstration", ID: "readDemonstration", Tag: tagConfig,
			Summary:    "Gives the demonstration, a small operator's configuration, as a document that can be imported.",
			Permission: command.ReadConfig, Answer: answer{Schema: "ConfigurationDocument", Type: yamlType}, serve: demonstration,
		},
	}
}

func exportConfig(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok {
		return
	}
	config, err := s.engine.Config(x.context())
	if err != nil {
		x.fail(err)
		return
	}
	asJSON := strings.Contains(x.r.Header.Get("Accept"), "json")
	document, err := configdoc.Format(config, !asJSON)
	if err != nil {
		x.fail(err)
		return
	}
	if asJSON {
		x.json(http.StatusOK, document)
		return
	}
	x.Header().Set("Content-Type", yamlType)
	x.send(http.StatusOK, document)
}

func demonstration(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok {
		return
	}
	if s.demo == nil {
		x.absent("", "this server has no demonstration")
		return
	}
	x.Header().Set("Content-Type", yamlType)
	x.send(http.StatusOK, s.demo)
}

// importAnswer is what an import changed, or would change.
type importAnswer struct {
	DryRun  bool           `json:"dryRun,omitzero" doc:"Stands, true, when nothing was done."`
	Changes []importChange `json:"changes" doc:"What differs from what stood; nothing when all stood as the document says."`
}

type importChange struct {
	Collection  string              `json:"collection" doc:"The collection's path name."`
	Code        string              `json:"code" doc:"The item's code."`
	Change      string              `json:"change" is:"enum=created|replaced|deleted" doc:"What happened to the item."`
	Differences []engine.Difference `json:"differences" doc:"The members that differ, with what they were and are."`
}

func importConfig(s *Server, x *exchange) {
	body, ok := x.bodyOf(maxBatchBody, func(h http.Header) bool { return isJSON(h) || isYAML(h) },
		"send YAML (Content-Type: application/yaml) or JSON (application/json), in UTF-8")
	if !ok {
		return
	}
	defer release(body)
	document, v := configdoc.Parse(body.Bytes(), isYAML(x.r.Header))
	if v.Has(casm.MalformedJSON) {
		x.refuse(v)
		return
	}
	query := x.readQuery(&v)
	if len(v) > 0 {
		v.Sort()
		x.refuse(v[:min(len(v), maxViolations)])
		return
	}
	dryRun := query["dryRun"].boolean
	changes, err := s.engine.ImportConfig(x.context(), x.who.Actor, dryRun, document)
	if err != nil {
		x.fail(err)
		return
	}
	if !dryRun && len(changes) > 0 {
		x.audit(auth.OutcomeDone, slog.Int("changes", len(changes)))
	}
	out := importAnswer{DryRun: dryRun, Changes: make([]importChange, 0, len(changes))}
	for _, c := range changes {
		differences, err := engine.ConfigDifferences(c)
		if err != nil {
			x.fail(err)
			return
		}
		change := importChange{Collection: c.Collection, Code: c.Code, Change: "replaced", Differences: differences}
		switch {
		case c.Before == nil:
			change.Change = "created"
		case c.After == nil:
			change.Change = "deleted"
		}
		out.Changes = append(out.Changes, change)
	}
	x.marshal(out)
}

// isYAML reports whether the headers announce YAML.
func isYAML(h http.Header) bool {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || h.Get("Content-Encoding") != "" {
		return false
	}
	return t == yamlType || t == "application/x-yaml" || t == "text/yaml" || strings.HasSuffix(t, "+yaml")
}
