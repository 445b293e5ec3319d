package command

import (
	"reflect"

	"casm"
)

// Permission is what a caller must have to do something (contract 11).
type Permission string

// The permissions of contract 11.
const (
	ReadEntities  Permission = "casm:read"
	WriteEntities Permission = "casm:write"
	WriteBalances Permission = "balance:write"
	ReadConfig    Permission = "config:read"
	WriteConfig   Permission = "config:write"
	ReadStream    Permission = "stream:read"
	ReadWarehouse Permission = "dwh:read"
	Admin         Permission = "admin"
)

// Permissions lists all permissions.
var Permissions = []Permission{
	ReadEntities, WriteEntities, WriteBalances, ReadConfig, WriteConfig, ReadStream, ReadWarehouse, Admin,
}

// Operation is one write of contract 2.
type Operation struct {
	ID         string // the OpenAPI operationId
	Path       string // below /v1/casm
	Permission Permission
	Summary    string
	// Subject is the kind of the entity that the body names in the member
	// SubjectMember; 0 when it names none.
	Subject       casm.Kind
	SubjectMember string
	// Payload is the kind of the entity that the answer holds.
	Payload casm.Kind
	// Object describes the body; BatchObject the body in a batch, without requestId.
	Object, BatchObject *casm.Object
	// Example is a body that works on the demonstration.
	Example string

	entity casm.Kind
	args   reflect.Type
	decide func(*Decision, *Input) *Record
}

// Request is what all bodies may hold.
type Request struct {
	RequestID     string   `json:"requestId" is:"required,max=64,pattern=[ -~]+" doc:"The client's own id of the request, unique in the installation: a repeat has one effect and gets the same answer. 1 to 64 printable ASCII characters, such as a GUID."`
	Comment       string   `json:"comment,omitzero" is:"multiline" doc:"Why; recorded in transaction, history and message."`
	TransactionID casm.Raw `json:"transactionId,omitzero" doc:"Accepted and ignored: the system gives its own."`
}

type subject struct {
	Subject casm.Ref `json:"subject" is:"required"`
}

// Input is a decoded body.
type Input struct {
	Operation *Operation
	Request
	subject
	// Entity holds the members that are attributes of the entity.
	Entity casm.Entity
	// Given tells which members the body had.
	Given casm.Given

	args    any
	records map[string]*Record // what the references resolved to, by member
}

// shape is what an operation's body is composed of.
type shape struct {
	subject  casm.Kind
	member   string // defaults to the subject's
	entity   casm.Kind
	pick     func(*casm.Field) bool
	required []string
	args     any
}

func newOperation(id, path, summary, example string, payload casm.Kind, s shape, decide func(*Decision, *Input) *Record) *Operation {
	op := &Operation{
		ID: id, Path: path, Permission: WriteEntities, Summary: summary, Example: example,
		Subject: s.subject, SubjectMember: s.member, Payload: payload, entity: s.entity, decide: decide,
	}
	if op.Subject != 0 && op.SubjectMember == "" {
		op.SubjectMember = op.Subject.Member()
	}
	none := casm.Part{Object: casm.Describe[struct{}]()}
	parts := []casm.Part{{Object: casm.Describe[Request]()}, none, none, none}
	if s.subject != 0 {
		parts[1] = casm.Part{Object: casm.Describe[subject](), Change: func(f *casm.Field) {
			f.Name, f.Ref = op.SubjectMember, s.subject
			f.Doc = "The " + s.subject.String() + " that is meant, by refId or externalId."
		}}
	}
	if s.entity != 0 {
		parts[2] = casm.Part{Object: casm.DescribeValue(casm.NewEntity(s.entity)), Pick: s.pick, Change: func(f *casm.Field) {
			for _, name := range s.required {
				f.Required = f.Required || f.Name == name
			}
		}}
	}
	if s.args != nil {
		op.args = reflect.TypeOf(s.args)
		parts[3] = casm.Part{Object: casm.DescribeValue(s.args)}
	}
	op.Object = casm.Compose(id, parts...)
	parts[0].Pick = func(f *casm.Field) bool { return f.Name != "requestId" }
	op.BatchObject = casm.Compose(id+"InBatch", parts...)
	return op
}

// Decode reads a body; prefix is put before the pointers of what is wrong.
// Within a batch the body has no requestId.
func (op *Operation) Decode(body []byte, prefix string, batch bool) (*Input, casm.Violations) {
	in := &Input{Operation: op}
	var none struct{}
	parts := []any{&in.Request, &in.subject, &none, &none}
	if op.entity != 0 {
		in.Entity = casm.NewEntity(op.entity)
		parts[2] = in.Entity
	}
	if op.args != nil {
		in.args = reflect.New(op.args).Interface()
		parts[3] = in.args
	}
	object := op.Object
	if batch {
		object = op.BatchObject
	}
	var v casm.Violations
	in.Given, v = object.Decode(body, prefix, parts...)
	if !v.Has(casm.MalformedJSON) && in.Given.IsObject() {
		in.checkShape(prefix, &v)
	}
	v.Sort()
	return in, v[:min(len(v), casm.MaxViolations)]
}

