package casm

// Presence says how a member was given.
type Presence uint8

// The ways a member can be given.
const (
	Absent Presence = iota
	Null
	Value
)

// OptionalTime is a time of a request of which null means something.
type OptionalTime struct {
	Presence Presence
	Time     Time
}

// Given tells which top-level members a request had.
type Given struct {
	members map[string]Presence
	// NullKeys are the keys that a map of strings gave as null, to be removed.
	NullKeys []string
}

// IsObject reports whether the request was an object, read to its end.
func (g Given) IsObject() bool { return len(g.members) > 0 }

// Of returns how the member was given.
func (g Given) Of(name string) Presence { return g.members[name] }

// Has reports whether the member was given with a value, or, where null has a
// meaning, as null.
func (g Given) Has(name string) bool { return g.members[name] != Absent }
