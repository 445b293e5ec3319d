package casm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Position is the place of a message in the log: the position of its
// transaction, from 1 in the order of commits, and the message's ordinal in it,
// from 0. Its text is "<transaction>-<ordinal>", or "<transaction>" alone behind
// all of it. The zero Position is before the first message.
type Position struct {
	Transaction int64
	Ordinal     int64
}

// MaxOrdinal is the ordinal of the last message that a transaction can have: a
// position with it is behind all of the transaction.
const MaxOrdinal = 1<<20 - 1

// Start is the position before the first message.
var Start = Position{}

// Compare orders positions as the log does.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Transaction, q.Transaction); c != 0 {
		return c
	}
	return cmp.Compare(p.Ordinal, q.Ordinal)
}

// String returns the text of a Position.
func (p Position) String() string {
	if p.Ordinal == MaxOrdinal {
		return strconv.FormatInt(p.Transaction, 10)
	}
	return strconv.FormatInt(p.Transaction, 10) + "-" + strconv.FormatInt(p.Ordinal, 10)
}

// MarshalText implements encoding.TextMarshaler.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Position) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePosition(string(b))
	return err
}

// ParsePosition reads the text of a Position. The text "0" is Start: no
// transaction has that number.
func ParsePosition(s string) (Position, error) {
	if s == "0" {
		return Start, nil
	}
	head, tail, ok := strings.Cut(s, "-")
	if !ok {
		tail = strconv.Itoa(MaxOrdinal)
	}
	tx, err1 := strconv.ParseUint(head, 10, 62)
	ord, err2 := strconv.ParseUint(tail, 10, 62)
	if err1 != nil || err2 != nil {
		return Position{}, fmt.Errorf("%q is not a position such as 42-0, as the feed gives them (42 is behind all of transaction 42, 0 is the beginning)", clip(s))
	}
	return Position{int64(tx), int64(ord)}, nil
}
