package app

import (
	"fmt"
	"io"
	"strings"

	"casm/stream/kafka"

	"github.com/google/uuid"
)

// greet tells people where the server is reached and what to try first.
func (a *App) greet(out io.Writer) {
	status := a.Status()
	var b strings.Builder
	line := func(what, where string) { fmt.Fprintf(&b, "  %-10s %s\n", what, where) }
	fmt.Fprintf(&b, "\ncasm %s is ready; its data is in %s\n\n", Version, a.settings.Data.Data)
	line("Console", status.URL+"/")
	line("API", status.URL+"/v1/casm")
	line("Reference", status.URL+"/docs")
	line("Feed", status.URL+"/v1/business-transactions")
	switch {
	case status.NATS != "":
		line("NATS", status.NATS+"  stream CASM, subjects casm.>")
	case kafka.IsAddress(a.settings.Stream):
		line("Kafka", "as --stream says; topic "+kafka.Topic(a.settings.Stream))
	case a.settings.Stream != "":
		line("NATS", "as --stream says; stream CASM, subjects casm.>")
	case a.broker != nil && !a.broker.isStarted():
		line("NATS", "starting: it reads the stream again; casm_relay_state in /metrics tells")
	default:
		line("NATS", "off")
	}
	line("Health", status.URL+"/readyz  and /metrics")
	if a.settings.Dev {
		b.WriteString("\n--dev: nobody has to sign in. For development only.\n")
	} else if a.nobody {
		data := quote(a.settings.Data.Data)
		if a.settings.Database != "" {
			data += ` --database "$CASM_DATABASE"`
		}
		b.WriteString("\nNobody can call yet. The first user, and a key for the API, shown once (in another terminal):\n\n")
		fmt.Fprintf(&b, "  casm user create --data %s first --role \"Organization Manager\"\n", data)
		fmt.Fprintf(&b, "  casm key create --data %s --name first --role \"Power User\"\n", data)
	}
	b.WriteString("\nTry:\n\n")
	b.WriteString(a.example(status.URL))
	if a.tls != nil {
		b.WriteString("\nWhere the certificate's CA is not known: curl --cacert FILE, casm --ca-file FILE.\n")
		if a.settings.TLSClientCA != "" {
			b.WriteString("Who connects needs a certificate: curl --cert FILE --key FILE, casm --client-cert FILE --client-key FILE.\n")
		}
	}
	b.WriteString("\nCtrl-C stops it.\n\n")
	_, _ = io.WriteString(out, b.String()) // a server whose greeting nobody reads serves all the same
}

// example is a request that works when it is pasted.
func (a *App) example(url string) string {
	header := ""
	if !a.settings.Dev {
		header = " -H \"Authorization: Bearer $CASM_API_KEY\""
	}
	if !a.settings.Demo {
		return fmt.Sprintf("  curl -s%s %s/v1/config/state-reasons\n", header, url)
	}
	id := uuid.NewString()
	return fmt.Sprintf("  curl -s%s -H 'Content-Type: application/json' %s/v1/casm/customers/create \\\n"+
		"    -d '{\"requestId\": %q, \"externalId\": \"customer-%s\", \"customerProfile\": \"b2b\"}'\n", header, url, id, id[:8])
}

// quote writes a folder as a shell takes it.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
