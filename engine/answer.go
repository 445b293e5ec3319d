package engine

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// maxImpacted is how many entities an answer names (contract 2).
const maxImpacted = 100

// answerNote is what of an answer does not follow from the journal rows of its
// transaction; it is kept with the transaction.
type answerNote struct {
	Payload versionRef   `json:"p"`
	ETag    int64        `json:"e"`
	Views   []versionRef `json:"v,omitempty"`
}

type versionRef struct {
	Kind    casm.Kind `json:"k"`
	RefID   uuid.UUID `json:"r"`
	Version int64     `json:"v"`
}

// appendJSON writes the note. One is written with each request: by hand it
// costs a tenth of what the encoder takes.
func (n *answerNote) appendJSON(b []byte) []byte {
	b = append(b, `{"p":`...)
	b = n.Payload.appendJSON(b)
	b = append(b, `,"e":`...)
	b = strconv.AppendInt(b, n.ETag, 10)
	for i, v := range n.Views {
		if i == 0 {
			b = append(b, `,"v":[`...)
		} else {
			b = append(b, ',')
		}
		b = v.appendJSON(b)
	}
	if len(n.Views) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

func (v versionRef) appendJSON(b []byte) []byte {
	b = append(b, `{"k":`...)
	b = strconv.AppendInt(b, int64(v.Kind), 10)
	b = append(b, `,"r":"`...)
	b = append(b, v.RefID.String()...)
	b = append(b, `","v":`...)
	b = strconv.AppendInt(b, v.Version, 10)
	return append(b, '}')
}

func refVersion(r *command.Record) versionRef {
	return versionRef{r.Kind(), r.ID(), r.Base().Version}
}

func (v versionRef) key() store.VersionKey {
	return store.VersionKey{Key: store.Key{Kind: v.Kind, RefID: v.RefID}, Version: v.Version}
}

// viewMember is the member under which a payload of the kind shows its views
// (contract 1), and what kind those are; "" when there are none.
func viewMember(kind casm.Kind) (string, casm.Kind) {
	switch kind {
	case casm.KindSubscriber:
		return "resources", casm.KindSubscriberResource
	case casm.KindOfferSubscription:
		return "balances", casm.KindBalance
	}
	return "", 0
}

// valid reports whether a resource or balance is valid at the instant.
func valid(r *command.Record, now casm.Time) bool {
	switch e := r.Entity.(type) {
	case *casm.SubscriberResource:
		return e.ValidTo == 0 || e.ValidTo > now
	case *casm.Balance:
		return e.ValidTo == 0 || e.ValidTo > now
	}
	return true
}

// buildAnswer makes the answer of a command that was decided.
func (b *batch) buildAnswer(j *job, s *step, d *command.Decision, payload *command.Record, result *decided) error {
	docs := map[uuid.UUID][]byte{}
	for n, c := range result.changes {
		docs[c.After.ID()] = result.docs[n]
	}
	doc := func(r *command.Record) ([]byte, error) {
		if have, ok := docs[r.ID()]; ok {
			return have, nil
		}
		return casm.EncodeEntity(r.Entity)
	}
	note := answerNote{Payload: refVersion(payload), ETag: payload.Base().Version}
	if named := s.in.Named(); named != nil {
		note.ETag = d.Present(named).Base().Version
	}
	body, err := doc(payload)
	if err != nil {
		return err
	}
	var views [][]byte
	if _, kind := viewMember(payload.Kind()); kind != 0 {
		for r := range d.Children(payload.ID(), kind) {
			if !valid(r, d.Now) {
				continue
			}
			view, err := doc(r)
			if err != nil {
				return err
			}
			note.Views = append(note.Views, refVersion(r))
			views = append(views, view)
		}
	}
	if b.source.err != nil {
		return b.source.err
	}
	touched := make([]impacted, min(len(result.changes), maxImpacted))
	for n := range touched {
		r := result.changes[n].After
		touched[n] = impacted{refVersion(r), r.ExternalID()}
	}
	result.answer = &Answer{
		ETag: note.ETag,
		Body: appendAnswer(&result.transaction, j.dryRun, payload.Kind(), body, views, touched, len(result.changes)),
	}
	result.transaction.Answer = note.appendJSON(make([]byte, 0, 100*(1+len(note.Views))))
	return nil
}

// impacted is a new version of an entity, and its external id, "" for none.
type impacted struct {
	versionRef
	externalID string
}

// appendAnswer writes the JSON of an answer (contract 2).
func appendAnswer(t *store.Transaction, dryRun bool, kind casm.Kind, payload []byte, views [][]byte, touched []impacted, total int) []byte {
	out := make([]byte, 0, 512+len(payload)+128*len(touched))
	out = append(out, '{')
	if dryRun {
		out = append(out, `"dryRun":true,`...)
	} else {
		out = append(out, `"transactionId":"`...)
		out = append(out, t.ID.String()...)
		out = append(out, `",`...)
	}
	out = append(out, `"requestId":`...)
	out = appendString(out, t.RequestID)
	out = append(out, `,"operation":"`...)
	out = append(out, t.Operation...)
	out = append(out, `","timestamp":"`...)
	out, _ = t.At.AppendText(out)
	out = append(out, `","payload":`...)
	out = appendWithViews(out, kind, payload, views)
	out = append(out, `,"impactedTotal":`...)
	out = strconv.AppendInt(out, int64(total), 10)
	out = append(out, `,"impacted":[`...)
	for i, c := range touched {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"type":"`...)
		out = append(out, c.Kind.String()...)
		out = append(out, `","refId":"`...)
		out = append(out, c.RefID.String()...)
		out = append(out, '"')
		if c.externalID != "" {
			out = append(out, `,"externalId":`...)
			out = appendString(out, c.externalID)
		}
		out = append(out, `,"version":`...)
		out = strconv.AppendInt(out, c.Version, 10)
		out = append(out, '}')
	}
	return append(out, `]}`...)
}

func appendString(out []byte, s string) []byte {
	b, err := jsontext.AppendQuote(out, s)
	if err != nil { // not UTF-8: cannot be, it was decoded from JSON
		return append(out, `""`...)
	}
	return b
}

// appendWithViews writes a document with its views put in as the last member.
func appendWithViews(out []byte, kind casm.Kind, doc []byte, views [][]byte) []byte {
	member, _ := viewMember(kind)
	if member == "" {
		return append(out, doc...)
	}
	return appendMember(out, doc, member, appendList(nil, views))
}

// appendMember writes a document with one more member.
func appendMember(out, doc []byte, name string, value []byte) []byte {
	out = append(out, doc[:len(doc)-1]...)
	out = append(out, `,"`...)
	out = append(out, name...)
	out = append(out, `":`...)
	out = append(out, value...)
	return append(out, '}')
}

func appendList(out []byte, items [][]byte) []byte {
	out = append(out, '[')
	out = append(out, bytes.Join(items, []byte(","))...)
	return append(out, ']')
}

// replay answers a repeat of a request that took effect, in this batch or
// before; nil when the request is new (contract rule 1).
func (b *batch) replay(s *step) (*Answer, error) {
	if b.dry {
		return nil, nil
	}
	if m, ok := b.done[s.claim]; ok {
		if !bytes.Equal(m.transaction.Hash, s.hash) {
			return nil, requestReused(s)
		}
		again := *m.answer
		again.Replayed = true
		return &again, nil
	}
	t, ok := b.loaded.Transactions[s.claim]
	if !ok {
		return nil, nil
	}
	if !bytes.Equal(t.Hash, s.hash) {
		return nil, requestReused(s)
	}
	return rebuild(b.ctx, b.reader, &t)
}

// rebuild makes the answer of a transaction again from the journal.
func rebuild(ctx context.Context, reader store.Reader, t *store.Transaction) (*Answer, error) {
	var note answerNote
	if err := json.Unmarshal(t.Answer, &note); err != nil {
		return nil, fmt.Errorf("engine: answer of transaction %v: %w", t.ID, err)
	}
	keys := []store.VersionKey{note.Payload.key()}
	for _, v := range note.Views {
		keys = append(keys, v.key())
	}
	versions, err := reader.Versions(ctx, keys)
	if err != nil {
		return nil, err
	}
	docs := map[store.VersionKey][]byte{}
	for _, c := range versions {
		docs[store.VersionKey{Key: c.Key, Version: c.Version}] = c.Doc
	}
	var views [][]byte
	for _, key := range keys {
		if docs[key] == nil {
			return nil, fmt.Errorf("engine: version %d of %v %v is not in the journal", key.Version, key.Kind, key.RefID)
		}
		views = append(views, docs[key])
	}
	changes, total, err := reader.TransactionChanges(ctx, t.ID, t.Ordinal, maxImpacted)
	if err != nil {
		return nil, err
	}
	touched := make([]impacted, len(changes))
	for i, c := range changes {
		entity, err := casm.DecodeEntity(c.Kind, c.Doc)
		if err != nil {
			return nil, fmt.Errorf("engine: version %d of %v %v: %w", c.Version, c.Kind, c.RefID, err)
		}
		touched[i] = impacted{versionRef{c.Kind, c.RefID, c.Version}, (&command.Record{Entity: entity}).ExternalID()}
	}
	return &Answer{
		Body: appendAnswer(t, false, note.Payload.Kind, views[0], views[1:], touched, total),
		ETag: note.ETag, Replayed: true,
	}, nil
}
