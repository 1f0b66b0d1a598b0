// Package bus is what Coffer has to do with Kafka. It mirrors the event log of the
// tenant to one topic and the lines of the audit file to another, each at least
// once and in order, and never holds up a request: it follows what is durable
// already, and catches up when the brokers were away.
//
// How far a topic was filled is a cursor, which moves only after the brokers have
// acknowledged. Whoever moves a cursor compares it first: of two replicas that
// mirror one log, the second to move it stands by until the first one's cursor
// stands still. Both may then have produced the same batch. Each of them produces
// in order, so the first copy of every event comes in order too, and a consumer
// that drops an id it has seen reads the log as it is.
//
// The package does not know where cursors are kept, who appends to the log or to
// the audit file, or which broker it speaks to; the broker of development is
// devbroker.
package bus
