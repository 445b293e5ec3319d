package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"casm"
	"casm/auth"
	"casm/command"
)

// madeKey is an API key as it is told once.
type madeKey struct {
	auth.Key
	Secret string `json:"key" doc:"The key itself, to send as Authorization: Bearer <key>. It is told this once; only a hash of it is kept."`
}

// The bodies of requests. What the system gives may stand in them, as it stood
// in an answer.
var (
	keyInput  = casm.Describe[auth.Key]()
	roleInput = casm.Compose("Role", casm.Part{Object: casm.Describe[auth.Role](), Pick: inRequest})
	userInput = casm.Compose("User", casm.Part{Object: casm.Describe[auth.User](), Pick: inRequest}, casm.Part{Object: casm.Describe[auth.Password]()})
)

func inRequest(f *casm.Field) bool { return f.Create || f.Update }

// newKeyInput is keyInput without what the system gives.
var newKeyInput = casm.Compose("Key", casm.Part{Object: keyInput, Pick: inRequest})

// accessExamples are answers about who may do what, by schema.
var accessExamples = map[string]string{
	"Key":           `{"code": "abcdefghijklmnop", ` + exampleKey + `}`,
	"NewKey":        `{"code": "abcdefghijklmnop", ` + exampleKey + `, "key": "casm_abcdefghijklmnop_…"}`,
	"Role":          `{"code": "support", "name": "Support", "permissions": ["casm:read", "stream:read"], "builtIn": false, "version": 1}`,
	"User":          `{"code": "ann", "name": "Ann Example", "roles": ["power-user"], "permissions": [], "disabled": false, "createdAt": "2026-05-01T09:00:00.000000Z", "version": 1}`,
	"Session":       `{"user": "ann", "name": "Ann Example", "permissions": ["casm:read"], "expiresAt": "2026-05-01T21:00:00.000000Z"}`,
	"SignInMethods": `{"password": true, "oidc": false}`,
	"Caller":        `{"actor": "user:ann", "user": "ann", "name": "Ann Example", "permissions": ["casm:read"], "expiresAt": "2026-05-01T21:00:00.000000Z", "dev": false}`,
}

const exampleKey = `"name": "crm", "roles": ["crm-integration"], "permissions": [], "expires": "2027-12-31T00:00:00.000000Z", "revoked": false, "createdAt": "2026-05-01T09:00:00.000000Z", "version": 1`

