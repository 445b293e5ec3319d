package auth

import (
	"iter"
	"slices"

	"casm"
	"casm/command"
)

// grants are a set of permissions: a bit each, in the order of
// command.Permissions.
type grants uint8

// lists are the permissions of each set, in order, so that a request that is
// let in makes none.
var lists = func() (all [1 << 8][]string) {
	for set := range all {
		for n, p := range command.Permissions {
			if set&(1<<n) != 0 {
				all[set] = append(all[set], string(p))
			}
		}
		all[set] = slices.Clip(all[set])
	}
	return all
}()

// add adds the permissions with the names; one that is not known permits nothing.
func (g *grants) add(names []string) {
	for _, name := range names {
		if n := slices.Index(command.Permissions, command.Permission(name)); n >= 0 {
			*g |= 1 << n
		}
	}
}

// granted returns the permissions given and those of the roles as they stand,
// each once, in the order of command.Permissions. It is not to be changed.
func granted(s *casm.Snapshot, permissions, roles []string) []string {
	var g grants
	g.add(permissions)
	for _, code := range roles {
		if role, ok := s.Item(RoleCollection, code).(*casm.Role); ok {
			g.add(role.Permissions)
		}
	}
	return lists[g]
}

// isAdmin reports whether the permissions hold admin.
func isAdmin(permissions []string) bool {
	return slices.Contains(permissions, string(command.Admin))
}

// keepAdmin is the rule that somebody with the permission admin can still sign
// in or use a key: whoever is locked out has only the command line.
func keepAdmin(now casm.Time) func(before, after *casm.Snapshot, v *casm.Violations) {
	return func(before, after *casm.Snapshot, v *casm.Violations) {
		if hasAdmin(before, now) && !hasAdmin(after, now) {
			v.Add(casm.InUse, "", "nobody with the permission admin would be left who can sign in or has a valid key; give it to another user or key first")
		}
	}
}

func hasAdmin(s *casm.Snapshot, now casm.Time) bool {
	for permissions := range callers(s, now) {
		if isAdmin(permissions) {
			return true
		}
	}
	return false
}

// callers yields the permissions of each user who can sign in and each valid key.
func callers(s *casm.Snapshot, now casm.Time) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, item := range s.Items(Collection) {
			k := item.(*casm.APIKey)
			if !k.Revoked && (k.Expires == 0 || now < k.Expires) && !yield(granted(s, k.Permissions, k.Roles)) {
				return
			}
		}
		for _, item := range s.Items(UserCollection) {
			u := item.(*casm.User)
			if !u.Disabled && u.Hash != "" && !yield(granted(s, u.Permissions, u.Roles)) {
				return
			}
		}
	}
}
