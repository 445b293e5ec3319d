package casm

import "crypto/sha256"

// Session is one sign-in of a person (contract 11), as it is stored.
type Session struct {
	// Hash is the SHA-256 of the session's secret, which is not stored.
	Hash [sha256.Size]byte
	// User is the code of the user who signed in; of one that an OIDC provider
	// vouches for "oidc:" with their name there, which is no user's code.
	User string
	// Era is that of the user when it began: with another one it has ended.
	Era string
	// Name and Roles (codes) are those that the provider gave; "" and none of a
	// user, whose own are looked up.
	Name  string
	Roles []string
	// Created is when it began, Ends when it ends unless it is used before.
	Created, Ends Time
}
