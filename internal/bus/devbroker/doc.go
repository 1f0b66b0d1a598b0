// Package devbroker is the Kafka broker of coffer dev: one broker inside the
// process that speaks the real protocol on a loopback address and keeps its records
// in a directory. It owns the listener and that directory. It is for development
// alone: it knows no authentication, no TLS and no replication, and who produces or
// consumes is not its affair.
package devbroker
