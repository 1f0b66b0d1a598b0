// Package policy says whether a caller may: a Request in, a Decision out. Deciders
// live in its rooms: acl (HCL path rules of the built-in decider) and authzen (an
// external decision point with grants). It knows no store and no wire.
package policy
