// Package upkeep keeps an etcd fit for a ledger: it drops old revisions, watches the
// quota and the disk, and takes the quota alarm back. It knows nothing of records;
// when its chores run, and what is refused for want of room, is the ledger's matter.
package upkeep
