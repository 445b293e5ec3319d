package casm

import (
	"net/url"
	"slices"
	"strings"
)

// PubSubEndpoints is the path of the collection of PubSubEndpoint.
const PubSubEndpoints = "pub-sub-endpoints"

// The types of endpoints.
const (
	EndpointWebhook = "WEBHOOK"
	EndpointNATS    = "NATS"
	EndpointKafka   = "KAFKA"
)

// BuiltinStream is the code of the built-in stream, which no endpoint has.
const BuiltinStream = "stream"

// MaxEndpoints is how many endpoints there can be: each reads the log by itself.
const MaxEndpoints = 100

// PubSubEndpoint gets a copy of the business transactions, beside the built-in
// stream (contract 5 and 7).
type PubSubEndpoint struct {
	Item
	Type       string   `json:"type" in:"create,update" is:"required,enum=WEBHOOK|NATS|KAFKA" doc:"What it is: WEBHOOK (HTTP requests, signed), NATS (JetStream) or KAFKA."`
	URL        string   `json:"url" label:"URL" in:"create,update" is:"required,max=2000" doc:"Where messages go: https://… or http://… of a webhook; nats://host:port or tls://host:port; kafka://host:port,host:port or kafka+tls://…. It holds no credentials."`
	Topic      string   `json:"topic,omitzero" in:"create,update" is:"max=200,pattern=[A-Za-z0-9_.-]+" doc:"Of KAFKA the topic (none: casm. and the code; never that of the built-in stream), of NATS what subjects begin with (none: casm). A webhook has none."`
	Messages   []string `json:"messages,omitempty" in:"create,update" is:"enum=customer|account|subscriber|subscriberResource|offerSubscription|balance" doc:"The codes of the messages that it gets; none: all."`
	Paused     bool     `json:"paused" in:"create,update" doc:"Nothing is sent until this is cleared; then it goes on where it stood."`
	SecretEnv  string   `json:"secretEnv,omitzero" label:"Secret Variable" in:"create,update" is:"max=100,pattern=CASM_ENDPOINT_[A-Z0-9_]+" doc:"Name of the server's environment variable that holds the secret; it begins with CASM_ENDPOINT_."`
	SecretFile string   `json:"secretFile,omitzero" label:"Secret File" in:"create,update" is:"max=100,pattern=[A-Za-z0-9_-][A-Za-z0-9_.-]*" doc:"Name of the file that holds the secret, in the folder that the server is told by --secrets-dir."`
}

// endpointSchemes are the schemes of each type's URL, the one to use first.
var endpointSchemes = map[string][]string{
	EndpointWebhook: {"https", "http"}, EndpointNATS: {"nats", "tls"}, EndpointKafka: {"kafka", "kafka+tls"},
}

// DefaultTopic is what a topic that is not given stands for.
func (e *PubSubEndpoint) DefaultTopic() string {
	switch {
	case e.Topic != "":
		return e.Topic
	case e.Type == EndpointKafka:
		return "casm." + e.Code // not the built-in stream's, which is its relay's alone
	case e.Type == EndpointNATS:
		return "casm"
	}
	return ""
}

// CheckItem implements ItemChecker.
func (e *PubSubEndpoint) CheckItem(s *Snapshot, v *Violations) {
	if n := len(s.items[PubSubEndpoints]); n > MaxEndpoints {
		v.Add(TooMany, "/code", "there are %d endpoints with this one; at most %d are allowed", n, MaxEndpoints)
	}
	if e.Code == BuiltinStream {
		v.Add(InvalidValue, "/code", "%s is the code of the built-in stream; choose another", e.Code)
	}
	e.checkURL(v)
	if e.Topic != "" && e.Type == EndpointWebhook {
		v.Add(InvalidValue, "/topic", "a webhook has no topic; leave it out")
	}
	if strings.HasPrefix(e.Topic, ".") || strings.HasSuffix(e.Topic, ".") || strings.Contains(e.Topic, "..") {
		v.Add(InvalidValue, "/topic", "%q begins or ends with a dot, or has two in a row; a topic is such as casm.copy", clip(e.Topic))
	}
	for i, code := range e.Messages {
		if slices.Contains(e.Messages[:i], code) {
			v.Add(InvalidValue, "/messages", "the message %s stands twice", code)
			break
		}
	}
	if e.SecretEnv != "" && e.SecretFile != "" {
		v.Add(OneOfRequired, "/secretEnv", "the secret is in one place: give secretEnv or secretFile, not both")
	}
}

// checkURL finds what is wrong with the address. What it tells holds nothing of
// it but its scheme: the rest may be a secret.
func (e *PubSubEndpoint) checkURL(v *Violations) {
	if endpointSchemes[e.Type] == nil {
		return // the type is refused already
	}
	for _, address := range e.Addresses() {
		if wrong := e.checkAddress(address); wrong != "" {
			v.Add(InvalidValue, "/url", "%s", wrong)
			return
		}
	}
}

// Addresses are the URL's: of KAFKA one for each broker.
func (e *PubSubEndpoint) Addresses() []string {
	scheme, hosts, _ := strings.Cut(e.URL, "://")
	if e.Type != EndpointKafka || !strings.Contains(hosts, ",") {
		return []string{e.URL}
	}
	var list []string
	for host := range strings.SplitSeq(hosts, ",") {
		list = append(list, scheme+"://"+host)
	}
	return list
}

// endpointExamples are addresses of each type.
var endpointExamples = map[string]string{
	EndpointWebhook: "https://crm.example/casm", EndpointNATS: "nats://nats.example:4222",
	EndpointKafka: "kafka://broker1.example:9092,broker2.example:9092",
}

// checkAddress says what is wrong with an address, "" for nothing.
func (e *PubSubEndpoint) checkAddress(text string) string {
	schemes, example := endpointSchemes[e.Type], endpointExamples[e.Type]
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil, (err != nil || u.Host == "") && strings.Contains(text, "@"):
		return "the address holds a user or a password; leave them out, and name with secretEnv or secretFile where the server finds the secret"
	case err != nil || u.Hostname() == "":
		return "not an address such as " + example
	case !slices.Contains(schemes, u.Scheme):
		return "the address begins with " + clip(u.Scheme) + "://; one of " + e.Type + " begins with " + strings.Join(schemes, ":// or ") + "://, such as " + example
	case u.Fragment != "":
		return "the address has a fragment, which is never sent; leave out what follows #"
	case e.Type != EndpointWebhook && (strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		return "the address has a path or a query; give host and port only, such as " + example
	}
	return ""
}
