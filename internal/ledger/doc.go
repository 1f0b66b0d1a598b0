// Package ledger is the kernel: everything Coffer keeps is a sealed record on
// etcd, and every change is one transaction of records and the events that tell
// of it, committed together or not at all.
//
// A transaction is optimistic. Its reads are one snapshot; its commit is one etcd
// transaction that compares the modification revision of all that was read. Every
// commit also compares the epoch: a number that is moved on to fence what is still
// under way. Events are keyed by epoch, so the log can be read in commit order
// without a counter that all writers would have to share, and the mutation id in
// the key tells after a lost answer whether the commit happened.
//
// The package seals and opens; nothing above can forget it, nothing below can read
// it. It does not know what the records mean.
package ledger
