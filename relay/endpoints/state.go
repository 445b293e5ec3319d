package endpoints

import (
	"casm"
	"casm/store"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// State says what an endpoint is about.
type State string

// The states of an endpoint, of all servers together.
const (
	Starting State = "starting" // nothing was sent yet
	Running  State = "running"
	Failing  State = "failing" // nobody can be sent to; it tries again by itself
	Blocked  State = "blocked" // a person must change something
	Paused   State = "paused"  // by hand, or retired
)

// state is what the store keeps beside an endpoint's position.
type state struct {
	State   State     `json:"state,omitzero"`
	Error   string    `json:"error,omitzero"` // the last, also when all is well since
	ErrorAt casm.Time `json:"errorAt,omitzero"`
	Holder  string    `json:"holder,omitzero"` // who works, or did last
}

// stateOf reads a state; what is none is that of the beginning.
func stateOf(doc []byte) (s state) {
	if err := json.Unmarshal(doc, &s); err != nil || s.State == "" {
		return state{State: Starting}
	}
	return s
}

func (s state) doc() []byte { return encode(s) }

// encode gives the JSON of a value that always has one.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return b
}

// trail is what the store keeps beside the position of a customer that is
// behind.
type trail struct {
	// Last is the last of the customer's messages that the log was seen to
	// hold: up to there they are sent from the customer's place on.
	Last     casm.Position `json:"last,omitzero"`
	Since    casm.Time     `json:"since,omitzero"` // of the first failure in a row
	Attempts int           `json:"attempts,omitzero"`
	Error    string        `json:"error,omitzero"` // the last one
}

// behind is a customer whose messages failed.
type behind struct {
	trail
	customer uuid.UUID
	after    casm.Position // all its messages up to here are done
	parked   bool
	next     casm.Time // when to try again; in memory only
}

func (b *behind) stored() store.Behind {
	return store.Behind{Customer: b.customer, After: b.after, Parked: b.parked, Doc: encode(b.trail)}
}

func behindOf(s store.Behind) *behind {
	b := &behind{customer: s.Customer, after: s.After, parked: s.Parked}
	if json.Unmarshal(s.Doc, &b.trail) != nil {
		b.trail = trail{}
	}
	return b
}
