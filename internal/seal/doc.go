// Package seal keeps record values unreadable outside the process and bound to
// the place where they were stored.
//
// It owns the sealed form of a record (AES-256-GCM under a numbered data key, bound
// to kind, tenant, path and version), the keyring with its rotation and usage count,
// and the wrapped form of the keyring, which a key-encryption key (KEK) opens.
//
// It does not own where records and the keyring are stored, when keys rotate or
// whether a data key is still in use (the ledger's), or how a KEK is reached
// (package kek's). It does no input or output of its own and reads no clock.
package seal