// checkShape checks what stands between members.
func (in *Input) checkShape(prefix string, v *casm.Violations) {
	if !in.merging() {
		for _, key := range in.Given.NullKeys[:min(len(in.Given.NullKeys), casm.MaxViolations)] {
			v.Add(casm.WrongType, prefix+"/customAttributes/"+casm.EscapePointer(key), "found null where a text is expected; null removes a key only with merge")
		}
	}
	if c, ok := in.args.(interface {
		checkArgs(*Input, string, *casm.Violations)
	}); ok {
		c.checkArgs(in, prefix, v)
	}
}

// merging reports whether custom attributes are to be merged.
func (in *Input) merging() bool {
	m, ok := in.args.(interface{ merging() bool })
	return ok && m.merging()
}

// Lookup is an entity that a body refers to.
type Lookup struct {
	casm.Ref
	Kind    casm.Kind
	Member  string
	subject bool
}

// References returns what the body refers to.
func (in *Input) References() []Lookup {
	var out []Lookup
	if in.Operation.Subject != 0 {
		out = append(out, Lookup{in.Subject, in.Operation.Subject, in.Operation.SubjectMember, true})
	}
	if in.Entity == nil {
		return out
	}
	v := reflect.ValueOf(in.Entity).Elem()
	for _, f := range in.Operation.Object.References() {
		if f.Part() != 2 {
			continue
		}
		if ref := f.Value(v).Interface().(casm.Ref); !ref.IsZero() {
			out = append(out, Lookup{ref, f.Ref, f.Name, false})
		}
	}
	return out
}

// NewExternalID returns the external id that the body would give, and to what kind.
func (in *Input) NewExternalID() (casm.Kind, string) {
	if in.Entity != nil && in.Entity.Top() != nil {
		return in.Entity.Kind(), in.Entity.Top().ExternalID
	}
	return 0, ""
}

// Resources returns the resource values that the body would assign.
func (in *Input) Resources(config *casm.Snapshot) []ResourceKey {
	switch a := in.args.(type) {
	case *createSubscriberArgs:
		if a.PrimaryResource != "" {
			return []ResourceKey{{a.resourceType(config), a.PrimaryResource}}
		}
	}
	if r, ok := in.Entity.(*casm.SubscriberResource); ok {
		return []ResourceKey{{r.ResourceType, r.Resource}}
	}
	return nil
}

// Resolve looks up what the body refers to: contract rule 2's step of
// references. It returns what does not resolve.
func (in *Input) Resolve(view View) casm.Violations {
	var v casm.Violations
	in.records = map[string]*Record{}
	for _, l := range in.References() {
		r := resolve(view, l.Kind, l.Ref, "/"+l.Member, &v)
		if r != nil {
			in.records[l.Member] = r
		}
	}
	v.Sort()
	return v
}

func resolve(view View, kind casm.Kind, ref casm.Ref, pointer string, v *casm.Violations) *Record {
	r := Find(view, kind, ref)
	switch {
	case r == nil && ref.ExternalID != "":
		v.Add(casm.NotFound, pointer, "there is no %v with externalId %q", kind, ref.ExternalID)
	case r == nil:
		v.Add(casm.NotFound, pointer, "there is no %v with refId %v", kind, ref.RefID)
	case ref.ExternalID != "" && !ref.IsIDZero() && (r.ID() != ref.RefID || r.ExternalID() != ref.ExternalID):
		v.Add(casm.AmbiguousReference, pointer, "refId %v and externalId %q are of different entities; give one of them", ref.RefID, ref.ExternalID)
		return nil
	}
	return r
}

// Find returns the entity that a reference means, or nil. A reference with
// both ids is found by the external one; the caller compares.
func Find(view View, kind casm.Kind, ref casm.Ref) *Record {
	if ref.ExternalID == "" {
		return view.Get(kind, ref.RefID)
	}
	r := view.ByExternalID(kind, ref.ExternalID)
	if r == nil && !ref.IsIDZero() {
		return view.Get(kind, ref.RefID)
	}
	return r
}

// record returns what the member resolved to, or nil.
func (in *Input) record(member string) *Record { return in.records[member] }

// SubjectRecord returns the entity that the body names, or nil.
func (in *Input) SubjectRecord() *Record { return in.records[in.Operation.SubjectMember] }

// Named returns the entity whose version If-Match is compared with (contract
// rule 4): the one that customer, account, subscriber or subscription names.
func (in *Input) Named() *Record {
	if r := in.SubjectRecord(); r != nil {
		return r
	}
	for _, member := range []string{"customer", "account", "subscriber", "subscription"} {
		if r := in.records[member]; r != nil {
			return r
		}
	}
	return nil
}

// Decide applies the operation's rules. It returns the entity of the answer;
// what is wrong is in d.Violations, sorted.
func (in *Input) Decide(d *Decision) *Record {
	op := in.Operation
	if s := in.SubjectRecord(); s != nil && s.Deactivated() {
		d.refuse(casm.IsDeactivated, "/"+op.SubjectMember, "the %v %v is DEACTIVATED, which is final", s.Kind(), s.ID())
	}
	// What is created grows out of the members given. They are kept: a commit
	// that lost a race, or its connection, is decided once more.
	fresh := *in
	if in.Entity != nil {
		fresh.Entity = (&Record{Entity: in.Entity}).Copy().Entity
	}
	payload := op.decide(d, &fresh)
	d.Violations.Sort()
	return payload
}
