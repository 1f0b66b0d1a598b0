// Package audit keeps what was decided and what came of it: Record, the Sink that
// fails closed (no record, no effect), the file behind it with its batches, and
// the ring of the latest records. A record never holds a URI, a path, a key or a
// value; it names a secret by its resource_ref.
package audit
