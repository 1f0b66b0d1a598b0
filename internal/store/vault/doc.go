// Package vault is the secret.Store on an OpenBao or HashiCorp Vault server, KV v2.
//
// It owns what stands between the Store contract and such a server: the broker's
// token and its renewal, attempts and time limits, the circuit breaker, the reading
// of the server's answers into fault kinds, and the two servers' differences. It
// does not own the KV v2 rules, which the server keeps, nor the choice of the
// server for a secret, which is routing. There is no fallback from one server to
// another. No error of this package repeats what the server said or what was asked:
// either may hold a path.
package vault
