package engine

import (
	"bytes"
	"cmp"
	"context"
	"reflect"
	"slices"

	"casm"
	"casm/command"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// timeLines are the histories that reads include.
var timeLines = map[string]struct {
	line store.Line
	name string
}{
	"stateHistory":     {store.LineState, "state"},
	"segmentHistory":   {store.LineSegment, "segment"},
	"billCycleHistory": {store.LineBillCycle, "billCycle"},
	"parentHistory":    {store.LineParent, "parent"},
}

// lineEntry is one entry of a time line (contract 6).
type lineEntry struct {
	members       []byte // what held, as members of a JSON object, without braces
	ValidFrom     casm.Time
	ValidTo       casm.Time
	RecordedAt    casm.Time
	TransactionID uuid.UUID
	Overtaken     bool
}

func (l *lineEntry) appendTo(out []byte) []byte {
	out = append(out, '{')
	if len(l.members) > 0 {
		out = append(append(out, l.members...), ',')
	}
	time := func(name string, t casm.Time) {
		if t != 0 {
			out = append(append(append(out, `"`...), name...), `":"`...)
			out, _ = t.AppendText(out)
			out = append(out, `",`...)
		}
	}
	time("validFrom", l.ValidFrom)
	time("validTo", l.ValidTo)
	time("recordedAt", l.RecordedAt)
	out = append(append(append(out, `"transactionId":"`...), l.TransactionID.String()...), `","overtaken":`...)
	if l.Overtaken {
		return append(out, `true}`...)
	}
	return append(out, `false}`...)
}

const historyPage = 500

// timeLine returns the history of one line of an entity, last recorded first.
func (x *reading) timeLine(r *command.Record, line struct {
	line store.Line
	name string
},
) ([]byte, error) {
	var entries []lineEntry // last recorded first
	key := store.Key{Kind: r.Kind(), RefID: r.ID()}
	for before := int64(0); ; {
		page, err := x.reader.History(x.ctx, key, before, line.line, historyPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.At > x.now && x.asOf {
				continue
			}
			entity, err := casm.DecodeEntity(e.Kind, e.Doc)
			if err != nil {
				return nil, err
			}
			entry, err := lineEntryOf(entity, line.name, e.At, e.Transaction.ID)
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
		if len(page) < historyPage {
			break
		}
		before = page[len(page)-1].Version
	}
	slices.Reverse(entries)
	for _, v := range x.overdue[r.ID()] {
		if slices.Contains(v.change.Lines, line.name) {
			at := changedAt(v.change.After, x.now)
			entry, err := lineEntryOf(v.change.After.Entity, line.name, at, v.transactionID)
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
	}
	layLine(entries)
	out := []byte{'['}
	for i, e := range slices.Backward(entries) {
		if i < len(entries)-1 {
			out = append(out, ',')
		}
		out = e.appendTo(out)
	}
	return append(out, ']'), nil
}

// layLine lays entries, in the order they were recorded, onto the time line:
// each holds from its date on and ends what it overlaps; what it overtakes
// whole is marked (contract rule 18).
func layLine(entries []lineEntry) {
	for i := range entries {
		from := entries[i].ValidFrom
		for j := range i {
			e := &entries[j]
			switch {
			case e.Overtaken:
			case e.ValidFrom >= from:
				e.Overtaken = true
			case e.ValidTo == 0 || e.ValidTo > from:
				e.ValidTo = from
			}
		}
	}
}

// lineEntryOf reads what an entity's version says on a line.
func lineEntryOf(e casm.Entity, name string, at casm.Time, transaction uuid.UUID) (lineEntry, error) {
	entry := lineEntry{ValidFrom: at, RecordedAt: at, TransactionID: transaction}
	if name == "state" {
		s := e.Top().State
		entry.ValidFrom = s.StateValidFrom
		entry.members = []byte(`"state":"` + s.State + `","stateReason":`)
		entry.members = appendString(entry.members, s.StateReason)
		return entry, nil
	}
	members := map[string]any{}
	v := reflect.ValueOf(e).Elem()
	for _, f := range casm.DescribeValue(e).Fields {
		if f.Line == name && !f.Value(v).IsZero() {
			members[f.Name] = f.Value(v).Interface()
		}
	}
	text, err := json.Marshal(members, json.Deterministic(true))
	entry.members = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("{")), []byte("}"))
	return entry, err
}

// historyItem is one business transaction of an entity (contract 6).
type historyItem struct {
	TransactionID uuid.UUID    `json:"transactionId"`
	RequestID     string       `json:"requestId,omitzero"`
	Operation     string       `json:"operation"`
	Timestamp     casm.Time    `json:"timestamp"`
	Actor         string       `json:"actor,omitzero"`
	Comment       string       `json:"comment,omitzero"`
	Version       int64        `json:"version"`
	Changes       []Difference `json:"changes"`
}

// Difference is one member that changed between two versions.
type Difference struct {
	Pointer string         `json:"pointer" doc:"Which member: a JSON pointer."`
	From    jsontext.Value `json:"from,omitzero" doc:"What it was; absent: it was not there."`
	To      jsontext.Value `json:"to,omitzero" doc:"What it is; absent: it is gone."`
}

// History returns an entity's business transactions, newest first, as a JSON
// array, and the version below which the next page goes on, 0 at the end.
func (e *Engine) History(ctx context.Context, q HistoryQuery) (items []byte, next int64, err error) {
	err = e.store.View(ctx, func(r store.Reader) error {
		x, err := e.reading(ctx, r, 0, needsOfRef(q.Kind, q.Ref))
		if err != nil {
			return err
		}
		found, err := x.find(q.Kind, q.Ref)
		if err != nil {
			return err
		}
		page, err := r.History(ctx, store.Key{Kind: q.Kind, RefID: found.ID()}, q.Before, 0, q.Limit+1)
		if err != nil {
			return err
		}
		list := make([]historyItem, 0, len(page))
		for i, entry := range page[:min(len(page), q.Limit)] {
			item := historyItem{
				TransactionID: entry.Transaction.ID, RequestID: entry.Transaction.RequestID,
				Operation: entry.Transaction.Operation, Timestamp: entry.Transaction.At,
				Actor: entry.Transaction.Actor, Comment: entry.Transaction.Comment, Version: entry.Version,
			}
			var before []byte
			if i+1 < len(page) {
				before = page[i+1].Doc
			}
			if item.Changes, err = differences(before, entry.Doc); err != nil {
				return err
			}
			list = append(list, item)
		}
		if len(page) > q.Limit {
			next = page[q.Limit-1].Version
		}
		items, err = json.Marshal(list)
		return err
	})
	return items, next, err
}

// differences compares two versions of a document, member by member and into
// objects. What every version changes, version and updatedAt, is left out.
func differences(before, after []byte) ([]Difference, error) {
	from, to := map[string]jsontext.Value{}, map[string]jsontext.Value{}
	if before != nil {
		if err := flatten("", before, from); err != nil {
			return nil, err
		}
	}
	if err := flatten("", after, to); err != nil {
		return nil, err
	}
	out := []Difference{}
	for pointer, value := range to {
		if !bytes.Equal(from[pointer], value) {
			out = append(out, Difference{pointer, from[pointer], value})
		}
	}
	for pointer, value := range from {
		if _, still := to[pointer]; !still {
			out = append(out, Difference{pointer, value, nil})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return out, nil
}

func flatten(pointer string, value jsontext.Value, into map[string]jsontext.Value) error {
	if value.Kind() != '{' {
		into[pointer] = value
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members); err != nil {
		return err
	}
	for name, member := range members {
		if pointer == "" && (name == "version" || name == "updatedAt" || name == "refId" || name == "createdAt") {
			continue
		}
		if err := flatten(pointer+"/"+casm.EscapePointer(name), member, into); err != nil {
			return err
		}
	}
	return nil
}

// ConfigDifferences returns the members that a change of configuration changed.
func ConfigDifferences(c command.ConfigChange) ([]Difference, error) {
	docs := [2][]byte{[]byte("{}"), []byte("{}")}
	for i, item := range []casm.ConfigItem{c.Before, c.After} {
		if item == nil {
			continue
		}
		var err error
		if docs[i], err = casm.EncodeItem(item); err != nil {
			return nil, err
		}
	}
	return differences(docs[0], docs[1])
}
