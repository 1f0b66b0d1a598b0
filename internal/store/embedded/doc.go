// Package embedded keeps secret values on the ledger: KV v2 versions and metadata
// as sealed records, one transaction per mutation. In gives the same store inside
// a transaction of the caller, so that several mutations, the event and the
// idempotency record commit as one. The rules of KV v2 are package secret's.
package embedded
