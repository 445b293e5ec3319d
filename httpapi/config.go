package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"casm"
	"casm/auth"
	"casm/command"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// collectionItems is the answer of a list of configuration.
type collectionItems struct {
	Items []jsontext.Value `json:"items"`
}

func (x *exchange) itemsOf(items []casm.ConfigItem) {
	out := collectionItems{Items: make([]jsontext.Value, 0, len(items))}
	for _, item := range items {
		doc, err := casm.EncodeItem(item)
		if err != nil {
			x.fail(err)
			return
		}
		out.Items = append(out.Items, doc)
	}
	x.marshal(out)
}

// marshal answers 200 with the JSON of a value.
func (x *exchange) marshal(v any) { x.marshalAs(http.StatusOK, v) }

func (x *exchange) marshalAs(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.fail(err)
		return
	}
	x.json(status, body)
}

func listConfig(c *casm.Collection) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		if _, ok := x.query(nil); !ok {
			return
		}
		config, err := s.engine.Config(x.context())
		if err != nil {
			x.fail(err)
			return
		}
		x.itemsOf(config.Items(c.Path))
	}
}

func getConfig(c *casm.Collection) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		if _, ok := x.query(nil); !ok {
			return
		}
		config, err := s.engine.Config(x.context())
		if err != nil {
			x.fail(err)
			return
		}
		item := config.Item(c.Path, x.r.PathValue("code"))
		if item == nil {
			x.noItem(c)
			return
		}
		x.item(http.StatusOK, item)
	}
}

func (x *exchange) noItem(c *casm.Collection) {
	x.absent("", c.Path+" has no item with the code "+clip(x.r.PathValue("code")))
}

func (x *exchange) item(status int, item casm.ConfigItem) {
	doc, err := casm.EncodeItem(item)
	if err != nil {
		x.fail(err)
		return
	}
	x.etag(item.Base().Version)
	x.json(status, doc)
}

// configEdit reads what is common to changes of an item; it answers when
// something is wrong. Reading a body is left to those that have one.
func (x *exchange) configEdit(c *casm.Collection, withBody bool) (command.ConfigEdit, bool) {
	e := command.ConfigEdit{Collection: c, Code: x.r.PathValue("code")}
	var v casm.Violations
	if withBody {
		body, ok := x.body(maxBody)
		if !ok {
			return e, false
		}
		e.Item = c.New()
		_, v = c.Object.Decode(body.Bytes(), "", e.Item)
		release(body)
		if v.Has(casm.MalformedJSON) {
			x.refuse(v)
			return e, false
		}
	}
	x.readQuery(&v)
	e.IfMatch = x.ifMatch(&v)
	if x.r.Method == http.MethodPost && len(x.r.Header["If-Match"]) > 0 && !hasAt(v, ifMatchHeader) {
		v.Add(casm.InvalidValue, ifMatchHeader, "what is created has no version yet; leave the header out")
	}
	if len(v) > 0 {
		v.Sort()
		x.refuse(v)
		return e, false
	}
	return e, true
}

// edit carries out a change of configuration and audits it. It returns the
// item that holds then, nil when it was deleted; it answers when it is refused.
func (x *exchange) edit(e command.ConfigEdit) (casm.ConfigItem, bool) {
	changes, err := x.s.engine.EditConfig(x.context(), x.who.Actor, false, []command.ConfigEdit{e})
	if v, ok := errors.AsType[casm.Violations](err); ok && v.Has(casm.NotFound) && v[0].Pointer == "" {
		x.noItem(e.Collection)
		return nil, false
	}
	if err != nil {
		x.fail(err)
		return nil, false
	}
	var item casm.ConfigItem
	for _, c := range changes {
		version := int64(0)
		if c.After != nil {
			version = c.After.Base().Version
		}
		if c.CodeRef == (casm.CodeRef{Collection: e.Collection.Path, Code: e.Code}) {
			item = c.After
		}
		x.audit(auth.OutcomeDone, slog.String("collection", c.Collection), slog.String("code", c.Code), slog.Int64("version", version))
	}
	if item != nil || e.Item == nil {
		return item, true
	}
	// Nothing changed: what stands is as asked.
	config, err := x.s.engine.Config(x.context())
	if err != nil {
		x.fail(err)
		return nil, false
	}
	if item = config.Item(e.Collection.Path, e.Code); item == nil {
		x.noItem(e.Collection) // deleted by somebody else since
		return nil, false
	}
	return item, true
}

func createConfig(c *casm.Collection) func(*Server, *exchange) {
	return func(_ *Server, x *exchange) {
		e, ok := x.configEdit(c, true)
		if !ok {
			return
		}
		e.Create, e.Code = true, e.Item.Base().Code
		if item, ok := x.edit(e); ok {
			x.Header().Set("Location", "/v1/config/"+c.Path+"/"+url.PathEscape(e.Code))
			x.item(http.StatusCreated, item)
		}
	}
}

func replaceConfig(c *casm.Collection) func(*Server, *exchange) {
	return func(_ *Server, x *exchange) {
		e, ok := x.configEdit(c, true)
		if !ok {
			return
		}
		e.Replace = true
		if item, ok := x.edit(e); ok {
			x.item(http.StatusOK, item)
		}
	}
}

func deleteConfig(c *casm.Collection) func(*Server, *exchange) {
	return func(_ *Server, x *exchange) {
		e, ok := x.configEdit(c, false)
		if !ok {
			return
		}
		if _, ok := x.edit(e); ok {
			x.WriteHeader(http.StatusNoContent)
		}
	}
}

// configVersion is one version of an item in its history.
type configVersion struct {
	Version   int64          `json:"version" doc:"The item's version."`
	Timestamp casm.Time      `json:"timestamp" doc:"When it was recorded."`
	Actor     string         `json:"actor,omitzero" doc:"Who made it."`
	Deleted   bool           `json:"deleted" doc:"Whether it was deleted; then there is no item."`
	Item      jsontext.Value `json:"item,omitzero" doc:"The item as it was from then on."`
}

var configHistoryParams = []param{limitParam}

func configHistory(c *casm.Collection) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		q, ok := x.query(nil)
		if !ok {
			return
		}
		ref := casm.CodeRef{Collection: c.Path, Code: x.r.PathValue("code")}
		list, err := s.engine.ConfigHistory(x.context(), ref, int(x.integer(q, "limit")))
		switch {
		case err != nil:
			x.fail(err)
			return
		case len(list) == 0:
			x.noItem(c)
			return
		}
		var out struct {
			Items []configVersion `json:"items"`
		}
		for _, change := range list {
			out.Items = append(out.Items, configVersion{
				Version: change.Version, Timestamp: change.At, Actor: change.Actor,
				Deleted: change.Doc == nil, Item: change.Doc,
			})
		}
		x.marshal(out)
	}
}

// serviceCatalogue serves what kinds of service there are.
func serviceCatalogue(_ *Server, x *exchange) {
	if _, ok := x.query(nil); ok {
		x.marshal(struct {
			Items []*casm.ServiceSpec `json:"items"`
		}{casm.Services})
	}
}
