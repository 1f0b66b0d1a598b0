package seal

import (
	"encoding/binary"
	"strconv"

	"github.com/coffer-dev/coffer/internal/fault"
)

// The stored form is marker, key id (4 bytes, big endian), nonce (12 bytes),
// ciphertext and tag (16 bytes).
const (
	marker     = "coffer:v1:"
	headerSize = len(marker) + 4
	nonceAnd   = 12 + 16

	// Overhead is what sealing adds to a plaintext, in bytes.
	Overhead = headerSize + nonceAnd
)

// UnknownKeyError is the answer for a record under a data key that this keyring
// lacks: the keyring may be out of date. It is a fault.Corrupt to a caller that
// cannot load a newer one.
type UnknownKeyError struct{ ID uint32 }

// Error names the key id, which is no secret.
func (e *UnknownKeyError) Error() string {
	return "record is under unknown data key " + strconv.FormatUint(uint64(e.ID), 10)
}

// Unwrap classifies the error as fault.Corrupt.
func (e *UnknownKeyError) Unwrap() error { return fault.Corrupt }

// Seal encrypts plaintext under the active data key, bound to a, and counts it.
// The result is new memory. A keyring without keys answers fault.Unavailable.
func (k *Keyring) Seal(a Address, plaintext []byte) ([]byte, error) {
	key := k.active()
	if key == nil {
		return nil, errSealed()
	}
	out, aad := a.buffer(Overhead + len(plaintext))
	out = append(out, marker...)
	out = binary.BigEndian.AppendUint32(out, key.id)
	key.since.Add(1)
	return key.aead.Seal(out, nil, plaintext, aad), nil
}

// Open decrypts a record that was sealed for a. stale tells that its data key is no
// longer the active one. Bytes that are no sealed record, were changed, or were sealed
// for another address are fault.Corrupt; a record under a key that is not here is an
// *UnknownKeyError; a keyring without keys answers fault.Unavailable. The plaintext is
// new memory; sealed is left as it was.
func (k *Keyring) Open(a Address, sealed []byte) (plaintext []byte, stale bool, err error) {
	active := k.active()
	if active == nil {
		return nil, false, errSealed()
	}
	id, ok := KeyID(sealed)
	if !ok {
		return nil, false, fault.New(fault.Corrupt, "not a sealed record")
	}
	key := k.key(id)
	if key == nil {
		return nil, false, &UnknownKeyError{ID: id}
	}
	out, aad := a.buffer(len(sealed) - Overhead)
	plaintext, err = key.aead.Open(out, nil, sealed[headerSize:], aad)
	if err != nil {
		return nil, false, fault.New(fault.Corrupt, "record does not authenticate")
	}
	return plaintext, key != active, nil
}

// KeyID tells the data key of a stored record without opening it; false when the
// bytes are not of the stored form. The answer is not authenticated.
func KeyID(sealed []byte) (uint32, bool) {
	if len(sealed) < Overhead || string(sealed[:len(marker)]) != marker {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[len(marker):]), true
}

// buffer gives an empty slice of capacity n and the encoded address behind it, in
// one allocation: reads and writes of secrets are frequent, and the address would
// else cost a second one each time.
func (a Address) buffer(n int) (out, aad []byte) {
	both := make([]byte, n, n+a.size())
	return both[:0:n], a.append(both)[n:]
}
