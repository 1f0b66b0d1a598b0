// Package oidc verifies what OpenID Connect issuers signed or vouch for.
//
// It owns the trust in issuers (discovery, key sets and their rotation), the
// verification of JWTs, RFC 7662 introspection of opaque tokens and sessions, the
// binding of tokens to keys (DPoP) and to client certificates, the CSRF pair of
// sessions, and the memory of tokens that were verified. It makes a Principal and
// decides nothing about what the caller may do; it reads no HTTP request of a door
// and issues no token.
//
// Three rules run through it. A token is believed only after an issuer that the
// configuration names has been found by exact comparison and one of its keys has
// verified the signature. Nothing that a stranger sends costs more than bounded
// work: sizes, depths, memories and outgoing calls all have limits. No error repeats
// any part of a credential.
package oidc
