package casm

import "crypto/sha256"

// Session is one sign-in of a person (contract 11), as it is stored.
type Session struct {
	// Hash is the SHA-256 of the session's secret, which is not stored.
	Hash [sha256.Size]byte
	// User is the code of the user who signed in.
	User string
	// Era is that of the user when it began: with another one it has ended.
	Era string
	// Created is when it began, Ends when it ends unless it is used before.
	Created, Ends Time
}
