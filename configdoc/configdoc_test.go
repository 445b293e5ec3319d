package configdoc_test

import (
	"reflect"
	"strings"
	"testing"

	"casm"
	"casm/command"
	"casm/configdoc"
	"casm/internal/testkit"
)

func snapshot(t *testing.T) *casm.Snapshot {
	t.Helper()
	edits := []command.ConfigEdit{
		{Collection: casm.CollectionByPath("state-reasons"), Code: "dfltActive", Item: &casm.StateReason{Item: casm.Item{Code: "dfltActive", Name: "yes"}, State: casm.Active}},
		{Collection: casm.CollectionByPath("bill-cycles"), Code: "monthly", Item: &casm.BillCycle{Item: casm.Item{Code: "monthly", Name: "12"}, Duration: 1, Period: casm.PeriodMonth, Anchor: casm.MinTime}},
		{Collection: casm.CollectionByPath("currencies"), Code: "EUR", Item: &casm.Currency{Item: casm.Item{Code: "EUR", Name: "Euro: #", Description: "two\nlines"}}},
	}
	out, v := command.DecideConfig(casm.NewSnapshot(0, nil), append(edits, testkit.Config()...),
		func(casm.CodeRef) int64 { return 0 }, func(casm.CodeRef) int64 { return 0 })
	if len(v) > 0 {
		t.Fatal(v)
	}
	return out.Snapshot
}

// TestRoundTrip writes a configuration and reads it back the same, in both forms.
func TestRoundTrip(t *testing.T) {
	s := snapshot(t)
	for _, yaml := range []bool{true, false} {
		text, err := configdoc.Format(s, yaml)
		if err != nil {
			t.Fatal(err)
		}
		doc, v := configdoc.Parse(text, yaml)
		if len(v) > 0 {
			t.Fatalf("%v in\n%s", v, text)
		}
		for _, c := range casm.Collections {
			if c.Internal {
				continue
			}
			want := s.Items(c.Path)
			for i, item := range doc[c.Path] {
				item.Base().Version = want[i].Base().Version
				a, _ := casm.EncodeItem(item)
				b, _ := casm.EncodeItem(want[i])
				if string(a) != string(b) {
					t.Errorf("%s: %s\nwant %s", c.Path, a, b)
				}
			}
			if len(doc[c.Path]) != len(want) {
				t.Errorf("%s: %d items, want %d", c.Path, len(doc[c.Path]), len(want))
			}
		}
		again, err := configdoc.Format(s, yaml)
		if err != nil || string(again) != string(text) {
			t.Error("the order is not stable")
		}
		if strings.Contains(string(text), "version: 0") || strings.Contains(string(text), "api-keys") {
			t.Errorf("it says too much:\n%s", text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string][]string{
		"{":                                  {"malformed_json "},
		"a: &x [1]\nb: *x":                   {"malformed_json "},
		"a: 1\n---\nb: 1":                    {"malformed_json "},
		"offers: []\noffers: []":             {"malformed_json "},
		"- 1":                                {"wrong_type "},
		"offer: []":                          {"unknown_member /offer"},
		"api-keys: []":                       {"unknown_member /api-keys"},
		"offers:":                            {"wrong_type /offers"},
		"offers: 3":                          {"wrong_type /offers"},
		"gl-codes: [{code: a}, {nam: x}, 3]": {"required /gl-codes/0/name", "required /gl-codes/1/code", "unknown_member /gl-codes/1/nam", "required /gl-codes/1/name", "wrong_type /gl-codes/2"},
		"gl-codes: [{code: a, name: x, version: 3}, {code: a, name: 1.5}]": {"unknown_member /gl-codes/0/version", "invalid_value /gl-codes/1/code", "wrong_type /gl-codes/1/name"},
	} {
		_, v := configdoc.Parse([]byte(text), true)
		var got []string
		for _, x := range v {
			got = append(got, string(x.Code)+" "+x.Pointer)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v\nwant %v", text, v, want)
		}
	}
}
