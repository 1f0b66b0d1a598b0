// Package audit keeps what was decided and what came of it: Record, the Sink that
// fails closed (no record, no effect), File with its batches behind it, Ring with
// the latest operations, Refs that name secrets, and Sampler. A record never holds a
// URI, a path, a key or a value; it names a secret by its resource_ref. Who writes
// which record when is the use cases' affair, and so is who may read the ring.
package audit
