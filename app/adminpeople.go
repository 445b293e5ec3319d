package app

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"casm"
	"casm/auth"

	"github.com/go-json-experiment/json"
)

// What goes through the socket about keys and users.
type (
	newKey struct {
		Name        string    `json:"name"`
		Permissions []string  `json:"permissions"`
		Roles       []string  `json:"roles"`
		Expires     casm.Time `json:"expires,omitzero"`
		RateLimit   int64     `json:"rateLimit,omitzero"`
	}
	createdKey struct {
		Key string `json:"key"`
	}
	list[T any] struct {
		Items []T `json:"items"`
	}
	newUser struct {
		Code        string   `json:"code"`
		Name        string   `json:"name"`
		Roles       []string `json:"roles"`
		Permissions []string `json:"permissions"`
		Password    string   `json:"password"`
	}
	password struct {
		Password string `json:"password"`
	}
	disabled struct {
		Disabled bool `json:"disabled"`
	}
)

// maxAdminBody bounds what a request through the socket says.
const maxAdminBody = 64 << 10

// bodyOf reads a request's body.
func bodyOf[T any](r *http.Request) (v T, err error) {
	if err := json.UnmarshalRead(io.LimitReader(r.Body, maxAdminBody), &v); err != nil {
		return v, casm.Violations{{Code: casm.MalformedJSON, Detail: "the request is not as this server's release has it; use the same release of casm"}}
	}
	return v, nil
}

func handleKeys(handle adminRoute) {
	handle("GET /keys", func(r *http.Request, a local) (any, error) {
		keys, err := a.Keys(r.Context())
		return list[auth.Key]{keys}, err
	})
	handle("POST /keys", func(r *http.Request, a local) (any, error) {
		n, err := bodyOf[newKey](r)
		if err != nil {
			return nil, err
		}
		key, err := a.CreateKey(r.Context(), auth.NewKey{
			Name: n.Name, Permissions: n.Permissions, Roles: n.Roles, Expires: n.Expires.Std(), RateLimit: n.RateLimit,
		})
		return createdKey{key}, err
	})
	handle("DELETE /keys/{code}", func(r *http.Request, a local) (any, error) {
		return struct{}{}, a.RevokeKey(r.Context(), r.PathValue("code"))
	})
}

func handleUsers(handle adminRoute) {
	handle("GET /users", func(r *http.Request, a local) (any, error) {
		users, err := a.Users(r.Context())
		return list[auth.User]{users}, err
	})
	handle("POST /users", func(r *http.Request, a local) (any, error) {
		n, err := bodyOf[newUser](r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, a.CreateUser(r.Context(), auth.User{Code: n.Code, Name: n.Name, Roles: n.Roles, Permissions: n.Permissions}, n.Password)
	})
	handle("PUT /users/{code}/password", func(r *http.Request, a local) (any, error) {
		n, err := bodyOf[password](r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, a.SetPassword(r.Context(), r.PathValue("code"), n.Password)
	})
	handle("PUT /users/{code}/disabled", func(r *http.Request, a local) (any, error) {
		n, err := bodyOf[disabled](r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, a.SetDisabled(r.Context(), r.PathValue("code"), n.Disabled)
	})
	handle("DELETE /users/{code}", func(r *http.Request, a local) (any, error) {
		return struct{}{}, a.DeleteUser(r.Context(), r.PathValue("code"))
	})
}

func (r remote) CreateKey(ctx context.Context, n auth.NewKey) (string, error) {
	var made createdKey
	err := r.call(ctx, http.MethodPost, "/keys", newKey{n.Name, n.Permissions, n.Roles, casm.TimeOf(n.Expires), n.RateLimit}, &made)
	return made.Key, err
}

func (r remote) Keys(ctx context.Context) ([]auth.Key, error) {
	var keys list[auth.Key]
	err := r.call(ctx, http.MethodGet, "/keys", nil, &keys)
	return keys.Items, err
}

func (r remote) RevokeKey(ctx context.Context, code string) error {
	return r.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(code), nil, &struct{}{})
}

func (r remote) CreateUser(ctx context.Context, u auth.User, secret string) error {
	return r.call(ctx, http.MethodPost, "/users", newUser{u.Code, u.Name, u.Roles, u.Permissions, secret}, &struct{}{})
}

func (r remote) Users(ctx context.Context) ([]auth.User, error) {
	var users list[auth.User]
	err := r.call(ctx, http.MethodGet, "/users", nil, &users)
	return users.Items, err
}

func (r remote) SetPassword(ctx context.Context, code, secret string) error {
	return r.call(ctx, http.MethodPut, userPath(code)+"/password", password{secret}, &struct{}{})
}

func (r remote) SetDisabled(ctx context.Context, code string, is bool) error {
	return r.call(ctx, http.MethodPut, userPath(code)+"/disabled", disabled{is}, &struct{}{})
}

func (r remote) DeleteUser(ctx context.Context, code string) error {
	return r.call(ctx, http.MethodDelete, userPath(code), nil, &struct{}{})
}

func userPath(code string) string { return "/users/" + url.PathEscape(code) }
