// Package clienttest starts a real Coffer for other people's tests: embedded storage
// with fsync in a temporary directory, a free loopback port, its own issuer of
// tokens. It is coffer dev without a command line, and for tests alone.
package clienttest