// peopleEndpoints administer keys, roles and users (contract 11).
func peopleEndpoints() []*endpoint {
	var list []*endpoint
	add := func(method, path, id, summary string, a answer, serve func(*Server, *exchange)) *endpoint {
		e := &endpoint{
			Method: method, Path: "/v1/admin/" + path, ID: id, Tag: tagAccess, Summary: summary,
			Permission: command.Admin, Answer: a, serve: serve,
		}
		if strings.HasSuffix(path, "/{code}") {
			e.PathParams = codeParam
			e.IfMatch = !isRead(method)
		}
		list = append(list, e)
		return e
	}
	with := func(e *endpoint, input *casm.Object, example string) { e.Request, e.Example = input, example }
	created, gone := http.StatusCreated, answer{Status: http.StatusNoContent}

	add(http.MethodGet, "keys", "listKeys", "Lists the API keys, revoked and expired ones too, by name.", answer{Schema: "KeyItems"}, listOf(func(x *exchange) ([]auth.Key, error) { return x.keys().List(x.context()) }))
	with(add(http.MethodPost, "keys", "createKey", "Makes an API key; the answer is the only one that holds it.", answer{Status: created, Schema: "NewKey", ETag: true}, createKey),
		newKeyInput, `{"name": "crm", "roles": ["crm-integration"], "expires": "2027-12-31T00:00:00Z"}`)
	add(http.MethodGet, "keys/{code}", "readKey", "Reads an API key.", answer{Schema: "Key", ETag: true}, getKey)
	add(http.MethodDelete, "keys/{code}", "revokeKey", "Revokes an API key, at once and for good; it stays in the list.", gone, revokeKey)

	add(http.MethodGet, "roles", "listRoles", "Lists the roles: those that every installation has, then its own, by code.", answer{Schema: "RoleItems"}, listOf(func(x *exchange) ([]auth.Role, error) { return x.roles().List(x.context()) }))
	const roleExample = `{"code": "example", "name": "Support", "permissions": ["casm:read", "stream:read"]}`
	with(add(http.MethodPost, "roles", "createRole", "Makes a role.", answer{Status: created, Schema: "Role", ETag: true}, createRole), roleInput, roleExample)
	add(http.MethodGet, "roles/{code}", "readRole", "Reads a role.", answer{Schema: "Role", ETag: true}, getRole)
	with(add(http.MethodPut, "roles/{code}", "replaceRole", "Replaces a role as a whole, which acts at once for all who hold it.", answer{Schema: "Role", ETag: true}, replaceRole), roleInput, roleExample)
	add(http.MethodDelete, "roles/{code}", "deleteRole", "Deletes a role that no key and no user holds.", gone, deleteRole)

	add(http.MethodGet, "users", "listUsers", "Lists the users, by code.", answer{Schema: "UserItems"}, listOf(func(x *exchange) ([]auth.User, error) { return x.users().List(x.context()) }))
	const userExample = `{"code": "example", "name": "Ann Example", "roles": ["power-user"], "password": "correct horse battery staple"}`
	with(add(http.MethodPost, "users", "createUser", "Makes a user.", answer{Status: created, Schema: "User", ETag: true}, createUser), userInput, userExample)
	add(http.MethodGet, "users/{code}", "readUser", "Reads a user.", answer{Schema: "User", ETag: true}, getUser)
	with(add(http.MethodPut, "users/{code}", "replaceUser", "Replaces a user as a whole; without a password it stays. A password, and disabled, end the user's sessions.", answer{Schema: "User", ETag: true}, replaceUser), userInput, userExample)
	add(http.MethodDelete, "users/{code}", "deleteUser", "Deletes a user and ends their sessions.", gone, deleteUser)
	add(http.MethodDelete, "sessions", "endSessions", "Ends all sessions of a user, or of somebody who signed in at the OIDC provider; they may sign in again.", gone, endSessions).
		Params = []param{{Name: "user", Type: casm.TypeString, Required: true, Doc: "The code of the user, or oidc: with the name of somebody whom the OIDC provider vouches for."}}
	return list
}

// office is what administers for the one who calls.
func (x *exchange) office() auth.Office {
	return auth.Office{Configuration: x.s.engine, Logger: x.s.log, KeepAdmin: true, Sessions: x.s.auth, Request: x.about()}
}

func (x *exchange) keys() auth.Keys   { return auth.Keys(x.office()) }
func (x *exchange) roles() auth.Roles { return auth.Roles(x.office()) }
func (x *exchange) users() auth.Users { return auth.Users(x.office()) }

// input reads a body into parts, and If-Match; it answers when something is wrong.
func (x *exchange) input(o *casm.Object, parts ...any) (version int64, ok bool) {
	body, ok := x.body(maxBody)
	if !ok {
		return 0, false
	}
	_, v := o.Decode(body.Bytes(), "", parts...)
	clear(body.Bytes()) // it may hold a password
	release(body)
	if v.Has(casm.MalformedJSON) {
		x.refuse(v)
		return 0, false
	}
	return x.conditions(v)
}

// conditions reads the query, which is empty, and If-Match, beside what is
// wrong already.
func (x *exchange) conditions(v casm.Violations) (version int64, ok bool) {
	x.readQuery(&v)
	version = x.ifMatch(&v)
	if x.r.Method == http.MethodPost && len(x.r.Header[ifMatchHeader]) > 0 && !hasAt(v, ifMatchHeader) {
		v.Add(casm.InvalidValue, ifMatchHeader, "what is created has no version yet; leave the header out")
	}
	if len(v) > 0 {
		v.Sort()
		x.refuse(v)
		return 0, false
	}
	return version, true
}

// told answers with what became of an item.
func told[T any](x *exchange, status int, version int64, item T, err error) {
	if err != nil {
		x.failAt(err)
		return
	}
	x.etag(version)
	x.marshalAs(status, item)
}

// failAt is fail for what is done to one item: one that there is not is a 404.
func (x *exchange) failAt(err error) {
	if v, ok := err.(casm.Violations); ok && v.Has(casm.NotFound) { //nolint:errorlint // auth returns it as it is
		x.absent("", v[0].Detail)
		return
	}
	x.fail(err)
}

// location says where what was created is.
func (x *exchange) location(code string) {
	x.Header().Set("Location", x.endpoint.Path+"/"+url.PathEscape(code))
}

