// Package vaultdouble is a server of the Vault API over the parts that ship: the
// embedded engine keeps the secrets and the tenants use case keeps policies and
// groups, on a real ledger. Clients of that API drive the engine through it in tests.
//
// It translates the interfaces of the handler into the use case and owns no rule:
// the wire is package vaulttest's, names and decisions are package tenants'.
package vaultdouble
