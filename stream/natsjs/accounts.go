package natsjs

import (
	"fmt"
	"strings"
)

// The stream lives in an account of its own, in which only the relay is.
// Everybody else is in an account that imports, request by request, what reads
// the stream. Permissions alone would not do: a request names a subject for
// its answer, which the server publishes with its own rights, so in the
// stream's own account "get message 7, answer to casm.customer.created" writes
// to the stream, and an answer to $JS.API.STREAM.DELETE.CASM removes it.
// Between accounts the answer goes to the asking account only.
const (
	ownAccount    = "CASM"
	readerAccount = "READERS"
)

// readerRequests are what strangers may ask for, and acknowledge.
var readerRequests = []string{
	"$JS.API.INFO",
	"$JS.API.STREAM.NAMES",
	"$JS.API.STREAM.LIST",
	"$JS.API.STREAM.INFO." + StreamName,
	"$JS.API.STREAM.MSG.GET." + StreamName,
	"$JS.API.DIRECT.GET." + StreamName,
	"$JS.API.DIRECT.GET." + StreamName + ".>",
	"$JS.API.CONSUMER.CREATE." + StreamName,
	"$JS.API.CONSUMER.CREATE." + StreamName + ".>",
	"$JS.API.CONSUMER.DURABLE.CREATE." + StreamName + ".*",
	"$JS.API.CONSUMER.NAMES." + StreamName,
	"$JS.API.CONSUMER.LIST." + StreamName,
	"$JS.API.CONSUMER.INFO." + StreamName + ".*",
	"$JS.API.CONSUMER.DELETE." + StreamName + ".*",
	"$JS.API.CONSUMER.PAUSE." + StreamName + ".*",
	"$JS.API.CONSUMER.RESET." + StreamName + ".*",
	"$JS.API.CONSUMER.UNPIN." + StreamName + ".*",
	"$JS.API.CONSUMER.MSG.NEXT." + StreamName + ".*",
	// Acknowledgements and flow control, in the old form and in the one that
	// names domain and account before the stream.
	"$JS.ACK." + StreamName + ".>",
	"$JS.ACK.*.*." + StreamName + ".>",
	"$JS.FC." + StreamName + ".>",
	"$JS.FC.*.*." + StreamName + ".>",
}

// readerSubjects are what strangers may hear: the messages as they come, and
// what push consumers deliver to them.
var readerSubjects = []string{subjectPrefix + ">", "_INBOX.>"}

// accounts gives the server's configuration of accounts and users. Names are
// no secret; the passwords are random and never leave the process. When shut,
// a connection without credentials is refused.
func accounts(publishPassword, readPassword string, shut bool) string {
	var exports, imports strings.Builder
	for _, s := range readerRequests {
		// One request may have many answers, as a pull of messages has.
		fmt.Fprintf(&exports, "      { service: %q, response: stream, accounts: [%s] }\n", s, readerAccount)
		fmt.Fprintf(&imports, "      { service: { account: %s, subject: %q } }\n", ownAccount, s)
	}
	for _, s := range readerSubjects {
		fmt.Fprintf(&exports, "      { stream: %q, accounts: [%s] }\n", s, readerAccount)
		fmt.Fprintf(&imports, "      { stream: { account: %s, subject: %q } }\n", ownAccount, s)
	}
	text := fmt.Sprintf(`
accounts {
  %s {
    jetstream: { max_streams: 8, max_consumers: 1000 }
    users: [ { user: %s, password: %q } ]
    exports: [
%s    ]
  }
  %s {
    users: [ { user: %s, password: %q, permissions: {
      publish: { allow: %s }
      subscribe: { allow: %s }
    } } ]
    imports: [
%s    ]
  }
}
`, ownAccount, publisherUser, publishPassword, exports.String(),
		readerAccount, readerUser, readPassword, quoted(readerRequests), quoted(readerSubjects), imports.String())
	if !shut {
		text += "no_auth_user: " + readerUser + "\n"
	}
	return text
}

func quoted(subjects []string) string {
	q := make([]string, len(subjects))
	for i, s := range subjects {
		q[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(q, ", ") + "]"
}