func listOf[T any](list func(*exchange) ([]T, error)) func(*Server, *exchange) {
	return func(_ *Server, x *exchange) {
		if _, ok := x.query(nil); !ok {
			return
		}
		items, err := list(x)
		if err != nil {
			x.fail(err)
			return
		}
		x.marshal(struct {
			Items []T `json:"items"`
		}{items})
	}
}

func createKey(_ *Server, x *exchange) {
	var in auth.Key
	if _, ok := x.input(newKeyInput, &in); !ok {
		return
	}
	key, made, err := x.keys().Create(x.context(), x.who.Actor, x.r.RemoteAddr, auth.NewKey{
		Name: in.Name, Description: in.Description, Permissions: in.Permissions, Roles: in.Roles, Expires: in.Expires.Std(), RateLimit: in.RateLimit,
	})
	if err != nil {
		x.failAt(err)
		return
	}
	x.location(made.Code)
	told(x, http.StatusCreated, made.Version, madeKey{*made, key}, nil)
}

func getKey(_ *Server, x *exchange) {
	if _, ok := x.query(nil); ok {
		k, err := x.keys().Get(x.context(), x.r.PathValue("code"))
		told(x, http.StatusOK, k.Version, k, err)
	}
}

func revokeKey(_ *Server, x *exchange) { x.remove(x.keys().Revoke) }

// remove carries out a DELETE.
func (x *exchange) remove(fn func(ctx context.Context, actor, remote, code string, ifMatch int64) error) {
	version, ok := x.conditions(nil)
	if !ok {
		return
	}
	if err := fn(x.context(), x.who.Actor, x.r.RemoteAddr, x.r.PathValue("code"), version); err != nil {
		x.failAt(err)
		return
	}
	x.WriteHeader(http.StatusNoContent)
}

func getRole(_ *Server, x *exchange) {
	if _, ok := x.query(nil); ok {
		r, err := x.roles().Get(x.context(), x.r.PathValue("code"))
		told(x, http.StatusOK, r.Version, r, err)
	}
}

func createRole(_ *Server, x *exchange) {
	var in auth.Role
	if _, ok := x.input(roleInput, &in); !ok {
		return
	}
	made, err := x.roles().Create(x.context(), x.who.Actor, x.r.RemoteAddr, in)
	if err == nil {
		x.location(made.Code)
	}
	told(x, http.StatusCreated, made.Version, made, err)
}

func replaceRole(_ *Server, x *exchange) {
	var in auth.Role
	version, ok := x.input(roleInput, &in)
	if !ok {
		return
	}
	now, err := x.roles().Replace(x.context(), x.who.Actor, x.r.RemoteAddr, x.r.PathValue("code"), in, version)
	told(x, http.StatusOK, now.Version, now, err)
}

func deleteRole(_ *Server, x *exchange) { x.remove(x.roles().Delete) }

func getUser(_ *Server, x *exchange) {
	if _, ok := x.query(nil); ok {
		u, err := x.users().Get(x.context(), x.r.PathValue("code"))
		told(x, http.StatusOK, u.Version, u, err)
	}
}

func createUser(_ *Server, x *exchange) {
	var in auth.User
	var p auth.Password
	if _, ok := x.input(userInput, &in, &p); !ok {
		return
	}
	made, err := x.users().Create(x.context(), x.who.Actor, x.r.RemoteAddr, in, p.Password)
	if err == nil {
		x.location(made.Code)
	}
	told(x, http.StatusCreated, made.Version, made, err)
}

func replaceUser(_ *Server, x *exchange) {
	var in auth.User
	var p auth.Password
	version, ok := x.input(userInput, &in, &p)
	if !ok {
		return
	}
	now, err := x.users().Replace(x.context(), x.who.Actor, x.r.RemoteAddr, x.r.PathValue("code"), in, p.Password, version)
	told(x, http.StatusOK, now.Version, now, err)
}

func deleteUser(_ *Server, x *exchange) { x.remove(x.users().Delete) }

func endSessions(_ *Server, x *exchange) {
	q, ok := x.query(nil)
	if !ok {
		return
	}
	if err := x.users().EndSessions(x.context(), x.who.Actor, x.r.RemoteAddr, q["user"].text); err != nil {
		x.fail(err)
		return
	}
	x.WriteHeader(http.StatusNoContent)
}
