package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"casm"
	"casm/auth"
	"casm/command"
)

// developer is who calls with --dev.
var developer = &auth.Principal{Name: "dev", Actor: "dev", Permissions: []string{string(command.Admin)}}

// authorize finds out who calls and whether they may: the first of contract
// rule 2's checks. It answers when not.
func (x *exchange) authorize(permission command.Permission) bool {
	if x.s.dev {
		x.who = developer
		return true
	}
	who, err := x.s.auth.Authenticate(x.r)
	if err != nil {
		if d := auth.DeniedBy(err); d != nil {
			x.deny(d)
		} else {
			x.fail(err)
		}
		return false
	}
	x.who = who
	if who.May(permission) {
		return true
	}
	x.forbid(string(permission))
	return false
}

// forbid answers who may not do it, and audits it.
func (x *exchange) forbid(needs string) {
	x.audit(auth.OutcomeDenied, slog.String("reason", "needs "+needs), slog.String("key", x.who.Key), slog.String("user", x.who.User))
	x.refuseOne(casm.Forbidden, "Authorization", "this needs the permission %s, which the credential does not have", needs)
}

// loopback checks what --dev answers: only requests whose Host and Origin are
// loopback, so that no page of another site can reach it, nor a name that
// somebody points at this machine. It answers when not.
func (x *exchange) loopback() bool {
	host, _, err := net.SplitHostPort(x.r.Host)
	if err != nil {
		host = x.r.Host
	}
	if !isLoopback(host) {
		x.audit(auth.OutcomeDenied, slog.String("reason", "Host is not loopback"))
		x.refuseOne(casm.Forbidden, "Host", "with --dev only requests to localhost are answered")
		return false
	}
	for _, origin := range x.r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isLoopback(u.Hostname()) {
			x.audit(auth.OutcomeDenied, slog.String("reason", "Origin is not loopback"))
			x.refuseOne(casm.Forbidden, "Origin", "with --dev only requests from pages on localhost are answered")
			return false
		}
	}
	return true
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// resource is what one path answers, by method.
type resource struct {
	methods map[string]*endpoint
	allow   string // the Allow header
}

// resources gathers endpoints by their path.
func resources(list []*endpoint) map[string]*resource {
	m := map[string]*resource{}
	for _, e := range list {
		pattern := e.Path
		if pattern == "/" {
			pattern = "/{$}"
		}
		r := m[pattern]
		if r == nil {
			r = &resource{methods: map[string]*endpoint{}}
			m[pattern] = r
		}
		r.methods[e.Method] = e
	}
	for _, r := range m {
		var allow []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if r.endpoint(method) != nil {
				allow = append(allow, method)
			}
		}
		r.allow = strings.Join(allow, ", ")
	}
	return m
}

func (r *resource) endpoint(method string) *endpoint {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return r.methods[method]
}

func (r *resource) handler(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		x := w.(*exchange)
		x.r = req // the mux may have made a copy, and put path values into it
		x.endpoint = r.endpoint(req.Method)
		if x.endpoint == nil {
			if x.authorize("") {
				x.Header().Set("Allow", r.allow)
				x.refuseOne(casm.MethodNotAllowed, "", "this path answers %s, not %s", r.allow, clip(req.Method))
			}
			return
		}
		if x.endpoint.Open || x.authorize(x.endpoint.Permission) {
			x.endpoint.serve(s, x)
		}
	}
}
