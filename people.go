package casm

// APIKey is a credential of a system; its code is the key's public part.
type APIKey struct {
	Item
	Hash        string   `json:"hash" doc:"SHA-256 of the secret, in hexadecimal."`
	Roles       []string `json:"roles,omitempty" code:"roles" doc:"Roles whose permissions it has, as they are now."`
	Permissions []string `json:"permissions" doc:"What it may do beside what its roles may."`
	Expires     Time     `json:"expires,omitzero" doc:"When it ends by itself."`
	CreatedAt   Time     `json:"createdAt" doc:"When it was made."`
	Revoked     bool     `json:"revoked" doc:"Whether it was revoked."`
	RateLimit   int64    `json:"rateLimit,omitzero" doc:"Requests a second; none: the installation's default."`
}

// Role is a named set of permissions.
type Role struct {
	Item
	Permissions []string `json:"permissions" doc:"What it permits."`
}

// User is a person who can sign in; the code is what they sign in with.
type User struct {
	Item
	Roles       []string `json:"roles,omitempty" code:"roles" doc:"Roles whose permissions they have, as they are now."`
	Permissions []string `json:"permissions,omitempty" doc:"What they may do beside what their roles may."`
	Disabled    bool     `json:"disabled" doc:"Whether they cannot sign in."`
	CreatedAt   Time     `json:"createdAt" doc:"When they were made."`
	// Hash is what is kept of the password; "" when there is none, so that
	// nobody can sign in.
	Hash string `json:"hash,omitzero" doc:"argon2id of the password, in PHC string form."`
	// Era changes when all sessions end: one belongs to that in which it began.
	Era string `json:"era" doc:"Which of the user's sessions hold."`
}

// Kept implements ItemKeeper: of passwords that were changed nothing is kept.
func (u *User) Kept() ConfigItem {
	kept := *u
	kept.Hash = ""
	return &kept
}
