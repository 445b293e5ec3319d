package httpapi

import (
	"log/slog"
	"net/http"

	"casm"
	"casm/auth"
)

// signIn is the body of a sign-in.
type signIn struct {
	User     string `json:"user" in:"create" is:"required,max=64" doc:"The code of the user."`
	Password string `json:"password" in:"create" is:"required,max=1000" doc:"Their password."`
}

// begunSession is the answer to a sign-in.
type begunSession struct {
	User        string    `json:"user" doc:"The code of the user."`
	Name        string    `json:"name" doc:"Their name."`
	Permissions []string  `json:"permissions" doc:"What they may do; admin implies all."`
	ExpiresAt   casm.Time `json:"expiresAt" doc:"When the session ends unless it is used before."`
}

// caller is who calls.
type caller struct {
	Actor       string    `json:"actor" doc:"What business transactions record, such as user:ann, key:crm or oidc:bob."`
	User        string    `json:"user,omitzero" doc:"The code of the user who signed in, or oidc: with the name of somebody whom the OIDC provider vouches for; none: it is a key."`
	Key         string    `json:"key,omitzero" doc:"The code of the API key; none: it is no key."`
	Name        string    `json:"name" doc:"The user's or the key's name."`
	Permissions []string  `json:"permissions" doc:"What they may do; admin implies all."`
	ExpiresAt   casm.Time `json:"expiresAt,omitzero" doc:"When the credential ends; a user's session that is used ends later. None: never."`
	Dev         bool      `json:"dev" doc:"Whether the server runs with --dev, so that nobody signs in."`
}

const tagAccess = "Access"

func sessionEndpoints() []*endpoint {
	const path = "/v1/session"
	return []*endpoint{
		{
			Method: http.MethodPost, Path: path, ID: "signIn", Tag: tagAccess, Open: true,
			Summary: "Signs a person in: the answer sets the cookie casm_session, which is sent with the requests that follow.",
			Request: casm.Describe[signIn](), Example: `{"user": "ann", "password": "correct horse battery staple"}`,
			Answer: answer{Schema: "Session"}, Refusals: []int{401, 403, 429, 500, 503}, serve: beginSession,
		},
		{
			Method: http.MethodGet, Path: path, ID: "readSession", Tag: tagAccess,
			Summary: "Tells who calls and what they may do, whatever the credential.",
			Answer:  answer{Schema: "Caller"}, serve: readSession,
		},
		{
			Method: http.MethodDelete, Path: path, ID: "signOut", Tag: tagAccess, Open: true,
			Summary: "Signs out: the session ends and the cookie is cleared; without a session nothing happens.",
			Answer:  answer{Status: http.StatusNoContent}, Refusals: []int{403, 500, 503}, serve: endSession,
		},
	}
}

func beginSession(s *Server, x *exchange) {
	if err := auth.SameOrigin(x.r); err != nil {
		x.deny(auth.DeniedBy(err))
		return
	}
	var in signIn
	if _, ok := x.input(x.endpoint.Request, &in); !ok {
		return
	}
	begun, err := s.auth.SignIn(x.r, in.User, in.Password)
	if d := auth.DeniedBy(err); d != nil {
		x.deny(d)
		return
	} else if err != nil {
		x.fail(err)
		return
	}
	x.who = begun.Principal
	x.audit(auth.OutcomeDone, slog.String("user", begun.User))
	http.SetCookie(x, begun.Cookie)
	x.marshal(begunSession{User: begun.User, Name: begun.Name, Permissions: begun.Permissions, ExpiresAt: begun.Expires})
}

func readSession(s *Server, x *exchange) {
	if _, ok := x.query(nil); !ok {
		return
	}
	w := x.who
	x.marshal(caller{
		Actor: w.Actor, User: w.User, Key: w.Key, Name: w.Name, Permissions: w.Permissions, ExpiresAt: w.Expires, Dev: s.dev,
	})
}

func endSession(s *Server, x *exchange) {
	if err := auth.SameOrigin(x.r); err != nil {
		x.deny(auth.DeniedBy(err))
		return
	}
	if _, ok := x.query(nil); !ok {
		return
	}
	cookie, actor, err := s.auth.SignOut(x.r)
	if err != nil {
		x.fail(err)
		return
	}
	if actor != "" {
		x.who = &auth.Principal{Actor: actor}
		x.audit(auth.OutcomeDone)
	}
	http.SetCookie(x, cookie)
	x.WriteHeader(http.StatusNoContent)
}
