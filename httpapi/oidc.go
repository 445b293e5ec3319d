package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"casm"
	"casm/auth"
)

// oidcEndpoints sign people in at an OIDC provider.
func oidcEndpoints() []*endpoint {
	text := func(name, doc string) param { return param{Name: name, Type: casm.TypeString, Doc: doc} }
	return []*endpoint{
		{
			Method: http.MethodGet, Path: "/v1/session/methods", ID: "listSignInMethods", Tag: tagAccess, Open: true,
			Summary: "Tells in which ways people can sign in.",
			Answer:  answer{Schema: "SignInMethods"}, serve: signInMethods,
		},
		{
			Method: http.MethodGet, Path: auth.OIDCPath, ID: "beginOIDCSignIn", Tag: tagAccess, Open: true,
			Summary: "Sends a browser to the OIDC provider, where a person signs in; it comes back to /v1/session/oidc/callback.",
			Params:  []param{text("return", "The path on this server to go to afterwards; none: /.")},
			Answer:  answer{Status: http.StatusFound}, Refusals: []int{404, 500, 503}, serve: beginOIDC,
		},
		{
			Method: http.MethodGet, Path: auth.OIDCCallbackPath, ID: "finishOIDCSignIn", Tag: tagAccess, Open: true,
			Summary: "Where the OIDC provider sends a browser back to: begins a session, sets its cookie and leads on. What else stands in the query is passed over.",
			Params: []param{
				text("code", "What the provider gives for a person who signed in."), text("state", "That of the sign-in that was begun in this browser."),
				text("iss", "The provider."), text("error", "Why nobody signed in."),
			},
			Answer: answer{Schema: "Text", Type: "text/html"}, Refusals: []int{401, 404, 429, 500, 503}, serve: finishOIDC,
		},
	}
}

func signInMethods(s *Server, x *exchange) {
	if _, ok := x.query(nil); ok {
		x.marshal(s.auth.Methods())
	}
}

func (x *exchange) noOIDC() {
	x.absent("", "no OIDC provider is set (--oidc-issuer); people sign in with POST /v1/session")
}

func beginOIDC(s *Server, x *exchange) {
	q, ok := x.query(nil)
	if !ok {
		return
	}
	address, cookie, err := s.auth.BeginOIDC(x.r, q["return"].text)
	switch {
	case errors.Is(err, auth.ErrNoOIDC):
		x.noOIDC()
	case err != nil:
		x.fail(err)
	default:
		http.SetCookie(x, cookie)
		x.Header().Set("Location", address)
		x.WriteHeader(http.StatusFound)
	}
}

// finishOIDC answers with a page that leads on. A redirect would not do: what
// is asked for on the way from another site comes without the session's cookie.
func finishOIDC(s *Server, x *exchange) {
	begun, to, cleared, err := s.auth.FinishOIDC(x.r)
	if errors.Is(err, auth.ErrNoOIDC) {
		x.noOIDC()
		return
	}
	http.SetCookie(x, cleared)
	if err != nil {
		x.notSignedIn(err)
		return
	}
	x.who = begun.Principal
	x.audit(auth.OutcomeDone, slog.String("user", begun.User), slog.Any("permissions", begun.Permissions)) // nothing here says them later
	http.SetCookie(x, begun.Cookie)
	x.pageAs(http.StatusOK, render("signin.html", map[string]any{"Style": style, "To": to}))
}

// notSignedIn answers a sign-in that failed, a browser with a page.
func (x *exchange) notSignedIn(err error) {
	d := auth.DeniedBy(err)
	if !strings.Contains(x.r.Header.Get("Accept"), "text/html") {
		if d != nil {
			x.deny(d)
		} else {
			x.fail(err)
		}
		return
	}
	v, ok := errors.AsType[casm.Violations](err)
	switch {
	case d != nil:
		x.denied(d)
		v = casm.Violations{d.Violation}
	case ok && v.Has(casm.Overloaded):
		x.wait(retryAfter)
	default:
		x.fail(err)
		return
	}
	x.pageAs(v[0].Code.Status(), render("signin.html", map[string]any{"Style": style, "Detail": v[0].Detail, "Again": auth.OIDCPath}))
}
