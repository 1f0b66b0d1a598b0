// Package secrets is the use case of secrets: read, write, rotate, delete, restore,
// destroy, describe, list, search, copy, move and bulk, for whoever calls over
// whichever door.
//
// Every operation goes the same way: resolve the URI, check the scope, check that
// the back end can do it, decide, keep the audit attempt, act, tell the event, keep
// the outcome. It knows no wire, no back end and no decider by name.
package secrets
