// Package devissuer makes the tokens of `coffer dev`: an issuer without users, whose
// key lives in the data directory, so that whoever can read that directory can mint
// any token. It owns the key, the address under which the issuer is known, its two
// public documents and the form of its tokens. It verifies nothing and is never built
// into a production configuration.
package devissuer
