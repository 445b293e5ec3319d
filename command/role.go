package command

import "casm"

// Roles returns those that every installation has (contract 11).
func Roles() []*casm.Role {
	role := func(code, name string, permissions ...Permission) *casm.Role {
		r := &casm.Role{Item: casm.Item{Code: code, Name: name}}
		for _, p := range permissions {
			r.Permissions = append(r.Permissions, string(p))
		}
		return r
	}
	return []*casm.Role{
		role("organization-manager", "Organization Manager", Admin),
		role("power-user", "Power User", ReadEntities, WriteEntities, WriteBalances, ReadConfig, WriteConfig, ReadStream, ReadWarehouse),
		role("reader", "Reader", ReadEntities, ReadConfig, ReadStream, ReadWarehouse),
		role("crm-integration", "CRM Integration", ReadEntities, WriteEntities, WriteBalances, ReadStream),
	}
}
