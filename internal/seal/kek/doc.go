// Package kek reaches the key-encryption keys that open a keyring: a 32-byte file, or
// a key service behind a Kubernetes KMS v2 plug-in on a Unix socket.
//
// It owns the file's format and permission rule and the plug-in protocol. It does not
// own the wrapped keyring (package seal's) or the choice and rotation of KEKs.
package kek
