package engine

import (
	"reflect"
	"testing"

	"casm"

	"github.com/go-json-experiment/json"
)

// TestAnswerNote: what is written by hand is what the decoder reads, and what
// earlier releases wrote.
func TestAnswerNote(t *testing.T) {
	views := []versionRef{{casm.KindBalance, newID(), 1}, {casm.KindBalance, newID(), 9_007_199_254_740_991}}
	for n := range len(views) + 1 {
		note := answerNote{Payload: versionRef{casm.KindOfferSubscription, newID(), 12}, ETag: 13, Views: views[:n:n]}
		if n == 0 {
			note.Views = nil
		}
		got := note.appendJSON(nil)
		want, err := json.Marshal(note)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s, want %s %v", got, want, err)
		}
		var back answerNote
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, note) {
			t.Errorf("%s is read as %+v %v", got, back, err)
		}
	}
}
