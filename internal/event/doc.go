// Package event says what changed: Event, its codec, the Log that is read by
// sequence, and the Follower that waits for more. Events are appended by ledger
// transactions; this package reads and interprets them.
package event
