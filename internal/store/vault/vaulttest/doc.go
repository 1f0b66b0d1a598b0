// Package vaulttest answers the HTTP API of OpenBao and HashiCorp Vault, KV v2
// with what its clients need around it, over any secret.Store.
//
// It exists so that official clients can drive a store of ours, and so that the
// adapter for those servers can be tested where none is installed. It owns the
// wire: envelopes, error texts, statuses, tokens, wrapping. It does not own the
// KV v2 rules, which belong to the store behind it, nor the meaning of policies
// and groups, which belong to whoever implements Policies and Groups. It is not a
// door: no decision is audited here.
package vaulttest
