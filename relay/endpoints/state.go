package endpoints

import (
	"casm"

	"github.com/go-json-experiment/json"
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
