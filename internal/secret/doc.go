// Package secret is the vocabulary of Coffer: what a secret is called (URI, Ref),
// what it holds (Value, which prints as [redacted]), what is known about it
// (Version, Metadata), the rules of KV v2 as pure functions, and the contract
// that every back end satisfies (Store).
//
// It uses the standard library and package fault alone, does no input or output,
// reads no clock and holds no state.
package secret
