package casm

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// checkString applies the rules of contract rule 8 and the field's own.
func (f *Field) checkString(s, pointer string, add func(Code, string, string, ...any)) bool {
	switch n := utf8.RuneCountInString(s); {
	case f.Enum != nil && !slices.Contains(f.Enum, s):
		add(InvalidValue, pointer, "%q is none of %s", clip(s), strings.Join(f.Enum, ", "))
	case s == "" && !f.Multiline:
		add(InvalidValue, pointer, "%s is empty; give a value or leave the member out", f.Name)
	case n > f.MaxLength:
		add(TooLong, pointer, "%s has %d characters; at most %d are allowed", f.Name, n, f.MaxLength)
	case hasControl(s, f.Multiline):
		add(InvalidValue, pointer, "%s holds a control character", f.Name)
	case f.Pattern != "" && !pattern(f.Pattern).MatchString(s):
		add(InvalidValue, pointer, "%q holds something else than %s", clip(s), f.patternWords())
	default:
		return true
	}
	return false
}

// hasControl reports whether s holds a control character (Unicode Cc), line
// breaks and tabs aside where they are allowed.
func hasControl(s string, multiline bool) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		if multiline && (r == '\n' || r == '\r' || r == '\t') {
			return false
		}
		return unicode.IsControl(r)
	})
}

// Bounds of custom attributes (contract rule 23).
const (
	maxAttributes     = 100
	maxAttributeKey   = 100
	maxAttributeValue = 4000
	maxAttributeBytes = 512 << 10
)

// CheckAttributes applies contract rule 23's bounds to custom attributes.
func CheckAttributes(m map[string]string, pointer string, v *Violations) {
	if len(m) > maxAttributes {
		v.Add(TooLong, pointer, "%d attributes; at most %d are allowed", len(m), maxAttributes)
		return
	}
	total := 0
	for key, value := range m {
		total += len(key) + len(value)
		at := pointer + "/" + EscapePointer(clip(key))
		if n := utf8.RuneCountInString(key); n > maxAttributeKey {
			v.Add(TooLong, at, "the key has %d characters; at most %d are allowed", n, maxAttributeKey)
		} else if key == "" || hasControl(key, false) {
			v.Add(InvalidValue, at, "a key must not be empty nor hold control characters")
		}
		if n := utf8.RuneCountInString(value); n > maxAttributeValue {
			v.Add(TooLong, at, "the value has %d characters; at most %d are allowed", n, maxAttributeValue)
		} else if hasControl(value, true) {
			v.Add(InvalidValue, at, "the value holds a control character other than line breaks and tabs")
		}
	}
	if total > maxAttributeBytes {
		v.Add(TooLong, pointer, "the attributes have %d bytes together; at most %d are allowed", total, maxAttributeBytes)
	}
}

var patterns sync.Map // expression → *regexp.Regexp

// pattern compiles an RE2 expression that must match the whole value, once.
func pattern(expr string) *regexp.Regexp {
	if re, ok := patterns.Load(expr); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(`\A(?:` + expr + `)\z`)
	patterns.Store(expr, re)
	return re
}

// patternWords says what a value that fits the field's pattern holds.
func (f *Field) patternWords() string {
	switch f.Pattern {
	case "[ -~]+":
		return "printable ASCII characters: letters without accents, digits, signs and spaces"
	case "[A-Za-z0-9_.-]+":
		return "letters without accents, digits, and the signs _ . -"
	}
	return "what fits " + f.Pattern
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// EscapePointer makes a name part of a JSON pointer.
func EscapePointer(name string) string {
	return pointerEscapes.Replace(name)
}

// clip shortens what a client sent for use in a message.
func clip(s string) string {
	const most = 120
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// nearest ends a sentence about an unknown member with the known one whose
// name is nearest (contract 4); where that is none that a slip of the pen would
// explain, it does not ask whether it was meant.
func nearest(name string, fields []*Field) string {
	const most = 64 // longer names are compared by their beginnings
	name = name[:min(len(name), most)]
	best, bestDistance := "", math.MaxInt
	for _, f := range fields {
		if d := distance(strings.ToLower(name), strings.ToLower(f.Name)); d < bestDistance {
			best, bestDistance = f.Name, d
		}
	}
	switch {
	case best == "":
		return ""
	case bestDistance <= 1+len(name)/3:
		return "; did you mean " + best + "?"
	}
	return "; the nearest known member is " + best
}

// distance is the edit distance of two short ASCII names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
