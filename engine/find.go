package engine

import (
	"bytes"
	"context"

	"casm"
	"casm/store"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// find answers a plain read, of the present and without views, by one look-up.
// nil without an error: it needs all of Read, because the store cannot look up
// so, because there is no such entity, because something of it is due, or
// because its document is not as it is to be answered.
func (e *Engine) find(ctx context.Context, q *Query) (*Answer, error) {
	finder, can := e.store.(store.Finder)
	if byExternalID := q.Ref.ExternalID != ""; !can || q.AsOf != 0 || byExternalID != q.Ref.IsIDZero() {
		return nil, nil
	}
	for _, wanted := range q.Flags {
		if wanted {
			return nil, nil
		}
	}
	found, err := finder.Find(ctx, store.Key{Kind: q.Read.Kind, RefID: q.Ref.RefID}, q.Ref.ExternalID)
	if err != nil || found == nil || found.Due != 0 && found.Due <= found.Now || !asStored(found) {
		return nil, err
	}
	return &Answer{Body: found.Doc, ETag: found.Version}, nil
}

// asStored reports whether a document can be answered as it is stored: it has
// all members that this release always gives (one written by an older release
// may lack some), and what it refers to has the external ids that it says (a
// rename does not change what refers to it, contract 1). To look costs a tenth
// of decoding and encoding it. When in doubt it says no.
func asStored(f *store.Found) bool {
	if !bytes.HasPrefix(f.Doc, beginsRef) {
		return false
	}
	for _, name := range alwaysGiven[f.Kind] {
		if !bytes.Contains(f.Doc, name) {
			return false
		}
	}
	seen := 1 // its own refId
	buf := make([]byte, 0, 128)
	for i, n := range f.Around {
		if n.RefID == uuid.Nil || i > 0 && n.RefID == f.Around[0].RefID || i > 1 && n.RefID == f.Around[1].RefID {
			continue
		}
		id, _ := n.RefID.MarshalText() // never fails
		buf = append(append(append(buf[:0], beginsRef...), id...), '"')
		_, rest, refers := bytes.Cut(f.Doc, buf)
		if !refers {
			continue
		}
		seen++
		buf = buf[:0]
		if n.ExternalID != "" {
			var err error
			if buf, err = jsontext.AppendQuote(append(buf, `,"externalId":`...), n.ExternalID); err != nil {
				return false
			}
		}
		if !bytes.HasPrefix(rest, append(buf, '}')) {
			return false
		}
	}
	return bytes.Count(f.Doc, beginsRef) == seen
}

// beginsRef is how a document begins, and each reference in it.
var beginsRef = []byte(`{"refId":"`)

// alwaysGiven are the members that each document of a kind has, as they stand
// in it.
var alwaysGiven = func() map[casm.Kind][][]byte {
	m := map[casm.Kind][][]byte{}
	for _, kind := range casm.Kinds {
		for _, f := range casm.DescribeValue(casm.NewEntity(kind)).Fields {
			if !f.Omitted {
				m[kind] = append(m[kind], []byte(`"`+f.Name+`":`))
			}
		}
	}
	return m
}()
