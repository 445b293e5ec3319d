package command_test

import (
	"strings"
	"testing"

	"casm/command"
)

// TestReachesBelow: what may change entities below the one it names says so
// before it is decided.
func TestReachesBelow(t *testing.T) {
	for body, want := range map[string]bool{
		`updateCustomerState {"requestId":"r","customer":{"externalId":"c"},"state":{"state":"ACTIVE","stateReason":"x"},"subordinateUpdated":true}`: true,
		`updateCustomerState {"requestId":"r","customer":{"externalId":"c"},"state":{"state":"ACTIVE","stateReason":"x"}}`:                           false,
		`confirmCustomerState {"requestId":"r","customer":{"externalId":"c"}}`:                                                                       true,
		`cancelAccountState {"requestId":"r","account":{"externalId":"a"}}`:                                                                          true,
		`updateAccountParent {"requestId":"r","account":{"externalId":"a"},"parent":{"externalId":"b"}}`:                                             true, // below a test account
		`updateAccountCustomName {"requestId":"r","account":{"externalId":"a"},"customName":"x"}`:                                                    false,
	} {
		id, text, _ := strings.Cut(body, " ")
		in, v := command.OperationByID(id).Decode([]byte(text), "", false)
		if len(v) > 0 {
			t.Fatal(v)
		}
		if in.ReachesBelow() != want {
			t.Errorf("%s: %t", body, in.ReachesBelow())
		}
	}
}
