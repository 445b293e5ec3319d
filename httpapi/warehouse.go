package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/go-json-experiment/json"
)

// Warehouse is what of the data warehouse answers requests, as JSON (contract 8).
type Warehouse interface {
	MetricsJSON(ctx context.Context, test bool) ([]byte, error)
	ReconciliationJSON(ctx context.Context) ([]byte, error)
}

const tagWarehouse = "Data warehouse"

func warehouseEndpoints() []*endpoint {
	get := func(path, id, summary, schema string, params []param, serve func(*Server, *exchange)) *endpoint {
		return &endpoint{
			Method: http.MethodGet, Path: path, ID: id, Tag: tagWarehouse, Summary: summary, Permission: command.ReadWarehouse,
			Params: params, Answer: answer{Schema: schema}, serve: serve,
		}
	}
	sums := get("/v1/business-transactions/checksum", "readJournalChecksum",
		"Counts and checksums of the journal up to a position, by type: with them a copy of the data proves itself.",
		"JournalChecksum", []param{{Name: "upTo", Type: casm.TypeString, Doc: "The last position that counts; none: all."}}, journalChecksum)
	sums.Tag, sums.Permission = tagStream, command.ReadStream
	return []*endpoint{
		sums,
		get("/v1/dwh/metrics", "readWarehouseMetrics", "What there is and what happened, as the data warehouse counts it.", "WarehouseMetrics",
			[]param{{Name: "test", Type: casm.TypeBoolean, Doc: "Counts test entities too."}}, warehouseMetrics),
		get("/v1/dwh/reconciliation", "readWarehouseReconciliation",
			"Compares the data warehouse, row by row, with the journal up to the position that it has reached. It takes seconds at a million entities.",
			"WarehouseReconciliation", nil, warehouseReconciliation),
	}
}

// absentWarehouse answers where there is none.
func (x *exchange) absentWarehouse() bool {
	if x.s.warehouse != nil {
		return false
	}
	x.absent("", "this server keeps no data warehouse; it runs with --warehouse off")
	return true
}

func warehouseMetrics(s *Server, x *exchange) {
	q, ok := x.query(nil)
	if !ok || x.absentWarehouse() {
		return
	}
	body, err := s.warehouse.MetricsJSON(x.context(), q["test"].boolean)
	if err != nil {
		x.fail(err)
		return
	}
	x.json(http.StatusOK, body)
}

func warehouseReconciliation(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok || x.absentWarehouse() {
		return
	}
	body, err := s.warehouse.ReconciliationJSON(x.context())
	if err != nil {
		x.fail(err)
		return
	}
	x.json(http.StatusOK, body)
}

// journalSums is the answer of the journal's checksum.
type journalSums struct {
	Epoch int64         `json:"epoch" doc:"The log's epoch: it rises when the store was put back to an earlier time."`
	Types []journalType `json:"types" doc:"Of each type that there is."`
}

type journalType struct {
	Type             string `json:"type" doc:"The entities' type."`
	Count            int64  `json:"count" doc:"How many entities."`
	Checksum         string `json:"checksum" doc:"Of their present versions, the sum modulo 2^64 of the first eight bytes of SHA-256 of type, refId (16 bytes) and version (8 bytes), as 16 hexadecimal digits."`
	Versions         int64  `json:"versions" doc:"How many versions."`
	VersionsChecksum string `json:"versionsChecksum" doc:"The same sum, of all versions."`
}

func journalChecksum(s *Server, x *exchange) {
	upTo := casm.Position{Transaction: math.MaxInt64 >> 1}
	_, ok := x.query(func(q values, v *casm.Violations) {
		if q.has("upTo") {
			var err error
			if upTo, err = casm.ParsePosition(q["upTo"].text); err != nil {
				v.Add(casm.InvalidValue, "upTo", "%s", clip(err.Error()))
			}
		}
	})
	if !ok {
		return
	}
	out := journalSums{Types: []journalType{}}
	err := s.engine.View(x.context(), func(r store.Reader) error {
		head, err := r.Head(x.context())
		if err != nil {
			return err
		}
		out.Epoch = head.Epoch
		sums, err := r.Checksum(x.context(), upTo)
		for _, kind := range casm.Kinds {
			if sum := sums[kind]; sum.Versions > 0 {
				out.Types = append(out.Types, journalType{
					kind.String(), sum.Entities, fmt.Sprintf("%016x", sum.EntitySum), sum.Versions, fmt.Sprintf("%016x", sum.VersionSum),
				})
			}
		}
		return err
	})
	if err != nil {
		x.fail(err)
		return
	}
	body, err := json.Marshal(out)
	if err != nil {
		x.fail(err)
		return
	}
	x.json(http.StatusOK, body)
}

