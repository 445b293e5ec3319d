package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"

	"casm"
	"casm/auth"
	"casm/command"
	"casm/store"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// auditItem is a record of the audit.
type auditItem struct {
	ID      uuid.UUID      `json:"id" doc:"The record's id; ids are in the order of at."`
	At      casm.Time      `json:"at" doc:"When; of several, the first."`
	Actor   string         `json:"actor" doc:"Who, such as key:crm; empty where nobody was known."`
	Act     string         `json:"act" doc:"What: the operation of the API that was denied, or what was administered, such as key.create."`
	Outcome string         `json:"outcome" is:"enum=done|denied|refused" doc:"What came of it: done; denied, as who asked may not; refused, as it could not be done."`
	Remote  string         `json:"remote" doc:"From where: an address without port, socket or command line."`
	Count   int64          `json:"count" doc:"How many equal acts within a second the record stands for."`
	Details jsontext.Value `json:"details" doc:"More about it, all texts: reason, key, code and others."`
}

// auditScan is how many records are looked at for a page at the most.
const auditScan = 5_000

func auditEndpoint() *endpoint {
	return &endpoint{
		Method: http.MethodGet, Path: "/v1/audit", ID: "listAudit", Tag: tagAccess,
		Summary:    "Lists denied and administrative acts, newest first. A page may hold fewer than limit; only a missing nextCursor is the end.",
		Permission: command.Admin,
		Params: []param{
			{Name: "actor", Type: casm.TypeString, Doc: "Who, exactly."},
			{Name: "act", Type: casm.TypeString, Doc: "What, exactly."},
			{Name: "outcome", Type: casm.TypeString, Enum: auth.Outcomes, Doc: "What came of it."},
			{Name: "since", Type: casm.TypeTime, Doc: "At or after the instant."},
			{Name: "until", Type: casm.TypeTime, Doc: "Before the instant."},
			limitParam, cursorParam,
		},
		Answer: answer{Schema: "Audit"}, serve: listAudit,
	}
}

func listAudit(s *Server, x *exchange) {
	query := store.AuditQuery{Scan: auditScan}
	var asked uint64
	if _, ok := x.query(func(q values, v *casm.Violations) {
		query.Actor, query.Act, query.Outcome = q["actor"].text, q["act"].text, q["outcome"].text
		query.Since, query.Until = q["since"].time, q["until"].time
		query.Limit = int(x.integer(q, "limit"))
		if query.Until != 0 && query.Until <= query.Since {
			v.Add(casm.InvalidValue, "until", "%s is not after since, %s: nothing lies between", query.Until, query.Since)
		}
		asked = fingerprint("audit", q)
		if !q.has("cursor") {
			return
		}
		var ok bool
		if query.Before, ok = readAuditCursor(q["cursor"].text, asked); !ok {
			v.Add(casm.InvalidValue, "cursor", "this is no cursor of this list; give nextCursor of the page before as it is, with the same filters")
		}
	}); !ok {
		return
	}
	var page store.AuditPage
	err := s.engine.View(x.context(), func(r store.Reader) (err error) {
		page, err = r.Audit(x.context(), query)
		return err
	})
	if err != nil {
		x.fail(err)
		return
	}
	out := struct {
		Items      []auditItem `json:"items"`
		NextCursor string      `json:"nextCursor,omitzero"`
	}{Items: make([]auditItem, len(page.Records))}
	for i, r := range page.Records {
		out.Items[i] = auditItem{r.ID, store.AuditTime(r.ID), r.Actor, r.Act, r.Outcome, r.Remote, r.Count, r.Details}
	}
	if page.Next != uuid.Nil {
		out.NextCursor = writeAuditCursor(page.Next, asked)
	}
	x.marshal(out)
}

// The cursor of the audit is opaque to clients: what was asked for, and the
// last record's id.
func writeAuditCursor(last uuid.UUID, asked uint64) string {
	b := binary.BigEndian.AppendUint64([]byte{'a'}, asked)
	return base64.RawURLEncoding.EncodeToString(append(b, last[:]...))
}

func readAuditCursor(s string, asked uint64) (last uuid.UUID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 1+8+len(last) || b[0] != 'a' || binary.BigEndian.Uint64(b[1:]) != asked {
		return last, false
	}
	copy(last[:], b[9:])
	return last, last != uuid.Nil
}
