package auth

import (
	"slices"
	"strings"

	"casm"
	"casm/command"
)

// Role is a named set of permissions.
type Role struct {
	Name        string
	Permissions []command.Permission
}

// Roles are those that every installation has (contract 11).
var Roles = []Role{
	{"Organization Manager", []command.Permission{command.Admin}},
	{"Power User", []command.Permission{
		command.ReadEntities, command.WriteEntities, command.WriteBalances,
		command.ReadConfig, command.WriteConfig, command.ReadStream, command.ReadWarehouse,
	}},
	{"Reader", []command.Permission{command.ReadEntities, command.ReadConfig, command.ReadStream, command.ReadWarehouse}},
	{"CRM Integration", []command.Permission{command.ReadEntities, command.WriteEntities, command.WriteBalances, command.ReadStream}},
}

// RoleByName returns the role; case does not count, and a dash stands for a
// space, so that "crm-integration" can be typed.
func RoleByName(name string) (Role, bool) {
	name = strings.ReplaceAll(name, "-", " ")
	i := slices.IndexFunc(Roles, func(r Role) bool { return strings.EqualFold(r.Name, name) })
	if i < 0 {
		return Role{}, false
	}
	return Roles[i], true
}

// Expand turns permissions and names of roles into permissions, each once, in
// the order of command.Permissions.
func Expand(names []string) ([]string, casm.Violations) {
	var v casm.Violations
	has := map[command.Permission]bool{}
	for _, name := range names {
		if slices.Contains(command.Permissions, command.Permission(name)) {
			has[command.Permission(name)] = true
		} else if role, ok := RoleByName(name); ok {
			for _, p := range role.Permissions {
				has[p] = true
			}
		} else {
			v.Add(casm.InvalidValue, "permissions", "%q is neither a permission nor a role; permissions are %s; roles are %s", clip(name), joined(), roleNames())
		}
	}
	if len(names) == 0 {
		v.Add(casm.Required, "permissions", "give at least one permission or role; permissions are %s; roles are %s", joined(), roleNames())
	}
	var out []string
	for _, p := range command.Permissions {
		if has[p] {
			out = append(out, string(p))
		}
	}
	return out, v
}

func joined() string {
	names := make([]string, len(command.Permissions))
	for i, p := range command.Permissions {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

func roleNames() string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}
