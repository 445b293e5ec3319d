package casm

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// VersionHash is the hash of one version of an entity that checksums add up
// (contract 8): the first eight bytes, big endian, of the SHA-256 of the type's
// name, the sixteen bytes of the refId, and the version in eight bytes, big endian.
func VersionHash(kind Kind, refID uuid.UUID, version int64) uint64 {
	b := make([]byte, 0, 64)
	b = append(b, kind.String()...)
	b = append(b, refID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])
}

// Sum is a count and a checksum of the entities of one kind, and of all their
// versions. Checksums are sums of VersionHash modulo 2^64: of the entities
// that of the present version, of the versions that of each.
type Sum struct {
	Entities   int64
	EntitySum  uint64
	Versions   int64
	VersionSum uint64
}

// Add counts a version, the one before of which was counted earlier.
func (s *Sum) Add(kind Kind, refID uuid.UUID, version int64) {
	hash := VersionHash(kind, refID, version)
	s.Versions++
	s.VersionSum += hash
	s.EntitySum += hash
	if version == 1 {
		s.Entities++
	} else {
		s.EntitySum -= VersionHash(kind, refID, version-1)
	}
}

// Remove takes back what Add did. The order of several does not matter.
func (s *Sum) Remove(kind Kind, refID uuid.UUID, version int64) {
	var one Sum
	one.Add(kind, refID, version)
	s.Entities -= one.Entities
	s.EntitySum -= one.EntitySum
	s.Versions -= one.Versions
	s.VersionSum -= one.VersionSum
}
