package casm_test

import (
	"testing"

	"casm"
)

func TestUnknownMembersSurvive(t *testing.T) {
	const doc = `{"refId":"01990000-0000-7000-8000-000000000000","version":3,"testCustomer":false,"state":{"state":"ACTIVE","stateReason":"dfltActive","stateValidFrom":"2024-04-30T22:00:00.000000Z","pending":false},"createdAt":"2024-04-30T22:00:00.000000Z","updatedAt":"2024-04-30T22:00:00.000000Z","fromALaterRelease":{"a":[1,2]}}`
	e, err := casm.DecodeEntity(casm.KindCustomer, []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	out, err := casm.EncodeEntity(e)
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != doc {
		t.Errorf("got  %s\nwant %s", out, doc)
	}
}
