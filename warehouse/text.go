package warehouse

import "strings"

// maxSetAside bounds what is kept of a message that was set aside, in bytes.
const maxSetAside = 1 << 20

// clean makes text that any database takes of what may be anything.
func clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxSetAside)], "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}
