package auth

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"casm"
	"casm/command"
)

// RoleCollection is the internal collection of configuration that holds the roles.
const RoleCollection = "roles"

// Role is what is told of a role.
type Role struct {
	Code        string   `json:"code" in:"create,update" is:"required,fixed,max=64,pattern=[A-Za-z0-9_.-]+" order:"-4" doc:"The code by which keys and users name it; it cannot be changed."`
	Name        string   `json:"name" in:"create,update" is:"required" order:"-3" doc:"A name for people."`
	Description string   `json:"description,omitzero" in:"create,update" is:"multiline,max=4000" order:"-2" doc:"What it is for."`
	Permissions []string `json:"permissions" in:"create,update" is:"required,enum=casm:read|casm:write|balance:write|config:read|config:write|stream:read|dwh:read|admin" doc:"What it permits; admin implies all."`
	BuiltIn     bool     `json:"builtIn" in:"update" is:"derived" doc:"Whether every installation has it; then it cannot be changed or deleted."`
	Version     int64    `json:"version" in:"update" is:"derived" doc:"1, 2 …: one more with each change."`
}

// RoleOf returns what is told of a role.
func RoleOf(r *casm.Role) Role {
	return Role{
		Code: r.Code, Name: r.Name, Description: r.Description, Permissions: r.Permissions,
		BuiltIn: slices.Contains(casm.CollectionByPath(RoleCollection).Builtin, r.Code), Version: r.Version,
	}
}

// Roles administers roles. A change of one acts at once for all who hold it.
type Roles Office

// List returns all roles: those that every installation has, then its own, by code.
func (r Roles) List(ctx context.Context) ([]Role, error) {
	s, err := Office(r).config(ctx)
	if err != nil {
		return nil, err
	}
	var held, own []Role
	for _, code := range casm.CollectionByPath(RoleCollection).Builtin {
		if role, ok := s.Item(RoleCollection, code).(*casm.Role); ok {
			held = append(held, RoleOf(role))
		}
	}
	for _, item := range s.Items(RoleCollection) {
		if role := RoleOf(item.(*casm.Role)); !role.BuiltIn {
			own = append(own, role)
		}
	}
	return append(held, own...), nil
}

// Get returns one role. Errors: casm.Violations with not_found, and those of
// the engine.
func (r Roles) Get(ctx context.Context, code string) (Role, error) {
	role, err := get[*casm.Role](ctx, Office(r), RoleCollection, code)
	if err != nil {
		return Role{}, err
	}
	return RoleOf(role), nil
}

// Create makes a role. Errors: casm.Violations, and those of the engine.
func (r Roles) Create(ctx context.Context, actor, remote string, n Role) (made Role, err error) {
	defer func() { err = Office(r).audit(ctx, actor, "role.create", remote, err, n.attrs()...) }()
	item, err := n.item()
	if err != nil {
		return Role{}, err
	}
	after, err := Office(r).edit(ctx, actor, command.ConfigEdit{
		Collection: casm.CollectionByPath(RoleCollection), Code: n.Code, Item: item, Create: true,
	})
	if err != nil {
		return Role{}, err
	}
	return RoleOf(after.(*casm.Role)), nil
}

// Replace replaces the role with the code. ifMatch is the version that it must
// have, 0 for any. Errors: casm.Violations, and those of the engine.
func (r Roles) Replace(ctx context.Context, actor, remote, code string, n Role, ifMatch int64) (now Role, err error) {
	defer func() { err = Office(r).audit(ctx, actor, "role.replace", remote, err, n.attrs()...) }()
	item, err := n.item()
	if err != nil {
		return Role{}, err
	}
	after, _, err := change(ctx, Office(r), actor, RoleCollection, code, ifMatch, func(*casm.Snapshot, *casm.Role) (casm.ConfigItem, error) {
		return item, nil
	})
	if err != nil {
		return Role{}, err
	}
	return RoleOf(after), nil
}

// Delete deletes a role that nobody holds. Parameters and errors as of Replace.
func (r Roles) Delete(ctx context.Context, actor, remote, code string, ifMatch int64) (err error) {
	defer func() { err = Office(r).audit(ctx, actor, "role.delete", remote, err, slog.String("role", clip(code))) }()
	_, _, err = change(ctx, Office(r), actor, RoleCollection, code, ifMatch, func(*casm.Snapshot, *casm.Role) (casm.ConfigItem, error) {
		return nil, nil
	})
	return err
}

func (n Role) attrs() []slog.Attr {
	return []slog.Attr{slog.String("role", clip(n.Code)), slog.Any("permissions", few(n.Permissions))}
}

// item returns the role as it is stored, or what is wrong with it.
func (n Role) item() (*casm.Role, error) {
	permissions, _, v := resolve(nil, n.Permissions, nil)
	checkTexts(n.Name, n.Description, "a role needs a name, for people", &v)
	v.Sort()
	return &casm.Role{
		Item: casm.Item{Code: n.Code, Name: n.Name, Description: n.Description}, Permissions: permissions,
	}, v.Err()
}

// roleNamed returns the code of the role with the code or the name; of a name
// case does not count, and a dash stands for a space. "": there is none.
func roleNamed(s *casm.Snapshot, name string) string {
	if s == nil {
		return ""
	}
	if s.Item(RoleCollection, name) != nil {
		return name
	}
	spaced := strings.ReplaceAll(name, "-", " ")
	for _, item := range s.Items(RoleCollection) {
		if strings.EqualFold(strings.ReplaceAll(item.Base().Name, "-", " "), spaced) {
			return item.Base().Code
		}
	}
	return ""
}

// resolve returns the permissions, each once, in the order of
// command.Permissions, and the codes of the roles, in the order given, that
// are meant: among permissions names of roles may stand, too.
func resolve(s *casm.Snapshot, permissions, roles []string) (given, codes []string, v casm.Violations) {
	var g grants
	add := func(code string) {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	for n, name := range permissions {
		if slices.Contains(command.Permissions, command.Permission(name)) {
			g.add([]string{name})
		} else if code := roleNamed(s, name); code != "" {
			add(code)
		} else {
			v.Add(casm.InvalidValue, fmt.Sprintf("/permissions/%d", n), "%q is no permission; permissions are %s", clip(name), joined())
		}
	}
	for n, name := range roles {
		if code := roleNamed(s, name); code != "" {
			add(code)
		} else {
			v.Add(casm.NotConfigured, fmt.Sprintf("/roles/%d", n), "there is no role %q; roles are %s", clip(name), roleNames(s))
		}
	}
	return lists[g], codes, v
}

func joined() string {
	names := make([]string, len(command.Permissions))
	for i, p := range command.Permissions {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// roleNames names the roles, the first hundred at the most.
func roleNames(s *casm.Snapshot) string {
	var names []string
	for _, item := range s.Items(RoleCollection) {
		names = append(names, item.Base().Code)
	}
	if len(names) > 100 {
		names = append(names[:100], "…")
	}
	return strings.Join(names, ", ")
}
