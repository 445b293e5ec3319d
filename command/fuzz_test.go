package command_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"casm"
	"casm/command"
)

// FuzzDecode decodes whatever comes as the body of an operation, alone and in
// a batch. Decoding must not panic, must tell what is wrong within bounds, in
// order and in UTF-8, and must say the same each time.
func FuzzDecode(f *testing.F) {
	for n, op := range command.Operations {
		f.Add(n, []byte(op.Example))
	}
	for _, body := range []string{
		``, `null`, `[]`, `{`, `{}`, `{"requestId":"1","requestId":"1"}`, "{\"requestId\":\"\xff\"}", `{"requestId":"\ud800"}`,
		`{"requestId":"` + strings.Repeat("x", 65) + `"}`, `{"requestId":"1","state":{"state":null,"pending":1e3}}`,
		`{"requestId":"1","customer":{"refId":"01990000-0000-7000-8000-000000000000","externalId":""}}`,
		`{"requestId":"1","customAttributes":{"a/b~c":null,"":"x"},"merge":true}`, `{"requestId":"1","priority":1.0}`,
		`{"requestId":"1","state":{"state":"ACTIVE","stateReason":"x","stateValidFrom":"2024-05-01T00:00:00"}}`,
		`{"requestId":"1","transactionId":{"a":[1,{}]},"comment":"a\nb"}`, `{"requestId":"1"}{}`, strings.Repeat(`{"customer":`, 200),
	} {
		f.Add(0, []byte(body))
		f.Add(len(command.Operations)-1, []byte(body))
	}
	f.Fuzz(func(t *testing.T, n int, body []byte) {
		op := command.Operations[uint(n)%uint(len(command.Operations))]
		in, v := op.Decode(body, "", false)
		checkViolations(t, v)
		if _, again := op.Decode(body, "", false); !slices.Equal(v, again) {
			t.Fatalf("first %v, then %v", v, again)
		}
		if len(v) == 0 {
			if in.RequestID == "" || len(in.RequestID) > 64 {
				t.Fatalf("requestId %q", in.RequestID)
			}
			for _, l := range in.References() {
				if l.Member == "" || !l.Kind.Valid() {
					t.Fatalf("reference %+v", l)
				}
			}
		}
		var batch bytes.Buffer
		batch.WriteString(`{"requestId":"1","operations":[{"operation":"` + op.ID + `","ifMatch":"3","body":`)
		batch.Write(body)
		batch.WriteString(`}]}`)
		_, v = command.DecodeBatch(batch.Bytes())
		checkViolations(t, v)
		_, v = command.DecodeBatch(body)
		checkViolations(t, v)
	})
}

func checkViolations(t *testing.T, v casm.Violations) {
	t.Helper()
	if len(v) > 300 {
		t.Fatalf("%d violations", len(v))
	}
	for i, x := range v {
		switch {
		case x.Code == "" || x.Detail == "":
			t.Fatalf("%+v says nothing", x)
		case len(x.Detail) > 2000 || len(x.Pointer) > 2000:
			t.Fatalf("%+v is too long", x)
		case !utf8.ValidString(x.Detail) || !utf8.ValidString(x.Pointer):
			t.Fatalf("%+v is not UTF-8", x)
		case x.Code == casm.MalformedJSON && len(v) > 1:
			t.Fatalf("%v: malformed_json is not alone", v)
		case i > 0 && (v[i-1].Pointer > x.Pointer || v[i-1].Pointer == x.Pointer && v[i-1].Code >= x.Code):
			t.Fatalf("%v are not in order", v)
		}
	}
}
