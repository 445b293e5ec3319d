package natsjs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the stream's name, and subjectPrefix that of its subjects
// (contract 7).
const (
	StreamName    = "CASM"
	subjectPrefix = "casm."
)

// streamConfig is the stream as it is made when there is none. It keeps
// everything: how long messages are of use is the operator's to say.
func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               StreamName,
		Description:        "Business transactions of casm",
		Subjects:           []string{subjectPrefix + ">"},
		Retention:          jetstream.LimitsPolicy,
		Storage:            jetstream.FileStorage,
		Discard:            jetstream.DiscardOld,
		Replicas:           1,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		// The expected sequence rules duplicates out, so the window in which the
		// server would look for them is the shortest that it takes. (A start
		// reads all messages of the window: 1.2 s for a million.)
		Duplicates: 100 * time.Millisecond,
	}
}

// mend sets in a stream that was found what the relay needs and what can be
// changed without loss; it reports whether there was anything.
func mend(c *jetstream.StreamConfig) bool {
	if c.AllowAtomicPublish && c.AllowDirect {
		return false
	}
	c.AllowAtomicPublish, c.AllowDirect = true, true
	return true
}

// differences says why the relay cannot use a stream that was found, in words
// for its operator. Limits of age and size, replicas and placement are theirs.
func differences(c jetstream.StreamConfig) error {
	var d []string
	add := func(format string, v ...any) { d = append(d, fmt.Sprintf(format, v...)) }
	if want := []string{subjectPrefix + ">"}; !slices.Equal(c.Subjects, want) {
		add("its subjects are %q instead of %q", c.Subjects, want)
	}
	if c.Retention != jetstream.LimitsPolicy {
		add("its retention is %s instead of %s, so that messages vanish once they are acknowledged", c.Retention, jetstream.LimitsPolicy)
	}
	if c.Storage != jetstream.FileStorage {
		add("its storage is %s instead of %s", c.Storage, jetstream.FileStorage)
	}
	if c.Discard != jetstream.DiscardOld {
		add("it refuses new messages when it is full (discard %s instead of %s)", c.Discard, jetstream.DiscardOld)
	}
	if c.MaxMsgsPerSubject > 0 {
		add("it keeps only %d messages per subject; many entities share a subject", c.MaxMsgsPerSubject)
	}
	if c.PersistMode != jetstream.DefaultPersistMode {
		add("it acknowledges messages before they are written (persist mode %v)", c.PersistMode)
	}
	if c.MaxMsgSize > 0 && c.MaxMsgSize < MaxPayload {
		add("it takes messages of %d bytes at most instead of %d", c.MaxMsgSize, MaxPayload)
	}
	for what, on := range map[string]bool{
		"acknowledges nothing (no_ack)":         c.NoAck,
		"is sealed":                             c.Sealed,
		"is a mirror":                           c.Mirror != nil,
		"takes messages of other streams":       len(c.Sources) > 0,
		"changes subjects (subject_transform)":  c.SubjectTransform != nil,
		"counts (allow_msg_counter)":            c.AllowMsgCounter,
		"lets messages replace others (rollup)": c.AllowRollup,
	} {
		if on {
			add("it %s", what)
		}
	}
	if len(d) == 0 {
		return nil
	}
	slices.Sort(d)
	return fmt.Errorf("the stream %s is there, but not one the relay can write: %s. Change it, or remove it and let it be made anew",
		StreamName, strings.Join(d, "; "))
}
