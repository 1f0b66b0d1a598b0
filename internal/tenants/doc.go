// Package tenants is the use case of who belongs where and may do what: policies,
// groups, aliases, the onboarding of a tenant, and the built-in decider over them.
//
// It keeps its records in the ledger. Every change also writes one record, the head,
// so that whoever decides reads that one record to know whether the rules in memory
// are still the rules: a change is effective on the next decision of every member,
// and a head that cannot be read decides nothing.
//
// It does not verify tokens (identity), does not read policy texts itself
// (policy/acl), and knows no wire format: doors translate its results.
package tenants