// warehouseSchemas names the schemas of the warehouse's answers.
func warehouseSchemas(s *schemas) {
	text := func(doc string) *object { return obj("type", "string", "description", doc) }
	count := func(doc string) *object { return obj("type", "integer", "format", "int64", "description", doc) }
	number := func(doc string) *object { return obj("type", "number", "description", doc) }
	list := func(doc string, items *object) *object {
		return obj("type", "array", "description", doc, "items", items)
	}
	closed := func(members ...any) *object {
		properties := obj(members...)
		required := []string{}
		for _, m := range properties.members {
			required = append(required, m.name)
		}
		return obj("type", "object", "required", required, "properties", properties)
	}
	by := func(doc string) *object {
		return obj("type", "object", "description", doc, "additionalProperties", obj("type", "integer", "format", "int64"))
	}
	s.named.set("JournalChecksum", s.object(casm.Describe[journalSums](), reply))
	balance := closed("service", text("Code of the product's service."), "count", count("How many balances."),
		"granted", obj("type", "integer", "description", "What was granted: a whole number of any size."),
		"actual", obj("type", "integer", "description", "What is left: a whole number of any size."))
	properties, _ := find(balance, "properties")
	properties.(*object).set("unitOfMeasure", text("What is counted, unless it is money.")).set("currency", text("The currency, in millionths."))
	s.named.set("WarehouseMetrics", closed(
		"customersByState", by("How many customers there are, by state."),
		"customersBySegment", by("By segment; those without one under the empty key."),
		"accountsByState", by("How many accounts there are, by state."),
		"subscribersByState", by("How many subscribers there are, by state."),
		"subscriptionsByState", by("How many offer subscriptions there are, by state."),
		"subscriptionsByOffer", by("By offer."),
		"perDay", list("What happened, by day (in the installation's time zone) and type, the earliest first.", closed(
			"date", obj("type", "string", "format", "date"), "type", text("The entities' type."), "created", count("How many were created."),
			"activated", count("How many became ACTIVE, those created so included."), "suspended", count("How many became SUSPENDED."),
			"deactivated", count("How many became DEACTIVATED."))),
		"balances", list("What balances hold together, by service and unit.", balance),
		"lag", closed("messages", count("How many messages the warehouse is behind."), "seconds", number("How old the oldest of them is."))))
	side := closed("count", count("How many entities."),
		"checksum", text("The sum modulo 2^64 of a hash of type, refId and version, of the present versions, as 16 hexadecimal digits."),
		"versions", count("How many versions."), "versionsChecksum", text("The same sum, of all versions."))
	s.named.set("WarehouseReconciliation", closed(
		"equal", obj("type", "boolean", "description", "Whether nothing differs."),
		"differences", list("What differs, in words.", obj("type", "string")),
		"epoch", count("The log's epoch."), "position", text("Up to where was compared."), "at", obj("type", "string", "format", "date-time"),
		"seconds", number("How long it took."), "deadLetters", count("How many messages were set aside."),
		"types", list("Both sides, by type.", closed("type", text("The entities' type."), "equal", obj("type", "boolean"),
			"journal", side, "warehouse", side, "altered", count("How many rows of the warehouse were changed by something else.")))))
}

// feedSchema adds to a list what a page of the feed tells of the log.
func feedSchema(list *object) *object {
	properties, _ := find(list, "properties")
	properties.(*object).
		set("epoch", obj("type", "integer", "description", "The log's epoch: it rises when the store was put back to an earlier time.")).
		set("head", obj("type", "integer", "description", "The log's last transaction when the page was read."))
	return list
}
