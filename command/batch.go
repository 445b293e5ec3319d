package command

import (
	"strconv"
	"strings"

	"casm"
)

// Batch is the body of the operation batch (contract 2).
type Batch struct {
	RequestID     string      `json:"requestId" is:"required,max=60,pattern=[ -~]+" doc:"The client's own id of the request; operation n, from 0, runs under (requestId, n). At most 60 printable ASCII characters."`
	Atomic        *bool       `json:"atomic,omitzero" doc:"All or none, in one business transaction (the default); else each by itself."`
	Operations    []BatchItem `json:"operations" is:"required" doc:"1 to 1,000 writes, in order."`
	Comment       string      `json:"comment,omitzero" is:"multiline" doc:"Why; for operations that give no comment of their own."`
	TransactionID casm.Raw    `json:"transactionId,omitzero" doc:"Accepted and ignored: the system gives its own."`

	Inputs []*Input `json:"-"`
}

// BatchItem is one operation of a batch.
type BatchItem struct {
	Operation string   `json:"operation" is:"required" doc:"The operationId of a write."`
	Body      casm.Raw `json:"body" is:"required" doc:"The operation's body, without requestId."`
	IfMatch   casm.Raw `json:"ifMatch,omitzero" doc:"The version that the named entity must have, as in the header If-Match: \"3\", or 3."`

	Version int64 `json:"-"` // of IfMatch; 0 for none
	// Violations are those of the body's shape, in a batch that is not atomic:
	// they refuse this operation only.
	Violations casm.Violations `json:"-"`
}

var batchObject = casm.Describe[Batch]()

// BatchObject describes the body of the operation batch.
func BatchObject() *casm.Object { return batchObject }

// DecodeBatch reads a batch with all its bodies, and returns every violation of
// shape that refuses it as a whole. Without violations Inputs has one for each
// operation.
func DecodeBatch(body []byte) (*Batch, casm.Violations) {
	b := &Batch{}
	given, v := batchObject.Decode(body, "", b)
	if v.Has(casm.MalformedJSON) {
		return nil, v
	}
	if given.Has("operations") && len(b.Operations) == 0 && !v.Below("/operations") {
		v.Add(casm.Required, "/operations", "the list is empty; give 1 to 1,000 operations")
	}
	for n := range b.Operations {
		item := &b.Operations[n]
		at := "/operations/" + strconv.Itoa(n)
		if item.IfMatch != nil && item.IfMatch.Kind() != 'n' {
			version, ok := ParseVersion(strings.Trim(string(item.IfMatch), `"`))
			if text := (casm.Scalars{"": item.IfMatch}).Text(""); !ok && text != "" {
				version, ok = ParseVersion(text)
			}
			if !ok {
				v.Add(casm.InvalidValue, at+"/ifMatch", "give a version such as \"3\"")
			}
			item.Version = version
		}
		if item.Operation == "" {
			continue
		}
		op := OperationByID(item.Operation)
		if op == nil {
			v.Add(casm.InvalidValue, at+"/operation", "there is no write with this operationId; reads and batch itself cannot stand in a batch")
			continue
		}
		if item.Body == nil {
			continue
		}
		prefix := at + "/body"
		if !b.IsAtomic() {
			prefix = ""
		}
		in, violations := op.Decode(item.Body, prefix, true)
		if in.Comment == "" {
			in.Comment = b.Comment
		}
		b.Inputs = append(b.Inputs, in)
		if b.IsAtomic() {
			v = append(v, violations...)
		} else {
			item.Violations = violations
		}
	}
	v.Sort()
	return b, v[:min(len(v), casm.MaxViolations)]
}

// IsAtomic reports whether the batch is all or none.
func (b *Batch) IsAtomic() bool { return b.Atomic == nil || *b.Atomic }

// ParseVersion reads the value of If-Match: a version, in quotes or not, in
// digits alone.
func ParseVersion(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 63) // unlike ParseInt it takes no sign
	return int64(n), err == nil && n > 0
}
