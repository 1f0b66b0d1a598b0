// Package guard is the way of every operation on a secret: decide, keep the
// attempt, act, keep the outcome. A use case describes what is to be done as an Ask
// and gets a Ticket, or a Refusal that is already on record. It decides nothing
// itself and knows no store.
package guard
