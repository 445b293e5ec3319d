package auth

import (
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The lengths of a record's parts, in bytes. Most are not the client's choice;
// these bounds hold for those that are.
const (
	maxActor   = 1024 // a key's name has 255 characters
	maxAct     = 100
	maxRemote  = 100
	maxDetail  = 400
	maxDetails = 2048
)

// requestAttr is the attribute that differs with each request.
const requestAttr = "id"

// details returns attributes as a JSON object of texts, at most maxDetails long,
// without those that are empty and the one named except. What has no room is
// left out.
func details(attrs []slog.Attr, except string) string {
	b := []byte{'{'}
	for _, a := range attrs {
		text := cut(a.Value.Resolve().String(), maxDetail)
		if text == "" || a.Key == except {
			continue
		}
		before := len(b)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(quoted(b, a.Key), ':')
		if b = quoted(b, text); len(b) >= maxDetails {
			b = b[:before]
		}
	}
	return string(append(b, '}'))
}

// quoted appends a text as JSON.
func quoted(b []byte, text string) []byte {
	b, err := jsontext.AppendQuote(b, text)
	if err != nil {
		panic("auth: " + err.Error()) // cut gives valid UTF-8
	}
	return b
}

// cut returns a text as valid UTF-8 without control characters, of so many
// bytes at the most.
func cut(s string, most int) string {
	if len(s) > 2*most {
		s = s[:2*most]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	for len(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
