// Package authzen is the policy.Decider that asks an external decision point over
// the OpenID AuthZEN Authorization API 1.0. It owns the wire of that API, the
// obligations it understands, the grants that let a read go on without asking again,
// the short memory of refusals and the single use of tokens.
//
// It fails closed: whatever it cannot reach, read or honour is not a permit, and no
// local rule stands in for an absent answer. It authenticates nobody, reads no store
// and writes no audit record.
package authzen
