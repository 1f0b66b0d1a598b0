// Package fault owns the one closed set of error kinds of the house.
//
// A fault is made where the fact is known, carries a public detail and an
// internal cause as two fields, and is turned into a wire shape by exactly one
// file per door. It knows nothing of HTTP, of stores or of secrets.
package fault
